//! `POST /streams/{stream}` and `POST /commits`: events in, positions out.
//!
//! A repeat is recognised by the store before any expectation is looked at, and answered as the first time with status 200.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use horizon_schemas::{Door, PrivateSchemas};
use horizon_store::{Commit, Committed, Expected, Position, Revision, StreamName, StreamWrite};
use serde_json::{Value, json};

use super::Private;
use super::body::{CommitBody, body, path, split_stream, stream_body, stream_name};
use super::door::{Flagged, Through, door};
use super::etag::{etag, expectation};
use super::problem::Problem;
use super::refusals::{ExpectationFrom, append_problem, malformed, not_json, refusal, unavailable};
use crate::access::{Caller, Scope, Verb};
use crate::intake::{self, RawObject, Taken};

/// Appends one event, an array of events, or `{"expectedRevision", "events"}` to one stream.
pub(crate) async fn to_stream(
    State(state): State<Arc<Private>>,
    caller: Caller,
    stream: Result<Path<String>, PathRejection>,
    query: Result<Query<Through>, QueryRejection>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let door = door(query)?;
    let stream = stream_name(&path(stream)?)?;
    caller.may(Verb::Append, Scope::Category(stream.category()))?;
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    let by_header = expectation(&headers, head)?;
    let body = body(request, state.body_limit_bytes).await?;
    let (by_body, events) = stream_body(&body)?;
    let (expected, from) = match (by_header, by_body) {
        (Some(_), Some(_)) => {
            return Err(
                malformed("the expected revision is given by a header and in the body")
                    .mend("give it once"),
            );
        }
        (Some(expected), None) => (expected, ExpectationFrom::Header),
        (None, by_body) => (by_body.unwrap_or(Expected::Any), ExpectationFrom::Body),
    };
    if events.is_empty() {
        return Err(malformed("there are no events").mend("send at least one event"));
    }
    let catalog = state.catalog.current();
    let mut taken = Vec::with_capacity(events.len());
    let mut flagged = Flagged::default();
    for (index, object) in events.into_iter().enumerate() {
        let mut one = take(&state, catalog.private(), door, &stream, index, object).await?;
        flagged.look(index, stream.as_str(), &mut one);
        taken.push(one.event);
    }
    let commit = Commit {
        writes: vec![StreamWrite {
            stream: stream.clone(),
            expected,
            events: taken,
        }],
    };
    let committed = state
        .store
        .append(&state.log, commit)
        .await
        .map_err(|error| append_problem(error, from))?;
    let told = flagged_part(&state, &committed, &flagged, door);
    Ok(answer(&committed, head, Some(&stream), told))
}

/// Takes an event in. One that only its private schema is against goes on to the store if the store has one of its id and source:
/// schemas change, and a repeat is answered as the first time. A commit with such an event stores nothing; it is a repeat or a conflict.
async fn take(
    state: &Private,
    schemas: &PrivateSchemas,
    door: Door,
    stream: &StreamName,
    index: usize,
    object: RawObject<'_>,
) -> Result<Taken, Problem> {
    let mut refused = match intake::take(stream, object, schemas, door) {
        Ok(taken) => return Ok(taken),
        Err(refused) => refused,
    };
    if let Some(event) = refused.event.take() {
        let source = event.source.as_deref().unwrap_or(stream.as_str());
        let stored = state
            .store
            .find_events(&state.log, &event.id, Some(source))
            .await
            .map_err(unavailable)?;
        if !stored.is_empty() {
            return Ok(Taken {
                event: *event,
                unfit: Vec::new(),
            });
        }
    }
    Err(refusal(refused, index))
}

/// Appends events of several streams in one commit, all or nothing.
pub(crate) async fn commit(
    State(state): State<Arc<Private>>,
    caller: Caller,
    query: Result<Query<Through>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let door = door(query)?;
    let body = body(request, state.body_limit_bytes).await?;
    let parsed: CommitBody<'_> = serde_json::from_slice(&body).map_err(|error| not_json(&error))?;
    if parsed.events.0.is_empty() {
        return Err(malformed("there are no events").mend("send at least one event"));
    }
    let mut writes = Vec::new();
    for (stream, expected) in parsed.expected_revisions {
        let stream = stream_name(&stream)?;
        // That it is as expected tells of it.
        caller.may(Verb::Append, Scope::Category(stream.category()))?;
        writes.push(StreamWrite {
            stream,
            expected: expected.0,
            events: Vec::new(),
        });
    }
    let catalog = state.catalog.current();
    let mut flagged = Flagged::default();
    for (index, object) in parsed.events.0.into_iter().enumerate() {
        let (stream, object) = split_stream(object, index)?;
        caller.may(Verb::Append, Scope::Category(stream.category()))?;
        let mut taken = take(&state, catalog.private(), door, &stream, index, object).await?;
        flagged.look(index, stream.as_str(), &mut taken);
        let event = taken.event;
        match writes.last_mut() {
            Some(last) if last.stream == stream => last.events.push(event),
            _ => writes.push(StreamWrite {
                stream,
                expected: Expected::Any,
                events: vec![event],
            }),
        }
    }
    let committed = state
        .store
        .append(&state.log, Commit { writes })
        .await
        .map_err(|error| append_problem(error, ExpectationFrom::Body))?;
    let told = flagged_part(&state, &committed, &flagged, door);
    Ok(answer(&committed, committed.last_position, None, told))
}

/// What is told of flagged events; nothing of a repeat, whose events keep the marks of the first time.
fn flagged_part(state: &Private, committed: &Committed, flagged: &Flagged, door: Door) -> Value {
    let mut told = json!({});
    if !committed.repeat {
        state.status.flagged(flagged.count());
        flagged.tell(door, &mut told);
    }
    told
}

/// 201 for a new commit, 200 for a repeat; the same body either way. `epoch_of` is a position of the log's present epoch: a
/// repeat may be of an earlier one. `body` holds what is told besides.
fn answer(
    committed: &Committed,
    epoch_of: Position,
    stream: Option<&StreamName>,
    mut body: Value,
) -> Response {
    let status = if committed.repeat {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let streams: Vec<Value> = committed
        .streams
        .iter()
        .filter(|write| write.last_revision > Revision::ZERO)
        .map(|write| {
            json!({
                "stream": write.stream.as_str(),
                "firstRevision": write.first_revision.get(),
                "revision": write.last_revision.get(),
            })
        })
        .collect();
    body["firstPosition"] = committed.first_position.get().into();
    body["position"] = committed.last_position.get().into();
    body["repeat"] = committed.repeat.into();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    match (stream, committed.streams.last()) {
        (Some(stream), Some(write)) => {
            body["stream"] = stream.as_str().into();
            body["firstRevision"] = write.first_revision.get().into();
            body["revision"] = write.last_revision.get().into();
            let tag = etag(epoch_of, write.last_revision);
            headers.extend(HeaderValue::try_from(tag).map(|value| (header::ETAG, value)));
            let location = format!(
                "/streams/{}?from={}",
                super::read::path_segment(stream.as_str()),
                write.first_revision
            );
            headers.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
        }
        _ => body["streams"] = streams.into(),
    }
    (status, headers, body.to_string()).into_response()
}
