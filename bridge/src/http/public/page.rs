//! `GET /public/{contract}` and `GET /public/{contract}/{sequence}`: public events, byte for byte as they are published.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use horizon_store::{
    LogName, PublicEvent, PublicStreamName, ReadLimit, Sequence, Store, StoreError,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{Public, Wanted, granted};
use crate::access::Caller;
use crate::clock;
use crate::http::body::path;
use crate::http::follow::{self, Began, PublicSource, last_event_id};
use crate::http::form::{self, CLOUD_EVENT, Form, JSON, joined, negotiate};
use crate::http::history::known_sequence;
use crate::http::number::in_query;
use crate::http::openapi::{
    problems,
    reading::{self, AfterPlace, Known, Resumed},
};
use crate::http::page::{
    self, Address, After, Direction, Keep, MAX_LIMIT_EVENTS, PAGE_LIMIT_BYTES, Page, limit,
    malformed_query, query,
};
use crate::http::paging::{End, Paging, Said};
use crate::http::problem::Problem;
use crate::http::read::{path_segment, same_epoch, two};
use crate::http::refusals::{malformed, unavailable};
use crate::http::turns::Taken;
use crate::relay::beginning::last_of;
use crate::stored::public_at;

/// Events of one answer unless asked for otherwise.
const DEFAULT_LIMIT_EVENTS: usize = 100;
/// Most events that one request looks at for those of a key or a type.
const SCAN_LIMIT_EVENTS: usize = 10_000;
const MEND: &str = "`after` and `before` are sequences (`after` may be `head`), `since` is an RFC 3339 time, `key` an event's `partitionkey`, `type` its `type`, `limit` a number of events, `direction` is `forwards` or `backwards`, `wait` a number of seconds, `epoch` one that a link named";

/// The query of a read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Asked {
    /// Only events after this place, or after all that there are now (`head`).
    #[param(value_type = Option<AfterPlace>)]
    after: Option<After>,
    /// Only events before this place; backwards only.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    before: Option<u64>,
    /// Only events that have crossed at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only events of this key.
    key: Option<String>,
    /// Only events of this type.
    r#type: Option<String>,
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

/// Reads a page of a public stream, or follows it.
///
/// In pages, forwards or backwards; as `text/event-stream` as they come, from where `Last-Event-ID` says.
#[utoipa::path(
    get, path = "/public/{contract}", operation_id = "readPublic", tag = "public",
    params(("contract" = String, Path, description = "Such as `bank.accounts.v1`", min_length = 1), Asked, Known, Resumed),
    responses(reading::PublicEvents, problems::ReadPublic),
)]
pub(in crate::http) async fn events(
    State(state): State<Arc<Public>>,
    caller: Caller,
    began: Began,
    method: Method,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let stream = granted(&state, &caller, &path(name)?)?;
    let asked = query(asked, MEND)?;
    let (media_type, form) = negotiate(&headers, &form::PUBLIC)?;
    let wait = page::wait(asked.wait)?;
    let epoch = state.store.head(&state.log).await.map_err(unavailable)?;
    same_epoch(asked.epoch, epoch)?;
    let is_back = asked.direction == Some(Direction::Backwards);
    let said = Said {
        after: asked.after.is_some(),
        since: asked.since.is_some(),
        before: asked.before.is_some(),
        limit: asked.limit.is_some(),
        wait: asked.wait.is_some(),
        is_back,
    };
    said.check(form, MEND)?;
    let head = head(&state, &stream).await?;
    let resumed = match form {
        Form::Follow => last_event_id(&headers)?,
        _ => None,
    };
    let after = match (resumed, asked.after, &asked.since) {
        (Some(place), ..) => Sequence::new(place),
        (None, Some(After::Head), _) => head,
        (None, Some(After::Place(place)), _) => Sequence::new(place),
        (None, None, Some(since)) => before_time(&state, &stream, since).await?,
        (None, None, None) => Sequence::ZERO,
    };
    let wanted = Wanted {
        key: asked.key,
        event_type: asked.r#type,
    };
    if !is_back {
        known_sequence(&state, &stream, after).await?;
    }
    if form == Form::Follow {
        let source = PublicSource::begin(&state, &stream, wanted, after, head).await?;
        return Ok(follow::answer(source, &state.follows, &method));
    }
    let request = Request {
        wanted,
        before: asked.before.map_or(Sequence::END, Sequence::new),
        paging: Paging {
            limit: limit(asked.limit, DEFAULT_LIMIT_EVENTS),
            is_back,
            wait: asked.wait,
            epoch: asked.epoch,
        },
        present_epoch: epoch.epoch(),
    };
    let wait = wait.filter(|_| method != Method::HEAD).unwrap_or_default();
    let found = request.poll(&state, &stream, after, (began, wait)).await?;
    let page = request.page((media_type, form), &stream, &found);
    Ok(page.answer(&headers))
}

async fn head(state: &Public, stream: &PublicStreamName) -> Result<Sequence, Problem> {
    let head = state.store.public_head(&state.log, stream).await;
    Ok(head.map_err(unavailable)?.unwrap_or_default().last)
}

/// The last event that crossed before a time.
async fn before_time(
    state: &Public,
    stream: &PublicStreamName,
    since: &str,
) -> Result<Sequence, Problem> {
    let since_ms = clock::milliseconds(since).ok_or_else(|| {
        malformed_query(
            format!("{since:?} is no time"),
            "give an RFC 3339 time such as 2026-01-31T12:00:00Z; a `+` in an address is written %2B",
        )
    })?;
    let before = |event: &PublicEvent| event.crossed_ms < since_ms;
    let found = last_of(&state.store, &state.log, stream, before).await;
    found.map_err(unavailable)
}

/// What was found of a public stream.
struct Found {
    events: Vec<PublicEvent>,
    /// Everything up to here was looked at; backwards, everything from here on.
    through: Sequence,
    head: Sequence,
}

/// A look for what is wanted, at so much and no more.
struct Scan {
    store: Store,
    log: LogName,
    stream: PublicStreamName,
    wanted: Wanted,
    /// None: forwards.
    before: Option<Sequence>,
    limit: usize,
}

impl Scan {
    async fn run(self, after: Sequence) -> Result<Found, StoreError> {
        let (mut events, mut bytes, mut looked) = (Vec::new(), 0, 0);
        let mut through = self.before.unwrap_or(after);
        loop {
            let limit = ReadLimit {
                records: MAX_LIMIT_EVENTS.min(SCAN_LIMIT_EVENTS - looked),
                bytes: PAGE_LIMIT_BYTES,
            };
            let (store, log, stream) = (&self.store, &self.log, &self.stream);
            let read = match self.before {
                Some(_) => store.read_public_back(log, stream, through, limit).await?,
                None => store.read_public(log, stream, through, limit).await?,
            };
            let is_end = read.events.is_empty();
            looked += read.events.len();
            for event in read.events {
                through = event.sequence;
                if self.wanted.takes(&event) {
                    bytes += event.event.len();
                    events.push(event);
                }
                if events.len() >= self.limit || bytes >= PAGE_LIMIT_BYTES {
                    break;
                }
            }
            let is_full = events.len() >= self.limit || bytes >= PAGE_LIMIT_BYTES;
            let is_done = self.before.is_none() && through >= read.head;
            if is_end || is_full || is_done || looked >= SCAN_LIMIT_EVENTS {
                let through = match is_end && self.before.is_some() {
                    true => Sequence::ZERO,
                    false => through,
                };
                return Ok(Found {
                    events,
                    through,
                    head: read.head,
                });
            }
        }
    }
}

/// What is asked of a public stream.
struct Request {
    wanted: Wanted,
    before: Sequence,
    paging: Paging,
    present_epoch: u64,
}

impl Request {
    /// Reads, and waits at the head until there is something.
    async fn poll(
        &self,
        state: &Public,
        stream: &PublicStreamName,
        mut after: Sequence,
        (began, wait): (Began, Duration),
    ) -> Result<Taken<Found>, Problem> {
        let heads = state.store.watch_public(&state.log, stream).await;
        let mut heads = heads.map_err(unavailable)?;
        let mut patience = std::pin::pin!(state.follows.patience(began, wait));
        loop {
            let from_head = heads.borrow().get().saturating_sub(after.get());
            let scan = Scan {
                store: state.store.clone(),
                log: state.log.clone(),
                stream: stream.clone(),
                wanted: self.wanted.clone(),
                before: self.paging.is_back.then_some(self.before),
                limit: self.paging.limit,
            };
            let found = state.turns.read(from_head, scan.run(after)).await;
            let mut found = found.map_err(unavailable)?;
            let is_behind = found.through < found.head;
            if !found.events.is_empty() || is_behind || self.paging.is_back || wait.is_zero() {
                return Ok(found);
            }
            after = found.through;
            found.give_turn_back();
            tokio::select! {
                moved = heads.wait_for(|head| *head > found.head) => if moved.is_err() { return Ok(found) },
                () = &mut patience => return Ok(found),
            }
        }
    }

    fn page(
        &self,
        (media_type, form): form::Offer<Form>,
        stream: &PublicStreamName,
        found: &Found,
    ) -> Page {
        let links = self.links(stream, found);
        let next = links.iter().find(|(relation, _)| *relation == "next");
        let events = found.events.iter().map(|event| event.event.to_vec());
        let (head, through) = (found.head, found.through);
        let body = match form {
            Form::Json => {
                let name = Value::from(stream.as_str());
                let first = format!("{{\"contract\":{name},\"head\":{head},\"through\":{through},");
                page::document(first, events, next.map(|(_, next)| next))
            }
            _ => joined(form, events),
        };
        let is_settled = self
            .paging
            .is_settled(form, next.is_some(), self.before <= head);
        let epoch = self.present_epoch;
        Page {
            etag: Some(format!("\"{epoch}-{head}-{through}{}\"", form.mark())),
            keep: Keep::immutable_if(is_settled),
            links,
            through: Some(through.get()),
            head: Some(head.get()),
            ..Page::new(media_type, body)
        }
    }

    fn links(&self, stream: &PublicStreamName, found: &Found) -> Vec<(&'static str, Address)> {
        let base = Address::new(&format!("/public/{}", path_segment(stream.as_str())))
            .with_some("key", self.wanted.key.as_ref())
            .with_some("type", self.wanted.event_type.as_ref());
        let end = End {
            through: found.through.get(),
            head: found.head.get(),
            has_more_before: found.through > Sequence::new(1),
            epoch: self.present_epoch,
        };
        self.paging.links(base, &end)
    }
}

/// One public event by its sequence.
#[utoipa::path(
    get, path = "/public/{contract}/{sequence}", operation_id = "readPublicEvent", tag = "public",
    params(
        ("contract" = String, Path, description = "Such as `bank.accounts.v1`", min_length = 1),
        ("sequence" = u64, Path, description = "Its `sequence`", maximum = 18446744073709551615u64),
        Known,
    ),
    responses(reading::PublicEvent, problems::ReadPublicEvent),
)]
pub(in crate::http) async fn event(
    State(state): State<Arc<Public>>,
    caller: Caller,
    headers: HeaderMap,
    place: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let (name, place) = two(place)?;
    let stream = granted(&state, &caller, &name)?;
    let (media_type, ()) = negotiate(&headers, &[(CLOUD_EVENT, ()), (JSON, ())])?;
    let sequence = place.parse().map(Sequence::new).map_err(|_| {
        malformed(format!("{place:?} is no sequence"))
            .mend("give the attribute `sequence` of an event")
    })?;
    let head = head(&state, &stream).await?;
    let found = if sequence > head || sequence == Sequence::ZERO {
        None
    } else {
        let found = public_at(&state.store, &state.log, &stream, sequence).await;
        found.map_err(unavailable)?
    };
    let event = found.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-event",
            "there is no such event",
        )
        .detail(format!(
            "{name} has no event {sequence}; its last one is {head}"
        ))
        .mend("read the stream from the beginning, or the last one with `direction=backwards`")
    })?;
    let page = Page {
        etag: Some(format!("\"{sequence}\"")),
        // An event that has crossed never changes, and its sequence is never used again.
        keep: Keep::Immutable,
        head: Some(head.get()),
        ..Page::new(media_type, event.event.to_vec())
    };
    Ok(page.answer(&headers))
}
