//! Turns: how many pages are in memory between the store and their answers.
//!
//! What an answer holds is counted once it is written. Until then its page is bounded by the turn in which it is read; who waits for
//! one holds nothing. Long history has turns of its own, as it is read by few threads that give way to others.

use std::ops::Deref;
use std::sync::Arc;

use horizon_store::{HISTORY_FROM_RECORDS, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pages at a time, for each processor, and at least. Each may hold [`super::page::PAGE_LIMIT_BYTES`] twice while it is read, and what
/// its last events are over.
const NEAR_PER_PROCESSOR: usize = 4;
const NEAR_MIN: usize = 8;
/// Pages of long history at a time.
const HISTORY: usize = 4;

/// The turns of all that read pages of one side: other teams' reads do not delay the owner's.
pub(crate) struct Turns {
    near: Arc<Semaphore>,
    history: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            near: Arc::new(Semaphore::new(
                NEAR_MIN.max(processors * NEAR_PER_PROCESSOR),
            )),
            history: Arc::new(Semaphore::new(HISTORY)),
        }
    }
}

/// A page, and the turn in which it was read, until the answer is written.
pub(super) struct Taken<T> {
    page: T,
    /// None once it is given back.
    turn: Option<OwnedSemaphorePermit>,
}

impl<T> Deref for Taken<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.page
    }
}

impl<T> Taken<T> {
    /// Lets others read, where a page turned out to hold nothing.
    pub(super) fn give_turn_back(&mut self) {
        self.turn = None;
    }
}

impl Turns {
    /// Reads a page that begins so many places from the head, when its turn has come.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        from_head: u64,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<Taken<T>, StoreError> {
        let turns = if from_head > HISTORY_FROM_RECORDS {
            &self.history
        } else {
            &self.near
        };
        // They are never closed.
        let turn = Arc::clone(turns).acquire_owned().await.ok();
        // On its own: the store reads to the end, and the turn lasts as long, although the caller may go away.
        let read = tokio::spawn(async move {
            let page = read.await?;
            Ok(Taken { page, turn })
        });
        let interrupted = |_| StoreError::Io {
            reason: "the read was interrupted".into(),
        };
        read.await.map_err(interrupted)?
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    /// The number, read in its turn.
    async fn page(turns: &Turns, from_head: u64, number: usize) -> Taken<usize> {
        let read = async move { Ok(number) };
        let page = turns.read(from_head, read).await;
        page.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether it waits for its turn.
    async fn waits(turns: &Turns, from_head: u64) -> bool {
        let soon = Duration::from_millis(50);
        timeout(soon, page(turns, from_head, 0)).await.is_err()
    }

    #[tokio::test]
    async fn pages_wait_while_others_are_not_taken_up_and_history_delays_only_history() {
        let turns = Turns::default();
        let far = HISTORY_FROM_RECORDS + 1;
        let mut history = Vec::new();
        for number in 0..HISTORY {
            history.push(page(&turns, far, number).await);
        }
        assert!(waits(&turns, far).await);
        let mut near = Vec::new();
        for number in 0..turns.near.available_permits() {
            near.push(page(&turns, HISTORY_FROM_RECORDS, number).await);
        }
        assert!(waits(&turns, 0).await);
        assert_eq!(*near.remove(3), 3);
        assert_eq!(*page(&turns, 0, 7).await, 7);
        assert!(waits(&turns, far).await);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_keeps_its_turn_until_the_store_has_read() {
        let turns = Turns::default();
        let far = HISTORY_FROM_RECORDS + 1;
        let mut ends = Vec::new();
        for _ in 0..HISTORY {
            let (end, ended) = oneshot::channel();
            let read = async move { Ok(ended.await.is_ok()) };
            let left = timeout(Duration::from_millis(20), turns.read(far, read)).await;
            assert!(left.is_err());
            ends.push(end);
        }
        assert!(waits(&turns, far).await);
        ends.pop().map(|end| end.send(()));
        assert_eq!(*page(&turns, far, 7).await, 7);
    }
}
