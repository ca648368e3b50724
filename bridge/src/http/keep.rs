//! The operator's handlers that keep the store: `POST /backups` and `POST /verifications`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::{Backup, Finding, KeepError, Verified};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Operator;
use super::body::body;
use super::operator::json_answer;
use super::problem::Problem;
use super::refusals::{malformed, unavailable};
use crate::clock;

/// Largest request body, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What `POST /backups` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupOrder {
    folder: PathBuf,
    keep: Option<NonZeroUsize>,
}

/// Makes a backup, and answers when it is there. It goes on when nobody waits for the answer any more.
pub(crate) async fn backup(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let body = body(request, BODY_LIMIT_BYTES).await?;
    let order: BackupOrder = serde_json::from_slice(&body).map_err(|error| {
        malformed(error.to_string())
            .mend("send {\"folder\": the folder's whole path, \"keep\": how many backups to keep, if not all}")
    })?;
    if !order.folder.is_absolute() {
        return Err(malformed("the folder is not absolute")
            .mend("give the folder's whole path on the daemon's machine"));
    }
    let made = state
        .store
        .backup(&order.folder, order.keep)
        .await
        .map_err(keep_problem)?;
    tracing::info!(
        backup = made.id,
        bytes = made.bytes,
        new_bytes = made.new_bytes,
        folder = %order.folder.display(),
        "a backup is made"
    );
    Ok((StatusCode::CREATED, json_answer(&backup_body(&made))))
}

/// Verifies what the store holds, beside everything else. It ends when nobody waits for the answer any more.
pub(crate) async fn verification(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    // JSON is asked for so that no web page can ask for it.
    body(request, BODY_LIMIT_BYTES).await?;
    let verified = state.store.verify_live(|_, _| ()).await;
    let verified = verified.map_err(unavailable)?;
    if !verified.is_sound() {
        tracing::error!(
            findings = verified.findings.len() as u64 + verified.more_findings,
            "the store is damaged; see the answer to `horizon verify`"
        );
    }
    Ok(json_answer(&verified_body(&verified)))
}

fn keep_problem(error: KeepError) -> Problem {
    match error {
        KeepError::Store(error) => unavailable(error),
        KeepError::Refused { .. } => Problem::new(
            StatusCode::CONFLICT,
            "backup-refused",
            "the backup cannot be made there",
        )
        .detail(error.to_string()),
        error => {
            tracing::error!(%error, "a backup could not be made");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "backup-failed",
                "the backup could not be made",
            )
            .detail(error.to_string())
            .mend("mend what it names, or give another folder")
        }
    }
}

/// A backup as it is told.
pub(crate) fn backup_body(backup: &Backup) -> Value {
    let logs = backup
        .logs
        .iter()
        .map(|log| json!({"name": log.log.as_str(), "head": log.head.get(), "events": log.events}));
    json!({
        "backup": backup.id,
        "made": clock::rfc3339(backup.made_ms),
        "epoch": backup.epoch,
        "files": backup.files,
        "bytes": backup.bytes,
        "newBytes": backup.new_bytes,
        "logs": logs.collect::<Vec<_>>(),
    })
}

/// What a verification saw, as it is told.
pub(crate) fn verified_body(verified: &Verified) -> Value {
    let finding = |finding: &Finding| json!({"place": finding.place, "problem": finding.problem, "mend": finding.mend});
    json!({
        "findings": verified.findings.iter().map(finding).collect::<Vec<_>>(),
        "moreFindings": verified.more_findings,
        "logs": verified.logs,
        "events": verified.events,
        "publicEvents": verified.public_events,
        "entries": verified.entries,
    })
}
