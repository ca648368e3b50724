//! The calls, as the trait has them.

use bytes::Bytes;
use horizon_store::{
    AppendError, Commit, Committed, CrossError, Crossing, CursorName, Event, EventStore, LogName,
    LogPage, ParkScope, ParkedEntry, ParkedKeysPage, ParkedPage, Position, PublicHead, PublicPage,
    PublicStreamName, ReadLimit, Record, RelayName, RelayTotals, Resolution, ResolveError,
    ResolvedParked, Revision, Selection, Sequence, SettleError, Settled, Settlement, StoreError,
    StreamName, StreamPage, StreamsPage,
};
use tokio::sync::watch;

use super::append::NOW_MS;
use super::{Log, MemoryStore, limits};

impl EventStore for MemoryStore {
    async fn append(&self, log: &LogName, commit: Commit) -> Result<Committed, AppendError> {
        self.change(log, |log| log.append(&commit))
    }

    async fn append_system(
        &self,
        log: &LogName,
        kind: &str,
        body: Bytes,
    ) -> Result<Position, StoreError> {
        limits::identifier("the kind of a system record", kind, 255)?;
        self.change(log, |log| {
            let position = Position::new(log.head().get() + 1);
            let (kind, recorded_ms) = (kind.to_owned(), NOW_MS);
            log.records.push(Record::System {
                position,
                kind,
                body,
                recorded_ms,
            });
            Ok(position)
        })
    }

    async fn read_stream(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        self.look(log, |log| log.stream_page(stream, from, limit))
    }

    async fn read_stream_back(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        self.look(log, |log| log.stream_page_back(stream, from, limit))
    }

    async fn last_event(
        &self,
        log: &LogName,
        stream: &StreamName,
    ) -> Result<Option<Event>, StoreError> {
        self.look(log, |log| {
            log.events()
                .filter(|event| event.stream() == stream.as_str())
                .last()
                .cloned()
        })
    }

    async fn streams(
        &self,
        log: &LogName,
        category: &str,
        after: Option<&StreamName>,
        limit: ReadLimit,
    ) -> Result<StreamsPage, StoreError> {
        self.look(log, |log| log.streams(category, after, limit))
    }

    async fn read_log(
        &self,
        log: &LogName,
        selection: &Selection,
        after: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        self.look(log, |log| log.page(selection, after, limit))
    }

    async fn read_log_back(
        &self,
        log: &LogName,
        selection: &Selection,
        before: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        self.look(log, |log| log.page_back(selection, before, limit))
    }

    async fn find_events(
        &self,
        log: &LogName,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        let fits = |event: &&Event| {
            event.id() == id && source.is_none_or(|source| event.source() == source)
        };
        self.look(log, |log| {
            log.events().filter(fits).take(1_000).cloned().collect()
        })
    }

    async fn read_system(
        &self,
        log: &LogName,
        kind: &str,
    ) -> Result<Vec<(Position, Bytes)>, StoreError> {
        self.look(log, |log| {
            let of_kind = |record: &Record| match record {
                Record::System {
                    position,
                    kind: found,
                    body,
                    ..
                } if found == kind => Some((*position, body.clone())),
                _ => None,
            };
            log.records.iter().filter_map(of_kind).collect()
        })
    }

    async fn head(&self, log: &LogName) -> Result<Position, StoreError> {
        self.look(log, Log::head)
    }

    async fn event_count(&self, log: &LogName) -> Result<u64, StoreError> {
        self.look(log, |log| log.events().count() as u64)
    }

    async fn watch_log(&self, log: &LogName) -> Result<watch::Receiver<Position>, StoreError> {
        let head = self.look(log, Log::head)?;
        self.watchers(|watchers| {
            let watch = watchers
                .logs
                .entry(log.clone())
                .or_insert_with(|| watch::Sender::new(head));
            watch.subscribe()
        })
    }

    async fn cross(&self, log: &LogName, crossing: Crossing) -> Result<(), CrossError> {
        self.change(log, |log| log.cross(&crossing))
    }

    async fn crossing_cursor(
        &self,
        log: &LogName,
        cursor: &CursorName,
    ) -> Result<Option<Position>, StoreError> {
        self.look(log, |log| log.cursors.get(cursor).copied())
    }

    async fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<Option<PublicHead>, StoreError> {
        self.look(log, |log| log.public.get(stream).map(|(head, _)| *head))
    }

    async fn last_of_keys(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        pairs: Vec<(String, String)>,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        self.look(log, |log| {
            let of = |(key, event_type): &(String, String)| {
                let (_, events) = log.public.get(stream)?;
                let last = events
                    .iter()
                    .rev()
                    .find(|event| event.key == *key && event.event_type == *event_type)?;
                Some(last.sequence)
            };
            pairs.iter().map(of).collect()
        })
    }

    async fn read_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> Result<PublicPage, StoreError> {
        self.look(log, |log| log.public_page(stream, after, limit))
    }

    async fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<watch::Receiver<Sequence>, StoreError> {
        let last = self.look(log, |log| log.public_last(stream))?;
        self.watchers(|watchers| {
            let of = (log.clone(), stream.clone());
            let watch = watchers
                .public
                .entry(of)
                .or_insert_with(|| watch::Sender::new(last));
            watch.subscribe()
        })
    }

    async fn public_of(
        &self,
        log: &LogName,
        origin: Position,
    ) -> Result<Vec<(PublicStreamName, Sequence)>, StoreError> {
        self.look(log, |log| {
            let all = log.public.iter().flat_map(|(_, (_, events))| events);
            let of = all.filter(|event| event.origin == origin);
            of.map(|event| (event.stream.clone(), event.sequence))
                .collect()
        })
    }

    async fn settle(&self, log: &LogName, settlement: Settlement) -> Result<(), SettleError> {
        self.change(log, |log| log.settle(&settlement))
    }

    async fn relay_cursor(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<Option<Sequence>, StoreError> {
        self.look(log, |log| log.relays.get(relay).map(|relay| relay.cursor))
    }

    async fn settled(
        &self,
        log: &LogName,
        relay: &RelayName,
        sequence: Sequence,
    ) -> Result<Option<Settled>, StoreError> {
        self.look(log, |log| log.settled(relay, sequence))
    }

    async fn relay_totals(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<RelayTotals, StoreError> {
        self.look(log, |log| {
            log.relays
                .get(relay)
                .map(|relay| relay.totals)
                .unwrap_or_default()
        })
    }

    async fn parked_entry(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<ParkedEntry>, StoreError> {
        self.look(log, |log| log.parked_entry(scope, key, at))
    }

    async fn parked_keys(
        &self,
        log: &LogName,
        scope: &ParkScope,
        after: Option<&str>,
        limit: ReadLimit,
    ) -> Result<ParkedKeysPage, StoreError> {
        self.look(log, |log| log.parked_keys(scope, after, limit))
    }

    async fn parked_entries(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: &str,
        after: u64,
        limit: ReadLimit,
    ) -> Result<ParkedPage, StoreError> {
        self.look(log, |log| log.parked_entries(scope, key, after, limit))
    }

    async fn resolve(
        &self,
        log: &LogName,
        relay: &RelayName,
        resolved: Vec<ResolvedParked>,
    ) -> Result<(), ResolveError> {
        self.change(log, |log| log.resolve(relay, &resolved))
    }

    async fn resolution(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<Resolution>, StoreError> {
        self.look(log, |log| log.resolution(scope, key, at))
    }

    async fn close(self) -> Result<(), StoreError> {
        match self.watchers.lock().unwrap().take() {
            Some(_) => Ok(()),
            None => Err(StoreError::Closed),
        }
    }
}
