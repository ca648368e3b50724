//! Every key of the store, to the byte; nothing else in the crate builds or takes apart a key.
//!
//! - A key begins with its family's tag (one byte, never reused) and its log's id (`u32`, 0 for what belongs to none).
//! - Numbers are big-endian, so that the order of keys is the order of places.
//! - A name in a key is ended by a zero byte, which no name holds; so one name's keys never mix with another's.
//! - Digests are keyed (see `digest.rs`): they tell nothing to who lacks the store's secret.

mod parked;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::names::{CursorName, LogName, PublicStreamName, RelayName};
use crate::place::{Position, Revision, Sequence};

pub(crate) use parked::{
    parked, parked_at, parked_entries_of, parked_key, parked_keys, parked_place, resolution,
    resolutions,
};
pub(crate) use parts::{
    all_of, last_digest, last_number, name_after, origin_parts, parked_parts, parked_place_parts,
};

/// A log's number in keys, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogId(pub(crate) u32);

/// What belongs to no log.
const NO_LOG: LogId = LogId(0);

/// Column families: apart by life and by how they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// Records by position: written once, read in order.
    Log,
    /// Indexes of the log: written once, read at single points and in short ranges.
    Index,
    /// Public events: written once, read in order.
    Public,
    /// Heads, cursors, parked entries: small and overwritten.
    State,
    /// What belongs to the whole store.
    Meta,
}

impl Column {
    pub(crate) const ALL: [Self; 5] = [
        Self::Log,
        Self::Index,
        Self::Public,
        Self::State,
        Self::Meta,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Index => "index",
            Self::Public => "public",
            Self::State => "state",
            Self::Meta => "default",
        }
    }
}

/// Tags of key families. A tag is never given to another family, and none is ever removed from this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Family {
    LogRecord = 0x01,
    StreamIndex = 0x10,
    IdIndex = 0x11,
    CategoryIndex = 0x12,
    TypeIndex = 0x13,
    PublicRecord = 0x20,
    OriginIndex = 0x21,
    CrossingCursor = 0x30,
    Relay = 0x31,
    PublicHead = 0x32,
    LastOfKey = 0x33,
    Parked = 0x34,
    ParkedPlace = 0x35,
    Settlement = 0x36,
    LogHead = 0x37,
    Resolution = 0x38,
    ParkedKey = 0x39,
    Store = 0x40,
    LogRegistry = 0x41,
}

impl Family {
    const ALL: [Self; 19] = [
        Self::LogRecord,
        Self::StreamIndex,
        Self::IdIndex,
        Self::CategoryIndex,
        Self::TypeIndex,
        Self::PublicRecord,
        Self::OriginIndex,
        Self::CrossingCursor,
        Self::Relay,
        Self::PublicHead,
        Self::LastOfKey,
        Self::Parked,
        Self::ParkedPlace,
        Self::Settlement,
        Self::LogHead,
        Self::Resolution,
        Self::ParkedKey,
        Self::Store,
        Self::LogRegistry,
    ];

    fn column(self) -> Column {
        match self {
            Self::LogRecord => Column::Log,
            Self::StreamIndex | Self::IdIndex | Self::CategoryIndex | Self::TypeIndex => {
                Column::Index
            }
            Self::PublicRecord | Self::OriginIndex => Column::Public,
            Self::CrossingCursor
            | Self::Relay
            | Self::PublicHead
            | Self::LastOfKey
            | Self::Parked
            | Self::ParkedPlace
            | Self::Settlement
            | Self::LogHead
            | Self::Resolution
            | Self::ParkedKey => Column::State,
            Self::Store | Self::LogRegistry => Column::Meta,
        }
    }
}

/// Keyed digests of an event's id and source, eight bytes each, in this order.
pub(crate) type IdDigest = [u8; 16];
/// Things by digest.
pub(crate) type ByDigest<T> = HashMap<IdDigest, T, BuildHasherDefault<DigestHasher>>;

/// Hashes digests by what they are: they are keyed, so nobody can choose them to collide.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks_exact(8) {
            let part = part
                .first_chunk()
                .map_or(0, |part| u64::from_le_bytes(*part));
            self.0 = self.0.rotate_left(29) ^ part;
        }
    }
}

/// Keyed digest of a key, or of a key and a type.
pub(crate) type KeyDigest = [u8; 16];

/// A key, or the prefix of a range of keys, and the column family that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) column: Column,
    pub(crate) bytes: Vec<u8>,
}

impl Key {
    fn new(family: Family, log: LogId) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(family as u8);
        bytes.extend_from_slice(&log.0.to_be_bytes());
        Self {
            column: family.column(),
            bytes,
        }
    }

    fn name(mut self, name: &str) -> Self {
        debug_assert!(!name.as_bytes().contains(&0), "a name holds no zero byte");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

pub(crate) fn log_record(log: LogId, position: Position) -> Key {
    Key::new(Family::LogRecord, log).number(position.get())
}

pub(crate) fn log_records(log: LogId) -> Key {
    Key::new(Family::LogRecord, log)
}

/// The entry of the run that begins at a revision.
pub(crate) fn stream_index(log: LogId, stream: &str, first: Revision) -> Key {
    stream_revisions(log, stream).number(first.get())
}

pub(crate) fn stream_revisions(log: LogId, stream: &str) -> Key {
    Key::new(Family::StreamIndex, log).name(stream)
}

/// All entries of the stream index under names that begin with a text.
pub(crate) fn streams_from(log: LogId, beginning: &str) -> Key {
    Key::new(Family::StreamIndex, log).raw(beginning.as_bytes())
}

pub(crate) fn id_index(log: LogId, identity: &IdDigest) -> Key {
    Key::new(Family::IdIndex, log).raw(identity)
}

/// All events with an id, whatever their source; `id` is the digest's first half.
pub(crate) fn ids(log: LogId, id: &[u8; 8]) -> Key {
    Key::new(Family::IdIndex, log).raw(id)
}

/// What the log's records are indexed by, besides their streams and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Indexed<'a> {
    Category(&'a str),
    Type(&'a str),
    /// System records by their kind; among the types, under names that no event type can have.
    System(&'a str),
}

/// The entry of the block that begins at a position.
pub(crate) fn block(log: LogId, of: Indexed<'_>, first: Position) -> Key {
    blocks(log, of).number(first.get())
}

pub(crate) fn blocks(log: LogId, of: Indexed<'_>) -> Key {
    match of {
        Indexed::Category(name) => Key::new(Family::CategoryIndex, log).name(name),
        Indexed::Type(name) => Key::new(Family::TypeIndex, log).name(name),
        Indexed::System(kind) => Key::new(Family::TypeIndex, log).raw(b"\x01").name(kind),
    }
}

pub(crate) fn public_record(log: LogId, stream: &PublicStreamName, sequence: Sequence) -> Key {
    public_records(log, stream).number(sequence.get())
}

pub(crate) fn public_records(log: LogId, stream: &PublicStreamName) -> Key {
    Key::new(Family::PublicRecord, log).name(stream.as_str())
}

pub(crate) fn origin_index(
    log: LogId,
    origin: Position,
    stream: &PublicStreamName,
    sequence: Sequence,
) -> Key {
    origins(log, origin)
        .name(stream.as_str())
        .number(sequence.get())
}

pub(crate) fn origins(log: LogId, origin: Position) -> Key {
    Key::new(Family::OriginIndex, log).number(origin.get())
}

pub(crate) fn crossing_cursor(log: LogId, cursor: &CursorName) -> Key {
    crossing_cursors(log).name(cursor.as_str())
}

pub(crate) fn crossing_cursors(log: LogId) -> Key {
    Key::new(Family::CrossingCursor, log)
}

pub(crate) fn relay(log: LogId, relay: &RelayName) -> Key {
    relays(log).name(relay.as_str())
}

pub(crate) fn relays(log: LogId) -> Key {
    Key::new(Family::Relay, log)
}

pub(crate) fn public_head(log: LogId, stream: &PublicStreamName) -> Key {
    public_heads(log).name(stream.as_str())
}

pub(crate) fn public_heads(log: LogId) -> Key {
    Key::new(Family::PublicHead, log)
}

pub(crate) fn last_of_key(log: LogId, stream: &PublicStreamName, key_and_type: &KeyDigest) -> Key {
    Key::new(Family::LastOfKey, log)
        .name(stream.as_str())
        .raw(key_and_type)
}

pub(crate) fn settlement(log: LogId, relay: &RelayName, from: Sequence) -> Key {
    settlements(log, relay).number(from.get())
}

pub(crate) fn settlements(log: LogId, relay: &RelayName) -> Key {
    Key::new(Family::Settlement, log).name(relay.as_str())
}

pub(crate) fn log_head(log: LogId) -> Key {
    Key::new(Family::LogHead, log)
}

pub(crate) fn store() -> Key {
    Key::new(Family::Store, NO_LOG)
}

pub(crate) fn log_registry(log: &LogName) -> Key {
    log_registrations().name(log.as_str())
}

pub(crate) fn log_registrations() -> Key {
    Key::new(Family::LogRegistry, NO_LOG)
}

/// The first key after all that begin with a prefix.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![0xff; prefix.len() + 1]
}

/// A key as an error names it.
pub(crate) fn describe(key: &[u8]) -> String {
    let family = key
        .first()
        .and_then(|tag| Family::ALL.into_iter().find(|family| *family as u8 == *tag));
    let log = key
        .get(1..5)
        .and_then(|bytes| bytes.first_chunk::<4>())
        .map(|bytes| u32::from_be_bytes(*bytes));
    match (family, log, last_number(key)) {
        (Some(Family::LogRecord), Some(log), Some(position)) => {
            format!("log {log}, position {position}")
        }
        (Some(family), Some(log), _) => {
            let hex: String = key
                .iter()
                .skip(5)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("log {log}, {family:?} {hex}").trim_end().to_owned()
        }
        _ => format!("key {key:02x?}"),
    }
}

mod parts;
#[cfg(test)]
mod tests;
