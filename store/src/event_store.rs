//! What an event store does, whatever it is built on.
//!
//! Nothing here is what only a store on a local disk can promise: each call stands for itself and is bounded, a commit and a
//! crossing are one unit each, and no iterator or snapshot is handed out. The suite of behaviours in `tests/store/conformance`
//! holds every implementation to it.

mod on_disk;

use bytes::Bytes;
use tokio::sync::watch;

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
#[cfg(doc)]
use crate::store::Store;
use crate::subscription::{PublicSubscription, Subscription};

/// An event store: [`Store`], and whatever else passes the suite of behaviours. Clones are cheap and share it.
///
/// Errors are those of the calls of [`Store`].
pub trait EventStore: Clone + Send + Sync + 'static {
    /// Appends a commit, all or nothing, and answers when it is durable; a repeat as the first time. As [`Store::append`].
    fn append(
        &self,
        log: &LogName,
        commit: Commit,
    ) -> impl Future<Output = Result<Committed, AppendError>> + Send;

    /// Appends a system record, and answers when it is durable. As [`Store::append_system`].
    fn append_system(
        &self,
        log: &LogName,
        kind: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Reads a stream forwards, from a revision on. As [`Store::read_stream`].
    fn read_stream(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<StreamPage, StoreError>> + Send;

    /// Reads a stream backwards, from a revision on; from its last if it has not come so far. As [`Store::read_stream_back`].
    fn read_stream_back(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<StreamPage, StoreError>> + Send;

    /// The last event of a stream; none if the stream does not exist. As [`Store::last_event`].
    fn last_event(
        &self,
        log: &LogName,
        stream: &StreamName,
    ) -> impl Future<Output = Result<Option<Event>, StoreError>> + Send;

    /// The streams of a category with their revisions, after a name, in the order of their names' bytes. As [`Store::streams`].
    fn streams(
        &self,
        log: &LogName,
        category: &str,
        after: Option<&StreamName>,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<StreamsPage, StoreError>> + Send;

    /// Reads a log, or what is selected of it, forwards, after a position. As [`Store::read_log`].
    fn read_log(
        &self,
        log: &LogName,
        selection: &Selection,
        after: Position,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<LogPage, StoreError>> + Send;

    /// Reads a log, or what is selected of it, backwards, before a position. As [`Store::read_log_back`].
    fn read_log_back(
        &self,
        log: &LogName,
        selection: &Selection,
        before: Position,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<LogPage, StoreError>> + Send;

    /// Finds events by their id, and by their source if it is given: at most 1,000, by position. As [`Store::find_events`].
    fn find_events(
        &self,
        log: &LogName,
        id: &str,
        source: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;

    /// All system records of a kind, in order, with their bodies. As [`Store::read_system`].
    fn read_system(
        &self,
        log: &LogName,
        kind: &str,
    ) -> impl Future<Output = Result<Vec<(Position, Bytes)>, StoreError>> + Send;

    /// The log's durable head; 0 if nothing was ever written to it. As [`Store::head`].
    fn head(&self, log: &LogName) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// How many events the log holds, system records not counted. As [`Store::event_count`].
    fn event_count(&self, log: &LogName) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The log's durable head, as it moves; it ends when the store is closed. As [`Store::watch_log`].
    fn watch_log(
        &self,
        log: &LogName,
    ) -> impl Future<Output = Result<watch::Receiver<Position>, StoreError>> + Send;

    /// Writes a crossing, all or nothing, and answers when it is durable. As [`Store::cross`].
    fn cross(
        &self,
        log: &LogName,
        crossing: Crossing,
    ) -> impl Future<Output = Result<(), CrossError>> + Send;

    /// Where a cursor of the crossing stands; none if it has never moved. As [`Store::crossing_cursor`].
    fn crossing_cursor(
        &self,
        log: &LogName,
        cursor: &CursorName,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send;

    /// What is known of a public stream; none if no crossing has spoken of it. As [`Store::public_head`].
    fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> impl Future<Output = Result<Option<PublicHead>, StoreError>> + Send;

    /// The last public event of each pair of a key and a public type, in the order in which they are asked. As [`Store::last_of_keys`].
    fn last_of_keys(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        pairs: Vec<(String, String)>,
    ) -> impl Future<Output = Result<Vec<Option<Sequence>>, StoreError>> + Send;

    /// Reads a public stream forwards, after a sequence. As [`Store::read_public`].
    fn read_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<PublicPage, StoreError>> + Send;

    /// A public stream's last sequence, as it moves; it ends when the store is closed. As [`Store::watch_public`].
    fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> impl Future<Output = Result<watch::Receiver<Sequence>, StoreError>> + Send;

    /// The public events that were made of a private event, by the names of their streams. As [`Store::public_of`].
    fn public_of(
        &self,
        log: &LogName,
        origin: Position,
    ) -> impl Future<Output = Result<Vec<(PublicStreamName, Sequence)>, StoreError>> + Send;

    /// Moves a relay's cursor; it becomes durable with the next append or crossing. As [`Store::settle`].
    fn settle(
        &self,
        log: &LogName,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), SettleError>> + Send;

    /// Where a relay's cursor stands; none if it has never moved. As [`Store::relay_cursor`].
    fn relay_cursor(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> impl Future<Output = Result<Option<Sequence>, StoreError>> + Send;

    /// What became of a public event at a relay when its cursor passed it; none if it has not. As [`Store::settled`].
    fn settled(
        &self,
        log: &LogName,
        relay: &RelayName,
        sequence: Sequence,
    ) -> impl Future<Output = Result<Option<Settled>, StoreError>> + Send;

    /// What a relay has done so far. As [`Store::relay_totals`].
    fn relay_totals(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> impl Future<Output = Result<RelayTotals, StoreError>> + Send;

    /// One parked entry, by its place, and by its key if that is known. As [`Store::parked_entry`].
    fn parked_entry(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> impl Future<Output = Result<Option<ParkedEntry>, StoreError>> + Send;

    /// The parked keys of a scope, after a key, in an order that means nothing and stays. As [`Store::parked_keys`].
    fn parked_keys(
        &self,
        log: &LogName,
        scope: &ParkScope,
        after: Option<&str>,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<ParkedKeysPage, StoreError>> + Send;

    /// The entries that are parked under a key, after a place, in order. As [`Store::parked_entries`].
    fn parked_entries(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: &str,
        after: u64,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<ParkedPage, StoreError>> + Send;

    /// Lets parked entries leave a relay, all or none, and answers when that is durable. As [`Store::resolve`].
    fn resolve(
        &self,
        log: &LogName,
        relay: &RelayName,
        resolved: Vec<ResolvedParked>,
    ) -> impl Future<Output = Result<(), ResolveError>> + Send;

    /// What became of an entry that was parked and has left. As [`Store::resolution`].
    fn resolution(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> impl Future<Output = Result<Option<Resolution>, StoreError>> + Send;

    /// Ends the store: calls and subscriptions get [`StoreError::Closed`]. As [`Store::close`].
    fn close(self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Follows a log from a position on. As [`Store::subscribe`].
    fn subscribe(
        &self,
        log: &LogName,
        selection: Selection,
        after: Position,
    ) -> impl Future<Output = Result<Subscription<Self>, StoreError>> + Send {
        Subscription::new(self.clone(), log.clone(), selection, after)
    }

    /// Follows a public stream from a sequence on. As [`Store::subscribe_public`].
    fn subscribe_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
    ) -> impl Future<Output = Result<PublicSubscription<Self>, StoreError>> + Send {
        PublicSubscription::new(self.clone(), log.clone(), stream.clone(), after)
    }
}
