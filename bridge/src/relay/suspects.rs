//! Who ended the connection: the search for an event that a broker cannot take and does not say so.
//!
//! A broker that closes a connection without a reason may have met a message that it cannot take (over its limit, say), or may
//! just have gone. So what was in flight then goes out again one event at a time. An event is the culprit when the connection
//! ended again and again while it alone was in flight, and another event passed each time in between: then it is the event, and
//! not the broker. An event that nothing can be compared with is tried again for ever: it holds up nobody.
//!
//! What was parked and goes on in a lane is suspected like any other.

use std::collections::{BTreeSet, HashMap};

use horizon_store::Sequence;

/// How often a connection ends with one event before that event is the cause.
pub(crate) const STRIKES: u32 = 3;

/// The events that may have ended a connection.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// In flight when a connection ended, and not answered for since.
    left: BTreeSet<Sequence>,
    /// How often the connection ended with each of them alone.
    strikes: HashMap<Sequence, u32>,
    /// Whether the last connection ended with one event, and none was answered for since.
    wants_proof: bool,
}

impl Suspects {
    /// Whether events are to be sent one at a time.
    pub(crate) fn any(&self) -> bool {
        !self.left.is_empty()
    }

    /// Whether an event without a strike should go next, to show that the broker takes others.
    pub(crate) fn wants_proof(&self) -> bool {
        self.wants_proof
    }

    /// Which of the events that may go should go next. Where none of the suspects is among them any more, the search is over.
    pub(crate) fn choose(&mut self, ready: &BTreeSet<Sequence>) -> Option<Sequence> {
        let clean = || ready.iter().find(|one| !self.strikes.contains_key(one));
        let suspect = || self.left.intersection(ready).next();
        let chosen = if self.wants_proof { clean() } else { suspect() };
        let chosen = chosen.or_else(|| ready.first()).copied();
        if !self.wants_proof && !chosen.is_some_and(|one| self.left.contains(&one)) {
            self.left.clear();
        }
        chosen
    }

    /// A connection ended, and nothing says why. Returns the culprit, if these events in flight make it certain.
    pub(crate) fn lost(&mut self, in_flight: &[Sequence]) -> Option<Sequence> {
        self.left.extend(in_flight);
        let &[alone] = in_flight else { return None };
        let strikes = self.strikes.entry(alone).or_default();
        // Without proof in between it may be the broker that is not there.
        if *strikes == 0 || !self.wants_proof {
            *strikes += 1;
        }
        self.wants_proof = true;
        (*strikes >= STRIKES).then_some(alone)
    }

    /// The broker has answered for an event: whatever it said, the event did not end the connection.
    pub(crate) fn answered(&mut self, sequence: Sequence) {
        if self.left.is_empty() && !self.wants_proof {
            return;
        }
        self.left.remove(&sequence);
        self.strikes.remove(&sequence);
        self.wants_proof = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(numbers: &[u64]) -> BTreeSet<Sequence> {
        numbers.iter().copied().map(Sequence::new).collect()
    }

    /// Sends one event at a time to a broker that falls over some; returns the culprit and how often it fell over.
    fn search(events: &[u64], falls_over: impl Fn(u64) -> bool) -> (Option<u64>, u32) {
        let (mut suspects, mut ready) = (Suspects::default(), sequences(events));
        let in_flight: Vec<Sequence> = ready.iter().copied().collect();
        assert_eq!(suspects.lost(&in_flight), None);
        let mut falls = 1;
        while let Some(sent) = suspects.choose(&ready).filter(|_| falls < 50) {
            if falls_over(sent.get()) {
                falls += 1;
                if let Some(culprit) = suspects.lost(&[sent]) {
                    return (Some(culprit.get()), falls);
                }
            } else {
                ready.remove(&sent);
                suspects.answered(sent);
            }
        }
        assert_eq!(suspects.any(), !ready.is_empty());
        (None, falls)
    }

    #[test]
    fn the_culprit_is_found_where_others_pass() {
        assert_eq!(search(&[1, 2, 3, 4, 5, 6], |one| one == 3), (Some(3), 4));
        assert_eq!(search(&[1, 2, 3, 4, 5, 6], |one| one == 1), (Some(1), 4));
    }

    #[test]
    fn nobody_is_the_culprit_when_the_broker_takes_nothing_or_everything() {
        assert_eq!(search(&[1, 2, 3], |_| false), (None, 1));
        assert_eq!(search(&[1, 2, 3], |_| true), (None, 50));
        assert_eq!(search(&[7], |_| true), (None, 50));
    }

    #[test]
    fn without_others_to_compare_with_an_event_is_tried_for_ever() {
        assert_eq!(search(&[1, 2], |one| one == 2), (None, 50));
    }

    #[test]
    fn whoever_is_answered_for_has_no_strikes_any_more() {
        let mut suspects = Suspects::default();
        for _ in 0..10 {
            assert_eq!(suspects.lost(&[Sequence::new(1)]), None);
            suspects.answered(Sequence::new(2));
            assert_eq!(suspects.lost(&[Sequence::new(1)]), None);
            suspects.answered(Sequence::new(1));
            assert!(!suspects.any());
        }
    }
}
