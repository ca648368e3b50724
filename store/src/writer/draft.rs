//! A batch under way: what it will write, and how things stand with it on top of what is stored.

use super::index::{self, Blocks};
use super::recent::Recent;
use super::resolve::ParkedDraft;
use crate::database::{Batch, Database, Reach, damaged};
use crate::error::StoreError;
use crate::heads::Heads;
use crate::index::run::Tail;
use crate::keys::{self, ByDigest, IdDigest, LogId};
use crate::names::{ByName, CursorName, LogName, PublicStreamName, RelayName, StreamName};
use crate::place::Position;
use crate::public::PublicHead;
use crate::record::{self, EventPlace};
use crate::state::{self, IdEntry, LogHead, RelayState, SettlementRecord};

pub(crate) struct Draft<'a> {
    pub(super) database: &'a Database,
    pub(super) heads: &'a Heads,
    /// What was written lately: later than what a caller has looked up, perhaps.
    recent: &'a Recent,
    pub(crate) batch: Batch,
    /// Whether the batch holds anything that must be durable before it is answered.
    pub(super) sync: bool,
    pub(super) now_ms: u64,
    pub(super) logs: ByName<LogName, LogDraft>,
    pub(super) parked: ParkedDraft,
    last_log_id: LogId,
}

/// What the batch changes in one log.
pub(crate) struct LogDraft {
    /// None until something is written to the log for the first time.
    pub(super) id: Option<LogId>,
    pub(super) head: LogHead,
    pub(super) ids: ByDigest<(IdEntry, EventPlace)>,
    /// Streams that have grown.
    pub(super) streams: ByName<StreamName, Tail>,
    pub(super) blocks: Blocks,
    pub(super) cursors: ByName<CursorName, Position>,
    pub(super) public_heads: ByName<PublicStreamName, PublicHead>,
    pub(super) relays: ByName<RelayName, RelayState>,
    /// The last settlement record of each relay.
    pub(super) settlements: ByName<RelayName, SettlementRecord>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        database: &'a Database,
        heads: &'a Heads,
        recent: &'a Recent,
        batch: Batch,
        now_ms: u64,
    ) -> Self {
        Self {
            database,
            heads,
            recent,
            batch,
            sync: false,
            now_ms,
            logs: ByName::default(),
            parked: ParkedDraft::default(),
            last_log_id: heads.last_log_id(),
        }
    }

    pub(super) fn log(&mut self, name: &LogName) -> &mut LogDraft {
        let (heads, recent) = (self.heads, self.recent);
        self.logs.entry(name.clone()).or_insert_with(|| {
            // Most batches are as large as the one before.
            let before = recent.newest(name);
            let (ids, streams) =
                before.map_or((0, 0), |before| (before.ids.len(), before.streams.len()));
            LogDraft {
                id: heads.log_id(name),
                head: heads.head(name),
                ids: ByDigest::with_capacity_and_hasher(ids, <_>::default()),
                streams: ByName::with_capacity_and_hasher(streams, <_>::default()),
                blocks: Blocks::default(),
                cursors: ByName::default(),
                public_heads: ByName::default(),
                relays: ByName::default(),
                settlements: ByName::default(),
            }
        })
    }

    /// The log's id; registers the log if this is the first write to it.
    pub(super) fn registered(&mut self, name: &LogName) -> LogId {
        if let Some(id) = self.log(name).id {
            return id;
        }
        // Four billion logs do not fit on a disk: each takes an entry.
        let id = LogId(self.last_log_id.0.saturating_add(1));
        self.last_log_id = id;
        self.batch.put(
            keys::log_registry(name),
            &state::encode_log(id, self.now_ms),
        );
        self.log(name).id = Some(id);
        id
    }

    /// What the log has under an event's identity. `stored` is what its caller found when it looked it up.
    pub(super) fn known(
        &mut self,
        name: &LogName,
        identity: &IdDigest,
        looked_up: Option<u64>,
        stored: Option<IdEntry>,
    ) -> Result<Option<(IdEntry, EventPlace)>, StoreError> {
        let recent = self.recent;
        let log = self.log(name);
        if let Some(known) = log.ids.get(identity) {
            return Ok(Some(known.clone()));
        }
        let Some(id) = log.id else {
            return Ok(None);
        };
        let found = match looked_up {
            Some(when) if recent.reaches(when) => {
                if let Some(known) = recent.find(when, name, |log| log.ids.get(identity)) {
                    return Ok(Some(known.clone()));
                }
                stored
            }
            _ => self
                .database
                .get(&keys::id_index(id, identity), IdEntry::decode)?,
        };
        match found {
            None => Ok(None),
            Some(entry) => Ok(Some((entry, self.place(id, entry.position)?))),
        }
    }

    /// The place of an event that the id index speaks of.
    fn place(&self, log: LogId, position: Position) -> Result<EventPlace, StoreError> {
        let key = keys::log_record(log, position);
        let place = self.database.get(&key, record::decode_place)?;
        place.flatten().ok_or_else(|| {
            damaged(
                &key.bytes,
                "the id index speaks of an event here, and none is",
            )
        })
    }

    /// A stream as it stands; all zero if it does not exist. `stored` is what the caller found when it looked it up.
    pub(super) fn tail(
        &mut self,
        name: &LogName,
        stream: &StreamName,
        looked_up: Option<u64>,
        stored: Option<Tail>,
    ) -> Result<Tail, StoreError> {
        let recent = self.recent;
        let log = self.log(name);
        if let Some(tail) = log.streams.get(stream) {
            return Ok(tail.clone());
        }
        let Some(id) = log.id else {
            return Ok(Tail::default());
        };
        let Some(when) = looked_up.filter(|when| recent.reaches(*when)) else {
            let tail = crate::index::tail(self.database, Reach::Disk, id, stream, None)?;
            return Ok(tail.unwrap_or_default());
        };
        let tail = recent
            .find(when, name, |log| log.streams.get(stream))
            .map(Tail::resumed);
        Ok(tail.or(stored).unwrap_or_default())
    }

    /// The blocks of a log that the batch before took up, as it left them.
    pub(super) fn blocks_before(&self, name: &LogName) -> Option<&'a Blocks> {
        let recent: &'a Recent = self.recent;
        recent.newest(name).map(|before| &before.blocks)
    }

    /// Whether a position is one of the log's, with the batch on top of what is stored.
    pub(super) fn has(&mut self, name: &LogName, position: Position) -> bool {
        let head = self.log(name).head.last;
        if position.epoch() == head.epoch() {
            return position.offset() > 0 && position <= head;
        }
        let stored = self.heads.known(name, |log| log.has(position));
        stored.unwrap_or_default()
    }

    /// Where a cursor of the crossing stands; 0 if it has never moved.
    pub(super) fn cursor(&mut self, name: &LogName, cursor: &CursorName) -> Position {
        let heads = self.heads;
        let stored = || {
            heads
                .known(name, |log| log.cursors.get(cursor).copied())
                .flatten()
        };
        let drafted = self.log(name).cursors.get(cursor).copied();
        drafted.or_else(stored).unwrap_or_default()
    }

    pub(super) fn public_head(&mut self, name: &LogName, stream: &PublicStreamName) -> PublicHead {
        let heads = self.heads;
        let drafted = self.log(name).public_heads.get(stream).copied();
        drafted
            .or_else(|| heads.public_head(name, stream))
            .unwrap_or_default()
    }

    pub(super) fn relay(&mut self, name: &LogName, relay: &RelayName) -> Option<RelayState> {
        let heads = self.heads;
        let stored = || {
            heads
                .known(name, |log| log.relays.get(relay).cloned())
                .flatten()
        };
        let drafted = self.log(name).relays.get(relay).cloned();
        drafted.or_else(stored)
    }

    /// Adds the entries of indexes, and where each log now ends; to be called once, before the batch is written.
    pub(super) fn put_ends(&mut self) {
        for (name, log) in &self.logs {
            let Some(id) = log.id else { continue };
            index::put(log, id, &mut self.batch);
            if log.head != self.heads.head(name) {
                self.batch.put(keys::log_head(id), &log.head.encode());
            }
        }
    }
}
