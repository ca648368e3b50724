//! The operator's handler `POST /exports`: everything in the store as JSON lines, into a file on the daemon's machine.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::{ExportCounts, ExportError, Exported};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::openapi::problems;
use super::order::{order, whole_path};
use super::problem::Problem;
use super::refusals::unavailable;

/// What `POST /exports` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct ExportOrder {
    /// The file's whole path on the daemon's machine; nothing is there yet.
    #[schema(value_type = String, pattern = r"^/[^\u0000]*$")]
    file: PathBuf,
}

/// Exports everything as JSON lines
///
/// The file is there when this answers. It ends, and no file is left, when nobody waits for the answer any more.
#[utoipa::path(
    post, path = "/exports", operation_id = "export", tag = "keeping", request_body = ExportOrder,
    responses((status = CREATED, description = "It is written", body = ExportMade), problems::Export),
)]
pub(crate) async fn export(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: ExportOrder = order(request, "send {\"file\": the file's whole path}").await?;
    whole_path(&order.file)?;
    let folder = order.file.parent().filter(|folder| !folder.is_dir());
    if let Some(folder) = folder {
        let detail = format!("there is no folder {}", folder.display());
        return Err(refused("the file's folder is not there")
            .detail(detail)
            .mend("make the folder on the daemon's machine, or give a file in another one"));
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
        json_answer(&export_made(order.file, &exported)),
    ))
}

fn refused(title: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "export-refused", title)
}

fn problem(error: ExportError) -> Problem {
    match error {
        ExportError::Store(error) => unavailable(error),
        ExportError::Exists { .. } => refused("the file is there already")
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
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportMade {
    #[schema(value_type = String)]
    file: PathBuf,
    bytes: u64,
    /// Of all lines but the last, in hexadecimal digits.
    blake3: String,
    /// How many lines there are, by kind.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    counts: ExportCounts,
}

/// What is told of an export.
pub(crate) fn export_made(file: PathBuf, exported: &Exported) -> ExportMade {
    ExportMade {
        file,
        bytes: exported.bytes,
        blake3: exported.blake3.clone(),
        counts: exported.counts,
    }
}
