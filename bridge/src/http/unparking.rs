//! The operator's handlers that let parked keys go on: `POST /parked/retry` and `POST /parked/skip`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::number::optional;
use super::openapi::problems;
use super::order::order;
use super::parked::{not_parked, one_scope};
use super::problem::Problem;
use super::refusals::malformed;
use crate::crossing::CrossingOrder;
use crate::parked::Scope;
use crate::unparking::{Keys, Order, Progress, Skip, Stuck, Ticket};

/// How long an answer waits for an order to be done, in seconds. The order goes on after it.
pub(super) const PATIENCE_SECONDS: u64 = 30;

/// What `POST /parked/retry` takes: one `key`, or `all`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct RetryOrder {
    contract: String,
    outlet: Option<String>,
    key: Option<String>,
    #[serde(default)]
    all: bool,
}

/// What `POST /parked/skip` takes: one `key`, or `all`.
#[derive(Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "camelCase",
    expecting = "a JSON object"
)]
pub(super) struct SkipOrder {
    contract: String,
    outlet: Option<String>,
    key: Option<String>,
    #[serde(default)]
    all: bool,
    /// Why it is given up; not blank.
    #[schema(min_length = 1, pattern = "\\S")]
    reason: String,
    /// Only if the event at this place is the first that waits; of one key.
    #[serde(default, deserialize_with = "optional")]
    at: Option<u64>,
    #[serde(default)]
    all_events: bool,
}

/// Lets parked keys go on
///
/// What waits is tried again, in order.
#[utoipa::path(
    post, path = "/parked/retry", operation_id = "retry", tag = "parked", request_body = RetryOrder,
    responses(
        (status = OK, description = "It is done", body = Progress),
        (status = ACCEPTED, description = "It takes longer, and goes on", body = Progress),
        problems::Unpark,
    ),
)]
pub(crate) async fn retry(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let mend =
        "send {\"contract\", \"key\" or \"all\": true, and \"outlet\" if it is parked there}";
    let order: RetryOrder = order(request, mend).await?;
    let keys = one_or_all(order.key, order.all, mend)?;
    let scope = one_scope(
        &state.catalog.current(),
        &order.contract,
        order.outlet.as_deref(),
    )?;
    carry_out(&state, &scope, keys, None).await
}

fn one_or_all(key: Option<String>, all: bool, mend: &str) -> Result<Keys, Problem> {
    match (key, all) {
        (Some(key), false) => Ok(Keys::One(key)),
        (None, true) => Ok(Keys::All),
        _ => Err(malformed("the order is for one key, or for all").mend(mend)),
    }
}

/// Gives up what waits of a parked key, or of all
///
/// The rest goes on.
#[utoipa::path(
    post, path = "/parked/skip", operation_id = "skip", tag = "parked", request_body = SkipOrder,
    responses(
        (status = OK, description = "It is done", body = Progress),
        (status = ACCEPTED, description = "It takes longer, and goes on", body = Progress),
        problems::Unpark,
    ),
)]
pub(crate) async fn skip(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let mend = "send {\"contract\", \"key\" or \"all\": true, \"reason\"}, and if need be \"outlet\", \"at\" (of one key) and \"allEvents\": true";
    let order: SkipOrder = order(request, mend).await?;
    if order.reason.trim().is_empty() {
        return Err(malformed("the reason is empty")
            .mend("say why the event is given up; `horizon why` tells it"));
    }
    let keys = one_or_all(order.key, order.all, mend)?;
    if order.at.is_some() && keys == Keys::All {
        return Err(malformed("`at` is a place of one key").mend(mend));
    }
    let scope = one_scope(
        &state.catalog.current(),
        &order.contract,
        order.outlet.as_deref(),
    )?;
    let skip = Skip {
        all_events: order.all_events,
        at: order.at,
        reason: order.reason,
    };
    carry_out(&state, &scope, keys, Some(skip)).await
}

/// Hands an order in, and waits for it to be done; but not for ever.
async fn carry_out(
    state: &Operator,
    scope: &Scope,
    keys: Keys,
    skip: Option<Skip>,
) -> Result<impl IntoResponse + use<>, Problem> {
    let (ticket, mut progress) = Ticket::new();
    let order = Order {
        keys: keys.clone(),
        skip,
        ticket,
    };
    let handed_in = match scope.relay() {
        None => {
            let stream = scope.stream().clone();
            let order = CrossingOrder::Unpark { stream, order };
            state.desk.crossing().send(order).await.is_ok()
        }
        Some(relay) => match state.desk.relay(relay.as_str()) {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        },
    };
    if !handed_in {
        return Err(not_running(state, scope));
    }
    let waited = tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), done(&mut progress));
    let told = match waited.await {
        Ok(Some(told)) => told,
        Ok(None) => return Err(not_running(state, scope)),
        Err(_) => progress.borrow().clone(),
    };
    if let (Keys::One(key), [stuck]) = (&keys, told.stuck_keys.as_slice())
        && *stuck == Stuck::not_parked(key.clone())
    {
        return Err(not_parked(key));
    }
    let status = if told.done {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, json_answer(&told)))
}

/// Waits for the end of an order; none if nobody carries it out any more.
async fn done(progress: &mut watch::Receiver<Progress>) -> Option<Progress> {
    let done = progress.wait_for(|progress| progress.done).await;
    done.ok().map(|progress| progress.clone())
}

pub(super) fn not_running(state: &Operator, scope: &Scope) -> Problem {
    let relay = scope
        .relay()
        .and_then(|relay| state.status.relay(relay.as_str()));
    if let Some(pause) = relay.and_then(|relay| relay.view().paused) {
        let title = "the relay is paused";
        return Problem::new(StatusCode::CONFLICT, "relay-paused", title)
            .detail(format!(
                "{} is paused since {}: {}",
                scope.park_scope(),
                pause.since,
                pause.reason
            ))
            .mend("`horizon resume` it first; what is parked stays parked");
    }
    Problem::new(
        StatusCode::CONFLICT,
        "not-running",
        "nothing carries this out now",
    )
    .detail(format!(
        "{} does not run: the contract is a draft or retired, was reloaded just now, or the daemon is stopping",
        scope.park_scope()
    ))
    .mend("see `horizon status`; what is parked stays parked")
}
