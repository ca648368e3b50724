//! The operator's handlers: `GET /status` and `GET /why/{id}`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use horizon_store::{Position, PublicStreamName, RelayName, Sequence, StoreError};
use serde_json::{Value, json};

use super::Operator;
use super::body::path;
use super::problem::Problem;
use super::refusals::unavailable;
use crate::crossing::cursor_name;
use crate::crossing::parked::ParkedKeys;
use crate::relay::relay_name;

/// Positions, contracts and relays.
pub(crate) async fn status(
    State(state): State<Arc<Operator>>,
) -> Result<impl IntoResponse, Problem> {
    let body = collect(&state).await.map_err(unavailable)?;
    Ok(json_answer(&body))
}

/// What became of the events with this id.
pub(crate) async fn why(
    State(state): State<Arc<Operator>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let id = path(id)?;
    let told = crate::why::tell(&state, &id).await.map_err(unavailable)?;
    if told.is_empty() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-event",
            "no event has this id",
        )
        .detail(format!(
            "nothing with the id {id:?} was appended to this store"
        ))
        .mend(
            "give the id of a private event as it was appended; ids of public events are others",
        ));
    }
    Ok(json_answer(&Value::from(told)))
}

pub(super) fn json_answer(body: &Value) -> impl IntoResponse + use<> {
    (
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
}

async fn collect(state: &Operator) -> Result<Value, StoreError> {
    let head = state.store.head(&state.log).await?;
    let events = state.store.event_count(&state.log).await?;
    let mut contracts = Vec::new();
    let mut relays = Vec::new();
    let catalog = state.catalog.current();
    for contract in catalog.contracts() {
        // Names that a contract was loaded with are sound: the crossing could not run otherwise.
        let Ok(stream) = PublicStreamName::new(&contract.public_stream()) else {
            continue;
        };
        contracts.push(contract_status(state, contract, &stream).await?);
        for outlet in contract.outlets() {
            let Ok(name) = relay_name(&stream, outlet.name()) else {
                continue;
            };
            relays.push(relay_status(state, &stream, &name).await?);
        }
    }
    let disk = state.store.disk_space();
    let mut doors = state.reloader.doors();
    Ok(json!({
        "store": state.store.id(),
        "disk": {
            "freeBytes": disk.free_bytes,
            "appendsRefused": disk.appends_refused,
            "crossingRefused": disk.crossing_refused,
        },
        "log": {"name": state.log.as_str(), "head": head.get(), "events": events, "flaggedSinceStart": state.status.flagged_since_start()},
        "loading": state.catalog.view(),
        "contracts": contracts,
        "relays": relays,
        "access": doors["access"].take(),
        "listeners": doors["listeners"].take(),
        "replays": state.reloader.replays().views(),
        "failures": super::failures(&state.status, &state.store),
    }))
}

async fn contract_status(
    state: &Operator,
    contract: &horizon_schemas::Contract,
    stream: &PublicStreamName,
) -> Result<Value, StoreError> {
    let head = state.store.public_head(&state.log, stream).await?;
    let cursor = match cursor_name(stream) {
        Ok(name) => state
            .store
            .crossing_cursor(&state.log, &name)
            .await?
            .unwrap_or(Position::ZERO),
        Err(_) => Position::ZERO,
    };
    let scope = horizon_store::ParkScope::Crossing(stream.clone());
    let parked = ParkedKeys::read(&state.store, &state.log, &scope)
        .await?
        .len();
    let (last, crossed, counts) = head.map_or(
        (Sequence::ZERO, 0, horizon_store::Counts::default()),
        |head| (head.last, head.crossed, head.counts),
    );
    Ok(json!({
        "contract": stream.as_str(),
        "version": contract.version(),
        "fingerprint": contract.fingerprint(),
        "loaded": state.catalog.since(stream.as_str()),
        "cursor": cursor.get(),
        "sequence": last.get(),
        "crossed": crossed,
        "filtered": counts.filtered,
        "unmatched": counts.unmatched,
        "violated": counts.violated,
        "parkedKeys": parked,
        "halted": state.status.halt_of(stream.as_str()),
    }))
}

async fn relay_status(
    state: &Operator,
    stream: &PublicStreamName,
    name: &RelayName,
) -> Result<Value, StoreError> {
    let head = state
        .store
        .public_head(&state.log, stream)
        .await?
        .map_or(Sequence::ZERO, |head| head.last);
    let cursor = state
        .store
        .relay_cursor(&state.log, name)
        .await?
        .unwrap_or(Sequence::ZERO);
    let totals = state.store.relay_totals(&state.log, name).await?;
    let mut status = json!({
        "relay": name.as_str(),
        "cursor": cursor.get(),
        "head": head.get(),
        "lag": state.store.public_between(&state.log, stream, cursor, head).await?,
        "confirmed": totals.confirmed,
        "unheard": totals.unheard,
        "parked": totals.parked,
        "skipped": totals.skipped,
    });
    if let Some(Ok(Value::Object(view))) = state
        .status
        .relay(name.as_str())
        .map(|relay| serde_json::to_value(relay.view()))
        && let Value::Object(members) = &mut status
    {
        members.extend(view);
    }
    // A relay that stands counts nothing.
    if status["paused"].is_object() {
        let scope = horizon_store::ParkScope::Relay(name.clone());
        let parked = ParkedKeys::read(&state.store, &state.log, &scope).await?;
        status["parkedKeys"] = parked.len().into();
    }
    Ok(status)
}
