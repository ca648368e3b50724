//! `GET /streams/{stream}`: a stream's events in pages, forwards or backwards, or as they come; and
//! `GET /streams/{stream}/{revision}`: one of them.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use horizon_store::{Position, ReadLimit, Revision, StreamName, StreamPage};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::Private;
use super::body::{bad_path, path};
use super::etag::etag;
use super::follow::{self, Began, StreamSource, last_event_id};
use super::form::{self, CLOUD_EVENT, Form, JSON, joined, negotiate};
use super::number::in_query;
use super::openapi::{
    events::StreamPath,
    problems,
    reading::{self, Known, Resumed},
};
use super::page::{
    self, Address, Direction, Keep, PAGE_LIMIT_BYTES, Page, limit, malformed_query, query,
};
use super::paging::Said;
use super::problem::Problem;
use super::refusals::{malformed, unavailable};
use super::turns::Taken;
use super::written::{cloud_event, plain};
use crate::access::{Caller, Scope, Verb};

/// Events of one answer unless asked for otherwise.
const DEFAULT_LIMIT_EVENTS: usize = 100;
const MEND: &str = "`from` is a revision, `limit` a number of events, `direction` is `forwards` or `backwards`, `wait` a number of seconds, `epoch` one that a link named";

/// The query of a read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The revision of the first event of the page; backwards, too.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    from: Option<u64>,
    /// Most events of a page; more than 1,000 are not given, and at least one is.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    limit: Option<usize>,
    /// `forwards` unless given.
    #[param(inline)]
    direction: Option<Direction>,
    /// How many seconds to wait for an event where there is none yet.
    #[param(maximum = 60)]
    #[serde(default, deserialize_with = "in_query")]
    wait: Option<u64>,
    /// The epoch that the address is of, as links name it.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    epoch: Option<u64>,
}

/// Reads a page of one stream, or follows it.
///
/// In pages, forwards or backwards; as `text/event-stream` as they come, from where `Last-Event-ID` says.
#[utoipa::path(
    get,
    path = "/streams/{stream}",
    operation_id = "readStream",
    tag = "read",
    params(StreamPath, Asked, Known, Resumed),
    responses(reading::StreamEvents, problems::ReadStream)
)]
pub(crate) async fn stream(
    State(state): State<Arc<Private>>,
    caller: Caller,
    began: Began,
    method: Method,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query(asked, MEND)?;
    let name = path(name)?;
    let stream = StreamName::new(&name).map_err(|_| missing(&name))?;
    let (media_type, form) = negotiate(&headers, &form::PRIVATE)?;
    let wait = page::wait(asked.wait)?;
    let follows = form == Form::Follow || wait.is_some();
    let verb = if follows { Verb::Follow } else { Verb::Read };
    caller.may(verb, Scope::Category(stream.category()))?;
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    same_epoch(asked.epoch, head)?;
    let direction = asked.direction.unwrap_or_default();
    let said = Said {
        limit: asked.limit.is_some(),
        wait: asked.wait.is_some(),
        is_back: direction == Direction::Backwards,
        ..Said::default()
    };
    said.check_follow(form, MEND)?;
    if form == Form::Follow {
        let resumed = last_event_id(&headers)?.map(Position::new);
        let source = StreamSource::begin(&state, stream, asked.from, resumed).await?;
        let source = source.ok_or_else(|| missing(&name))?;
        return Ok(follow::answer(source, &state.follows, &method));
    }
    if direction == Direction::Backwards && wait.is_some() {
        return Err(malformed_query("nothing new comes backwards", MEND));
    }
    let request = Request {
        from: asked.from.map(Revision::new),
        limit: limit(asked.limit, DEFAULT_LIMIT_EVENTS),
        direction,
        wait: asked.wait,
        epoch: asked.epoch,
    };
    let read = match wait.filter(|_| method != Method::HEAD) {
        None => request.read(&state, &stream).await?,
        Some(wait) => {
            let heads = state.store.watch_log(&state.log).await;
            let mut heads = heads.map_err(unavailable)?;
            let patience = state.follows.patience(began, wait);
            let mut patience = std::pin::pin!(patience);
            loop {
                heads.mark_unchanged();
                let mut read = request.read(&state, &stream).await?;
                if !read.events.is_empty() || read.revision == Revision::ZERO {
                    break read;
                }
                read.give_turn_back();
                tokio::select! {
                    changed = heads.changed() => if changed.is_err() { break read },
                    () = &mut patience => break read,
                }
            }
        }
    };
    if read.revision == Revision::ZERO {
        return Err(missing(&name));
    }
    let page = request.page((media_type, form), &stream, head, &read);
    Ok(page.answer(&headers))
}

/// What is asked of a stream.
struct Request {
    from: Option<Revision>,
    limit: usize,
    direction: Direction,
    wait: Option<u64>,
    epoch: Option<u64>,
}

impl Request {
    async fn read(
        &self,
        state: &Private,
        stream: &StreamName,
    ) -> Result<Taken<StreamPage>, Problem> {
        let limit = ReadLimit {
            records: self.limit,
            bytes: PAGE_LIMIT_BYTES,
        };
        let (store, log, stream) = (state.store.clone(), state.log.clone(), stream.clone());
        let (first, last) = (self.first(), self.from.unwrap_or(Revision::END));
        let direction = self.direction;
        let read = async move {
            match direction {
                Direction::Forwards => store.read_stream(&log, &stream, first, limit).await,
                Direction::Backwards => store.read_stream_back(&log, &stream, last, limit).await,
            }
        };
        state.turns.read(0, read).await.map_err(unavailable)
    }

    /// Where a page that goes forwards begins.
    fn first(&self) -> Revision {
        self.from.unwrap_or_default().max(Revision::new(1))
    }

    fn page(
        &self,
        (media_type, form): form::Offer<Form>,
        stream: &StreamName,
        head: Position,
        read: &StreamPage,
    ) -> Page {
        let links = self.links(stream, head, read);
        let next = links.iter().find(|(relation, _)| *relation == "next");
        let body = match form {
            Form::Json => {
                let name = Value::from(stream.as_str());
                let head = format!("{{\"stream\":{name},\"revision\":{},", read.revision);
                let events = read.events.iter().map(|event| plain(event, false));
                page::document(head, events, next.map(|(_, next)| next))
            }
            _ => joined(form, read.events.iter().map(cloud_event)),
        };
        // The document tells the stream's revision, which moves on. Without it, a page that others come after is what it is for as
        // long as the epoch lasts, which the address must name; one backwards, when the page before it is whole too.
        let size = self.limit as u64;
        let is_whole = |from: Revision| from.get().saturating_add(size) <= read.revision.get();
        let is_settled = form != Form::Json
            && next.is_some()
            && self.wait.is_none()
            && self.epoch.is_some()
            && (self.direction == Direction::Forwards || self.from.is_some_and(is_whole));
        let tag = etag(head, read.revision);
        Page {
            etag: Some(format!("{}{}\"", tag.trim_end_matches('"'), form.mark())),
            keep: Keep::immutable_if(is_settled),
            through: read.events.last().map(|event| event.revision.get()),
            head: Some(read.revision.get()),
            links,
            ..Page::new(media_type, body)
        }
    }

    /// The neighbours of a page, as far as there are any.
    fn links(
        &self,
        stream: &StreamName,
        head: Position,
        read: &StreamPage,
    ) -> Vec<(&'static str, Address)> {
        let base = Address::new(&format!("/streams/{}", path_segment(stream.as_str())));
        let size = self.limit as u64;
        let page = |from: u64, limit: u64| {
            let address = base.with("from", from).with("limit", limit);
            let address = match self.direction {
                Direction::Forwards => address,
                Direction::Backwards => address.with("direction", "backwards"),
            };
            address.with("epoch", head.epoch())
        };
        let last = read.events.last().map(|event| event.revision.get());
        let revision = read.revision.get();
        let mut links = Vec::new();
        if self.direction == Direction::Backwards {
            let newest = base
                .with("limit", size)
                .with("direction", "backwards")
                .with("epoch", head.epoch());
            links.push(("first", newest));
            let from = self.from.map_or(revision, Revision::get).min(revision);
            if from < revision {
                let above = revision.min(from.saturating_add(size));
                links.push(("prev", page(above, above - from)));
            }
            links.extend(
                last.filter(|last| *last > 1)
                    .map(|last| ("next", page(last - 1, size))),
            );
            return links;
        }
        let first = self.first().get();
        links.push(("first", page(1, size)));
        if first > 1 {
            let below = first.saturating_sub(size).max(1);
            links.push(("prev", page(below, first - below)));
        }
        let next = last.map_or(first, |last| last + 1);
        if next <= revision {
            links.push(("next", page(next, size)));
        } else if let Some(wait) = self.wait {
            links.push(("next", page(next, size).with("wait", wait)));
        }
        links
    }
}

/// One event of a stream by its revision, or its `last`.
#[utoipa::path(
    get, path = "/streams/{stream}/{revision}", operation_id = "readEvent", tag = "read",
    params(StreamPath, ("revision" = String, Path, description = "A revision, or `last`", pattern = "^([0-9]{1,19}|last)$"), Known),
    responses(reading::StreamEvent, problems::ReadEvent),
)]
pub(crate) async fn event(
    State(state): State<Arc<Private>>,
    caller: Caller,
    headers: HeaderMap,
    place: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let (media_type, is_plain) = negotiate(&headers, &[(JSON, true), (CLOUD_EVENT, false)])?;
    let (name, place) = two(place)?;
    let stream = StreamName::new(&name).map_err(|_| missing(&name))?;
    caller.may(Verb::Read, Scope::Category(stream.category()))?;
    let (store, log) = (&state.store, &state.log);
    let head = store.head(log).await.map_err(unavailable)?;
    let event = if place == "last" {
        store.last_event(log, &stream).await.map_err(unavailable)?
    } else {
        let revision = place.parse().map(Revision::new).map_err(|_| {
            malformed(format!("{place:?} is no revision")).mend("give a number, or `last`")
        })?;
        let one = ReadLimit {
            records: 1,
            bytes: PAGE_LIMIT_BYTES,
        };
        let read = store.read_stream(log, &stream, revision, one).await;
        let mut events = read.map_err(unavailable)?.events.into_iter();
        events.next().filter(|event| event.revision == revision)
    };
    let event = event.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-event",
            "there is no such event",
        )
        .detail(format!("the stream {name:?} has no event at {place:?}"))
        .mend("read the stream to see how far it is")
    })?;
    let body = if is_plain {
        plain(&event, true)
    } else {
        cloud_event(&event)
    };
    let tag = etag(head, event.revision);
    let mark = if is_plain { "" } else { ".event" };
    let page = Page {
        etag: Some(format!("{}{mark}\"", tag.trim_end_matches('"'))),
        ..Page::new(media_type, body)
    };
    Ok(page.answer(&headers))
}

/// Two names of an address, percent-decoded.
pub(super) fn two(
    place: Result<Path<(String, String)>, PathRejection>,
) -> Result<(String, String), Problem> {
    place.map(|Path(names)| names).map_err(bad_path)
}

fn missing(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-stream",
        "there is no such stream",
    )
    .detail(format!("nothing was appended to {name:?} yet"))
    .mend("append to it, or see GET /streams?category=… for those that there are")
}

/// Refuses an address of another epoch: what it means may be something else now.
pub(super) fn same_epoch(named: Option<u64>, head: Position) -> Result<(), Problem> {
    match named {
        Some(epoch) if epoch != head.epoch() => Err(Problem::new(
            StatusCode::CONFLICT,
            "another-epoch",
            "the store was restored since this address was given",
        )
        .detail(format!(
            "the address names epoch {epoch}; this is epoch {}",
            head.epoch()
        ))
        .mend("begin again without `epoch`, and compare with what you have")
        .with("epoch", head.epoch())),
        _ => Ok(()),
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
    utf8_percent_encode(text, UNRESERVED).collect()
}

/// Where a stream is read from a revision on.
pub(super) fn stream_address(stream: &StreamName, from: Revision) -> String {
    format!("/streams/{}?from={from}", path_segment(stream.as_str()))
}
