//! The public side: what other teams' services may read of the public log, over HTTP.
//!
//! - Nothing but public events, contracts that are no drafts, and public schemas is here: no position, no private name, no private id.
//! - A contract that a caller may not see is answered as one that does not exist, whatever is asked of it.

mod catalog;
mod contracts;
mod page;
mod schemas;

use std::sync::Arc;

use axum::http::StatusCode;
use horizon_schemas::{Catalog, Contract, Folders, PublicAddress, Server, Status};
use horizon_store::{LogName, PublicEvent, PublicStreamName, Store};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::follow::Follows;
use super::problem::Problem;
use super::turns::Turns;
use crate::access::{Caller, Scope, Verb};
use crate::loaded::SharedCatalog;
use crate::status::Status as RunningStatus;

/// What the public side's handlers work with.
pub(crate) struct Public {
    pub(crate) store: Store,
    pub(crate) log: LogName,
    pub(crate) catalog: SharedCatalog,
    pub(crate) status: Arc<RunningStatus>,
    pub(crate) follows: Follows,
    pub(crate) turns: Turns,
    /// Where the contracts' tests are, which give the catalogue its examples.
    pub(crate) folders: Folders,
    /// The brokers as consumers reach them.
    pub(crate) servers: Vec<Server>,
    /// Where they read over HTTP, if that is known.
    pub(crate) address: Option<PublicAddress>,
    pub(crate) rehearsed: catalog::Rehearsed,
}

/// The public side's routes, each with its description. Without a fallback, so that they can be merged into another listener's.
pub(super) fn routes() -> OpenApiRouter<Arc<Public>> {
    OpenApiRouter::new()
        .routes(routes!(contracts::contracts))
        .routes(routes!(page::events))
        .routes(routes!(page::event))
        .routes(routes!(catalog::catalog))
        .routes(routes!(schemas::schemas))
        .routes(routes!(schemas::schema))
}

/// What is wanted of a public stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) key: Option<String>,
    pub(super) event_type: Option<String>,
}

impl Wanted {
    pub(super) fn takes(&self, event: &PublicEvent) -> bool {
        self.key.as_ref().is_none_or(|key| *key == event.key)
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| *wanted == event.event_type)
    }
}

/// The contracts that a caller may see, by public stream.
fn visible<'c>(
    catalog: &'c Catalog,
    caller: &'c Caller,
) -> impl Iterator<Item = &'c Arc<Contract>> {
    catalog.contracts().iter().filter(|contract| {
        let name = contract.public_stream();
        contract.status() != Status::Draft
            && caller.is_granted(Verb::Public, Scope::Contract(&name))
    })
}

/// The public stream of a contract that the caller may see.
///
/// # Errors
/// The same, whether the contract does not exist or is not granted.
fn granted(state: &Public, caller: &Caller, name: &str) -> Result<PublicStreamName, Problem> {
    let granted = caller.may(Verb::Public, Scope::Contract(name));
    granted.map_err(|_| no_such_contract(name))?;
    let catalog = state.catalog.current();
    let contract = catalog
        .contracts()
        .iter()
        .find(|contract| contract.public_stream() == name && contract.status() != Status::Draft);
    contract
        .and_then(|_| PublicStreamName::new(name).ok())
        .ok_or_else(|| no_such_contract(name))
}

fn no_such_contract(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-contract",
        "there is no such contract for you",
    )
    .detail(format!("{name:?} is not a contract that you may read"))
    .mend("GET /public tells those that you may; ask the contract's team for more")
}
