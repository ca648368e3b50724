//! A batch under way: what it will write, and how things stand with it on top of what is stored.

use std::collections::HashMap;

use super::StreamHeads;
use crate::codec::Flaw;
use crate::database::{Batch, Database, damaged};
use crate::error::StoreError;
use crate::heads::Heads;
use crate::keys::{self, IdDigest, LogId};
use crate::names::{CursorName, LogName, PublicStreamName, RelayName, StreamName};
use crate::place::{Position, Revision};
use crate::public::PublicHead;
use crate::record::{self, EventPlace};
use crate::state::{self, IdEntry, LogHead, RelayState};

pub(crate) struct Draft<'a> {
    pub(super) database: &'a Database,
    pub(super) heads: &'a Heads,
    pub(super) stream_heads: &'a mut StreamHeads,
    pub(crate) batch: Batch,
    /// Whether the batch holds anything that must be durable before it is answered.
    pub(super) sync: bool,
    pub(super) now_ms: u64,
    pub(super) logs: HashMap<LogName, LogDraft>,
    last_log_id: LogId,
}

/// What the batch changes in one log.
pub(crate) struct LogDraft {
    /// None until something is written to the log for the first time.
    pub(super) id: Option<LogId>,
    pub(super) head: LogHead,
    pub(super) ids: HashMap<IdDigest, IdEntry>,
    pub(super) places: HashMap<Position, EventPlace>,
    pub(super) streams: HashMap<StreamName, Revision>,
    pub(super) cursors: HashMap<CursorName, Position>,
    pub(super) public_heads: HashMap<PublicStreamName, PublicHead>,
    pub(super) relays: HashMap<RelayName, RelayState>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        database: &'a Database,
        heads: &'a Heads,
        stream_heads: &'a mut StreamHeads,
        now_ms: u64,
    ) -> Self {
        Self {
            database,
            heads,
            stream_heads,
            batch: Batch::default(),
            sync: false,
            now_ms,
            logs: HashMap::new(),
            last_log_id: heads.last_log_id(),
        }
    }

    pub(super) fn log(&mut self, name: &LogName) -> &mut LogDraft {
        let heads = self.heads;
        self.logs.entry(name.clone()).or_insert_with(|| LogDraft {
            id: heads.log_id(name),
            head: heads.head(name),
            ids: HashMap::new(),
            places: HashMap::new(),
            streams: HashMap::new(),
            cursors: HashMap::new(),
            public_heads: HashMap::new(),
            relays: HashMap::new(),
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

    /// What the id index says of an event.
    pub(super) fn known(
        &mut self,
        name: &LogName,
        identity: &IdDigest,
    ) -> Result<Option<IdEntry>, StoreError> {
        let log = self.log(name);
        match (log.ids.get(identity), log.id) {
            (Some(entry), _) => Ok(Some(*entry)),
            (None, None) => Ok(None),
            (None, Some(id)) => self
                .database
                .get(&keys::id_index(id, identity), IdEntry::decode),
        }
    }

    /// The place of an event that the id index speaks of.
    pub(super) fn place(
        &mut self,
        name: &LogName,
        position: Position,
    ) -> Result<EventPlace, StoreError> {
        let log = self.log(name);
        if let Some(place) = log.places.get(&position) {
            return Ok(place.clone());
        }
        let key = keys::log_record(log.id.unwrap_or(LogId(0)), position);
        let place = self.database.get(&key, record::decode_place)?;
        place.flatten().ok_or_else(|| {
            damaged(
                &key.bytes,
                "the id index speaks of an event here, and none is",
            )
        })
    }

    /// The stream's revision, 0 if it does not exist.
    pub(super) fn revision(
        &mut self,
        name: &LogName,
        stream: &StreamName,
    ) -> Result<Revision, StoreError> {
        let log = self.log(name);
        if let Some(revision) = log.streams.get(stream) {
            return Ok(*revision);
        }
        let Some(id) = log.id else {
            return Ok(Revision::ZERO);
        };
        if let Some(revision) = self.stream_heads.get(&(id, stream.clone())) {
            return Ok(*revision);
        }
        let revision = stored_revision(self.database, id, stream)?;
        self.stream_heads.put((id, stream.clone()), revision);
        Ok(revision)
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

    /// Adds where each log now ends; to be called once, before the batch is written.
    pub(super) fn put_heads(&mut self) {
        for (name, log) in &self.logs {
            if let Some(id) = log.id
                && log.head != self.heads.head(name)
            {
                self.batch.put(keys::log_head(id), &log.head.encode());
            }
        }
    }
}

/// The stream's revision as it is stored, 0 if it does not exist.
pub(crate) fn stored_revision(
    database: &Database,
    log: LogId,
    stream: &StreamName,
) -> Result<Revision, StoreError> {
    // A stream that exists has a first event: the filters tell most new streams without a look at the disk.
    if database
        .get(
            &keys::stream_index(log, stream, Revision::new(1)),
            state::decode_number,
        )?
        .is_none()
    {
        return Ok(Revision::ZERO);
    }
    let last = database.last(&keys::stream_revisions(log, stream), |key, body| {
        state::decode_number(body)?;
        keys::last_number(key).ok_or(Flaw::Content("the key has no revision"))
    })?;
    Ok(Revision::new(last.unwrap_or_default()))
}
