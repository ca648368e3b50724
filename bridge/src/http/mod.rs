//! The HTTP interface: the private listener (append, read) and the operator's listener (status, why, parked keys, reload, backups,
//! verifications, exports).
//!
//! Handlers translate; what is done is done by the store, the schemas and [`crate::intake`].

mod answer;
mod append;
mod appended;
mod body;
mod content;
mod contracts;
mod door;
mod etag;
pub(crate) mod export;
mod follow;
mod form;
mod history;
pub(crate) mod keep;
mod log;
pub(crate) mod number;
pub(crate) mod openapi;
mod operator;
mod order;
mod page;
mod paging;
mod parked;
mod problem;
mod public;
pub(crate) mod read;
mod refusals;
mod relays;
mod reload;
mod replays;
mod skipping;
mod sources;
mod streams;
mod turns;
mod unparking;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use horizon_schemas::Door;
use horizon_store::{LogName, Store, StreamName};
use openapi::problems;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::daemon::Reloader;
use crate::loaded::SharedCatalog;
use crate::status::Status;
use crate::unparking::Desk;
pub(crate) use follow::{Began, Follows};
pub(crate) use problem::Problem;
pub(crate) use public::Public;
pub(crate) use turns::Turns;
pub(crate) use written::OWN_PREFIX;

/// What the private side's handlers work with.
pub(crate) struct Private {
    pub(crate) store: Store,
    pub(crate) log: LogName,
    pub(crate) catalog: SharedCatalog,
    pub(crate) body_limit_bytes: usize,
    pub(crate) status: Arc<Status>,
    pub(crate) follows: Follows,
    pub(crate) turns: Turns,
    /// The categories whose streams are not appended to without an expected revision.
    pub(crate) expecting: BTreeSet<String>,
}

impl Private {
    /// Whether an append to a stream must say what it expects. An import carries what has happened already: it decides nothing.
    fn must_expect(&self, stream: &StreamName, door: Door) -> bool {
        door == Door::Http && self.expecting.contains(stream.category())
    }
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

/// The private listener, with the public side.
pub(crate) fn private_router(state: Private, public: &Arc<Public>) -> Router {
    let body_limit = DefaultBodyLimit::max(state.body_limit_bytes);
    let (routes, _) = private_routes().split_for_parts();
    let (public_routes, _) = public::routes().split_for_parts();
    routes
        .with_state(Arc::new(state))
        .merge(public_routes.with_state(Arc::clone(public)))
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
        .layer(body_limit)
}

/// The private listener's routes, each with its description.
fn private_routes() -> OpenApiRouter<Arc<Private>> {
    OpenApiRouter::new()
        .routes(routes!(append::to_stream, read::stream))
        .routes(routes!(append::commit))
        .routes(routes!(streams::streams))
        .routes(routes!(read::event))
        .routes(routes!(log::log))
        .routes(routes!(private_health))
        .routes(routes!(openapi::private))
}

/// The operator's listener.
pub(crate) fn operator_router(state: Operator) -> Router {
    let (routes, _) = operator_routes().split_for_parts();
    routes
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(state))
}

/// The operator's listener's routes, each with its description.
fn operator_routes() -> OpenApiRouter<Arc<Operator>> {
    OpenApiRouter::new()
        .routes(routes!(operator::status))
        .routes(routes!(operator::why))
        .routes(routes!(contracts::contracts))
        .routes(routes!(skipping::skip))
        .routes(routes!(parked::keys))
        .routes(routes!(parked::events))
        .routes(routes!(unparking::retry))
        .routes(routes!(unparking::skip))
        .routes(routes!(reload::reload))
        .routes(routes!(relays::pause))
        .routes(routes!(relays::resume))
        .routes(routes!(replays::begin, replays::all))
        .routes(routes!(replays::one))
        .routes(routes!(replays::stop))
        .routes(routes!(keep::backup))
        .routes(routes!(keep::verification))
        .routes(routes!(export::export))
        .routes(routes!(operator_health))
        .routes(routes!(openapi::operator))
}

/// The listener with the public side only.
pub(crate) fn public_listener_router(public: &Arc<Public>) -> Router {
    let (routes, _) = public_listener_routes().split_for_parts();
    routes
        .fallback(no_such_place)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(public))
}

/// The public listener's routes, each with its description.
fn public_listener_routes() -> OpenApiRouter<Arc<Public>> {
    public::routes()
        .routes(routes!(public_health))
        .routes(routes!(openapi::public))
}

/// What does not work before a restart; nothing, while the daemon is well.
fn failures(status: &Status, store: &Store) -> Vec<String> {
    let stopped = store
        .stopped()
        .map(|reason| format!("the store has stopped writing: {reason}"));
    stopped.into_iter().chain(status.failures()).collect()
}

/// Whether the daemon does all of its work; a daemon that is starting or stopping does not answer. A low disk and halted contracts
/// are told, and are no failures: a restart would not help.
///
/// Why it does not is for operators: everybody may ask.
fn health(status: &Status, store: &Store, for_operators: bool) -> Result<String, Problem> {
    let failures = failures(status, store);
    if failures.is_empty() {
        return Ok(well(status, store, for_operators));
    }
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unwell",
        "a part of the daemon has ended",
    )
    .mend("see the daemon's log and `horizon status`, and restart it");
    Err(match for_operators {
        true => problem.detail(failures.join("; ")),
        false => problem,
    })
}

/// What is told while no part has ended.
fn well(status: &Status, store: &Store, for_operators: bool) -> String {
    let mut text = "ok\n".to_owned();
    let disk = store.disk_space();
    text.push_str(match (disk.appends_refused, disk.crossing_refused) {
        (false, false) => "",
        (true, false) => "the disk is low: appends are refused until there is room\n",
        (false, true) => "the disk is low: nothing crosses until there is room\n",
        (true, true) => {
            "the disk is low: appends are refused, and nothing crosses, until there is room\n"
        }
    });
    let halted = status.halted_contracts();
    match (halted.is_empty(), for_operators) {
        (true, _) => {}
        (false, false) => text.push_str("a contract has halted, until an operator acts\n"),
        (false, true) => {
            let names = halted.join(", ");
            text.push_str(&format!(
                "halted until somebody acts: {names}; see `horizon status`\n"
            ));
        }
    }
    text
}

/// Whether all of the daemon works
///
/// More lines tell of a low disk and of halted contracts, which are no failures: a restart would not help.
#[utoipa::path(
    get, path = "/health", operation_id = "health", tag = "status",
    responses((status = OK, description = "All of it works", body = String, content_type = "text/plain"), problems::Health),
)]
async fn private_health(State(state): State<Arc<Private>>) -> Result<String, Problem> {
    health(&state.status, &state.store, false)
}

/// Whether all of the daemon works
///
/// More lines tell of a low disk and of halted contracts, which are no failures: a restart would not help.
#[utoipa::path(
    get, path = "/health", operation_id = "health", tag = "status",
    responses((status = OK, description = "All of it works", body = String, content_type = "text/plain"), problems::Health),
)]
async fn public_health(State(state): State<Arc<Public>>) -> Result<String, Problem> {
    health(&state.status, &state.store, false)
}

/// Whether all of the daemon works
///
/// More lines tell of a low disk and of halted contracts, which are no failures: a restart would not help.
#[utoipa::path(
    get, path = "/health", operation_id = "health", tag = "status",
    responses((status = OK, description = "All of it works", body = String, content_type = "text/plain"), problems::Health),
)]
async fn operator_health(State(state): State<Arc<Operator>>) -> Result<String, Problem> {
    health(&state.status, &state.store, true)
}

async fn no_such_place() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-place",
        "nothing is at this address",
    )
    .mend(
        "GET /openapi.json tells what this listener has; the private, the public and the operator's side have listeners of their own",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        "this address does not take this method",
    )
    .mend("`Allow` tells which it takes, and GET /openapi.json what each does")
}
