//! `GET /streams?category=`: the streams of a category with their revisions, in pages.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use horizon_store::{ReadLimit, StreamName};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::Private;
use super::form::{JSON, negotiate};
use super::number::in_query;
use super::openapi::{
    problems,
    reading::{self, Known},
};
use super::page::{
    Address, MAX_LIMIT_EVENTS, PAGE_LIMIT_BYTES, Page, limit, malformed_query, query,
};
use super::problem::Problem;
use super::refusals::unavailable;
use crate::access::{Caller, Scope, Verb};

const MEND: &str = "`category` is a category of streams, `after` the name of a stream, `limit` a number of streams";

/// The query of a read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The category.
    #[param(required = true)]
    category: Option<String>,
    /// Only streams after the one of this name.
    #[param(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"
    )]
    after: Option<String>,
    /// Most events of a page; more than 1,000 are not given, and at least one is.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    limit: Option<usize>,
}

/// A page of the streams of a category, by the bytes of their names.
#[utoipa::path(
    get,
    path = "/streams",
    operation_id = "streams",
    tag = "read",
    params(Asked, Known),
    responses(reading::Streams, problems::Pages)
)]
pub(crate) async fn streams(
    State(state): State<Arc<Private>>,
    caller: Caller,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query(asked, MEND)?;
    let (media_type, ()) = negotiate(&headers, &[(JSON, ())])?;
    let category = asked
        .category
        .ok_or_else(|| malformed_query("there is no `category`", MEND))?;
    caller.may(Verb::Read, Scope::Category(&category))?;
    let after = asked.after.as_deref().map(StreamName::new).transpose();
    let after = after.map_err(|error| malformed_query(error.to_string(), MEND))?;
    let records = limit(asked.limit, MAX_LIMIT_EVENTS);
    let limit = ReadLimit {
        records,
        bytes: PAGE_LIMIT_BYTES,
    };
    // The head first: what is read after it has all up to it, so that its tag is never newer than the page.
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    let page = state
        .store
        .streams(&state.log, &category, after.as_ref(), limit);
    let page = page.await.map_err(unavailable)?;
    let base = Address::new("/streams")
        .with("category", &category)
        .with("limit", records);
    let last = page.streams.last().filter(|_| page.more);
    let next = last.map(|last| base.with("after", last.stream.as_str()));
    let streams: Vec<_> = page
        .streams
        .iter()
        .map(|one| json!({"stream": one.stream.as_str(), "revision": one.revision.get()}))
        .collect();
    let mut body = json!({ "category": category, "streams": streams });
    if let Some(next) = &next {
        body["next"] = next.as_str().into();
    }
    let mut links = vec![("first", base)];
    links.extend(next.map(|next| ("next", next)));
    let page = Page {
        etag: Some(format!("\"{head}\"")),
        links,
        ..Page::new(media_type, body.to_string().into_bytes())
    };
    Ok(page.answer(&headers))
}
