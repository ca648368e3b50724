//! `GET /log`: the events of the log, or of one category, in the order in which they were stored, in pages.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use horizon_store::{Position, ReadLimit, Record, Selection};
use serde::Deserialize;
use serde_json::Value;

use super::Private;
use super::problem::Problem;
use super::read::{MAX_LIMIT_EVENTS, PAGE_LIMIT_BYTES, event_members};
use super::refusals::unavailable;
use crate::access::{Caller, Scope, Verb};

/// The query of a read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stretch {
    after: Option<u64>,
    limit: Option<usize>,
    category: Option<String>,
}

/// Reads a page of the log.
pub(crate) async fn log(
    State(state): State<Arc<Private>>,
    caller: Caller,
    stretch: Result<Query<Stretch>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(stretch) = stretch.map_err(|rejection| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-query",
            "the query is not understood",
        )
        .detail(rejection.body_text())
        .mend("`after` is a position, `limit` a number of events, `category` a category of streams")
    })?;
    let category = stretch.category.as_deref();
    caller.may(Verb::Read, category.map_or(Scope::Log, Scope::Category))?;
    let selection = stretch.category.map_or(Selection::All, Selection::Category);
    let limit = ReadLimit {
        records: stretch
            .limit
            .unwrap_or(MAX_LIMIT_EVENTS)
            .clamp(1, MAX_LIMIT_EVENTS),
        bytes: PAGE_LIMIT_BYTES,
    };
    let after = Position::new(stretch.after.unwrap_or(0));
    let page = state
        .store
        .read_log(&state.log, &selection, after, limit)
        .await
        .map_err(unavailable)?;
    let mut body = format!(
        "{{\"log\":{},\"head\":{},\"through\":{},\"events\":[",
        Value::from(state.log.as_str()),
        page.head,
        page.through
    );
    let mut first = true;
    for record in &page.records {
        let Record::Event(event) = record else {
            continue;
        };
        if !first {
            body.push(',');
        }
        first = false;
        body.push_str(&format!(
            "{{\"stream\":{},",
            Value::from(event.stream.as_str())
        ));
        event_members(&mut body, event);
    }
    body.push_str("]}");
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], body).into_response())
}
