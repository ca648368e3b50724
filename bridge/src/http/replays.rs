//! The operator's handlers for replays: `POST /replays`, `GET /replays`, `GET /replays/{id}` and `POST /replays/{id}/stop`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::openapi::problems;
use super::order::{Nothing, nothing, order};
use super::problem::Problem;
use super::refusals::{malformed, unavailable};
use super::relays::failed;
use crate::daemon::{ReplayError, Wanted};
use crate::replays::ReplayView;

/// What an order must be.
const MEND: &str = "send {\"contract\", \"outlet\"}, and if need be \"from\", \"to\" (sequences or times), \"key\", \"topic\" or \"routingKey\" or \"queue\", \"eventsPerSecond\", \"dryRun\"";

/// The replays that are remembered.
#[derive(Serialize, ToSchema)]
pub(super) struct ReplayList {
    replays: Vec<ReplayView>,
}

/// Begins a replay
///
/// It goes on by itself.
#[utoipa::path(
    post, path = "/replays", operation_id = "replay", tag = "relays", request_body = Wanted,
    responses((status = CREATED, description = "It has begun", body = ReplayView), problems::Replay),
)]
pub(crate) async fn begin(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let wanted: Wanted = order(request, MEND).await?;
    let reloader = Arc::clone(&state.reloader);
    let begun = tokio::spawn(async move { reloader.replay(wanted).await }).await;
    let id = begun.map_err(|error| failed(&error))?.map_err(refused)?;
    Ok((StatusCode::CREATED, json_answer(&view(&state, id)?)))
}

/// All replays that are remembered
#[utoipa::path(
    get, path = "/replays", operation_id = "replays", tag = "relays",
    responses((status = OK, description = "The last first", body = ReplayList)),
)]
pub(crate) async fn all(State(state): State<Arc<Operator>>) -> impl IntoResponse {
    json_answer(&ReplayList {
        replays: state.reloader.replays().views(),
    })
}

/// One replay
#[utoipa::path(
    get, path = "/replays/{id}", operation_id = "replayById", tag = "relays",
    params(("id" = u64, Path, description = "Its number", maximum = 18446744073709551615u64)),
    responses((status = OK, description = "It", body = ReplayView), problems::OneReplay),
)]
pub(crate) async fn one(
    State(state): State<Arc<Operator>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    Ok(json_answer(&view(&state, number(id)?)?))
}

/// Tells a replay to stop
///
/// What is in flight is answered for, and nothing more is sent.
#[utoipa::path(
    post, path = "/replays/{id}/stop", operation_id = "stopReplay", tag = "relays",
    params(("id" = u64, Path, description = "Its number", maximum = 18446744073709551615u64)), request_body = Nothing,
    responses((status = OK, description = "It was told", body = ReplayView), problems::StopReplay),
)]
pub(crate) async fn stop(
    State(state): State<Arc<Operator>>,
    id: Result<Path<u64>, PathRejection>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let id = number(id)?;
    nothing(request).await?;
    state.reloader.replays().stop(id);
    Ok(json_answer(&view(&state, id)?))
}

fn number(id: Result<Path<u64>, PathRejection>) -> Result<u64, Problem> {
    id.map(|Path(id)| id).map_err(|_| {
        malformed("the address names no replay")
            .mend("give its number, as `horizon replay list` tells it")
    })
}

fn view(state: &Operator, id: u64) -> Result<ReplayView, Problem> {
    state.reloader.replays().view(id).ok_or_else(|| {
        let title = "no replay has this number";
        Problem::new(StatusCode::NOT_FOUND, "no-such-replay", title)
            .detail("replays are forgotten when the daemon stops, and old ones when there are many")
            .mend("see `horizon replay list`")
    })
}

fn refused(error: ReplayError) -> Problem {
    let detail = error.to_string();
    match error {
        ReplayError::Store(error) => unavailable(error),
        ReplayError::TooMany => {
            let title = "too many replays run";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-replays", title)
                .detail(detail)
                .mend("wait for one of them, or stop one: see `horizon replay list`")
        }
        ReplayError::Place(_) => {
            let title = "there is no such place";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-such-place", title)
                .detail(detail)
                .mend("name a contract and an outlet as `horizon status` shows them, and a place that its protocol has")
        }
        ReplayError::Rate => malformed("a replay sends at least one event a second")
            .detail(detail)
            .with("pointer", "/eventsPerSecond")
            .mend("give 1 or more, or leave it out"),
        ReplayError::Bounds(_) => {
            let title = "there is nothing to replay";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing-to-replay", title)
                .detail(detail)
                .mend("give sequences, or RFC 3339 times such as 2024-01-31T12:00:00Z, with events between them")
        }
    }
}
