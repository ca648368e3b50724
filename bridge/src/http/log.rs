//! `GET /log`: the events of the log in the order in which they were stored, all or those of a category or a type; in pages, forwards
//! or backwards, or as they come.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use horizon_store::{Event, LogPage, Position, ReadLimit, Record, Selection};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::Private;
use super::follow::{self, Began, LogSource, last_event_id};
use super::form::{self, Form, joined, negotiate};
use super::history::known_position;
use super::number::in_query;
use super::openapi::{
    problems,
    reading::{self, AfterPlace, Known, Resumed},
};
use super::page::{
    self, Address, After, Direction, Keep, MAX_LIMIT_EVENTS, PAGE_LIMIT_BYTES, Page, limit, query,
};
use super::paging::{End, Paging, Said};
use super::problem::Problem;
use super::read::same_epoch;
use super::refusals::unavailable;
use super::turns::Taken;
use super::written::{cloud_event, plain};
use crate::access::{Caller, Scope, Verb};

const MEND: &str = "`after` and `before` are positions (`after` may be `head`), `limit` is a number of events, `category` a category of streams, `type` an event type, `direction` is `forwards` or `backwards`, `wait` a number of seconds, `epoch` one that a link named";

/// The query of a read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Only events after this place, or after all that there are now (`head`).
    #[param(value_type = Option<AfterPlace>)]
    after: Option<After>,
    /// Only events before this place; backwards only.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    before: Option<u64>,
    /// Most events of a page; more than 1,000 are not given, and at least one is.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    limit: Option<usize>,
    /// Only events of this category of streams.
    category: Option<String>,
    /// Only events of this type.
    r#type: Option<String>,
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

/// Reads a page of the log, or follows it.
///
/// In pages, forwards or backwards; as `text/event-stream` as they come, from where `Last-Event-ID` says.
#[utoipa::path(
    get,
    path = "/log",
    operation_id = "readLog",
    tag = "read",
    params(Asked, Known, Resumed),
    responses(reading::LogEvents, problems::ReadLog)
)]
pub(crate) async fn log(
    State(state): State<Arc<Private>>,
    caller: Caller,
    began: Began,
    method: Method,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query(asked, MEND)?;
    let (media_type, form) = negotiate(&headers, &form::PRIVATE)?;
    let wait = page::wait(asked.wait)?;
    let follows = form == Form::Follow || wait.is_some();
    let verb = if follows { Verb::Follow } else { Verb::Read };
    let scope = asked.category.as_deref();
    caller.may(verb, scope.map_or(Scope::Log, Scope::Category))?;
    let head = state.store.head(&state.log).await.map_err(unavailable)?;
    same_epoch(asked.epoch, head)?;
    let is_back = asked.direction == Some(Direction::Backwards);
    let said = Said {
        after: asked.after.is_some(),
        before: asked.before.is_some(),
        limit: asked.limit.is_some(),
        wait: wait.is_some(),
        is_back,
        ..Said::default()
    };
    said.check(form, MEND)?;
    let selected = Selected {
        category: asked.category,
        event_type: asked.r#type,
    };
    let after = match asked.after {
        Some(After::Head) => head,
        Some(After::Place(place)) => Position::new(place),
        None => Position::ZERO,
    };
    if form == Form::Follow {
        let after = last_event_id(&headers)?.map_or(after, Position::new);
        known_position(&state, after).await?;
        let source = LogSource::begin(&state, selected, after).await?;
        return Ok(follow::answer(source, &state.follows, &method));
    }
    let request = Request {
        selected,
        after,
        before: asked.before.map_or(Position::END, Position::new),
        paging: Paging {
            limit: limit(asked.limit, MAX_LIMIT_EVENTS),
            is_back,
            wait: asked.wait,
            epoch: asked.epoch,
        },
    };
    let page = if is_back {
        request.read(&state, after, 0).await?
    } else {
        known_position(&state, after).await?;
        let wait = wait.filter(|_| method != Method::HEAD);
        request
            .poll(&state, began, wait.unwrap_or_default())
            .await?
    };
    Ok(request
        .page(&state, (media_type, form), &page)
        .answer(&headers))
}

/// What is selected of a log.
pub(super) struct Selected {
    category: Option<String>,
    event_type: Option<String>,
}

impl Selected {
    /// What the store reads; the rest is for [`Selected::takes`].
    pub(super) fn selection(&self) -> Selection {
        match (&self.category, &self.event_type) {
            (Some(category), _) => Selection::Category(category.clone()),
            (None, Some(event_type)) => Selection::EventType(event_type.clone()),
            (None, None) => Selection::All,
        }
    }

    /// The event of a record that was read, if it is one and is selected.
    pub(super) fn takes<'r>(&self, record: &'r Record) -> Option<&'r Event> {
        let Record::Event(event) = record else {
            return None;
        };
        let wanted = self.event_type.as_deref();
        wanted
            .is_none_or(|wanted| wanted == event.event_type())
            .then_some(event)
    }
}

/// What is asked of the log.
struct Request {
    selected: Selected,
    after: Position,
    before: Position,
    paging: Paging,
}

impl Request {
    /// Reads a page that begins so many places from the head.
    async fn read(
        &self,
        state: &Private,
        after: Position,
        from_head: u64,
    ) -> Result<Taken<LogPage>, Problem> {
        let limit = ReadLimit {
            records: self.paging.limit,
            bytes: PAGE_LIMIT_BYTES,
        };
        let (store, log) = (state.store.clone(), state.log.clone());
        let selection = self.selected.selection();
        let before = self.paging.is_back.then_some(self.before);
        let read = async move {
            match before {
                Some(before) => store.read_log_back(&log, &selection, before, limit).await,
                None => store.read_log(&log, &selection, after, limit).await,
            }
        };
        let read = state.turns.read(from_head, read).await;
        read.map_err(unavailable)
    }

    /// Reads forwards, and waits at the head until there is something. Where much is passed that is not selected, it does not look
    /// at all of it in one request.
    async fn poll(
        &self,
        state: &Private,
        began: Began,
        wait: std::time::Duration,
    ) -> Result<Taken<LogPage>, Problem> {
        let mut heads = state
            .store
            .watch_log(&state.log)
            .await
            .map_err(unavailable)?;
        let mut patience = std::pin::pin!(state.follows.patience(began, wait));
        let mut from = self.after;
        loop {
            let from_head = heads.borrow().get().saturating_sub(from.get());
            let mut page = self.read(state, from, from_head).await?;
            let is_empty = !page
                .records
                .iter()
                .any(|one| self.selected.takes(one).is_some());
            if !is_empty || page.through < page.head || wait.is_zero() {
                return Ok(page);
            }
            from = page.through;
            page.give_turn_back();
            tokio::select! {
                moved = heads.wait_for(|head| *head > page.head) => if moved.is_err() { return Ok(page) },
                () = &mut patience => return Ok(page),
            }
        }
    }

    fn page(&self, state: &Private, (media_type, form): form::Offer<Form>, read: &LogPage) -> Page {
        let links = self.links(read);
        let next = links.iter().find(|(relation, _)| *relation == "next");
        let events = read
            .records
            .iter()
            .filter_map(|one| self.selected.takes(one));
        let body = match form {
            Form::Json => {
                let name = Value::from(state.log.as_str());
                let (head, through) = (read.head, read.through);
                let first = format!("{{\"log\":{name},\"head\":{head},\"through\":{through},");
                let events = events.map(|event| plain(event, true));
                page::document(first, events, next.map(|(_, next)| next))
            }
            _ => joined(form, events.map(cloud_event)),
        };
        let begins_within = self.before <= read.head;
        let is_settled = self.paging.is_settled(form, next.is_some(), begins_within);
        Page {
            etag: Some(format!("\"{}-{}{}\"", read.head, read.through, form.mark())),
            keep: Keep::immutable_if(is_settled && read.records.len() >= self.paging.limit),
            links,
            through: Some(read.through.get()),
            head: Some(read.head.get()),
            ..Page::new(media_type, body)
        }
    }

    fn links(&self, read: &LogPage) -> Vec<(&'static str, Address)> {
        let base = Address::new("/log")
            .with_some("category", self.selected.category.as_ref())
            .with_some("type", self.selected.event_type.as_ref());
        let end = End {
            through: read.through.get(),
            head: read.head.get(),
            has_more_before: read.through > Position::ZERO,
            epoch: read.head.epoch(),
        };
        self.paging.links(base, &end)
    }
}
