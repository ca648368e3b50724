//! Crossings and settlements.

use horizon_store::{
    CrossError, Crossing, LimitError, Position, RelayName, Sequence, SettleError, Settled,
    Settlement,
};

use super::append::NOW_MS;
use super::{Log, Relay, limits};

impl Log {
    pub(super) fn cross(&mut self, crossing: &Crossing) -> Result<(), CrossError> {
        limits::crossing(crossing)?;
        for one in &crossing.cursors {
            let actual = self.cursors.get(&one.cursor).copied().unwrap_or_default();
            if actual != one.expected {
                let cursor = one.cursor.clone();
                return Err(CrossError::CursorMoved { cursor, actual });
            }
            if one.to > self.head() {
                return Err(limits::malformed("a cursor", "it is beyond the head").into());
            }
        }
        for (index, event) in crossing.public.iter().enumerate() {
            let before = crossing.public[..index]
                .iter()
                .filter(|other| other.stream == event.stream);
            let expected = self.public_last(&event.stream).get() + before.count() as u64 + 1;
            if event.sequence.get() != expected {
                let (stream, expected) = (event.stream.clone(), Sequence::new(expected));
                return Err(CrossError::SequenceGap { stream, expected });
            }
            if event.origin == Position::ZERO || event.origin > self.head() {
                return Err(limits::malformed("an origin", "it is not in the log").into());
            }
        }
        self.check_leaving(&crossing.resolved)?;
        self.leave(&crossing.resolved);
        self.park(&crossing.parked);
        for event in &crossing.public {
            let (head, events) = self.public.entry(event.stream.clone()).or_default();
            head.last = event.sequence;
            head.crossed += 1;
            events.push(event.clone().stored(NOW_MS));
        }
        for (stream, counts) in &crossing.counts {
            let totals = &mut self.public.entry(stream.clone()).or_default().0.counts;
            totals.filtered += counts.filtered;
            totals.unmatched += counts.unmatched;
            totals.violated += counts.violated;
        }
        for one in &crossing.cursors {
            self.cursors.insert(one.cursor.clone(), one.to);
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<(), SettleError> {
        limits::settlement(settlement)?;
        let relay = self.relays.get(&settlement.relay);
        let actual = relay.map_or(Sequence::ZERO, |relay| relay.cursor);
        if actual != settlement.expected {
            return Err(SettleError::CursorMoved { actual });
        }
        let other = relay
            .and_then(|relay| relay.settlements.first())
            .is_some_and(|first| first.stream != settlement.stream);
        let sent = !settlement.unheard.is_empty() || !settlement.parked.is_empty();
        if other
            || settlement.to > self.public_last(&settlement.stream)
            || (settlement.not_sent && sent)
        {
            let error: LimitError = limits::malformed("the settlement", "it cannot be");
            return Err(error.into());
        }
        self.park(&settlement.parked);
        let Relay {
            cursor,
            totals,
            settlements,
        } = self.relays.entry(settlement.relay.clone()).or_default();
        let (unheard, parked) = (
            settlement.unheard.len() as u64,
            settlement.parked.len() as u64,
        );
        *cursor = settlement.to;
        totals.unheard += unheard;
        totals.parked += parked;
        let passed = settlement.to.get() - settlement.expected.get();
        match settlement.not_sent {
            true => totals.skipped += passed,
            false => totals.confirmed += passed - unheard - parked,
        }
        settlements.push(settlement.clone());
        Ok(())
    }

    pub(super) fn settled(&self, relay: &RelayName, sequence: Sequence) -> Option<Settled> {
        let settlements = &self.relays.get(relay)?.settlements;
        let of = settlements
            .iter()
            .find(|one| sequence > one.expected && sequence <= one.to)?;
        Some(Settled {
            at_ms: of.at_ms,
            unheard: of.unheard.contains(&sequence),
            parked: of.parked.iter().any(|entry| entry.at == sequence.get()),
        })
    }
}
