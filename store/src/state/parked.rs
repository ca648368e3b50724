//! Bodies of what is parked: entries, their keys, and what became of them.

use crate::codec::{Decoder, Encoder, Flaw};
use crate::parked::{ParkOutcome, ParkedEntry, ParkedKey, Resolution};

const CROSSED: u8 = 1;
const FILTERED: u8 = 2;
const CONFIRMED: u8 = 3;
const UNHEARD: u8 = 4;
const SKIPPED: u8 = 5;

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

/// A key that is parked: the first and the last of its entries, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParkedHead {
    pub(crate) key: String,
    pub(crate) entries: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl ParkedHead {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .text(&self.key)
            .number(self.entries)
            .number(self.first)
            .number(self.last)
            .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        let head = Self {
            key: decoder.text()?,
            entries: decoder.number()?,
            first: decoder.number()?,
            last: decoder.number()?,
        };
        decoder.finish()?;
        Ok(head)
    }
}

impl From<ParkedHead> for ParkedKey {
    fn from(head: ParkedHead) -> Self {
        Self {
            key: head.key,
            entries: head.entries,
            first_at: head.first,
        }
    }
}

/// What became of an entry, and when.
pub(crate) fn encode_resolution(outcome: &ParkOutcome, at_ms: u64) -> Vec<u8> {
    let (kind, reason) = match outcome {
        ParkOutcome::Crossed => (CROSSED, None),
        ParkOutcome::Filtered => (FILTERED, None),
        ParkOutcome::Confirmed => (CONFIRMED, None),
        ParkOutcome::Unheard => (UNHEARD, None),
        ParkOutcome::Skipped { reason } => (SKIPPED, Some(reason.as_str())),
    };
    Encoder::default()
        .byte(kind)
        .number(at_ms)
        .optional_text(reason)
        .finish()
}

pub(crate) fn decode_resolution(body: &[u8]) -> Result<Resolution, Flaw> {
    let mut decoder = Decoder::new(body);
    let kind = decoder.byte()?;
    let at_ms = decoder.number()?;
    let reason = decoder.optional_text()?;
    decoder.finish()?;
    let outcome = match (kind, reason) {
        (CROSSED, None) => ParkOutcome::Crossed,
        (FILTERED, None) => ParkOutcome::Filtered,
        (CONFIRMED, None) => ParkOutcome::Confirmed,
        (UNHEARD, None) => ParkOutcome::Unheard,
        (SKIPPED, Some(reason)) => ParkOutcome::Skipped { reason },
        _ => return Err(Flaw::Content("the outcome is none that is known")),
    };
    Ok(Resolution { outcome, at_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_an_entry_comes_back() {
        let skipped = ParkOutcome::Skipped {
            reason: "by hand".into(),
        };
        for outcome in [
            ParkOutcome::Crossed,
            ParkOutcome::Filtered,
            ParkOutcome::Confirmed,
            ParkOutcome::Unheard,
            skipped,
        ] {
            let body = encode_resolution(&outcome, 300);
            assert_eq!(
                decode_resolution(&body),
                Ok(Resolution {
                    outcome,
                    at_ms: 300
                })
            );
        }
        assert!(decode_resolution(&[CROSSED, 1, 1, 1, b'x']).is_err());
        assert!(decode_resolution(&[SKIPPED, 1, 0]).is_err());
        assert!(decode_resolution(&[6, 1, 0]).is_err());
    }
}
