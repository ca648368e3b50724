//! Answers as JSON. Each is a type, so that what is described is what is answered.

use axum::http::{HeaderName, header};
use serde::Serialize;

/// An answer's content type and body.
pub(super) fn json_answer<T: Serialize + ?Sized>(
    body: &T,
) -> ([(HeaderName, &'static str); 1], String) {
    (
        [(header::CONTENT_TYPE, "application/json")],
        serde_json::to_string(body).unwrap_or_default(),
    )
}
