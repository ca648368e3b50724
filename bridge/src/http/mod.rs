//! The HTTP interface: the private listener (append, read) and the operator's listener (status, why, parked keys, reload, backups,
//! verifications, exports).
//!
//! Handlers translate; what is done is done by the store, the schemas and [`crate::intake`].

mod append;
mod body;
mod contracts;
mod door;
mod etag;
pub(crate) mod export;
pub(crate) mod keep;
mod log;
mod operator;
mod parked;
mod problem;
pub(crate) mod read;
mod refusals;
mod relays;
mod reload;
mod replays;
mod unparking;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use horizon_store::{LogName, Store};

use crate::daemon::Reloader;
use crate::loaded::SharedCatalog;
use crate::status::Status;
use crate::unparking::Desk;
pub(crate) use problem::Problem;

/// What the private side's handlers work with.
pub(crate) struct Private {
    pub(crate) store: Store,
    pub(crate) log: LogName,
    pub(crate) catalog: SharedCatalog,
    pub(crate) body_limit_bytes: usize,
    pub(crate) status: Arc<Status>,
}

/// What the operator's handlers work with.
pub(crate) struct Operator {
    pub(crate) store: Store,
    pub(crate) log: LogName,
    pub(crate) catalog: SharedCatalog,
    pub(crate) id_secret: horizon_schemas::IdSecret,
    pub(crate) status: Arc<Status>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) reloader: Arc<Reloader>,
}

/// The private listener: `POST` and `GET /streams/{stream}`, `POST /commits`, `GET /log`, `GET /health`.
pub(crate) fn private_router(state: Private) -> Router {
    let body_limit = DefaultBodyLimit::max(state.body_limit_bytes);
    Router::new()
        .route(
            "/streams/{stream}",
            post(append::to_stream).get(read::stream),
        )
        .route("/commits", post(append::commit))
        .route("/log", get(log::log))
        .route("/health", get(private_health))
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
        .layer(body_limit)
        .with_state(Arc::new(state))
}

/// The operator's listener: `GET /status`, `GET /why/{id}`, `GET /contracts`, `GET /parked`, `GET /parked/{contract}/{key}`,
/// `POST /parked/retry`, `POST /parked/skip`, `POST /relays/pause`, `POST /relays/resume`, `POST /replays`, `GET /replays`,
/// `GET /replays/{id}`, `POST /replays/{id}/stop`, `POST /reload`, `POST /backups`, `POST /verifications`, `POST /exports`,
/// `GET /health`.
pub(crate) fn operator_router(state: Operator) -> Router {
    Router::new()
        .route("/status", get(operator::status))
        .route("/why/{id}", get(operator::why))
        .route("/contracts", get(contracts::contracts))
        .route("/parked", get(parked::keys))
        .route("/parked/{contract}/{key}", get(parked::events))
        .route("/parked/retry", post(unparking::retry))
        .route("/parked/skip", post(unparking::skip))
        .route("/reload", post(reload::reload))
        .route("/relays/pause", post(relays::pause))
        .route("/relays/resume", post(relays::resume))
        .route("/replays", post(replays::begin).get(replays::all))
        .route("/replays/{id}", get(replays::one))
        .route("/replays/{id}/stop", post(replays::stop))
        .route("/backups", post(keep::backup))
        .route("/verifications", post(keep::verification))
        .route("/exports", post(export::export))
        .route("/health", get(operator_health))
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(state))
}

/// The listener with the public side only: `GET /health`.
pub(crate) fn public_listener_router(store: Store, status: Arc<Status>) -> Router {
    let healthy = move || async move { health(&status, &store) };
    Router::new()
        .route("/health", get(healthy))
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
}

/// What does not work before a restart; nothing, while the daemon is well.
fn failures(status: &Status, store: &Store) -> Vec<String> {
    let stopped = store
        .stopped()
        .map(|reason| format!("the store has stopped writing: {reason}"));
    stopped.into_iter().chain(status.failures()).collect()
}

/// Whether the daemon does all of its work; a daemon that is starting or stopping does not answer. A low disk is told, and is no
/// failure: a restart would not help.
fn health(status: &Status, store: &Store) -> Result<&'static str, Problem> {
    let failures = failures(status, store);
    if failures.is_empty() {
        let disk = store.disk_space();
        return Ok(match (disk.appends_refused, disk.crossing_refused) {
            (false, false) => "ok\n",
            (true, false) => "ok\nthe disk is low: appends are refused until there is room\n",
            (false, true) => "ok\nthe disk is low: nothing crosses until there is room\n",
            (true, true) => {
                "ok\nthe disk is low: appends are refused, and nothing crosses, until there is room\n"
            }
        });
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unwell",
        "a part of the daemon has ended",
    )
    .detail(failures.join("; "))
    .mend("see the daemon's log, and restart it"))
}

async fn private_health(State(state): State<Arc<Private>>) -> Result<&'static str, Problem> {
    health(&state.status, &state.store)
}

async fn operator_health(State(state): State<Arc<Operator>>) -> Result<&'static str, Problem> {
    health(&state.status, &state.store)
}

async fn no_such_place() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-place",
        "nothing is at this address",
    )
    .mend(
        "the private listener has /streams, /commits and /log, the operator's has /status, /why, /contracts, /parked, /relays, /replays, /reload, /backups, /verifications and /exports",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        "this address does not take this method",
    )
}
