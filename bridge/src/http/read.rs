//! `GET /streams/{stream}`: a stream's events, oldest first, in pages.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use horizon_store::{AttributeValue, Event, ReadLimit, Revision, StreamName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Private;
use super::body::path;
use super::etag::etag;
use super::problem::Problem;
use super::refusals::unavailable;
use crate::access::{Caller, Scope, Verb};
use crate::clock;

/// Events of one answer unless asked for otherwise.
const DEFAULT_LIMIT_EVENTS: usize = 100;
/// Most events of one answer.
pub(super) const MAX_LIMIT_EVENTS: usize = 1_000;
/// Bytes of events after which an answer ends and names the next page.
pub(super) const PAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The query of a read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    from: Option<u64>,
    limit: Option<usize>,
}

/// Reads a page of one stream.
pub(crate) async fn stream(
    State(state): State<Arc<Private>>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(page) = page.map_err(|rejection| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-query",
            "the query is not understood",
        )
        .detail(rejection.body_text())
        .mend("`from` is a revision, `limit` a number of events")
    })?;
    let name = path(name)?;
    let missing = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-stream",
            "there is no such stream",
        )
        .detail(format!("nothing was appended to {name:?} yet"))
    };
    let stream = StreamName::new(&name).map_err(|_| missing())?;
    caller.may(Verb::Read, Scope::Category(stream.category()))?;
    let from = Revision::new(page.from.unwrap_or(1).max(1));
    let limit = ReadLimit {
        records: page
            .limit
            .unwrap_or(DEFAULT_LIMIT_EVENTS)
            .clamp(1, MAX_LIMIT_EVENTS),
        bytes: PAGE_LIMIT_BYTES,
    };
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    let read = state
        .store
        .read_stream(&state.log, &stream, from, limit)
        .await
        .map_err(unavailable)?;
    if read.revision == Revision::ZERO {
        return Err(missing());
    }
    let next = read
        .events
        .last()
        .map(|event| event.revision.get() + 1)
        .filter(|next| *next <= read.revision.get());
    let mut body = String::with_capacity(read.events.len() * 512);
    body.push_str(&format!(
        "{{\"stream\":{},\"revision\":{},\"events\":[",
        Value::from(stream.as_str()),
        read.revision
    ));
    for (index, event) in read.events.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push('{');
        event_members(&mut body, event);
    }
    body.push(']');
    if let Some(next) = next {
        let link = format!(
            "/streams/{}?from={next}&limit={}",
            path_segment(stream.as_str()),
            limit.records
        );
        body.push_str(&format!(",\"next\":{}", Value::from(link)));
    }
    body.push('}');
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.extend(
        HeaderValue::try_from(etag(head, read.revision)).map(|value| (header::ETAG, value)),
    );
    Ok((headers, body).into_response())
}

/// Writes the members of an event's object, and its end: the event with its attributes as they were sent and its payload byte for
/// byte; what the store knows of it is beside it, where it cannot collide with an attribute.
pub(super) fn event_members(body: &mut String, event: &Event) {
    let mut members = Map::new();
    members.insert("id".to_owned(), (&*event.id).into());
    members.insert("source".to_owned(), (&*event.source).into());
    members.insert("type".to_owned(), (&*event.event_type).into());
    for (name, value) in &event.attributes {
        members.insert(name.to_string(), attribute(value));
    }
    if let Some(media_type) = &event.media_type {
        members.insert("datacontenttype".to_owned(), (&**media_type).into());
    }
    let mut text = Value::Object(members).to_string();
    let data = event
        .data
        .as_ref()
        .and_then(|data| std::str::from_utf8(data).ok());
    if let Some(data) = data.filter(|data| serde_json::from_str::<&RawValue>(data).is_ok()) {
        text.pop();
        text.push_str(",\"data\":");
        text.push_str(data);
        text.push('}');
    }
    let flagged = if event.flagged {
        "\"flagged\":true,"
    } else {
        ""
    };
    body.push_str(&format!(
        "\"revision\":{},\"position\":{},\"recorded\":\"{}\",{flagged}\"event\":{text}}}",
        event.revision,
        event.position,
        clock::rfc3339(event.recorded_ms)
    ));
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => (*value).into(),
        AttributeValue::Int(value) => (*value).into(),
        AttributeValue::Text(value) => (&**value).into(),
    }
}

/// What stays as it is in one segment of a path (RFC 3986, unreserved characters).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
