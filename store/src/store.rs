//! The store's handle.
#![expect(
    clippy::unused_async,
    clippy::todo,
    unused_variables,
    clippy::missing_errors_doc,
    reason = "signatures first; bodies follow"
)]

use std::path::Path;

use bytes::Bytes;
use tokio::sync::watch;

use crate::*;

/// An open store. Clones are cheap and share it.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the store in a folder, and makes it if the folder is empty or absent.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        todo!()
    }

    /// The store's id: 32 hexadecimal digits, random, made with the store.
    #[must_use]
    pub fn id(&self) -> &str {
        todo!()
    }

    /// A secret for a purpose, derived from the store's random secret.
    #[must_use]
    pub fn derive_secret(&self, context: &str) -> [u8; 32] {
        todo!()
    }

    /// Appends a commit, durably, all or nothing.
    pub async fn append(&self, log: &LogName, commit: Commit) -> Result<Committed, AppendError> {
        todo!()
    }

    /// Appends a system record, durably.
    pub async fn append_system(
        &self,
        log: &LogName,
        kind: &str,
        body: Bytes,
    ) -> Result<Position, StoreError> {
        todo!()
    }

    /// Reads a stream forwards from a revision.
    pub async fn read_stream(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        todo!()
    }

    /// Reads a log forwards, after a position.
    pub async fn read_log(
        &self,
        log: &LogName,
        after: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        todo!()
    }

    /// Reads the events of a category forwards, after a position.
    pub async fn read_category(
        &self,
        log: &LogName,
        category: &str,
        after: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        todo!()
    }

    /// Finds events by their id, and source if given.
    pub async fn find_events(
        &self,
        log: &LogName,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        todo!()
    }

    /// The log's durable head.
    pub async fn head(&self, log: &LogName) -> Result<Position, StoreError> {
        todo!()
    }

    /// The log's durable head, as it moves.
    pub async fn watch_log(&self, log: &LogName) -> Result<watch::Receiver<Position>, StoreError> {
        todo!()
    }

    /// Writes a crossing, durably, all or nothing.
    pub async fn cross(&self, log: &LogName, crossing: Crossing) -> Result<(), CrossError> {
        todo!()
    }

    /// Where a cursor of the crossing stands.
    pub async fn crossing_cursor(
        &self,
        log: &LogName,
        cursor: &CursorName,
    ) -> Result<Option<Position>, StoreError> {
        todo!()
    }

    /// What is known of a public stream.
    pub async fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<Option<PublicHead>, StoreError> {
        todo!()
    }

    /// The last public event of a key and type.
    pub async fn last_of_key(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        key: &str,
        event_type: &str,
    ) -> Result<Option<Sequence>, StoreError> {
        todo!()
    }

    /// Reads a public stream forwards, after a sequence.
    pub async fn read_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> Result<PublicPage, StoreError> {
        todo!()
    }

    /// A public stream's last sequence, as it moves.
    pub async fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<watch::Receiver<Sequence>, StoreError> {
        todo!()
    }

    /// The public events that were made of a private event.
    pub async fn public_of(
        &self,
        log: &LogName,
        origin: Position,
    ) -> Result<Vec<(PublicStreamName, Sequence)>, StoreError> {
        todo!()
    }

    /// Moves a relay's cursor.
    pub async fn settle(&self, log: &LogName, settlement: Settlement) -> Result<(), SettleError> {
        todo!()
    }

    /// Where a relay's cursor stands.
    pub async fn relay_cursor(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<Option<Sequence>, StoreError> {
        todo!()
    }

    /// What became of a public event at a relay.
    pub async fn settled(
        &self,
        log: &LogName,
        relay: &RelayName,
        sequence: Sequence,
    ) -> Result<Option<Settled>, StoreError> {
        todo!()
    }

    /// What a relay has done so far.
    pub async fn relay_totals(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<RelayTotals, StoreError> {
        todo!()
    }

    /// The parked keys of a scope.
    pub async fn parked_keys(
        &self,
        log: &LogName,
        scope: &ParkScope,
    ) -> Result<Vec<ParkedKey>, StoreError> {
        todo!()
    }

    /// One parked entry.
    pub async fn parked_entry(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<ParkedEntry>, StoreError> {
        todo!()
    }

    /// Writes what waits, flushes, leaves the clean-stop marker and lets go of the folder.
    pub async fn close(self) -> Result<(), StoreError> {
        todo!()
    }
}
