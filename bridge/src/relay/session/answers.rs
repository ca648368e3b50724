//! What the broker said of each event, and what follows from it.

use std::time::Instant;

use horizon_schemas::Unheard;
use horizon_store::Sequence;

use super::super::backoff;
use super::super::purpose::Purpose;
use super::super::suspects::Said;
use super::Run;
use crate::outlets::Answer;

impl Run<'_> {
    /// Takes in what the broker said; tells how many events are settled by it.
    pub(super) fn settle(&mut self, answers: Vec<(u64, Answer)>) -> u64 {
        let mut count = 0;
        for (sequence, answer) in &answers {
            let said = match answer {
                Answer::Confirmed | Answer::Unheard => Said::Taken,
                Answer::TryAgain(_) | Answer::Refused(_) => Said::NotTaken,
            };
            count += u64::from(!matches!(answer, Answer::TryAgain(_)));
            self.suspects.answered(Sequence::new(*sequence), said);
        }
        self.take_answers(answers);
        count
    }

    /// Whether events wait that the broker asked to try again.
    pub(in crate::relay) fn has_retries(&self) -> bool {
        self.window.has_retries() || self.unpark.lanes.has_retries()
    }

    /// An event is refused that the broker has said nothing of.
    pub(super) fn refuse(&mut self, sequence: Sequence, reason: String) {
        self.suspects.answered(sequence, Said::Nothing);
        self.take_answers(vec![(sequence.get(), Answer::Refused(reason))]);
    }

    fn take_answers(&mut self, answers: Vec<(u64, Answer)>) {
        let now = Instant::now();
        for (sequence, answer) in answers {
            let sequence = Sequence::new(sequence);
            let in_lane = self.unpark.lanes.attempts(sequence);
            self.tell(sequence, &answer, in_lane.is_some());
            let attempts = in_lane.unwrap_or_else(|| self.window.attempts(sequence));
            let retry_at = now + backoff::delay(attempts);
            if in_lane.is_some() {
                let wait = self.relay.unheard == Unheard::Wait;
                self.unpark.lanes.settle(sequence, answer, retry_at, wait);
            } else {
                let answer = self.relay.purpose.answer(sequence, answer);
                self.window.settle(sequence, answer, retry_at);
            }
        }
        if !self.has_retries() && self.relay.status.event_retries_over() {
            tracing::info!(relay = %self.relay.name, "every event that was tried again has been settled");
        }
        self.take_advance();
    }

    /// Makes known what keeps an event from being settled: once when it begins, and not for each event.
    fn tell(&self, sequence: Sequence, answer: &Answer, in_lane: bool) {
        let (name, status) = (&self.relay.name, &self.relay.status);
        match answer {
            Answer::TryAgain(reason) => {
                if status.event_retrying(reason) {
                    tracing::warn!(relay = %name, %sequence, reason, "the broker asks to try again; its key waits");
                }
            }
            Answer::Unheard if self.relay.unheard == Unheard::Wait => {
                if status
                    .event_retrying("nobody listens, and this outlet waits until somebody does")
                {
                    tracing::warn!(relay = %name, %sequence, "nobody listens; its key waits");
                }
            }
            // What a lane meets is told when the lane ends, and what a replay meets where it was asked for.
            Answer::Refused(_) if in_lane || matches!(self.relay.purpose, Purpose::Replay(_)) => {}
            Answer::Refused(reason) => match self.window.full() {
                None => {
                    tracing::error!(relay = %name, %sequence, reason, "the event was refused; its key is parked");
                }
                Some(full) => {
                    if status.event_retrying(&full) {
                        tracing::error!(relay = %name, %sequence, reason, full, "the event was refused, and cannot be parked; the relay stands");
                    }
                }
            },
            Answer::Confirmed | Answer::Unheard => {}
        }
    }
}
