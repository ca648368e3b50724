//! The operator's handlers `POST /relays/pause` and `POST /relays/resume`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Operator;
use super::body::body;
use super::operator::json_answer;
use super::problem::Problem;
use super::refusals::{malformed, unavailable};

/// Largest request body, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Longest reason, in bytes.
const REASON_LIMIT_BYTES: usize = 1_000;

/// What `POST /relays/pause` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseOrder {
    contract: String,
    outlet: String,
    reason: String,
}

/// What `POST /relays/resume` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeOrder {
    contract: String,
    outlet: String,
}

/// Pauses a relay, also over restarts, and answers when nothing of it is in flight any more.
pub(crate) async fn pause(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: PauseOrder = order(request).await?;
    let reason = order.reason.trim();
    if reason.is_empty() || reason.len() > REASON_LIMIT_BYTES {
        return Err(malformed("a relay is paused for a reason")
            .detail(format!("it has 1 to {REASON_LIMIT_BYTES} bytes"))
            .with("pointer", "/reason")
            .mend("say why, for those who find it paused"));
    }
    let relay = format!("{}/{}", order.contract, order.outlet);
    let reason = reason.to_owned();
    // It goes on when nobody waits any more.
    let reloader = Arc::clone(&state.reloader);
    let pausing = tokio::spawn(async move {
        let pause = reloader.pause(&relay, &reason).await;
        (relay, pause)
    });
    let (relay, pause) = pausing.await.map_err(|error| failed(&error))?;
    match pause.map_err(unavailable)? {
        Some(pause) => Ok(json_answer(&json!({"relay": relay, "paused": pause}))),
        None => Err(no_such_relay(&relay)),
    }
}

/// Lets a relay go on where it stood.
pub(crate) async fn resume(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: ResumeOrder = order(request).await?;
    let relay = format!("{}/{}", order.contract, order.outlet);
    let reloader = Arc::clone(&state.reloader);
    let resuming = tokio::spawn(async move {
        let known = reloader.resume(&relay).await;
        (relay, known)
    });
    let (relay, known) = resuming.await.map_err(|error| failed(&error))?;
    if !known.map_err(unavailable)? {
        return Err(no_such_relay(&relay));
    }
    Ok(json_answer(&json!({"relay": relay, "paused": null})))
}

/// An order as JSON.
pub(super) async fn order<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let body = body(request, BODY_LIMIT_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| {
        malformed("the order cannot be read")
            .detail(error.to_string())
            .mend("see bridge/docs/operating.md for what it takes")
    })
}

pub(super) fn no_such_relay(relay: &str) -> Problem {
    let title = "no relay is called so";
    Problem::new(StatusCode::NOT_FOUND, "no-such-relay", title)
        .detail(format!("no contract and outlet make up {relay:?}"))
        .mend("name a contract and an outlet as `horizon status` shows them")
}

pub(super) fn failed(error: &dyn std::fmt::Display) -> Problem {
    let title = "it could not be done";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "failed", title).detail(error.to_string())
}
