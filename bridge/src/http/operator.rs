//! The operator's handlers: `GET /status` and `GET /why/{id}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_store::{PublicStreamName, RelayName, Sequence, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;
use super::body::path;
use super::openapi::problems;
use super::problem::Problem;
use super::refusals::unavailable;
use crate::access::GateView;
use crate::crossing::cursor_of;
use crate::crossing::parked::ParkedKeys;
use crate::daemon::DoorsView;
use crate::loaded::LoadView;
use crate::pauses::Pause;
use crate::relay::relay_name;
use crate::replays::ReplayView;
use crate::server::ListenerView;
use crate::status::RelayState;
use crate::why::About;

/// How everything stands
///
/// Disk, log, contracts, relays, replays.
#[utoipa::path(
    get, path = "/status", operation_id = "status", tag = "status",
    responses((status = OK, description = "How it stands", body = StatusTold), problems::Store),
)]
pub(crate) async fn status(
    State(state): State<Arc<Operator>>,
) -> Result<impl IntoResponse, Problem> {
    let body = collect(&state).await.map_err(unavailable)?;
    Ok(json_answer(&body))
}

/// What became of a private event
///
/// At each contract and each outlet. Ids are unique within a source only, so there may be several.
#[utoipa::path(
    get, path = "/why/{id}", operation_id = "why", tag = "status",
    params(("id" = String, Path, description = "The event's id", min_length = 1)),
    responses((status = OK, description = "Each event of this id", body = Vec<About>), problems::Why),
)]
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
    Ok(json_answer(&told))
}

/// How everything stands.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusTold {
    /// The store's id.
    store: String,
    disk: Disk,
    log: LogStatus,
    loading: LoadView,
    contracts: Vec<ContractStatus>,
    relays: Vec<RelayTold>,
    access: GateView,
    /// By name.
    listeners: BTreeMap<String, ListenerView>,
    replays: Vec<ReplayView>,
    /// What does not work before a restart.
    failures: Vec<String>,
}

/// The store's disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Disk {
    free_bytes: Option<u64>,
    appends_refused: bool,
    crossing_refused: bool,
}

/// The private log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogStatus {
    name: String,
    /// Its last position.
    head: u64,
    events: u64,
    flagged_since_start: u64,
}

/// A contract, and how far it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContractStatus {
    contract: String,
    version: String,
    fingerprint: String,
    /// Since when it is in use as it is.
    #[schema(format = DateTime)]
    loaded: Option<String>,
    /// It has looked at everything up to this position.
    cursor: u64,
    /// The last of its public log.
    sequence: u64,
    crossed: u64,
    filtered: u64,
    unmatched: u64,
    violated: u64,
    parked_keys: usize,
    /// Why it has halted, if it has.
    halted: Option<String>,
}

/// A relay, and how far it is. What is known of its connection is absent of one that does not run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RelayTold {
    relay: String,
    /// Everything up to this sequence is settled.
    cursor: u64,
    head: u64,
    /// Events between the two.
    lag: u64,
    confirmed: u64,
    unheard: u64,
    parked: u64,
    skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<RelayState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    retrying_since: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last_error: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_keys: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Pause>)]
    paused: Option<Option<Pause>>,
}

async fn collect(state: &Operator) -> Result<StatusTold, StoreError> {
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
    let DoorsView { access, listeners } = state.reloader.doors();
    Ok(StatusTold {
        store: state.store.id().to_string(),
        disk: Disk {
            free_bytes: disk.free_bytes,
            appends_refused: disk.appends_refused,
            crossing_refused: disk.crossing_refused,
        },
        log: LogStatus {
            name: state.log.as_str().to_owned(),
            head: head.get(),
            events,
            flagged_since_start: state.status.flagged_since_start(),
        },
        loading: state.catalog.view(),
        contracts,
        relays,
        access,
        listeners,
        replays: state.reloader.replays().views(),
        failures: super::failures(&state.status, &state.store),
    })
}

async fn contract_status(
    state: &Operator,
    contract: &horizon_schemas::Contract,
    stream: &PublicStreamName,
) -> Result<ContractStatus, StoreError> {
    let head = state.store.public_head(&state.log, stream).await?;
    let cursor = cursor_of(&state.store, &state.log, stream).await?;
    let scope = horizon_store::ParkScope::Crossing(stream.clone());
    let parked = ParkedKeys::read(&state.store, &state.log, &scope)
        .await?
        .len();
    let (last, crossed, counts) = head.map_or(
        (Sequence::ZERO, 0, horizon_store::Counts::default()),
        |head| (head.last, head.crossed, head.counts),
    );
    Ok(ContractStatus {
        contract: stream.as_str().to_owned(),
        version: contract.version().to_owned(),
        fingerprint: contract.fingerprint(),
        loaded: state.catalog.since(stream.as_str()),
        cursor: cursor.get(),
        sequence: last.get(),
        crossed,
        filtered: counts.filtered,
        unmatched: counts.unmatched,
        violated: counts.violated,
        parked_keys: parked,
        halted: state.status.halt_of(stream.as_str()),
    })
}

async fn relay_status(
    state: &Operator,
    stream: &PublicStreamName,
    name: &RelayName,
) -> Result<RelayTold, StoreError> {
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
    let lag = state
        .store
        .public_between(&state.log, stream, cursor, head)
        .await?;
    let view = state.status.relay(name.as_str()).map(|relay| relay.view());
    let mut parked_keys = view.as_ref().map(|view| view.parked_keys);
    // A relay that stands counts nothing.
    if view.as_ref().is_some_and(|view| view.paused.is_some()) {
        let scope = horizon_store::ParkScope::Relay(name.clone());
        let parked = ParkedKeys::read(&state.store, &state.log, &scope).await?;
        parked_keys = Some(parked.len());
    }
    Ok(RelayTold {
        relay: name.as_str().to_owned(),
        cursor: cursor.get(),
        head: head.get(),
        lag,
        confirmed: totals.confirmed,
        unheard: totals.unheard,
        parked: totals.parked,
        skipped: totals.skipped,
        state: view.as_ref().map(|view| view.state),
        retrying_since: view.as_ref().map(|view| view.retrying_since.clone()),
        last_error: view.as_ref().map(|view| view.last_error.clone()),
        in_flight: view.as_ref().map(|view| view.in_flight),
        parked_keys,
        paused: view.map(|view| view.paused),
    })
}
