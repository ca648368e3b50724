//! Bodies of all values that are no records: index entries, heads, cursors, parked entries, the store's own entry.
//! `FORMAT.md` has them as tables.

mod parked;
mod settlement;

use crate::codec::{Decoder, Encoder, Flaw};
use crate::database::{Database, damaged};
use crate::error::StoreError;
use crate::keys::{self, LogId};
use crate::names::PublicStreamName;
use crate::place::{Position, Sequence};
use crate::public::{Counts, PublicHead};
use crate::relay::RelayTotals;

pub(crate) use parked::{
    ParkedHead, decode_parked, decode_resolution, encode_parked, encode_resolution,
};
pub(crate) use settlement::SettlementRecord;

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
            .number(self.totals.skipped)
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
                skipped: decoder.number()?,
            },
        };
        decoder.finish()?;
        Ok(state)
    }
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
    use super::*;

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
