//! Subscriptions: pages through history into the present, without a gap or a repeat at the seam.
//!
//! A subscription is a place and a watch on the head; it holds nothing of the store between two pages. So a slow one costs nothing,
//! and there may be many. It reads only while its head is behind the store's, and is woken by commits.

use tokio::sync::watch;

use crate::error::StoreError;
use crate::event_store::EventStore;
use crate::names::{LogName, PublicStreamName};
use crate::page::{LogPage, PublicPage, ReadLimit};
use crate::place::{Position, Sequence};
use crate::selection::Selection;
use crate::store::Store;

/// Follows a log, or what is selected of it. It holds the store open as a clone of it does.
pub struct Subscription<S = Store> {
    store: S,
    log: LogName,
    selection: Selection,
    after: Position,
    head: watch::Receiver<Position>,
    limit: ReadLimit,
}

impl<S: EventStore> Subscription<S> {
    pub(crate) async fn new(
        store: S,
        log: LogName,
        selection: Selection,
        after: Position,
    ) -> Result<Self, StoreError> {
        let head = store.watch_log(&log).await?;
        Ok(Self {
            store,
            log,
            selection,
            after,
            head,
            limit: ReadLimit::default(),
        })
    }

    /// Bounds its pages by another limit than [`ReadLimit::default`].
    #[must_use]
    pub fn with_limit(self, limit: ReadLimit) -> Self {
        Self { limit, ..self }
    }

    /// Everything up to here was looked at. A new subscription after it goes on where this one is.
    #[must_use]
    pub fn after(&self) -> Position {
        self.after
    }

    /// The next page; it waits for a commit if there is none yet. Where much is passed that is not selected, the page may have no
    /// record: it tells how far everything was looked at. If the call is dropped, nothing is lost.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the store is closed; [`StoreError::Damaged`] with the place, [`StoreError::Io`]. After an
    /// error the next call reads the same page again.
    pub async fn next(&mut self) -> Result<LogPage, StoreError> {
        let after = self.after;
        passed(&mut self.head, after).await?;
        let read = self
            .store
            .read_log(&self.log, &self.selection, after, self.limit);
        let page = read.await?;
        self.after = page.through;
        Ok(page)
    }
}

/// Follows a public stream. It holds the store open as a clone of it does.
pub struct PublicSubscription<S = Store> {
    store: S,
    log: LogName,
    stream: PublicStreamName,
    after: Sequence,
    head: watch::Receiver<Sequence>,
    limit: ReadLimit,
}

impl<S: EventStore> PublicSubscription<S> {
    pub(crate) async fn new(
        store: S,
        log: LogName,
        stream: PublicStreamName,
        after: Sequence,
    ) -> Result<Self, StoreError> {
        let head = store.watch_public(&log, &stream).await?;
        Ok(Self {
            store,
            log,
            stream,
            after,
            head,
            limit: ReadLimit::default(),
        })
    }

    /// Bounds its pages by another limit than [`ReadLimit::default`].
    #[must_use]
    pub fn with_limit(self, limit: ReadLimit) -> Self {
        Self { limit, ..self }
    }

    /// The last sequence that was read. A new subscription after it goes on where this one is.
    #[must_use]
    pub fn after(&self) -> Sequence {
        self.after
    }

    /// The next page; it waits for a crossing if there is none yet. If the call is dropped, nothing is lost.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the store is closed; [`StoreError::Damaged`] with the place, [`StoreError::Io`]. After an
    /// error the next call reads the same page again.
    pub async fn next(&mut self) -> Result<PublicPage, StoreError> {
        let after = self.after;
        passed(&mut self.head, after).await?;
        let read = self
            .store
            .read_public(&self.log, &self.stream, after, self.limit);
        let page = read.await?;
        if let Some(last) = page.events.last() {
            self.after = last.sequence;
        }
        Ok(page)
    }
}

/// Waits until a head is beyond a place.
async fn passed<T: PartialOrd>(head: &mut watch::Receiver<T>, after: T) -> Result<(), StoreError> {
    match head.wait_for(|head| *head > after).await {
        Ok(_) => Ok(()),
        Err(_) => Err(StoreError::Closed),
    }
}
