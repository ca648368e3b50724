//! The operator's handler `POST /exports`: everything in the store as JSON lines, into a file on the daemon's machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::{ExportError, Exported};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Operator;
use super::body::body;
use super::operator::json_answer;
use super::problem::Problem;
use super::refusals::{malformed, unavailable};

/// Largest request body, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What `POST /exports` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    file: PathBuf,
}

/// Exports, and answers when the file is there. It ends, and no file is left, when nobody waits for the answer any more.
pub(crate) async fn export(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let body = body(request, BODY_LIMIT_BYTES).await?;
    let order: Order = serde_json::from_slice(&body).map_err(|error| {
        malformed(error.to_string()).mend("send {\"file\": the file's whole path}")
    })?;
    if !order.file.is_absolute() {
        return Err(malformed("the file's name is not absolute")
            .mend("give the file's whole path on the daemon's machine"));
    }
    let exported = state.store.export_file(&order.file, |_| ()).await;
    let exported = exported.map_err(problem)?;
    tracing::info!(
        events = exported.counts.events,
        bytes = exported.bytes,
        file = %order.file.display(),
        "the store is exported"
    );
    Ok((
        StatusCode::CREATED,
        json_answer(&export_body(&order.file, &exported)),
    ))
}

fn problem(error: ExportError) -> Problem {
    match error {
        ExportError::Store(error) => unavailable(error),
        ExportError::Exists { .. } => Problem::new(
            StatusCode::CONFLICT,
            "export-refused",
            "the file is there already",
        )
        .detail(error.to_string())
        .mend("remove it, or choose another name"),
        error => {
            tracing::error!(%error, "the store could not be exported");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "export-failed",
                "the export could not be written",
            )
            .detail(error.to_string())
            .mend(
                "mend what it names, or give another file; the daemon must be able to write there",
            )
        }
    }
}

/// An export as it is told.
pub(crate) fn export_body(file: &Path, exported: &Exported) -> Value {
    json!({
        "file": file,
        "bytes": exported.bytes,
        "blake3": exported.blake3,
        "counts": exported.counts,
    })
}
