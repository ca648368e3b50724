//! The operator's handlers `POST /relays/pause` and `POST /relays/resume`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::openapi::problems;
use super::order::{order, reason};
use super::problem::Problem;
use super::refusals::unavailable;
use crate::daemon::Paused;
use crate::pauses::Pause;

/// What an order must be.
const MEND: &str = "send {\"contract\", \"outlet\"}, and to pause a \"reason\"";

/// What `POST /relays/pause` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct PauseOrder {
    /// Such as `bank.accounts.v1`.
    contract: String,
    /// Such as `mqtt:main`.
    outlet: String,
    /// For those who find it paused; not blank.
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    reason: String,
}

/// What `POST /relays/resume` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct ResumeOrder {
    /// Such as `bank.accounts.v1`.
    contract: String,
    /// Such as `mqtt:main`.
    outlet: String,
}

/// A relay after an order.
#[derive(Serialize, ToSchema)]
pub(super) struct RelayPaused {
    relay: String,
    /// None: it runs.
    paused: Option<Pause>,
    /// It was so before it was asked for.
    already: bool,
}

/// Pauses a relay
///
/// Also over restarts. Nothing of it is in flight any more when this answers.
#[utoipa::path(
    post, path = "/relays/pause", operation_id = "pause", tag = "relays", request_body = PauseOrder,
    responses((status = OK, description = "It is paused", body = RelayPaused), problems::Relay),
)]
pub(crate) async fn pause(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: PauseOrder = order(request, MEND).await?;
    let reason = reason(&order.reason, "say why, for those who find it paused")?;
    let relay = format!("{}/{}", order.contract, order.outlet);
    // It goes on when nobody waits any more.
    let reloader = Arc::clone(&state.reloader);
    let pausing = tokio::spawn(async move {
        let pause = reloader.pause(&relay, &reason).await;
        (relay, pause)
    });
    let (relay, pause) = pausing.await.map_err(|error| failed(&error))?;
    match pause.map_err(unavailable)? {
        Some(Paused { pause, already }) => Ok(json_answer(&RelayPaused {
            relay,
            paused: Some(pause),
            already,
        })),
        None => Err(no_such_relay(&relay)),
    }
}

/// Lets a paused relay go on where it stood
#[utoipa::path(
    post, path = "/relays/resume", operation_id = "resume", tag = "relays", request_body = ResumeOrder,
    responses((status = OK, description = "It runs", body = RelayPaused), problems::Relay),
)]
pub(crate) async fn resume(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: ResumeOrder = order(request, MEND).await?;
    let relay = format!("{}/{}", order.contract, order.outlet);
    let reloader = Arc::clone(&state.reloader);
    let resuming = tokio::spawn(async move {
        let resumed = reloader.resume(&relay).await;
        (relay, resumed)
    });
    let (relay, resumed) = resuming.await.map_err(|error| failed(&error))?;
    match resumed.map_err(unavailable)? {
        Some(was_paused) => Ok(json_answer(&RelayPaused {
            relay,
            paused: None,
            already: !was_paused,
        })),
        None => Err(no_such_relay(&relay)),
    }
}

fn no_such_relay(relay: &str) -> Problem {
    let title = "no relay is called so";
    Problem::new(StatusCode::NOT_FOUND, "no-such-relay", title)
        .detail(format!("no contract and outlet make up {relay:?}"))
        .mend("name a contract and an outlet as `horizon status` shows them")
}

pub(super) fn failed(error: &dyn std::fmt::Display) -> Problem {
    let title = "it could not be done";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "failed", title).detail(error.to_string())
}
