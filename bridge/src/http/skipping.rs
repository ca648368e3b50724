//! The operator's handler `POST /contracts/skip`: the way out for a contract that has halted.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::Position;
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::number::whole;
use super::openapi::problems;
use super::order::{order, reason};
use super::parked::one_scope;
use super::problem::Problem;
use super::refusals::unavailable;
use super::unparking::{PATIENCE_SECONDS, not_running};
use crate::crossing::{CrossingOrder, NotSkipped, Skipped};

/// What an order must be.
const MEND: &str = "send {\"contract\", \"at\", \"reason\"}";

/// What `POST /contracts/skip` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct SkipAtHalt {
    /// Such as `bank.accounts.v1`.
    contract: String,
    /// The position at which it has halted.
    #[serde(deserialize_with = "position")]
    #[schema(value_type = u64, maximum = 9007199254740991u64)]
    at: Position,
    /// Why the event is given up; not blank.
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S")]
    reason: String,
}

fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let refused = || serde::de::Error::custom(format_args!("{number} is no position"));
    whole(&number).map(Position::new).ok_or_else(refused)
}

/// Gives up the event at which a contract has halted
///
/// For good; the contract then goes on behind it. For an event of which no key can be made, so that nothing can be parked.
#[utoipa::path(
    post, path = "/contracts/skip", operation_id = "skipAtHalt", tag = "contracts", request_body = SkipAtHalt,
    responses((status = OK, description = "It is given up, and that is recorded", body = Skipped), problems::SkipAtHalt),
)]
pub(crate) async fn skip(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let order: SkipAtHalt = order(request, MEND).await?;
    let reason = reason(
        &order.reason,
        "say why the event is given up; `horizon why` tells it",
    )?;
    let scope = one_scope(&state.catalog.current(), &order.contract, None)?;
    let (answer, answered) = oneshot::channel();
    let skip = CrossingOrder::Skip {
        stream: scope.stream().clone(),
        at: order.at,
        reason,
        answer,
    };
    let carried_out = async {
        state.desk.crossing().send(skip).await.ok()?;
        answered.await.ok()
    };
    match tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), carried_out).await {
        Ok(Some(Ok(skipped))) => Ok(json_answer(&skipped)),
        Ok(Some(Err(refused))) => Err(not_skipped(&order.contract, order.at, refused)),
        Ok(None) => Err(not_running(&state, &scope)),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            "the store does not serve",
        )
        .detail(format!("the crossing has not come to it in {PATIENCE_SECONDS} seconds, as when the disk is low; it may still be carried out"))
        .mend("see `horizon status`; `horizon why` tells whether the event was given up")),
    }
}

fn not_skipped(contract: &str, at: Position, refused: NotSkipped) -> Problem {
    let (detail, mend) = match refused {
        NotSkipped::Store(error) => return unavailable(error),
        NotSkipped::GoesOn => (
            format!("{contract} has not halted"),
            "see `horizon status`; of an event that was given up before, `horizon why` tells it",
        ),
        NotSkipped::Elsewhere(halted) => (
            format!("{contract} has halted at position {halted}, not at {at}"),
            "see `horizon status` for why, and name the position at which it has halted",
        ),
        NotSkipped::Full => (
            format!("{contract} has halted there because too much is parked, not for this event"),
            "let parked keys go on: `horizon parked retry` or `horizon parked skip`",
        ),
    };
    let title = "the contract has not halted for this event";
    Problem::new(StatusCode::CONFLICT, "not-halted", title)
        .detail(detail)
        .mend(mend)
}
