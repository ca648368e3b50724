//! Crossings and settlements in the model.

use horizon_store::{
    CrossError, Crossing, CursorMove, CursorName, ParkScope, Position, Sequence, SettleError,
    Settlement,
};

use super::{Call, Model, Outcome};
use crate::build::{parked, public, public_stream, relay};

impl Model {
    pub(super) fn cross(
        &mut self,
        records: u64,
        wrong_cursor: bool,
        wrong_sequence: bool,
    ) -> Option<(Call, Outcome)> {
        let to = (self.cursor + records).min(self.log.len() as u64);
        if to == self.cursor {
            return None;
        }
        let is_event = |position: &u64| self.log[*position as usize - 1].is_some();
        let origins: Vec<_> = (self.cursor + 1..=to).filter(is_event).collect();
        let first = self.public.len() as u64 + 1 + u64::from(wrong_sequence);
        let public = origins
            .iter()
            .zip(first..)
            .map(|(origin, n)| public("p", n, *origin, "k"))
            .collect();
        let actual = Position::new(self.cursor);
        let expected = Position::new(if wrong_cursor { to } else { self.cursor });
        let to = Position::new(if wrong_cursor { to + 1 } else { to });
        let scope = ParkScope::Crossing(public_stream("p"));
        let cursor = CursorName::new("crossing").unwrap();
        let crossing = Crossing {
            cursors: vec![CursorMove {
                cursor: cursor.clone(),
                expected,
                to,
            }],
            public,
            parked: vec![parked(scope, "k", to.get(), None)],
            resolved: Vec::new(),
            counts: Vec::new(),
        };
        let outcome = if wrong_cursor {
            Err(CrossError::CursorMoved { cursor, actual })
        } else if wrong_sequence && !origins.is_empty() {
            let expected = Sequence::new(first - 1);
            Err(CrossError::SequenceGap {
                stream: public_stream("p"),
                expected,
            })
        } else {
            self.cursor = to.get();
            self.public.extend(origins);
            self.parked += 1;
            Ok(())
        };
        Some((Call::Cross(crossing), Outcome::Cross(outcome)))
    }

    pub(super) fn settle(
        &mut self,
        events: u64,
        wrong_cursor: bool,
        unheard: bool,
        park: bool,
    ) -> Option<(Call, Outcome)> {
        let to = (self.settled + events).min(self.public.len() as u64);
        if to == self.settled {
            return None;
        }
        let scope = ParkScope::Relay(relay("p/r"));
        let (expected, to) = if wrong_cursor {
            (to, to + 1)
        } else {
            (self.settled, to)
        };
        let unheard: Vec<_> = if unheard {
            vec![Sequence::new(expected + 1)]
        } else {
            Vec::new()
        };
        let park = park && to > expected + 1;
        let parked: Vec<_> = if park {
            vec![parked(scope, "k", to, Some("no"))]
        } else {
            Vec::new()
        };
        let outcome = if wrong_cursor {
            Err(SettleError::CursorMoved {
                actual: Sequence::new(self.settled),
            })
        } else {
            self.totals.unheard += unheard.len() as u64;
            self.totals.parked += parked.len() as u64;
            self.totals.confirmed += to - expected - unheard.len() as u64 - parked.len() as u64;
            self.settled = to;
            Ok(())
        };
        let settlement = Settlement {
            relay: relay("p/r"),
            stream: public_stream("p"),
            expected: Sequence::new(expected),
            to: Sequence::new(to),
            at_ms: 1,
            unheard,
            parked,
        };
        Some((Call::Settle(settlement), Outcome::Settle(outcome)))
    }
}
