//! The store on disk as an event store: its own calls.

use bytes::Bytes;
use tokio::sync::watch;

use super::EventStore;
use crate::commit::{AppendError, Commit, Committed};
use crate::error::StoreError;
use crate::event::Event;
use crate::names::{CursorName, LogName, PublicStreamName, RelayName, StreamName};
use crate::page::{
    LogPage, ParkedKeysPage, ParkedPage, PublicPage, ReadLimit, StreamPage, StreamsPage,
};
use crate::parked::{ParkScope, ParkedEntry, Resolution, ResolveError, ResolvedParked};
use crate::place::{Position, Revision, Sequence};
use crate::public::{CrossError, Crossing, PublicHead};
use crate::relay::{RelayTotals, SettleError, Settled, Settlement};
use crate::selection::Selection;
use crate::store::Store;

impl EventStore for Store {
    async fn append(&self, log: &LogName, commit: Commit) -> Result<Committed, AppendError> {
        self.append(log, commit).await
    }

    async fn append_system(
        &self,
        log: &LogName,
        kind: &str,
        body: Bytes,
    ) -> Result<Position, StoreError> {
        self.append_system(log, kind, body).await
    }

    async fn read_stream(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        self.read_stream(log, stream, from, limit).await
    }

    async fn read_stream_back(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        self.read_stream_back(log, stream, from, limit).await
    }

    async fn last_event(
        &self,
        log: &LogName,
        stream: &StreamName,
    ) -> Result<Option<Event>, StoreError> {
        self.last_event(log, stream).await
    }

    async fn streams(
        &self,
        log: &LogName,
        category: &str,
        after: Option<&StreamName>,
        limit: ReadLimit,
    ) -> Result<StreamsPage, StoreError> {
        self.streams(log, category, after, limit).await
    }

    async fn read_log(
        &self,
        log: &LogName,
        selection: &Selection,
        after: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        self.read_log(log, selection, after, limit).await
    }

    async fn read_log_back(
        &self,
        log: &LogName,
        selection: &Selection,
        before: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        self.read_log_back(log, selection, before, limit).await
    }

    async fn find_events(
        &self,
        log: &LogName,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        self.find_events(log, id, source).await
    }

    async fn read_system(
        &self,
        log: &LogName,
        kind: &str,
    ) -> Result<Vec<(Position, Bytes)>, StoreError> {
        self.read_system(log, kind).await
    }

    async fn head(&self, log: &LogName) -> Result<Position, StoreError> {
        self.head(log).await
    }

    async fn event_count(&self, log: &LogName) -> Result<u64, StoreError> {
        self.event_count(log).await
    }

    async fn watch_log(&self, log: &LogName) -> Result<watch::Receiver<Position>, StoreError> {
        self.watch_log(log).await
    }

    async fn cross(&self, log: &LogName, crossing: Crossing) -> Result<(), CrossError> {
        self.cross(log, crossing).await
    }

    async fn crossing_cursor(
        &self,
        log: &LogName,
        cursor: &CursorName,
    ) -> Result<Option<Position>, StoreError> {
        self.crossing_cursor(log, cursor).await
    }

    async fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<Option<PublicHead>, StoreError> {
        self.public_head(log, stream).await
    }

    async fn last_of_keys(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        pairs: Vec<(String, String)>,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        self.last_of_keys(log, stream, pairs).await
    }

    async fn read_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> Result<PublicPage, StoreError> {
        self.read_public(log, stream, after, limit).await
    }

    async fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<watch::Receiver<Sequence>, StoreError> {
        self.watch_public(log, stream).await
    }

    async fn public_of(
        &self,
        log: &LogName,
        origin: Position,
    ) -> Result<Vec<(PublicStreamName, Sequence)>, StoreError> {
        self.public_of(log, origin).await
    }

    async fn settle(&self, log: &LogName, settlement: Settlement) -> Result<(), SettleError> {
        self.settle(log, settlement).await
    }

    async fn relay_cursor(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<Option<Sequence>, StoreError> {
        self.relay_cursor(log, relay).await
    }

    async fn settled(
        &self,
        log: &LogName,
        relay: &RelayName,
        sequence: Sequence,
    ) -> Result<Option<Settled>, StoreError> {
        self.settled(log, relay, sequence).await
    }

    async fn relay_totals(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<RelayTotals, StoreError> {
        self.relay_totals(log, relay).await
    }

    async fn parked_entry(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<ParkedEntry>, StoreError> {
        self.parked_entry(log, scope, key, at).await
    }

    async fn parked_keys(
        &self,
        log: &LogName,
        scope: &ParkScope,
        after: Option<&str>,
        limit: ReadLimit,
    ) -> Result<ParkedKeysPage, StoreError> {
        self.parked_keys(log, scope, after, limit).await
    }

    async fn parked_entries(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: &str,
        after: u64,
        limit: ReadLimit,
    ) -> Result<ParkedPage, StoreError> {
        self.parked_entries(log, scope, key, after, limit).await
    }

    async fn resolve(
        &self,
        log: &LogName,
        relay: &RelayName,
        resolved: Vec<ResolvedParked>,
    ) -> Result<(), ResolveError> {
        self.resolve(log, relay, resolved).await
    }

    async fn resolution(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<Resolution>, StoreError> {
        self.resolution(log, scope, key, at).await
    }

    async fn close(self) -> Result<(), StoreError> {
        Store::close(self).await
    }
}
