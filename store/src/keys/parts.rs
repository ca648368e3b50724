//! Keys taken apart, and whole families.

use super::{Column, Family, Key, KeyDigest, LogId, NO_LOG};
use crate::names::{PublicStreamName, RelayName};
use crate::parked::ParkScope;
use crate::place::{Position, Sequence};

/// Length of a family's tag and the log's id, in bytes.
const PREFIX_BYTES: usize = 5;

impl Family {
    /// Whether what a key begins with, tag and log, is of a family of this column family and of one of these logs.
    pub(crate) fn is_known(column: Column, prefix: &[u8], logs: &[LogId]) -> bool {
        let Some((tag, log)) = prefix
            .split_first()
            .and_then(|(tag, log)| Some((tag, log.try_into().ok()?)))
        else {
            return false;
        };
        let log = LogId(u32::from_be_bytes(log));
        let Some(family) = Self::ALL.into_iter().find(|family| *family as u8 == *tag) else {
            return false;
        };
        let of_no_log = column == Column::Meta;
        family.column() == column
            && if of_no_log {
                log == NO_LOG
            } else {
                logs.contains(&log)
            }
    }
}

/// The number that ends a key, such as a position or a revision.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

/// The digest that ends a key.
pub(crate) fn last_digest(key: &[u8]) -> Option<KeyDigest> {
    key.last_chunk::<16>().copied()
}

/// The name that begins after a prefix, and what follows its zero byte.
pub(crate) fn name_after<'a>(key: &'a [u8], prefix: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = key.strip_prefix(prefix)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((
        std::str::from_utf8(rest.get(..end)?).ok()?,
        rest.get(end + 1..)?,
    ))
}

/// What all keys of a family begin with, in one log.
pub(crate) fn all_of(family: Family, log: LogId) -> Key {
    Key::new(family, log)
}

/// The origin, public stream and sequence of a key of the origin index.
pub(crate) fn origin_parts(key: &[u8]) -> Option<(Position, &str, Sequence)> {
    let (origin, _) = key.get(PREFIX_BYTES..)?.split_first_chunk::<8>()?;
    let (stream, rest) = name_after(key, key.get(..PREFIX_BYTES + 8)?)?;
    let sequence = u64::from_be_bytes(rest.try_into().ok()?);
    let origin = Position::new(u64::from_be_bytes(*origin));
    Some((origin, stream, Sequence::new(sequence)))
}

/// The scope, key digest and place of a parked entry's key.
pub(crate) fn parked_parts(key: &[u8]) -> Option<(ParkScope, KeyDigest, u64)> {
    let (scope, rest) = scope(key)?;
    let (digest, at) = rest.split_first_chunk::<16>()?;
    Some((scope, *digest, u64::from_be_bytes(at.try_into().ok()?)))
}

/// The scope, place and key digest of a parked place's key.
pub(crate) fn parked_place_parts(key: &[u8]) -> Option<(ParkScope, u64, KeyDigest)> {
    let (scope, rest) = scope(key)?;
    let (at, digest) = rest.split_first_chunk::<8>()?;
    Some((scope, u64::from_be_bytes(*at), digest.try_into().ok()?))
}

fn scope(key: &[u8]) -> Option<(ParkScope, &[u8])> {
    let kind = key.get(PREFIX_BYTES)?;
    let (name, rest) = name_after(key, key.get(..=PREFIX_BYTES)?)?;
    let scope = match kind {
        1 => ParkScope::Crossing(PublicStreamName::new(name).ok()?),
        2 => ParkScope::Relay(RelayName::new(name).ok()?),
        _ => return None,
    };
    Some((scope, rest))
}
