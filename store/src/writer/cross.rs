//! Crossings and settlements: cursors, and what moves with them.
//!
//! A cursor moves only from where the caller believes it to be, only forward, and never beyond the head of what it
//! runs over. All that a move carries is written with it.

use super::draft::Draft;
use super::resolve::Parking;
use crate::error::StoreError;
use crate::keys::{self, KeyDigest, LogId};
use crate::limits::LimitError;
use crate::lookup;
use crate::names::{ByName, LogName, PublicStreamName};
use crate::place::Sequence;
use crate::prepare::{PreparedCrossing, PreparedSettlement};
use crate::public::{CrossError, Crossing, CursorMove, NewPublicEvent, PublicHead};
use crate::record;
use crate::relay::{RelayTotals, SettleError, Settlement};
use crate::state::{self, RelayState, SettlementRecord};

impl Draft<'_> {
    pub(super) fn cross(
        &mut self,
        log: &LogName,
        prepared: &PreparedCrossing,
    ) -> Result<(), CrossError> {
        let crossing = &prepared.crossing;
        let head = self.log(log).head.last;
        for CursorMove {
            cursor,
            expected,
            to,
        } in &crossing.cursors
        {
            let actual = self.cursor(log, cursor);
            if actual != *expected {
                let cursor = cursor.clone();
                return Err(CrossError::CursorMoved { cursor, actual });
            }
            if !self.has(log, *to) {
                let reason = if *to > head {
                    format!("it would move to {to}, beyond the log's head {head}")
                } else {
                    format!("it would move to {to}, which lies between two epochs of the log")
                };
                return Err(LimitError::malformed(format!("cursor {cursor}"), reason).into());
            }
        }
        let public_heads = self.check_public(log, crossing)?;
        let parking = self.check_parking(log, &prepared.resolved, &prepared.parked)?;
        self.apply_crossing(log, prepared, public_heads, parking);
        Ok(())
    }

    /// Checks that each public event is the next one of its stream. Gives the heads as the crossing leaves them.
    fn check_public(
        &mut self,
        log: &LogName,
        crossing: &Crossing,
    ) -> Result<ByName<PublicStreamName, PublicHead>, CrossError> {
        let log_head = self.log(log).head.last;
        let mut heads: ByName<PublicStreamName, PublicHead> = ByName::default();
        let streams = crossing
            .public
            .iter()
            .map(|event| &event.stream)
            .chain(crossing.counts.iter().map(|(stream, _)| stream));
        for stream in streams {
            if !heads.contains_key(stream) {
                heads.insert(stream.clone(), self.public_head(log, stream));
            }
        }
        for event in &crossing.public {
            let head = heads.entry(event.stream.clone()).or_default();
            let expected = head.last.following(log_head).ok_or_else(|| {
                LimitError::malformed(
                    format!("public stream {}", event.stream),
                    "it has no place left in its epoch",
                )
            })?;
            if event.sequence != expected {
                return Err(CrossError::SequenceGap {
                    stream: event.stream.clone(),
                    expected,
                });
            }
            if !self.has(log, event.origin) {
                let what = format!(
                    "the origin of public event {} of {}",
                    event.sequence, event.stream
                );
                let reason = format!(
                    "position {} is not in the log, whose head is {log_head}",
                    event.origin
                );
                return Err(LimitError::malformed(what, reason).into());
            }
            head.last = expected;
            head.crossed = head.crossed.saturating_add(1);
        }
        for (stream, counts) in &crossing.counts {
            let totals = &mut heads.entry(stream.clone()).or_default().counts;
            totals.filtered = totals.filtered.saturating_add(counts.filtered);
            totals.unmatched = totals.unmatched.saturating_add(counts.unmatched);
            totals.violated = totals.violated.saturating_add(counts.violated);
        }
        Ok(heads)
    }

    fn apply_crossing(
        &mut self,
        log: &LogName,
        prepared: &PreparedCrossing,
        heads: ByName<PublicStreamName, PublicHead>,
        parking: Parking,
    ) {
        let id = self.registered(log);
        let crossing = &prepared.crossing;
        for (event, key) in crossing.public.iter().zip(&prepared.keys) {
            self.put_public(id, event, key);
        }
        for (stream, head) in &heads {
            self.batch.put(
                keys::public_head(id, stream),
                &state::encode_public_head(head),
            );
        }
        self.apply_parking(id, &prepared.resolved, &prepared.parked, parking);
        for CursorMove { cursor, to, .. } in &crossing.cursors {
            let body = state::encode_number(to.get());
            self.batch.put(keys::crossing_cursor(id, cursor), &body);
        }
        self.sync = true;
        let log = self.log(log);
        for CursorMove { cursor, to, .. } in &crossing.cursors {
            log.cursors.insert(cursor.clone(), *to);
        }
        log.public_heads.extend(heads);
    }

    /// Puts a public event with all that can be rebuilt from it.
    pub(super) fn put_public(&mut self, log: LogId, event: &NewPublicEvent, key: &KeyDigest) {
        let NewPublicEvent {
            stream, sequence, ..
        } = event;
        let body = record::public_event(event, self.now_ms);
        self.batch
            .put(keys::public_record(log, stream, *sequence), &body);
        self.batch.put(
            keys::origin_index(log, event.origin, stream, *sequence),
            &[],
        );
        self.batch.put(
            keys::last_of_key(log, stream, key),
            &state::encode_number(sequence.get()),
        );
    }

    pub(super) fn settle(
        &mut self,
        log: &LogName,
        prepared: &PreparedSettlement,
    ) -> Result<(), SettleError> {
        let settlement = &prepared.settlement;
        let malformed =
            |reason: String| LimitError::malformed(format!("relay {}", settlement.relay), reason);
        let before = self.relay(log, &settlement.relay);
        let actual = before.as_ref().map_or(Sequence::ZERO, |state| state.cursor);
        if actual != settlement.expected {
            return Err(SettleError::CursorMoved { actual });
        }
        if let Some(state) = before
            .as_ref()
            .filter(|state| state.stream != settlement.stream)
        {
            return Err(malformed(format!(
                "it delivers {}, not {}",
                state.stream, settlement.stream
            ))
            .into());
        }
        let head = self.public_head(log, &settlement.stream).last;
        if settlement.to > head {
            let reason = format!(
                "its cursor would move to {}, beyond the public stream's head {head}",
                settlement.to
            );
            return Err(malformed(reason).into());
        }
        let passed = self.passed(log, settlement, head)?.ok_or_else(|| {
            malformed(format!(
                "its cursor would move to {}, which the public stream does not have",
                settlement.to
            ))
        })?;
        let (unheard, parked) = (
            settlement.unheard.len() as u64,
            prepared.parked.len() as u64,
        );
        let confirmed = passed
            .checked_sub(unheard.saturating_add(parked))
            .ok_or_else(|| {
                malformed(format!(
                    "{passed} events are passed; more are unheard or parked"
                ))
            })?;
        let (confirmed, skipped) = match settlement.not_sent {
            true => (0, confirmed),
            false => (confirmed, 0),
        };
        let record = self.settlement_record(log, prepared, before.as_ref())?;
        let parking = self.check_coming(log, &prepared.parked, Parking::default())?;
        let totals = before.map_or_else(RelayTotals::default, |state| state.totals);
        let state = RelayState {
            stream: settlement.stream.clone(),
            cursor: settlement.to,
            record: record.from,
            totals: RelayTotals {
                confirmed: totals.confirmed.saturating_add(confirmed),
                unheard: totals.unheard.saturating_add(unheard),
                parked: totals.parked.saturating_add(parked),
                skipped: totals.skipped.saturating_add(skipped),
            },
        };
        self.apply_settlement(log, prepared, state, record, parking);
        Ok(())
    }

    /// How many public events the cursor passes; none if it would stand where no event is.
    fn passed(
        &mut self,
        log: &LogName,
        settlement: &Settlement,
        head: Sequence,
    ) -> Result<Option<u64>, StoreError> {
        let Settlement {
            stream,
            expected,
            to,
            ..
        } = settlement;
        // All of the head's epoch is there up to the head; a stream that has crossed is in a log that is registered.
        let Some(id) = self.log(log).id else {
            return Ok(None);
        };
        let there = if to.epoch() == head.epoch() {
            to.offset() > 0
        } else {
            lookup::has_public(self.database, id, stream, *to)?
        };
        if there {
            lookup::public_between(self.database, id, stream, *expected, *to).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The relay's last settlement record with this settlement in it, or a new one.
    fn settlement_record(
        &mut self,
        log: &LogName,
        prepared: &PreparedSettlement,
        before: Option<&RelayState>,
    ) -> Result<SettlementRecord, StoreError> {
        let settlement = &prepared.settlement;
        let unheard = settlement.unheard.iter().map(|sequence| sequence.get());
        let parked = prepared.parked.iter().map(|parked| parked.entry.at);
        let next = SettlementRecord {
            from: settlement.expected,
            to: settlement.to,
            begun_ms: settlement.at_ms,
            at_ms: settlement.at_ms,
            unheard: unheard.collect(),
            parked: parked.collect(),
        };
        let database = self.database;
        let log = self.log(log);
        let last = match (log.settlements.get(&settlement.relay), before, log.id) {
            (Some(drafted), _, _) => Some(drafted.clone()),
            (None, Some(state), Some(id)) => database.get(
                &keys::settlement(id, &settlement.relay, state.record),
                SettlementRecord::decode,
            )?,
            (None, _, _) => None,
        };
        if let Some(mut last) = last
            && last.merge(&next)
        {
            return Ok(last);
        }
        Ok(next)
    }

    fn apply_settlement(
        &mut self,
        log: &LogName,
        prepared: &PreparedSettlement,
        state: RelayState,
        record: SettlementRecord,
        parking: Parking,
    ) {
        let id = self.registered(log);
        let relay = &prepared.settlement.relay;
        self.batch
            .put(keys::settlement(id, relay, record.from), &record.encode());
        self.batch.put(keys::relay(id, relay), &state.encode());
        self.apply_parking(id, &[], &prepared.parked, parking);
        let log = self.log(log);
        log.settlements.insert(relay.clone(), record);
        log.relays.insert(relay.clone(), state);
    }
}
