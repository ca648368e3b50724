//! Runs: the positions of 32 consecutive events of a stream, in one entry.
//!
//! An entry a stream and not an event: the last run tells the stream's revision in one look-up, and a stream of a hundred
//! events is found in four entries.

use crate::codec::{Decoder, Encoder, Flaw};
use crate::place::{Position, Revision};

/// How many events a whole run has.
pub(crate) const RUN: u64 = 32;

/// A stream's last run, and with it the stream's revision. Of a stream that does not exist, all is 0 and empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) revision: Revision,
    last: Position,
    /// The run's entry, encoded.
    body: Vec<u8>,
    /// Whether it has grown since it was taken up.
    grown: bool,
    /// Runs that became whole and are not the last any more, with their first revisions.
    done: Vec<(Revision, Vec<u8>)>,
}

impl Tail {
    /// Adds the stream's next event; none at the end of all revisions.
    pub(crate) fn push(&mut self, position: Position) -> Option<Revision> {
        let next = self.revision.next()?;
        let body = std::mem::take(&mut self.body);
        self.body = if starts_run(next) {
            if self.grown {
                self.done.push((run_of(self.revision), body));
            }
            Encoder::with_capacity(24).number(position.get())
        } else {
            let distance = position.get().saturating_sub(self.last.get());
            Encoder::resume(body).number(distance.saturating_sub(1))
        }
        .finish();
        self.revision = next;
        self.last = position;
        self.grown = true;
        Some(next)
    }

    /// The same as it is once it was written.
    pub(crate) fn resumed(&self) -> Self {
        Self {
            body: self.body.clone(),
            done: Vec::new(),
            grown: false,
            ..*self
        }
    }

    /// The runs that have grown, with their first revisions.
    pub(crate) fn grown(&self) -> impl Iterator<Item = (Revision, &[u8])> {
        let last = self.grown.then(|| (run_of(self.revision), &*self.body));
        let done = self.done.iter().map(|(first, body)| (*first, &**body));
        done.chain(last)
    }

    /// Takes up a stream whose last run is this one.
    pub(crate) fn resume(first: Revision, body: &[u8]) -> Result<Self, Flaw> {
        let positions = decode(first, body)?;
        let last = positions.last().copied().unwrap_or_default();
        Ok(Self {
            revision: Revision::new(first.get() + positions.len() as u64 - 1),
            last,
            body: body.to_vec(),
            ..Self::default()
        })
    }
}

fn starts_run(revision: Revision) -> bool {
    run_of(revision) == revision
}

/// The first revision of the run that a revision is in.
pub(crate) fn run_of(revision: Revision) -> Revision {
    let before = revision.get().saturating_sub(1);
    Revision::new(before - before % RUN + 1)
}

/// The positions of a run, ascending; at least one.
pub(crate) fn decode(first: Revision, body: &[u8]) -> Result<Vec<Position>, Flaw> {
    if !starts_run(first) || first.next().is_none() {
        return Err(Flaw::Content("a run begins at a revision that begins none"));
    }
    let mut decoder = Decoder::new(body);
    let mut positions = Vec::with_capacity(RUN as usize);
    let mut last = decoder.number()?;
    positions.push(Position::new(last));
    while !decoder.is_empty() {
        last = decoder
            .number()?
            .checked_add(1)
            .and_then(|distance| last.checked_add(distance))
            .ok_or(Flaw::Content("a position is over 64 bits"))?;
        positions.push(Position::new(last));
    }
    if positions.len() as u64 > RUN {
        return Err(Flaw::Content("a run has more than 32 events"));
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn runs_come_back_with_their_revisions() {
        let mut tail = Tail::default();
        let position = |revision: u64| Position::new(revision * revision + ((revision / 40) << 40));
        let mut stored = std::collections::BTreeMap::new();
        for revision in 1..=100 {
            assert_eq!(tail.push(position(revision)), Some(Revision::new(revision)));
            // Written after one event, or after several, whole runs among them.
            if revision % 7 == 0 || revision > 90 {
                stored.extend(tail.grown().map(|(first, body)| (first, body.to_vec())));
                let (first, body) = stored.last_key_value().unwrap();
                assert_eq!(first.get(), (revision - 1) / 32 * 32 + 1);
                tail = Tail::resume(*first, body).unwrap();
                assert_eq!((tail.revision.get(), tail.grown().count()), (revision, 0));
            }
        }
        let positions: Vec<_> = stored
            .iter()
            .flat_map(|(first, body)| decode(*first, body).unwrap())
            .collect();
        assert_eq!(positions, (1..=100).map(position).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_run_is_refused() {
        let first = Revision::new(1);
        assert_eq!(decode(first, &[]), Err(Flaw::Short));
        assert_eq!(decode(first, &[0x80]), Err(Flaw::Short));
        assert!(decode(first, &[1; 32]).is_ok());
        assert!(decode(first, &[1; 33]).is_err());
        assert!(decode(Revision::new(2), &[1]).is_err());
        assert!(decode(Revision::ZERO, &[1]).is_err());
    }
}
