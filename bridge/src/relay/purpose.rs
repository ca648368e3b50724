//! What a relay is for: live delivery, or the replay of a stretch of the public log.
//!
//! A replay is a relay whose cursor is in memory and ends somewhere. It writes nothing to the store: no cursor, nothing parked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use horizon_store::{PublicEvent, Sequence};
use serde::Serialize;

use super::window::Advance;
use crate::outlets::Answer;

/// Most refused events of a replay that are told one by one.
const REFUSED_TOLD_EVENTS: usize = 100;

/// What a relay is for.
pub(crate) enum Purpose {
    /// Every event as it crosses; the cursor is in the store.
    Live,
    /// A stretch that was sent before.
    Replay(Replay),
}

/// A stretch of a public stream, and how fast it goes.
pub(crate) struct Replay {
    /// The last event of it.
    pub(crate) through: Sequence,
    /// Only events of this key.
    pub(crate) key: Option<String>,
    /// Keys of which nothing is sent.
    pub(crate) left_out: BTreeSet<String>,
    /// Most events a second.
    pub(crate) events_per_second: Option<u32>,
    pub(crate) progress: Arc<ReplayProgress>,
}

/// How far a replay has come, shared with who asks.
#[derive(Debug, Default)]
pub(crate) struct ReplayProgress(Mutex<Replayed>);

/// How far a replay has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replayed {
    /// Everything up to here has been answered for, or read in a dry run.
    pub(crate) sequence: u64,
    /// Events that are to be sent, as far as was read.
    pub(crate) found: u64,
    /// Their bytes.
    pub(crate) found_bytes: u64,
    /// Events that are not sent because their key is parked at the outlet.
    pub(crate) left_out: u64,
    /// Events that the broker has taken.
    pub(crate) confirmed: u64,
    /// Events that it has taken and that nobody was there to receive.
    pub(crate) unheard: u64,
    /// Events that it would not take.
    pub(crate) refused: u64,
    /// The first of those, and why.
    pub(crate) refused_events: Vec<RefusedEvent>,
}

/// An event that a broker would not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedEvent {
    pub(crate) sequence: u64,
    pub(crate) reason: String,
}

impl ReplayProgress {
    /// A copy of what is known now.
    pub(crate) fn now(&self) -> Replayed {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Everything up to here has been answered for.
    pub(crate) fn reached(&self, sequence: Sequence) {
        self.change(|now| now.sequence = sequence.get());
    }

    /// Whether an event that was read is to be sent; it is counted.
    pub(crate) fn meets(
        &self,
        event: &PublicEvent,
        key: Option<&str>,
        left_out: &BTreeSet<String>,
    ) -> bool {
        if key.is_some_and(|key| key != event.key) {
            return false;
        }
        let sent = !left_out.contains(&event.key);
        match sent {
            true => self.found(event.event.len()),
            false => self.change(|now| now.left_out += 1),
        }
        sent
    }

    /// An event is to be sent.
    fn found(&self, bytes: usize) {
        self.change(|now| {
            now.found += 1;
            now.found_bytes += bytes as u64;
        });
    }

    /// An event cannot be sent.
    pub(crate) fn refused(&self, sequence: Sequence, reason: String) {
        let sequence = sequence.get();
        self.change(|now| {
            now.refused += 1;
            if now.refused_events.len() < REFUSED_TOLD_EVENTS {
                now.refused_events.push(RefusedEvent { sequence, reason });
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Replayed)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Purpose {
    /// The last event to send, where `head` is the last there is.
    pub(super) fn end(&self, head: Sequence) -> Sequence {
        match self {
            Self::Live => head,
            Self::Replay(replay) => replay.through.min(head),
        }
    }

    /// Whether nothing is left to send after this event.
    pub(super) fn ends_with(&self, offered: Sequence) -> bool {
        matches!(self, Self::Replay(replay) if offered >= replay.through)
    }

    /// Whether an event that was read is to be sent.
    pub(super) fn wants(&self, event: &PublicEvent) -> bool {
        let Self::Replay(replay) = self else {
            return true;
        };
        replay
            .progress
            .meets(event, replay.key.as_deref(), &replay.left_out)
    }

    /// How fast events may go; none: as fast as they are answered for.
    pub(super) fn pace(&self) -> Option<Pace> {
        match self {
            Self::Live => None,
            Self::Replay(replay) => replay.events_per_second.map(Pace::new),
        }
    }

    /// What an answer is taken for. A replay parks nothing: it counts what was refused, and goes on.
    pub(super) fn answer(&self, sequence: Sequence, answer: Answer) -> Answer {
        let Self::Replay(replay) = self else {
            return answer;
        };
        match answer {
            Answer::Refused(reason) => {
                replay.progress.refused(sequence, reason);
                Answer::Confirmed
            }
            Answer::Confirmed => {
                replay.progress.change(|now| now.confirmed += 1);
                Answer::Confirmed
            }
            Answer::Unheard => {
                replay.progress.change(|now| now.unheard += 1);
                Answer::Confirmed
            }
            again @ Answer::TryAgain(_) => again,
        }
    }

    /// Everything that was to be sent is answered for.
    pub(super) fn done(&self) {
        if let Self::Replay(replay) = self {
            replay.progress.reached(replay.through);
        }
    }

    /// Takes what was settled, if it is not for the store.
    pub(super) fn keeps(&self, advance: &Advance) -> bool {
        let Self::Replay(replay) = self else {
            return false;
        };
        if let Some(to) = advance.to {
            replay.progress.reached(to);
        }
        true
    }
}

/// Lets so many events go a second, evenly.
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    fn new(events_per_second: u32) -> Pace {
        Pace {
            interval: Duration::from_secs(1) / events_per_second.max(1),
            next: Instant::now(),
        }
    }

    /// Whether an event may go now.
    pub(super) fn may_go(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// An event went. What was not used for a while is not made up for, beyond what a timer is late.
    pub(super) fn gone(&mut self, now: Instant) {
        let late = now.checked_sub(Duration::from_millis(100)).unwrap_or(now);
        self.next = self.next.max(late) + self.interval;
    }

    /// When the next may go.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_lets_events_go_evenly_and_makes_up_only_for_late_timers() {
        let mut pace = Pace::new(100);
        let begin = pace.next;
        let mut gone = |millisecond: u64| {
            let now = begin + Duration::from_millis(millisecond);
            let mut count = 0;
            while pace.may_go(now) {
                pace.gone(now);
                count += 1;
            }
            count
        };
        assert_eq!(gone(0), 1);
        assert_eq!(gone(5), 0);
        assert_eq!(gone(30), 3);
        assert_eq!(
            gone(10_030),
            11,
            "a tenth of a second is made up for, and not ten seconds"
        );
    }
}
