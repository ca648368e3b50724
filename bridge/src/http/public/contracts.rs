//! `GET /public`: the contracts that the caller may read.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use horizon_store::PublicStreamName;
use serde_json::json;

use super::{Public, visible};
use crate::access::Caller;
use crate::http::form::{JSON, negotiate};
use crate::http::openapi::{problems, reading};
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::read::path_segment;
use crate::http::refusals::unavailable;

/// The contracts that the caller may see, with their heads.
#[utoipa::path(
    get,
    path = "/public",
    operation_id = "publicContracts",
    tag = "public",
    responses(reading::Contracts, problems::Lists)
)]
pub(in crate::http) async fn contracts(
    State(state): State<Arc<Public>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (media_type, ()) = negotiate(&headers, &[(JSON, ())])?;
    let catalog = state.catalog.current();
    let mut told = Vec::new();
    for contract in visible(&catalog, &caller) {
        let name = contract.public_stream();
        let Ok(stream) = PublicStreamName::new(&name) else {
            continue;
        };
        let head = state.store.public_head(&state.log, &stream).await;
        let head = head.map_err(unavailable)?.unwrap_or_default();
        told.push(json!({
            "contract": name,
            "version": contract.version(),
            "status": contract.status().name(),
            "source": contract.source(),
            "types": contract.public_types().collect::<Vec<_>>(),
            "head": head.last.get(),
            "events": head.crossed,
            "address": format!("/public/{}", path_segment(&name)),
        }));
    }
    let body = json!({ "contracts": told }).to_string().into_bytes();
    Ok(Page::new(media_type, body).answer(&headers))
}
