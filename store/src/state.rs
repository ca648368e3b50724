//! Bodies of all values that are no records: index entries, heads, cursors, parked entries, the store's own entry.
//! `FORMAT.md` has them as tables.

use crate::codec::{Decoder, Encoder, Flaw};
use crate::database::{Database, damaged};
use crate::error::StoreError;
use crate::keys::{self, LogId};
use crate::names::PublicStreamName;
use crate::parked::ParkedEntry;
use crate::place::{Position, Sequence};
use crate::public::{Counts, PublicHead};
use crate::relay::{RelayTotals, Settled};

/// The store's format as a whole; raised when families or their meaning change.
pub(crate) const FORMAT: u16 = 1;

/// Keyed digest of an event's content.
pub(crate) type ContentDigest = [u8; 16];

/// What the id index says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdEntry {
    pub(crate) position: Position,
    pub(crate) content: ContentDigest,
}

impl IdEntry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .number(self.position.get())
            .raw(&self.content)
            .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        let entry = Self {
            position: Position::new(decoder.number()?),
            content: decoder.array()?,
        };
        decoder.finish()?;
        Ok(entry)
    }
}

/// A place: of an index entry, or of a cursor of the crossing.
pub(crate) fn encode_number(number: u64) -> Vec<u8> {
    Encoder::default().number(number).finish()
}

pub(crate) fn decode_number(body: &[u8]) -> Result<u64, Flaw> {
    let mut decoder = Decoder::new(body);
    let number = decoder.number()?;
    decoder.finish()?;
    Ok(number)
}

/// The body of an entry whose key says all.
pub(crate) fn decode_empty(body: &[u8]) -> Result<(), Flaw> {
    Decoder::new(body).finish()
}

pub(crate) fn encode_public_head(head: &PublicHead) -> Vec<u8> {
    Encoder::default()
        .number(head.last.get())
        .number(head.crossed)
        .number(head.counts.filtered)
        .number(head.counts.unmatched)
        .number(head.counts.violated)
        .finish()
}

pub(crate) fn decode_public_head(body: &[u8]) -> Result<PublicHead, Flaw> {
    let mut decoder = Decoder::new(body);
    let head = PublicHead {
        last: Sequence::new(decoder.number()?),
        crossed: decoder.number()?,
        counts: Counts {
            filtered: decoder.number()?,
            unmatched: decoder.number()?,
            violated: decoder.number()?,
        },
    };
    decoder.finish()?;
    Ok(head)
}

/// A relay's cursor and totals, always written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayState {
    pub(crate) stream: PublicStreamName,
    pub(crate) cursor: Sequence,
    /// Where its last settlement record begins.
    pub(crate) record: Sequence,
    pub(crate) totals: RelayTotals,
}

impl RelayState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .text(self.stream.as_str())
            .number(self.cursor.get())
            .number(self.record.get())
            .number(self.totals.confirmed)
            .number(self.totals.unheard)
            .number(self.totals.parked)
            .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        let stream = PublicStreamName::new(decoder.str()?)
            .map_err(|_| Flaw::Content("the public stream's name is none"))?;
        let state = Self {
            stream,
            cursor: Sequence::new(decoder.number()?),
            record: Sequence::new(decoder.number()?),
            totals: RelayTotals {
                confirmed: decoder.number()?,
                unheard: decoder.number()?,
                parked: decoder.number()?,
            },
        };
        decoder.finish()?;
        Ok(state)
    }
}

/// A parked entry without its place, which its key tells.
pub(crate) fn encode_parked(key: &str, reason: Option<&str>) -> Vec<u8> {
    Encoder::default().text(key).optional_text(reason).finish()
}

pub(crate) fn decode_parked(at: u64, body: &[u8]) -> Result<ParkedEntry, Flaw> {
    let mut decoder = Decoder::new(body);
    let entry = ParkedEntry {
        at,
        key: decoder.text()?,
        reason: decoder.optional_text()?,
    };
    decoder.finish()?;
    Ok(entry)
}

/// How long a settlement record takes in what is settled, in milliseconds.
const SETTLEMENT_OPEN_MS: u64 = 60_000;
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

    /// Takes in the settlement that follows, if this one is neither old nor large: a record a minute is kept, and not
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

/// The store's own entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreEntry {
    pub(crate) format: u16,
    pub(crate) id: [u8; 16],
    pub(crate) secret: [u8; 32],
    pub(crate) created_ms: u64,
    /// The store's epoch: that of all its logs.
    pub(crate) epoch: u64,
}

impl StoreEntry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .raw(&self.format.to_be_bytes())
            .raw(&self.id)
            .raw(&self.secret)
            .number(self.created_ms)
            .number(self.epoch)
            .finish()
    }

    /// The entry of an open database that was checked to be of this format.
    pub(crate) fn read(database: &Database) -> Result<Self, StoreError> {
        let key = keys::store();
        match database.get(&key, Self::decode)? {
            Some(Ok(entry)) => Ok(entry),
            Some(Err(newer)) => Err(damaged(&key.bytes, &format!("it has format {newer}"))),
            None => Err(damaged(&key.bytes, "it is missing")),
        }
    }

    /// Reads the entry; of a newer format only the version, so that it can be named.
    pub(crate) fn decode(body: &[u8]) -> Result<Result<Self, u16>, Flaw> {
        let mut decoder = Decoder::new(body);
        let format = u16::from_be_bytes(decoder.array()?);
        if format > FORMAT {
            return Ok(Err(format));
        }
        let entry = Self {
            format,
            id: decoder.array()?,
            secret: decoder.array()?,
            created_ms: decoder.number()?,
            epoch: decoder.number()?,
        };
        decoder.finish()?;
        Ok(Ok(entry))
    }
}

/// Where a log ends, and how many events it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogHead {
    pub(crate) last: Position,
    pub(crate) events: u64,
}

impl LogHead {
    pub(crate) fn encode(self) -> Vec<u8> {
        Encoder::default()
            .number(self.last.get())
            .number(self.events)
            .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        let head = Self {
            last: Position::new(decoder.number()?),
            events: decoder.number()?,
        };
        decoder.finish()?;
        Ok(head)
    }
}

/// A log's entry in the registry.
pub(crate) fn encode_log(log: LogId, created_ms: u64) -> Vec<u8> {
    Encoder::default()
        .number(u64::from(log.0))
        .number(created_ms)
        .finish()
}

/// A log's id, and when it was made: milliseconds since 1970.
pub(crate) fn decode_log(body: &[u8]) -> Result<(LogId, u64), Flaw> {
    let mut decoder = Decoder::new(body);
    let log = LogId(decoder.small_number()?);
    let created_ms = decoder.number()?;
    decoder.finish()?;
    Ok((log, created_ms))
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
    fn settlements_of_a_minute_are_one_record() {
        let record = |from, to, at_ms| SettlementRecord {
            from: Sequence::new(from),
            to: Sequence::new(to),
            begun_ms: at_ms,
            at_ms,
            unheard: vec![to],
            parked: Vec::new(),
        };
        let mut merged = record(0, 3, 1_000);
        assert!(merged.merge(&record(3, 5, 60_999)));
        assert!(!merged.merge(&record(5, 6, 61_000)), "a minute later");
        assert!(!merged.merge(&record(6, 7, 2_000)), "a gap");
        assert!(!merged.merge(&record(5, 1 << 40, 2_000)), "another epoch");
        assert!(!merged.merge(&record(5, 100_001, 2_000)), "too large");
        let expected = SettlementRecord {
            begun_ms: 1_000,
            unheard: vec![3, 5],
            ..record(0, 5, 60_999)
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn a_stores_entry_of_a_newer_format_tells_its_version_only() {
        let entry = StoreEntry {
            format: FORMAT + 1,
            id: [1; 16],
            secret: [2; 32],
            created_ms: 3,
            epoch: 0,
        };
        assert!(
            matches!(StoreEntry::decode(&entry.encode()), Ok(Err(found)) if found == FORMAT + 1)
        );
    }
}
