//! Public streams: their events, whether each has its entries, and whether there are others.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::log::LogCheck;
use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::{self, Family, LogId};
use crate::names::PublicStreamName;
use crate::place::{Position, Sequence};
use crate::public::PublicEvent;
use crate::reading::follows;
use crate::record;
use crate::state;

/// How many public events are looked up at a time.
const LOOK_UP: usize = 128;

/// What was found of a public stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) last: Sequence,
    pub(super) events: u64,
}

/// The public streams of a log.
pub(super) type Streams = BTreeMap<PublicStreamName, Found>;

impl Checker<'_> {
    pub(super) fn public(&mut self, log: LogId, check: &LogCheck) -> Result<Streams, StoreError> {
        let all = keys::all_of(Family::PublicRecord, log);
        let mut streams = Streams::new();
        let (mut waiting, mut failed) = (Vec::new(), None);
        self.walk(&all, &all.bytes, Mend::Record, |checker, key, body| {
            let event = public_event(key, &all.bytes, body)?;
            checker.public_event(check, key, &event, &mut streams);
            waiting.push(event);
            if waiting.len() == LOOK_UP
                && let Err(error) = checker.look_up_public(log, std::mem::take(&mut waiting))
            {
                failed = Some(error);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.look_up_public(log, waiting)?;
        let events = streams.values().map(|found| found.events).sum();
        self.origins(log, events)?;
        self.last_of_keys(log)?;
        Ok(streams)
    }

    /// Whether a public event is where it must be.
    fn public_event(
        &mut self,
        check: &LogCheck,
        key: &[u8],
        event: &PublicEvent,
        streams: &mut Streams,
    ) {
        let found = streams.entry(event.stream.clone()).or_default();
        let before = found.last;
        found.last = event.sequence;
        found.events += 1;
        self.verified.public_events += 1;
        if !follows(
            Position::new(before.get()),
            Position::new(event.sequence.get()),
        ) {
            let problem = format!("the public events after sequence {before} are missing");
            self.found_at(key, problem, Mend::Record);
        }
        if !check.has(event.origin) {
            let problem = format!(
                "it was made of position {}, which the log has not",
                event.origin
            );
            self.found_at(key, problem, Mend::Record);
        }
    }

    /// Whether public events have their entries.
    pub(super) fn look_up_public(
        &mut self,
        log: LogId,
        events: Vec<PublicEvent>,
    ) -> Result<(), StoreError> {
        let origin = |event: &PublicEvent| {
            keys::origin_index(log, event.origin, &event.stream, event.sequence)
        };
        let sought: Vec<_> = events.iter().map(origin).collect();
        let found = self.database.get_each(&sought, state::decode_empty)?;
        for (key, found) in sought.iter().zip(found) {
            if self.looked_up(found, Mend::Derived)?.is_none() {
                let problem = "the entry of a public event is missing in the origin index";
                self.found_at(&key.bytes, problem, Mend::Derived);
            }
        }
        let last = |event: &PublicEvent| {
            let digest = self.secrets.key_and_type(&event.key, &event.event_type);
            keys::last_of_key(log, &event.stream, &digest)
        };
        let sought: Vec<_> = events.iter().map(last).collect();
        let found = self.database.get_each(&sought, state::decode_number)?;
        for ((key, event), found) in sought.iter().zip(events).zip(found) {
            let last = self.looked_up(found, Mend::Derived)?;
            if last.is_none_or(|last| last < event.sequence.get()) {
                let (stream, sequence) = (event.stream, event.sequence);
                let problem = format!(
                    "the last of its key and type in {stream} is at {sequence} or later, and it says {}",
                    last.unwrap_or_default()
                );
                self.found_at(&key.bytes, problem, Mend::Derived);
            }
        }
        Ok(())
    }

    /// Reads all entries of the origin index. Each event's own was found; so there are others if there are more.
    fn origins(&mut self, log: LogId, events: u64) -> Result<(), StoreError> {
        let all = keys::all_of(Family::OriginIndex, log);
        let mut count = 0_u64;
        self.walk(&all, &all.bytes, Mend::Derived, |_, _, body| {
            count += 1;
            state::decode_empty(body).map(ControlFlow::Continue)
        })?;
        if count == events {
            return Ok(());
        }
        let (database, mut failed) = (self.database, None);
        self.walk(&all, &all.bytes, Mend::Derived, |checker, key, _| {
            let (origin, stream, sequence) = keys::origin_parts(key)
                .ok_or(Flaw::Content("the key is none of the origin index"))?;
            let stream = PublicStreamName::new(stream)
                .map_err(|_| Flaw::Content("the public stream's name is none"))?;
            let record = keys::public_record(log, &stream, sequence);
            let found = database.get(&record, |body| {
                record::decode_public(&stream, sequence, body)
            });
            match found {
                Ok(Some(event)) if event.origin == origin => {}
                // Told with the public event.
                Err(StoreError::Damaged { .. }) => {}
                Ok(_) => {
                    let problem = format!(
                        "the origin index has it, and public event {sequence} of {stream} is not of it"
                    );
                    checker.found_at(key, problem, Mend::Derived);
                }
                Err(error) => {
                    failed = Some(error);
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Whether each last of a key is an event of that key: none is later, as each event's own was looked up.
    fn last_of_keys(&mut self, log: LogId) -> Result<(), StoreError> {
        let all = keys::all_of(Family::LastOfKey, log);
        let (database, secrets, mut failed) = (self.database, self.secrets, None);
        self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
            let sequence = Sequence::new(state::decode_number(body)?);
            let name = keys::name_after(key, &all.bytes);
            let stream = name
                .and_then(|(name, _)| PublicStreamName::new(name).ok())
                .ok_or(Flaw::Content("the public stream's name is none"))?;
            let found = database.get(&keys::public_record(log, &stream, sequence), |body| {
                record::decode_public(&stream, sequence, body)
            });
            match found {
                Ok(Some(event))
                    if Some(secrets.key_and_type(&event.key, &event.event_type))
                        == keys::last_digest(key) => {}
                // Told with the public event.
                Err(StoreError::Damaged { .. }) => {}
                Ok(_) => {
                    let problem = format!(
                        "it says that {sequence} is the last of its key and type in {stream}, and that is another event"
                    );
                    checker.found_at(key, problem, Mend::Derived);
                }
                Err(error) => {
                    failed = Some(error);
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// A public event by its key and body; `all` is what all keys of the family begin with.
pub(super) fn public_event(key: &[u8], all: &[u8], body: &[u8]) -> Result<PublicEvent, Flaw> {
    let (name, rest) = keys::name_after(key, all).ok_or(Flaw::Content("the key has no name"))?;
    let stream = PublicStreamName::new(name)
        .map_err(|_| Flaw::Content("the public stream's name is none"))?;
    let sequence = rest
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| Flaw::Content("the key has no sequence"))?;
    record::decode_public(&stream, Sequence::new(sequence), body)
}
