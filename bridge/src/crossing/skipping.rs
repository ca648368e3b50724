//! The way out for a contract that has halted at an event of which no key can be made: an operator gives that one event up.

use horizon_store::{Position, PublicStreamName, StoreError};

use super::Crosser;
use super::skips::{self, Skipped};

/// Why an event is not given up. Nothing has changed.
#[derive(Debug)]
pub(crate) enum NotSkipped {
    /// The contract has not halted.
    GoesOn,
    /// It has halted at another event.
    Elsewhere(Position),
    /// It has halted there because too much is parked.
    Full,
    /// It could not be recorded.
    Store(StoreError),
}

impl Crosser {
    /// Gives up the event at which a contract has halted; none if there is no such contract. The contract then tries to go on.
    pub(super) async fn skip(
        &mut self,
        stream: &PublicStreamName,
        at: Position,
        reason: String,
    ) -> Option<Result<Skipped, NotSkipped>> {
        let mut members = self.members.iter_mut();
        let member = members.find(|member| member.stream == *stream)?;
        let refused = match &member.halt {
            None => Some(NotSkipped::GoesOn),
            Some(halt) if halt.at != at => Some(NotSkipped::Elsewhere(halt.at)),
            Some(halt) if halt.full => Some(NotSkipped::Full),
            Some(_) => None,
        };
        if let Some(refused) = refused {
            return Some(Err(refused));
        }
        let recorded = skips::record(&self.store, &self.log, stream, at, reason).await;
        if recorded.is_ok() {
            member.skips.insert(at);
            member.halt = None;
            self.status.goes_on(stream.as_str());
            tracing::warn!(contract = %stream, position = %at, "an event without a key was given up; the contract tries to go on");
        }
        Some(recorded.map_err(NotSkipped::Store))
    }
}
