//! `POST /streams/{stream}` and `POST /commits`: events in, positions out.
//!
//! A repeat is recognised by the store before any expectation is looked at, and answered as the first time with status 200.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use horizon_schemas::Door;
use horizon_store::{
    AppendError, Commit, Committed, Expected, NewEvent, Revision, StreamName, StreamWrite,
};

use super::Private;
use super::appended::{self, CommitAppended, StreamAppended};
use super::body::{
    any_body, body, cloudevents, commit_body, parse, path, split_stream, stream_body, stream_name,
};
use super::content::{Mode, mode};
use super::door::{Flagged, Through, door};
use super::etag::{NEVER, expectation};
use super::openapi::{events, problems};
use super::problem::Problem;
use super::refusals::{ExpectationFrom, append_problem, id_twice, malformed, refusal, unavailable};
use super::sources::{Sources, verb};
use crate::access::{Caller, Scope};
use crate::intake::{self, BinaryEvent, Form, Sent, Taken};

/// How many events of one request are taken in before others have their turn.
const EVENTS_AT_A_TIME: usize = 32;

/// Appends events to a stream
///
/// All of them or none; synced before the answer. What was appended before, by `source` and `id`, is a repeat: it is answered as
/// the first time, with status 200, whatever is expected now.
#[utoipa::path(
    post, path = "/streams/{stream}", operation_id = "append", tag = "append",
    params(events::StreamPath, Through, events::Preconditions),
    request_body(
        content(
            (events::PlainEvents = "application/json"),
            (events::CloudEvent = "application/cloudevents+json"),
            (events::CloudEventBatch = "application/cloudevents-batch+json"),
        ),
        description = "Events in a form of CloudEvents or in plain JSON. A CloudEvent in binary mode has its attributes in `ce-` headers, and any content type: that of its data."
    ),
    responses(
        (status = CREATED, description = "They are stored", body = StreamAppended, headers(
            ("etag" = String, description = "The stream at its new revision, for `If-Match`"),
            ("location" = String, description = "Where they are read"),
        )),
        (status = OK, description = "They were stored before", body = StreamAppended, headers(
            ("etag" = String, description = "The stream at their last revision"),
            ("location" = String, description = "Where they are read"),
        )),
        problems::Append,
    ),
)]
pub(crate) async fn to_stream(
    State(state): State<Arc<Private>>,
    caller: Caller,
    stream: Result<Path<String>, PathRejection>,
    query: Result<Query<Through>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let door = door(query)?;
    let stream = stream_name(&path(stream)?)?;
    may_append(&caller, door, &stream)?;
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    let by_header = expectation(request.headers(), head)?;
    let mode = mode(request.headers())?;
    let attributes = (mode == Mode::Binary).then(|| request.headers().clone());
    let body = any_body(request, state.body_limit_bytes).await?;
    let (by_body, events) = parse(&body, || sent_events(mode, attributes, &body))?;
    let mut or_at = Vec::new();
    let (expected, from) = match (by_header, by_body) {
        (Some(_), Some(_)) => {
            return Err(
                malformed("the expected revision is given by a header and in the body")
                    .mend("give it once"),
            );
        }
        (Some(by_header), None) => {
            or_at = by_header.or_at;
            (by_header.expected, ExpectationFrom::Header)
        }
        (None, Some(expected)) => (expected, ExpectationFrom::Body),
        (None, None) if state.must_expect(&stream, door) => (NEVER, ExpectationFrom::Nowhere),
        (None, None) => (Expected::Any, ExpectationFrom::Body),
    };
    if events.is_empty() {
        return Err(malformed("there are no events").mend("send at least one event"));
    }
    let catalog = state.catalog.current();
    let mut sources = Sources::new(&state, catalog.private(), door, &caller);
    let mut taken = Vec::with_capacity(events.len());
    let mut identities = Identities::of(events.len());
    let mut flagged = Flagged::default();
    for (index, sent) in events.into_iter().enumerate() {
        let_others_work(index).await;
        let mut one = take(&mut sources, &stream, index, sent).await?;
        flagged.look(index, stream.as_str(), &mut one);
        identities.add(index, &stream, &one.event)?;
        taken.push(one.event);
    }
    let commit = Commit {
        writes: vec![write(&stream, expected, taken)],
    };
    let committed = append_at_any(&state, commit, or_at)
        .await
        .map_err(|error| append_problem(error, &caller, |_| from))?;
    let told = flagged.tell(&state.status, &committed, door);
    Ok(appended::of_stream(&stream, &committed, head, told))
}

/// Appends to a stream that is as expected, or at one of the other revisions. Where it is, the store tells: each is tried once.
async fn append_at_any(
    state: &Private,
    mut commit: Commit,
    mut or_at: Vec<Revision>,
) -> Result<Committed, AppendError> {
    while !or_at.is_empty() {
        let actual = match state.store.append(&state.log, commit.clone()).await {
            Err(AppendError::WrongRevision { actual, .. }) if or_at.contains(&actual) => actual,
            other => return other,
        };
        or_at.retain(|other| *other != actual);
        for write in &mut commit.writes {
            write.expected = Expected::Exact(actual);
        }
    }
    state.store.append(&state.log, commit).await
}

/// Whether the caller may append to a stream by a door.
fn may_append(caller: &Caller, door: Door, stream: &StreamName) -> Result<(), Problem> {
    caller.may(verb(door), Scope::Category(stream.category()))
}

/// Lets other requests have the thread between the events of a large one.
async fn let_others_work(index: usize) {
    if index % EVENTS_AT_A_TIME == EVENTS_AT_A_TIME - 1 {
        tokio::task::yield_now().await;
    }
}

/// The events of a body, and what it expects of the stream. `attributes` are the headers of an event in binary mode.
fn sent_events(
    mode: Mode,
    attributes: Option<HeaderMap>,
    body: &Bytes,
) -> Result<(Option<Expected>, Vec<Sent<'_>>), Problem> {
    let (expected, objects, form) = match mode {
        Mode::Binary => {
            let (headers, body) = (attributes.unwrap_or_default(), body.clone());
            return Ok((None, vec![Sent::Binary(BinaryEvent { headers, body })]));
        }
        Mode::Plain => {
            let (expected, objects) = stream_body(body)?;
            (expected, objects, Form::Plain)
        }
        Mode::Structured | Mode::Batched => {
            let objects = cloudevents(body, mode == Mode::Batched)?;
            (None, objects, Form::CloudEvents)
        }
    };
    let sent = objects.into_iter().map(|object| Sent::Json(form, object));
    Ok((expected, sent.collect()))
}

fn write(stream: &StreamName, expected: Expected, events: Vec<NewEvent>) -> StreamWrite {
    StreamWrite {
        stream: stream.clone(),
        expected,
        events,
    }
}

/// Takes an event in. One that only its private schema is against goes on to the store if the store has one of its id and source:
/// schemas change, and a repeat is answered as the first time. A commit with such an event stores nothing; it is a repeat or a conflict.
async fn take(
    sources: &mut Sources<'_>,
    stream: &StreamName,
    index: usize,
    sent: Sent<'_>,
) -> Result<Taken, Problem> {
    let mut refused = match intake::take(stream, sent, sources.schemas, sources.door) {
        Ok(taken) => {
            sources.judge(stream, index, &taken.event).await?;
            return Ok(taken);
        }
        Err(refused) => refused,
    };
    if let Some(event) = refused.event.take() {
        // First: whether an event is stored is no business of one who may not use its source.
        sources.judge(stream, index, &event).await?;
        let state = sources.state;
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

/// The identities of a request's events: an event is not there twice.
struct Identities(Option<HashSet<(String, String)>>);

impl Identities {
    /// Of so many events. One alone is there once.
    fn of(events: usize) -> Identities {
        Identities((events > 1).then(HashSet::new))
    }

    fn add(&mut self, index: usize, stream: &StreamName, event: &NewEvent) -> Result<(), Problem> {
        let Some(known) = &mut self.0 else {
            return Ok(());
        };
        let source = event.source.as_deref().unwrap_or(stream.as_str());
        match known.insert((source.to_owned(), event.id.clone())) {
            true => Ok(()),
            false => Err(id_twice(index, &event.id)),
        }
    }
}

/// Appends events to several streams in one commit
///
/// All of them or none, in the order of the request; synced before the answer. A stream that is expected and gets no event is only
/// checked.
#[utoipa::path(
    post, path = "/commits", operation_id = "commit", tag = "append",
    params(Through),
    request_body(content = events::CommitOfEvents, content_type = "application/json"),
    responses(
        (status = CREATED, description = "They are stored", body = CommitAppended),
        (status = OK, description = "They were stored before", body = CommitAppended),
        problems::Commit,
    ),
)]
pub(crate) async fn commit(
    State(state): State<Arc<Private>>,
    caller: Caller,
    query: Result<Query<Through>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let door = door(query)?;
    let body = body(request, state.body_limit_bytes).await?;
    let parsed = parse(&body, || commit_body(&body))?;
    if parsed.events.0.is_empty() {
        return Err(malformed("there are no events").mend("send at least one event"));
    }
    let mut writes = Vec::new();
    let mut expected_of = BTreeSet::new();
    for (stream, expected) in parsed.expected_revisions.of {
        let stream = stream_name(&stream)?;
        // That it is as expected tells of it.
        may_append(&caller, door, &stream)?;
        writes.push(write(&stream, expected.0, Vec::new()));
        expected_of.insert(stream);
    }
    let catalog = state.catalog.current();
    let mut sources = Sources::new(&state, catalog.private(), door, &caller);
    let mut unexpected = BTreeSet::new();
    let mut identities = Identities::of(parsed.events.0.len());
    let mut flagged = Flagged::default();
    for (index, object) in parsed.events.0.into_iter().enumerate() {
        let (stream, object) = split_stream(object, index)?;
        may_append(&caller, door, &stream)?;
        let sent = Sent::Json(Form::Plain, object);
        let_others_work(index).await;
        let mut taken = take(&mut sources, &stream, index, sent).await?;
        flagged.look(index, stream.as_str(), &mut taken);
        identities.add(index, &stream, &taken.event)?;
        if state.must_expect(&stream, door)
            && !expected_of.contains(&stream)
            && unexpected.insert(stream.clone())
        {
            writes.push(write(&stream, NEVER, Vec::new()));
        }
        match writes.last_mut() {
            Some(last) if last.stream == stream => last.events.push(taken.event),
            _ => writes.push(write(&stream, Expected::Any, vec![taken.event])),
        }
    }
    let from = |stream: &StreamName| match unexpected.contains(stream) {
        true => ExpectationFrom::Nowhere,
        false => ExpectationFrom::Body,
    };
    let committed = state
        .store
        .append(&state.log, Commit { writes })
        .await
        .map_err(|error| append_problem(error, &caller, from))?;
    let told = flagged.tell(&state.status, &committed, door);
    Ok(appended::of_commit(&committed, told))
}
