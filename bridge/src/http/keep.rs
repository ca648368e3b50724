//! The operator's handlers that keep the store: `POST /backups` and `POST /verifications`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::{BackedUpLog, Backup, Finding, KeepError, Verified};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::number::optional;
use super::openapi::problems;
use super::order::{Nothing, nothing, order, whole_path};
use super::problem::Problem;
use super::refusals::{malformed, unavailable};
use crate::clock;

/// What `POST /backups` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct BackupOrder {
    /// The folder's whole path on the daemon's machine.
    #[schema(value_type = String, pattern = r"^/[^\u0000]*$")]
    folder: PathBuf,
    /// How many backups to keep; all, if absent.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 4294967295u32)]
    keep: Option<u32>,
}

/// Makes a backup
///
/// It is there when this answers, and goes on when nobody waits for the answer any more.
#[utoipa::path(
    post, path = "/backups", operation_id = "backup", tag = "keeping", request_body = BackupOrder,
    responses((status = CREATED, description = "It is made", body = BackupMade), problems::Backup),
)]
pub(crate) async fn backup(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let mend = "send {\"folder\": the folder's whole path, \"keep\": how many backups to keep, if not all}";
    let order: BackupOrder = order(request, mend).await?;
    whole_path(&order.folder)?;
    if order.folder.exists() && !order.folder.is_dir() {
        return Err(backup_refused("what is there is no folder"));
    }
    let keep = match order.keep.map(|keep| NonZeroUsize::try_from(keep as usize)) {
        Some(Err(_)) => return Err(malformed("to keep no backup is none").mend(mend)),
        keep => keep.and_then(Result::ok),
    };
    let made = state
        .store
        .backup(&order.folder, keep)
        .await
        .map_err(keep_problem)?;
    tracing::info!(
        backup = made.id,
        bytes = made.bytes,
        new_bytes = made.new_bytes,
        folder = %order.folder.display(),
        "a backup is made"
    );
    Ok((StatusCode::CREATED, json_answer(&backup_made(&made))))
}

/// Verifies what the store holds
///
/// Beside everything else. It ends when nobody waits for the answer any more.
#[utoipa::path(
    post, path = "/verifications", operation_id = "verify", tag = "keeping", request_body = Nothing,
    responses((status = OK, description = "What was found", body = Verification), problems::Order),
)]
pub(crate) async fn verification(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    nothing(request).await?;
    let verified = state.store.verify_live(|_, _| ()).await;
    let verified = verified.map_err(unavailable)?;
    if !verified.is_sound() {
        tracing::error!(
            findings = verified.findings.len() as u64 + verified.more_findings,
            "the store is damaged; see the answer to `horizon verify`"
        );
    }
    Ok(json_answer(&verification_of(&verified)))
}

fn backup_refused(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "backup-refused",
        "the backup cannot be made there",
    )
    .detail(detail)
    .mend("give another folder")
}

fn keep_problem(error: KeepError) -> Problem {
    match error {
        KeepError::Store(error) => unavailable(error),
        KeepError::Refused { .. } => backup_refused(error.to_string()),
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupMade {
    /// Its number in the folder.
    backup: u32,
    #[schema(format = DateTime)]
    made: String,
    epoch: u64,
    files: u32,
    bytes: u64,
    /// Bytes that were copied for it; the rest was in the folder already.
    new_bytes: u64,
    logs: Vec<BackedUp>,
}

/// A log in a backup.
#[derive(Serialize, ToSchema)]
struct BackedUp {
    name: String,
    head: u64,
    events: u64,
}

/// A backup as it is told.
pub(crate) fn backup_made(backup: &Backup) -> BackupMade {
    let log = |log: &BackedUpLog| BackedUp {
        name: log.log.as_str().to_owned(),
        head: log.head.get(),
        events: log.events,
    };
    BackupMade {
        backup: backup.id,
        made: clock::rfc3339(backup.made_ms),
        epoch: backup.epoch,
        files: backup.files,
        bytes: backup.bytes,
        new_bytes: backup.new_bytes,
        logs: backup.logs.iter().map(log).collect(),
    }
}

/// What a verification saw, as it is told.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification {
    /// What is not as it must be: the first 1,000.
    findings: Vec<Found>,
    /// How many more there are.
    more_findings: u64,
    logs: u64,
    events: u64,
    public_events: u64,
    entries: u64,
}

/// What is not as it must be.
#[derive(Serialize, ToSchema)]
struct Found {
    place: String,
    problem: String,
    mend: String,
}

/// What a verification saw, as it is told.
pub(crate) fn verification_of(verified: &Verified) -> Verification {
    let found = |finding: &Finding| Found {
        place: finding.place.clone(),
        problem: finding.problem.clone(),
        mend: finding.mend.clone(),
    };
    Verification {
        findings: verified.findings.iter().map(found).collect(),
        more_findings: verified.more_findings,
        logs: verified.logs,
        events: verified.events,
        public_events: verified.public_events,
        entries: verified.entries,
    }
}
