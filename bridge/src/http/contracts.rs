//! The operator's handler `GET /contracts`: the contracts and public schemas that the daemon runs with, as it read them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;

use super::Operator;
use super::operator::json_answer;

/// The files by path: contracts below the contracts folder, public schemas below the schemas folder.
pub(crate) async fn contracts(State(state): State<Arc<Operator>>) -> impl IntoResponse {
    let catalog = state.catalog.current();
    let sources = catalog.sources();
    json_answer(&json!({
        "contracts": sources.contracts(),
        "schemas": sources.schemas(),
    }))
}
