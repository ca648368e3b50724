//! Putting back what an export tells, with the places and times that it had.
//!
//! All that can be rebuilt is written with it, as with the first time. What is put has been checked by `import`.

use bytes::Bytes;

use super::append::indexed;
use super::draft::Draft;
use super::resolve::Parking;
use crate::codec::Encoder;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::index::run::Tail;
use crate::keys::{self, KeyDigest};
use crate::names::{CursorName, LogName, PublicStreamName, RelayName, StreamName};
use crate::parked::{NewParked, ParkScope, Resolution};
use crate::place::{Position, Revision};
use crate::prepare::{PreparedEvent, PreparedParked};
use crate::public::{NewPublicEvent, PublicHead};
use crate::record::{self, EventPlace};
use crate::state::{self, RelayState, SettlementRecord};

/// Whether an event is the next one of its stream, and new to its log.
pub(crate) enum Fits {
    Yes(Box<PreparedEvent>, Tail),
    /// The stream's revision, which the event's does not follow.
    Revision(Revision),
    /// Where the log has an event with the same id and source.
    Known(Position),
}

impl Draft<'_> {
    pub(crate) fn rebuild_log(&mut self, log: &LogName, made_ms: u64) {
        self.now_ms = made_ms;
        self.registered(log);
    }

    /// Looks at an event that is to stand at a revision of its stream.
    pub(crate) fn fits(
        &mut self,
        log: &LogName,
        secrets: &Secrets,
        stream: &StreamName,
        revision: Revision,
        event: &NewEvent,
    ) -> Result<Fits, StoreError> {
        let tail = self.tail(log, stream, None, None)?;
        if tail.revision.next() != Some(revision) {
            return Ok(Fits::Revision(tail.revision));
        }
        let source = event.source.as_deref().unwrap_or(stream.as_str());
        let identity = secrets.identity(&event.id, source);
        if let Some((entry, _)) = self.known(log, &identity, None, None)? {
            return Ok(Fits::Known(entry.position));
        }
        let prepared = PreparedEvent {
            identity,
            content_digest: secrets.content(event),
            event_type: event.event_type.clone(),
            content: record::event_content(stream, event),
            flagged: event.flagged,
            stored: None,
        };
        Ok(Fits::Yes(Box::new(prepared), tail))
    }

    /// Puts an event that fits; `tail` is its stream as it stands.
    pub(crate) fn rebuild_event(
        &mut self,
        log: &LogName,
        event: &PreparedEvent,
        mut tail: Tail,
        position: Position,
        place: EventPlace,
    ) -> Result<(), StoreError> {
        let (database, before) = (self.database, self.blocks_before(log));
        let stream = place.stream.clone();
        let draft = self.log(log);
        for of in indexed(&stream, event) {
            draft
                .blocks
                .take_up(database, before, draft.id, of, position)?;
        }
        self.put_event(log, event, position, place);
        tail.push(position);
        let log = self.log(log);
        log.streams.insert(stream, tail);
        log.head.last = position;
        log.head.events = log.head.events.saturating_add(1);
        Ok(())
    }

    /// What is put next was written then: milliseconds since 1970.
    pub(crate) fn recorded(&mut self, at_ms: u64) {
        self.now_ms = at_ms;
    }

    pub(crate) fn rebuild_system(
        &mut self,
        log: &LogName,
        position: Position,
        kind: &str,
        body: &[u8],
    ) -> Result<(), StoreError> {
        self.put_system(log, position, kind, body)
    }

    /// What a marker says is for the version that writes it: its record only is put back.
    pub(crate) fn rebuild_marker(&mut self, log: &LogName, position: Position, body: &Bytes) {
        let id = self.registered(log);
        let body = Encoder::default().byte(record::KIND_MARKER).raw(body);
        self.batch
            .put(keys::log_record(id, position), &body.finish());
        self.log(log).head.last = position;
    }

    pub(crate) fn rebuild_public(
        &mut self,
        log: &LogName,
        secrets: &Secrets,
        event: &NewPublicEvent,
    ) {
        let id = self.registered(log);
        let key = secrets.key_and_type(&event.key, &event.event_type);
        self.put_public(id, event, &key);
    }

    pub(crate) fn rebuild_public_head(
        &mut self,
        log: &LogName,
        stream: &PublicStreamName,
        head: &PublicHead,
    ) {
        let id = self.registered(log);
        let body = state::encode_public_head(head);
        self.batch.put(keys::public_head(id, stream), &body);
    }

    pub(crate) fn rebuild_cursor(&mut self, log: &LogName, cursor: &CursorName, at: Position) {
        let id = self.registered(log);
        let body = state::encode_number(at.get());
        self.batch.put(keys::crossing_cursor(id, cursor), &body);
    }

    pub(crate) fn rebuild_relay(&mut self, log: &LogName, relay: &RelayName, state: &RelayState) {
        let id = self.registered(log);
        self.batch.put(keys::relay(id, relay), &state.encode());
    }

    pub(crate) fn rebuild_settlement(
        &mut self,
        log: &LogName,
        relay: &RelayName,
        record: &SettlementRecord,
    ) {
        let id = self.registered(log);
        self.batch
            .put(keys::settlement(id, relay, record.from), &record.encode());
    }

    /// Puts a parked entry, and what its key tells of it: that needs no more than the entries that are there, as the last
    /// entry of a key stays until no other is left.
    pub(crate) fn rebuild_parked(
        &mut self,
        log: &LogName,
        secrets: &Secrets,
        entry: NewParked,
    ) -> Result<(), StoreError> {
        let id = self.registered(log);
        let digest = secrets.key(&entry.key);
        let parked = [PreparedParked { entry, digest }];
        let parking = self.check_coming(log, &parked, Parking::default())?;
        self.apply_parking(id, &[], &parked, parking);
        Ok(())
    }

    /// Puts what became of an entry that was parked. Its key is known by its digest only, which the same secret makes.
    pub(crate) fn rebuild_resolution(
        &mut self,
        log: &LogName,
        scope: &ParkScope,
        at: u64,
        digest: &KeyDigest,
        resolution: &Resolution,
    ) {
        let id = self.registered(log);
        let body = state::encode_resolution(&resolution.outcome, resolution.at_ms);
        self.batch
            .put(keys::resolution(id, scope, at, digest), &body);
    }
}
