//! The relay's cursor: what is settled is gathered and written in few records.

use std::time::{Duration, Instant};

use horizon_store::{NewParked, ParkScope, SettleError, Settlement, StoreError};

use super::Run;
use crate::clock;
use crate::patience::patiently;

/// How long settled events may wait for the cursor to be written, in milliseconds. After a crash they are sent again.
const CURSOR_DELAY_MS: u64 = 20;
/// Settled events after which the cursor is written at once.
const CURSOR_BATCH_EVENTS: u64 = 1_000;

impl Run<'_> {
    pub(super) fn take_advance(&mut self) {
        let advance = self.window.advance();
        if advance.to.is_some() {
            self.unwritten.extend(advance);
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn cursor_due(&self) -> Option<Instant> {
        self.unwritten_since
            .filter(|_| self.writing.is_none())
            .map(|since| since + Duration::from_millis(CURSOR_DELAY_MS))
    }

    pub(super) fn write_cursor_if_due(&mut self) {
        let (Some(since), Some(to)) = (self.unwritten_since, self.unwritten.to) else {
            return;
        };
        let many = to.get() - self.written.get() >= CURSOR_BATCH_EVENTS;
        if many || since.elapsed() >= Duration::from_millis(CURSOR_DELAY_MS) {
            self.write_cursor();
        }
    }

    /// Gives what is settled to the store, unless a write is under way: then it goes with the next one.
    pub(super) fn write_cursor(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let advance = std::mem::take(&mut self.unwritten);
        let Some(to) = advance.to else { return };
        self.unwritten_since = None;
        if self.relay.purpose.keeps(&advance) {
            self.written = to;
            return;
        }
        let scope = ParkScope::Relay(self.relay.name.clone());
        let parked = advance
            .parked
            .into_iter()
            .map(|(key, sequence, reason)| NewParked {
                scope: scope.clone(),
                key,
                at: sequence.get(),
                reason,
            });
        let settlement = Settlement {
            not_sent: false,
            relay: self.relay.name.clone(),
            stream: self.relay.stream.clone(),
            expected: self.written,
            to,
            at_ms: clock::now_ms(),
            unheard: advance.unheard,
            parked: parked.collect(),
        };
        self.written = to;
        let (store, log) = (self.relay.store.clone(), self.relay.log.clone());
        self.writing = Some(tokio::spawn(async move {
            let settle = || store.settle(&log, settlement.clone());
            patiently("writing a relay's cursor", settle).await
        }));
    }
}

pub(in crate::relay) fn settle_failure(error: SettleError) -> StoreError {
    match error {
        SettleError::Unavailable(error) => error,
        // What a relay settles at a time is bounded well below the store's limits.
        SettleError::Limit(error) => StoreError::Damaged {
            place: "a settlement".to_owned(),
            reason: error.to_string(),
        },
        // Somebody else moved this cursor: two daemons cannot hold one store, so this is damage and not a race.
        SettleError::CursorMoved { actual } => StoreError::Damaged {
            place: "a relay's cursor".to_owned(),
            reason: format!("it stands at {actual}, and nobody moved it"),
        },
    }
}
