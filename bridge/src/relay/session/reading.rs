//! Reading the public log into the window.

use futures_util::FutureExt as _;
use horizon_store::{PublicPage, ReadLimit, Sequence, StoreError};

use super::Run;
use crate::patience::patiently;

/// Most events of one read of the public log.
const READ_LIMIT_EVENTS: usize = 2_000;
/// Bytes after which a read of the public log ends.
const READ_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Unheard and parked events that wait to be written with the cursor, above which nothing more is read. With a window's worth
/// more they stay far below what the store takes in one settlement.
const UNWRITTEN_LIMIT_EVENTS: usize = 8_000;

impl Run<'_> {
    /// Reads the public log while there is something to read and room for it.
    pub(super) fn read_ahead(&mut self, head: Sequence) -> Result<(), StoreError> {
        let head = self.relay.purpose.end(head);
        while self.wants_more(head) {
            let (store, log, stream) = (
                self.relay.store.clone(),
                self.relay.log.clone(),
                self.relay.stream.clone(),
            );
            let (after, limit) = (
                self.offered,
                ReadLimit {
                    records: READ_LIMIT_EVENTS,
                    bytes: READ_LIMIT_BYTES,
                },
            );
            let mut read = Box::pin(async move {
                let read = || store.read_public(&log, &stream, after, limit);
                patiently("reading the public log", read).await
            });
            // What was written last is in memory, and needs no task.
            match read.as_mut().now_or_never() {
                Some(page) => self.offer(page?),
                None => self.reading = Some(tokio::spawn(read)),
            }
        }
        Ok(())
    }

    fn wants_more(&self, head: Sequence) -> bool {
        let unwritten = self.unwritten.unheard.len() + self.unwritten.parked.len();
        self.reading.is_none()
            && self.offered < head
            && self.window.room() >= READ_LIMIT_EVENTS
            && unwritten < UNWRITTEN_LIMIT_EVENTS
    }

    pub(super) fn offer(&mut self, page: PublicPage) {
        for event in page.events {
            if event.sequence > self.relay.purpose.end(event.sequence) {
                self.offered = self.relay.purpose.end(event.sequence);
                break;
            }
            self.offered = event.sequence;
            if !self.relay.purpose.wants(&event) {
                continue;
            }
            let (key, size_bytes) = (event.key.clone(), event.event.len());
            self.window.offer(self.offered, &key, size_bytes, event);
        }
        // Events of parked keys are settled by being offered.
        self.take_advance();
    }
}
