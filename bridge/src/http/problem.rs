//! Errors as `application/problem+json` (RFC 9457): a stable `type`, the pointer at fault, and what would mend it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// The start of every problem's `type`.
const TYPE_PREFIX: &str = "urn:horizon:problem:";

/// One problem, ready to be answered.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    retry_after_seconds: Option<u32>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem of the kind `name`, which never changes its meaning.
    pub(crate) fn new(status: StatusCode, name: &str, title: &str) -> Problem {
        let members = Map::from_iter([
            (
                "type".to_owned(),
                Value::from(format!("{TYPE_PREFIX}{name}")),
            ),
            ("title".to_owned(), Value::from(title)),
            ("status".to_owned(), Value::from(status.as_u16())),
        ]);
        Problem {
            status,
            retry_after_seconds: None,
            members,
        }
    }

    /// What exactly is wrong with this request.
    pub(crate) fn detail(self, text: impl Into<String>) -> Problem {
        self.with("detail", text.into())
    }

    /// What the caller can do about it.
    pub(crate) fn mend(self, text: impl Into<String>) -> Problem {
        self.with("mend", text.into())
    }

    /// The same request may succeed after so many seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// A further member, for programs.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Value::Object(self.members).to_string();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response =
            (self.status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
