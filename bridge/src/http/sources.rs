//! Whose a `source` is: who uses the name of a stream of another category as one needs the grant there as well.
//!
//! `source` and `id` are an event's identity in its log, and a plain append has its stream's name as source. Who could use up ids under
//! the names of other people's streams would keep those from appending.

use std::collections::HashSet;

use horizon_schemas::{Door, PrivateSchemas};
use horizon_store::{NewEvent, ReadLimit, StreamName};

use super::Private;
use super::page::PAGE_LIMIT_BYTES;
use super::problem::Problem;
use super::refusals::unavailable;
use crate::access::{Caller, Scope, Verb};

/// What a request's events are taken in by.
pub(super) struct Sources<'a> {
    pub(super) state: &'a Private,
    pub(super) schemas: &'a PrivateSchemas,
    pub(super) door: Door,
    caller: &'a Caller,
    /// What is no category, as it was found out for an event before.
    free: HashSet<String>,
}

/// What one must be granted to append by a door. The one for imports asks for less of events, and so for more of who brings them.
pub(super) fn verb(door: Door) -> Verb {
    match door {
        Door::Http => Verb::Append,
        Door::Import => Verb::Import,
    }
}

impl<'a> Sources<'a> {
    pub(super) fn new(
        state: &'a Private,
        schemas: &'a PrivateSchemas,
        door: Door,
        caller: &'a Caller,
    ) -> Sources<'a> {
        Sources {
            state,
            schemas,
            door,
            caller,
            free: HashSet::new(),
        }
    }

    /// Refuses a source that is the name of a stream of another category, where the caller may not append to that one.
    pub(super) async fn judge(
        &mut self,
        stream: &StreamName,
        index: usize,
        event: &NewEvent,
    ) -> Result<(), Problem> {
        let named = event.source.as_deref().map(StreamName::new);
        let Some(Ok(named)) = named else {
            return Ok(());
        };
        let (category, verb) = (named.category(), verb(self.door));
        let scope = Scope::Category(category);
        if category == stream.category()
            || self.caller.is_granted(verb, scope)
            || !self.is_category(category).await?
        {
            return Ok(());
        }
        self.caller.may(verb, scope).map_err(|problem| {
            let told = format!(
                "its source {:?} is the name of a stream of another category, to which this is not granted",
                named.as_str()
            );
            problem
                .detail(told)
                .mend("leave `source` out or give a URI of your own; or ask who operates Horizon for the grant")
                .with("event", index)
        })
    }

    /// Whether there is such a category: it has private schemas, or streams. All else is free text.
    async fn is_category(&mut self, name: &str) -> Result<bool, Problem> {
        if self.free.contains(name) {
            return Ok(false);
        }
        if self.schemas.has_category(name) {
            return Ok(true);
        }
        let (store, log) = (&self.state.store, &self.state.log);
        let one = ReadLimit {
            records: 1,
            bytes: PAGE_LIMIT_BYTES,
        };
        let found = store.streams(log, name, None, one).await;
        let is_category = !found.map_err(unavailable)?.streams.is_empty();
        if !is_category {
            self.free.insert(name.to_owned());
        }
        Ok(is_category)
    }
}
