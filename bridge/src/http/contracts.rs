//! The operator's handler `GET /contracts`: the contracts and public schemas that the daemon runs with, as it read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Operator;
use super::answer::json_answer;

/// The files that the daemon runs with, by path.
#[derive(Serialize, ToSchema)]
pub(super) struct LoadedFiles<'a> {
    /// Below the contracts folder.
    contracts: &'a BTreeMap<String, String>,
    /// Public schemas, below the schemas folder.
    schemas: &'a BTreeMap<String, String>,
}

/// The contracts and public schemas that the daemon runs with
///
/// As it read them.
#[utoipa::path(
    get, path = "/contracts", operation_id = "contracts", tag = "contracts",
    responses((status = OK, description = "The files", body = LoadedFiles)),
)]
pub(crate) async fn contracts(State(state): State<Arc<Operator>>) -> impl IntoResponse {
    let catalog = state.catalog.current();
    let sources = catalog.sources();
    json_answer(&LoadedFiles {
        contracts: sources.contracts(),
        schemas: sources.schemas(),
    })
}
