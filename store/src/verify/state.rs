//! What is known of progress: cursors, public heads, relays with their settlements, parked entries.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::log::LogCheck;
use super::public::{Found, Streams};
use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::{self, Family, LogId};
use crate::lookup;
use crate::names::{PublicStreamName, RelayName};
use crate::place::{Position, Sequence};
use crate::state::{self, RelayState, SettlementRecord};

/// What a settlement says, however it is stored.
struct Span {
    relay: RelayName,
    from: Sequence,
    to: Sequence,
    unheard: u64,
    parked: u64,
}

impl Span {
    /// Of an entry; `all` is what all keys of the family begin with.
    fn of(key: &[u8], all: &[u8], body: &[u8]) -> Result<Self, Flaw> {
        let (name, _) = keys::name_after(key, all).ok_or(Flaw::Content("the key has no name"))?;
        let record = SettlementRecord::decode(body)?;
        if keys::last_number(key) != Some(record.from.get()) {
            return Err(Flaw::Content("its key has another sequence than it says"));
        }
        Ok(Self {
            relay: RelayName::new(name).map_err(|_| Flaw::Content("the relay's name is none"))?,
            from: record.from,
            to: record.to,
            unheard: record.unheard.len() as u64,
            parked: record.parked.len() as u64,
        })
    }
}

/// What the settlements of a relay say together, and what became of the entries that were parked.
#[derive(Default)]
pub(super) struct Settlements {
    /// Where the last of them begins.
    from: Sequence,
    to: Sequence,
    /// Those that are unheard now.
    pub(super) unheard: u64,
    /// Those that are parked now.
    pub(super) parked: u64,
    pub(super) skipped: u64,
}

impl Checker<'_> {
    pub(super) fn state(
        &mut self,
        log: LogId,
        check: &LogCheck,
        streams: &Streams,
    ) -> Result<(), StoreError> {
        let cursors = keys::crossing_cursors(log);
        self.walk(
            &cursors,
            &cursors.bytes,
            Mend::Progress,
            |checker, key, body| {
                let cursor = Position::new(state::decode_number(body)?);
                if !check.has(cursor) {
                    let problem = format!("it stands at position {cursor}, which the log has not");
                    checker.found_at(key, problem, Mend::Progress);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        self.public_heads(log, streams)?;
        let mut settled = self.settlements(log)?;
        self.resolutions(log, &mut settled)?;
        self.relays(log, streams, settled)?;
        self.parked(log, check, streams)?;
        self.parked_keys(log)
    }

    fn public_heads(&mut self, log: LogId, streams: &Streams) -> Result<(), StoreError> {
        let all = keys::public_heads(log);
        let mut headless = streams.clone();
        self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
            let head = state::decode_public_head(body)?;
            let name = keys::name_after(key, &all.bytes);
            let stream = name
                .and_then(|(name, _)| PublicStreamName::new(name).ok())
                .ok_or(Flaw::Content("the public stream's name is none"))?;
            let Found { last, events } = headless.remove(&stream).unwrap_or_default();
            if (head.last, head.crossed) != (last, events) {
                let problem = format!(
                    "it says that {} public events end at {}, and {events} end at {last}",
                    head.crossed, head.last
                );
                checker.found_at(key, problem, Mend::Derived);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for stream in headless.into_keys() {
            let key = keys::public_head(log, &stream);
            self.found_at(&key.bytes, "it is missing", Mend::Derived);
        }
        Ok(())
    }

    /// Whether the settlements of each relay follow each other without a gap.
    fn settlements(&mut self, log: LogId) -> Result<BTreeMap<RelayName, Settlements>, StoreError> {
        let all = keys::all_of(Family::Settlement, log);
        let mut relays: BTreeMap<RelayName, Settlements> = BTreeMap::new();
        self.walk(&all, &all.bytes, Mend::Progress, |checker, key, body| {
            let span = Span::of(key, &all.bytes, body)?;
            let relay = relays.entry(span.relay).or_default();
            if span.from != relay.to || span.to <= span.from {
                let problem = format!(
                    "it speaks of what is after {}, and the one before of what is up to {}",
                    span.from, relay.to
                );
                checker.found_at(key, problem, Mend::Progress);
            }
            relay.from = span.from;
            relay.to = span.to;
            relay.unheard += span.unheard;
            relay.parked += span.parked;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(relays)
    }

    fn relays(
        &mut self,
        log: LogId,
        streams: &Streams,
        mut settled: BTreeMap<RelayName, Settlements>,
    ) -> Result<(), StoreError> {
        let all = keys::relays(log);
        let (database, mut failed) = (self.database, None);
        self.walk(&all, &all.bytes, Mend::Progress, |checker, key, body| {
            let relay = RelayState::decode(body)?;
            let name = keys::name_after(key, &all.bytes);
            let name = name.and_then(|(name, _)| RelayName::new(name).ok());
            let settled = name
                .and_then(|name| settled.remove(&name))
                .unwrap_or_default();
            let inside = || {
                if streams.contains_key(&relay.stream)
                    && lookup::has_public(database, log, &relay.stream, relay.cursor)?
                {
                    let (stream, cursor) = (&relay.stream, relay.cursor);
                    lookup::public_between(database, log, stream, Sequence::ZERO, cursor).map(Some)
                } else {
                    Ok(None)
                }
            };
            let totals = relay.totals;
            let sum = totals
                .confirmed
                .saturating_add(totals.unheard)
                .saturating_add(totals.parked)
                .saturating_add(totals.skipped);
            let problem = match inside() {
                Ok(None) => format!(
                    "its cursor stands at sequence {}, which {} has not",
                    relay.cursor, relay.stream
                ),
                Ok(Some(_)) if (settled.from, settled.to) != (relay.record, relay.cursor) => format!(
                    "its cursor stands at {} after {}, and its last settlement is of {} after {}",
                    relay.cursor, relay.record, settled.to, settled.from
                ),
                Ok(Some(passed)) if passed != sum => {
                    format!(
                        "its cursor has passed {passed} public events, and its totals say {sum}"
                    )
                }
                Ok(Some(_))
                    if (totals.unheard, totals.parked) != (settled.unheard, settled.parked)
                        // What lies before a relay's beginning is skipped too, and no entry of it was parked.
                        || totals.skipped < settled.skipped =>
                {
                    format!(
                        "its totals say {} unheard, {} parked and {} skipped, and its settlements and what became of \
                         parked entries {}, {} and {}",
                        totals.unheard,
                        totals.parked,
                        totals.skipped,
                        settled.unheard,
                        settled.parked,
                        settled.skipped
                    )
                }
                Ok(Some(_)) => return Ok(ControlFlow::Continue(())),
                // Told with the public event.
                Err(StoreError::Damaged { .. }) => return Ok(ControlFlow::Continue(())),
                Err(error) => {
                    failed = Some(error);
                    return Ok(ControlFlow::Break(()));
                }
            };
            checker.found_at(key, problem, Mend::Progress);
            Ok(ControlFlow::Continue(()))
        })?;
        for relay in settled.into_keys() {
            let key = keys::relay(log, &relay);
            self.found_at(&key.bytes, "it is missing", Mend::Progress);
        }
        failed.map_or(Ok(()), Err)
    }
}
