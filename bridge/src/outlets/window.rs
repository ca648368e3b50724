//! What is in flight: the messages of a session that the broker has not answered for.
//!
//! Messages are numbered from 0 in the order in which they were handed to the connection. Invariants:
//! `first <= sent <= next`, where everything below `first` is settled, everything from `sent` on has not been written yet,
//! and `next` is the number of the next message; `next - first <= limit`. A number is settled once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many messages a session may have in flight, in messages. A broker or a configuration may allow fewer.
pub(crate) const MAX_IN_FLIGHT_MESSAGES: usize = 1_000;

/// How many bytes a session may have in flight before it takes no further message, in bytes of payload.
pub(crate) const MAX_IN_FLIGHT_BYTES: usize = 16 * 1024 * 1024;

/// How many messages are taken from a relay at once, in messages: by how many the bound in bytes can be overshot.
const MAX_TAKEN_MESSAGES: usize = 64;

/// One message in flight.
#[derive(Debug)]
struct InFlight {
    sequence: u64,
    bytes: usize,
    settled: bool,
}

/// The messages in flight, in the order in which they were handed over.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    first: u64,
    sent: u64,
    messages: VecDeque<InFlight>,
    bytes: usize,
    oldest_since: Instant,
}

impl Window {
    /// An empty window for at most `limit` messages (at least one).
    pub(super) fn new(limit: usize, now: Instant) -> Self {
        Self {
            limit: limit.max(1),
            first: 0,
            sent: 0,
            messages: VecDeque::new(),
            bytes: 0,
            oldest_since: now,
        }
    }

    /// How many messages may be taken now.
    pub(super) fn room(&self) -> usize {
        if self.bytes >= MAX_IN_FLIGHT_BYTES {
            return 0;
        }
        (self.limit - self.messages.len().min(self.limit)).min(MAX_TAKEN_MESSAGES)
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes a message in and returns its number.
    pub(super) fn push(&mut self, sequence: u64, bytes: usize, now: Instant) -> u64 {
        if self.messages.is_empty() {
            self.oldest_since = now;
        }
        let number = self.next();
        self.bytes += bytes;
        self.messages.push_back(InFlight {
            sequence,
            bytes,
            settled: false,
        });
        number
    }

    /// Notes that the next message was written and returns its number, or `None` if there was none to write.
    pub(super) fn mark_sent(&mut self) -> Option<u64> {
        let number = self.sent;
        if number >= self.next() {
            return None;
        }
        self.sent += 1;
        Some(number)
    }

    /// Settles a message and returns its sequence, or `None` if it is not in flight.
    pub(super) fn settle(&mut self, number: u64, now: Instant) -> Option<u64> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let message = self.messages.get_mut(index)?;
        if message.settled {
            return None;
        }
        message.settled = true;
        let sequence = message.sequence;
        while self.messages.front().is_some_and(|oldest| oldest.settled) {
            if let Some(oldest) = self.messages.pop_front() {
                self.bytes -= oldest.bytes;
                self.first += 1;
                self.sent = self.sent.max(self.first);
                self.oldest_since = now;
            }
        }
        Some(sequence)
    }

    /// The number of the message that carries MQTT packet id `packet_id`, given that ids run from 1 to the limit and
    /// start again, or `None` if no message that was sent carries it.
    pub(super) fn number_of_packet(&self, packet_id: u16) -> Option<u64> {
        let limit = self.limit as u64;
        let slot = u64::from(packet_id).checked_sub(1)?;
        if slot >= limit {
            return None;
        }
        let number = self.first + (slot + limit - self.first % limit) % limit;
        (number < self.sent).then_some(number)
    }

    /// The MQTT packet id that a message carries.
    pub(super) fn packet_of_number(&self, number: u64) -> u64 {
        number % self.limit as u64 + 1
    }

    /// How long the oldest message has been the one that all wait for, if that is longer than `limit`.
    pub(super) fn overdue(&self, now: Instant, limit: Duration) -> Option<Duration> {
        let waited = now.saturating_duration_since(self.oldest_since);
        (!self.messages.is_empty() && waited > limit).then_some(waited)
    }

    /// Starts the oldest message's wait again: the broker said that it would not answer for a while.
    pub(super) fn restart_wait(&mut self, now: Instant) {
        self.oldest_since = now;
    }

    fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }
}
