//! Who ended the connection: the search for an event that a broker cannot take and does not say so.
//!
//! A broker that closes a connection without a reason may have met a message that it cannot take (over its limit, say), or may
//! just have gone. So what was in flight then goes out again one event at a time. An event is the culprit when the connection
//! ended again and again while it alone was in flight, and another event was taken each time in between: then it is the event, and
//! not the broker. Where nothing else is taken, nobody is the culprit, and all are tried in turns.
//!
//! - Only what the broker took counts as proof: after a refusal it may close the connection too, and what is in flight then has
//!   nothing to do with it.
//! - What was parked and goes on in a lane is suspected like any other.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use horizon_store::Sequence;

/// How often a connection ends with one event before that event is the cause.
pub(crate) const STRIKES: u32 = 3;

/// What the broker said of an event, as far as a search is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It took the event.
    Taken,
    /// It did not take it, for now or for ever.
    NotTaken,
    /// Nothing: the event was never sent.
    Nothing,
}

/// The events that may have ended a connection.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// In flight when a connection ended, and not answered for since.
    left: BTreeSet<Sequence>,
    /// How often the connection ended with each of them alone; those that the broker did not take are in it too, without a strike.
    strikes: HashMap<Sequence, u32>,
    /// Whether the last connection ended with one event, and none was taken since.
    wants_proof: bool,
    /// Whether the broker refused something on this connection.
    refused: bool,
    /// The event that was chosen last.
    last: Option<Sequence>,
}

impl Suspects {
    /// Whether events are to be sent one at a time.
    pub(crate) fn any(&self) -> bool {
        !self.left.is_empty()
    }

    /// Which of the events that may go should go next. Where none of the suspects is among them any more, the search is over.
    pub(crate) fn choose(&mut self, ready: &BTreeSet<Sequence>) -> Option<Sequence> {
        let chosen = if self.wants_proof {
            let clean = ready.iter().find(|one| !self.strikes.contains_key(one));
            clean.copied().or_else(|| self.next_in_turn(ready))
        } else {
            let suspect = self.left.intersection(ready).next().copied();
            if suspect.is_none() {
                self.over();
            }
            suspect.or_else(|| ready.first().copied())
        };
        self.last = chosen;
        chosen
    }

    /// A connection ended, and nothing says why. Returns the culprit, if these events in flight make it certain.
    pub(crate) fn lost(&mut self, in_flight: &[Sequence]) -> Option<Sequence> {
        self.left.extend(in_flight);
        let refused = std::mem::take(&mut self.refused);
        let (&[alone], false) = (in_flight, refused) else {
            return None;
        };
        let strikes = self.strikes.entry(alone).or_default();
        // Without proof in between it may be the broker that is not there.
        if *strikes == 0 || !self.wants_proof {
            *strikes += 1;
        }
        self.wants_proof = true;
        (*strikes >= STRIKES).then_some(alone)
    }

    /// A connection ended for a reason that no event has to do with.
    pub(crate) fn ended(&mut self) {
        self.refused = false;
    }

    /// An event is answered for: whatever was said, it did not end the connection.
    pub(crate) fn answered(&mut self, sequence: Sequence, said: Said) {
        self.left.remove(&sequence);
        match said {
            Said::Taken => {
                self.strikes.remove(&sequence);
                self.wants_proof = false;
            }
            Said::NotTaken => {
                self.refused = true;
                if self.any() || self.wants_proof {
                    self.strikes.entry(sequence).or_insert(0);
                }
            }
            Said::Nothing => {}
        }
    }

    fn next_in_turn(&self, ready: &BTreeSet<Sequence>) -> Option<Sequence> {
        let after = self.last.map_or(Unbounded, Excluded);
        let next = ready.range((after, Unbounded)).next();
        next.or_else(|| ready.first()).copied()
    }

    fn over(&mut self) {
        self.left.clear();
        self.strikes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(numbers: &[u64]) -> BTreeSet<Sequence> {
        numbers.iter().copied().map(Sequence::new).collect()
    }

    fn taken(suspects: &mut Suspects, number: u64) {
        suspects.answered(Sequence::new(number), Said::Taken);
    }

    /// Sends one event at a time to a broker that falls over some; returns the culprit, how often it fell over, and what is left.
    fn search(
        events: &[u64],
        falls_over: impl Fn(u64) -> bool,
    ) -> (Option<u64>, u32, BTreeSet<Sequence>) {
        let (mut suspects, mut ready) = (Suspects::default(), sequences(events));
        let in_flight: Vec<Sequence> = ready.iter().copied().collect();
        let mut falls = u32::from(suspects.lost(&in_flight).is_none());
        while let Some(sent) = suspects.choose(&ready).filter(|_| falls < 50) {
            if falls_over(sent.get()) {
                falls += 1;
                if let Some(culprit) = suspects.lost(&[sent]) {
                    return (Some(culprit.get()), falls, ready);
                }
            } else {
                ready.remove(&sent);
                suspects.answered(sent, Said::Taken);
            }
        }
        (None, falls, ready)
    }

    #[test]
    fn the_culprit_is_found_where_others_pass() {
        for culprit in [1, 3] {
            let (found, falls, _) = search(&[1, 2, 3, 4, 5, 6], |one| one == culprit);
            assert_eq!((found, falls), (Some(culprit), 4));
        }
    }

    #[test]
    fn nobody_is_the_culprit_when_the_broker_takes_nothing_or_everything() {
        assert_eq!(search(&[1, 2, 3], |_| false), (None, 1, sequences(&[])));
        let nothing = search(&[1, 2, 3], |_| true);
        assert_eq!(nothing, (None, 50, sequences(&[1, 2, 3])));
    }

    #[test]
    fn what_nothing_can_be_compared_with_is_tried_for_ever_and_holds_up_nobody() {
        let (found, falls, left) = search(&[1, 2, 7], |one| one == 7);
        assert_eq!((found, falls, left), (None, 50, sequences(&[7])));
        // Both have a strike, and nothing else is there to show that the broker lives.
        let mut suspects = Suspects::default();
        assert_eq!(suspects.lost(&[Sequence::new(2)]), None);
        assert_eq!(suspects.choose(&sequences(&[1, 2])), Some(Sequence::new(1)));
        assert_eq!(suspects.lost(&[Sequence::new(1)]), None);
        assert_eq!(suspects.choose(&sequences(&[1, 2])), Some(Sequence::new(2)));
        assert_eq!(suspects.lost(&[Sequence::new(2)]), None);
        assert_eq!(suspects.choose(&sequences(&[1, 2])), Some(Sequence::new(1)));
    }

    #[test]
    fn after_a_refusal_the_end_of_the_connection_blames_nobody() {
        let mut suspects = Suspects::default();
        for _ in 0..10 {
            suspects.answered(Sequence::new(1), Said::NotTaken);
            assert_eq!(suspects.lost(&[Sequence::new(2)]), None);
            assert_eq!(suspects.strikes.get(&Sequence::new(2)), None);
            taken(&mut suspects, 3);
        }
        suspects.answered(Sequence::new(1), Said::NotTaken);
        suspects.ended();
        assert_eq!(suspects.lost(&[Sequence::new(2)]), None);
        assert_eq!(suspects.strikes[&Sequence::new(2)], 1);
    }

    #[test]
    fn neither_a_refusal_nor_what_was_never_sent_is_proof() {
        for said in [Said::NotTaken, Said::Nothing] {
            let mut suspects = Suspects::default();
            for _ in 0..10 {
                assert_eq!(suspects.lost(&[Sequence::new(1)]), None, "{said:?}");
                suspects.answered(Sequence::new(2), said);
                suspects.ended();
            }
        }
    }

    #[test]
    fn whoever_is_taken_has_no_strikes_any_more() {
        let mut suspects = Suspects::default();
        for _ in 0..10 {
            assert_eq!(suspects.lost(&[Sequence::new(1)]), None);
            taken(&mut suspects, 2);
            assert_eq!(suspects.lost(&[Sequence::new(1)]), None);
            taken(&mut suspects, 1);
            assert!(!suspects.any());
        }
    }
}
