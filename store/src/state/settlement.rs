//! Settlement records: what became of a relay's public events, in lists of those that were not confirmed.

use crate::codec::{Decoder, Encoder, Flaw};
use crate::place::Sequence;
use crate::relay::Settled;

/// How long a settlement record takes in what is settled, in milliseconds.
const SETTLEMENT_OPEN_MS: u64 = 1_000;
/// How many sequences a settlement record covers before the next one begins, and how many of them by name.
const SETTLEMENT_COVERS: u64 = 100_000;
const SETTLEMENT_LISTS: usize = 1_000;

/// What became of the public events after the sequence in the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettlementRecord {
    /// The sequence in the key.
    pub(crate) from: Sequence,
    /// The last that it speaks of.
    pub(crate) to: Sequence,
    /// When the first was settled.
    pub(crate) begun_ms: u64,
    /// When the last was settled.
    pub(crate) at_ms: u64,
    /// Ascending, all after `from`.
    pub(crate) unheard: Vec<u64>,
    /// Ascending, all after `from`.
    pub(crate) parked: Vec<u64>,
}

impl SettlementRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::default()
            .number(self.from.get())
            .number(self.to.get())
            .number(self.begun_ms)
            .number(self.at_ms);
        ascending(
            ascending(encoder, self.from, &self.unheard),
            self.from,
            &self.parked,
        )
        .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        let from = Sequence::new(decoder.number()?);
        let record = Self {
            from,
            to: Sequence::new(decoder.number()?),
            begun_ms: decoder.number()?,
            at_ms: decoder.number()?,
            unheard: decode_ascending(&mut decoder, from)?,
            parked: decode_ascending(&mut decoder, from)?,
        };
        decoder.finish()?;
        Ok(record)
    }

    /// Takes in the settlement that follows, if this one is neither old nor large: a record a second is kept, and not
    /// one for each move of a cursor.
    pub(crate) fn merge(&mut self, next: &Self) -> bool {
        let fits = self.to == next.from
            && self.from.epoch() == next.to.epoch()
            && next.at_ms.saturating_sub(self.begun_ms) < SETTLEMENT_OPEN_MS
            && next.to.get().saturating_sub(self.from.get()) <= SETTLEMENT_COVERS
            && self.unheard.len() + next.unheard.len() <= SETTLEMENT_LISTS
            && self.parked.len() + next.parked.len() <= SETTLEMENT_LISTS;
        if fits {
            self.to = next.to;
            self.at_ms = self.at_ms.max(next.at_ms);
            self.unheard.extend(&next.unheard);
            self.parked.extend(&next.parked);
        }
        fits
    }

    /// What it says of a sequence; none if it does not speak of it.
    pub(crate) fn settled(&self, sequence: Sequence) -> Option<Settled> {
        let among = |list: &[u64]| list.binary_search(&sequence.get()).is_ok();
        (sequence > self.from && sequence <= self.to).then(|| Settled {
            at_ms: self.at_ms,
            unheard: among(&self.unheard),
            parked: among(&self.parked),
        })
    }
}

/// Each number as its distance from the one before, less one.
fn ascending(encoder: Encoder, from: Sequence, numbers: &[u64]) -> Encoder {
    let mut encoder = encoder.number(numbers.len() as u64);
    let mut before = from.get();
    for number in numbers {
        encoder = encoder.number(number.saturating_sub(before).saturating_sub(1));
        before = *number;
    }
    encoder
}

fn decode_ascending(decoder: &mut Decoder<'_>, from: Sequence) -> Result<Vec<u64>, Flaw> {
    let count = decoder.count()?;
    let mut numbers = Vec::with_capacity(count);
    let mut before = from.get();
    for _ in 0..count {
        before = decoder
            .number()?
            .checked_add(1)
            .and_then(|distance| before.checked_add(distance))
            .ok_or(Flaw::Content("a sequence is over 64 bits"))?;
        numbers.push(before);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_settlement_tells_what_became_of_each_sequence() {
        let record = SettlementRecord {
            from: Sequence::new(10),
            to: Sequence::new(20),
            begun_ms: 4,
            at_ms: 5,
            unheard: vec![11, 20],
            parked: vec![12, 13],
        };
        let read = SettlementRecord::decode(&record.encode()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.settled(Sequence::new(10)), None);
        assert_eq!(read.settled(Sequence::new(21)), None);
        assert_eq!(
            read.settled(Sequence::new(11)),
            Some(Settled {
                at_ms: 5,
                unheard: true,
                parked: false
            })
        );
        assert_eq!(
            read.settled(Sequence::new(13)),
            Some(Settled {
                at_ms: 5,
                unheard: false,
                parked: true
            })
        );
        assert_eq!(
            read.settled(Sequence::new(14)),
            Some(Settled {
                at_ms: 5,
                unheard: false,
                parked: false
            })
        );
    }

    #[test]
    fn settlements_of_a_second_are_one_record() {
        let record = |from, to, at_ms| SettlementRecord {
            from: Sequence::new(from),
            to: Sequence::new(to),
            begun_ms: at_ms,
            at_ms,
            unheard: vec![to],
            parked: Vec::new(),
        };
        let mut merged = record(0, 3, 1_000);
        assert!(merged.merge(&record(3, 5, 1_999)));
        assert!(!merged.merge(&record(5, 6, 2_000)), "a second later");
        assert!(!merged.merge(&record(6, 7, 1_500)), "a gap");
        assert!(!merged.merge(&record(5, 1 << 40, 1_500)), "another epoch");
        assert!(!merged.merge(&record(5, 100_001, 1_500)), "too large");
        let expected = SettlementRecord {
            begun_ms: 1_000,
            unheard: vec![3, 5],
            ..record(0, 5, 1_999)
        };
        assert_eq!(merged, expected);
    }
}
