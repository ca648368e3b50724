//! The sequence of the previous event of the same key and type, for `previoussequence`.
//!
//! A bounded memory in front of the store: what is not in it is asked for, a batch at a time.

use std::num::NonZeroUsize;

use horizon_schemas::Crossed;
use horizon_store::{LogName, Position, PublicStreamName, Sequence, Store, StoreError};
use lru::LruCache;

/// Most pairs of key and type that one contract remembers.
const REMEMBERED_LIMIT_PAIRS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

/// What one contract remembers.
pub(super) struct PreviousSequences {
    known: LruCache<(String, String), Sequence>,
}

impl Default for PreviousSequences {
    fn default() -> PreviousSequences {
        PreviousSequences {
            known: LruCache::new(REMEMBERED_LIMIT_PAIRS),
        }
    }
}

impl PreviousSequences {
    /// Learns of every pair in `crossed` that is not known yet. A batch is far smaller than the bound, so that none of its
    /// pairs is forgotten before [`advance`](Self::advance) asks.
    pub(super) async fn fetch(
        &mut self,
        store: &Store,
        log: &LogName,
        stream: &PublicStreamName,
        crossed: &[(Position, Box<Crossed>)],
    ) -> Result<(), StoreError> {
        let mut missing = Vec::new();
        for (_, event) in crossed {
            let pair = (event.key().to_owned(), event.event_type().to_owned());
            if self.known.get(&pair).is_none() {
                missing.push(pair);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        let found = store.last_of_keys(log, stream, missing.clone()).await?;
        for (pair, last) in missing.into_iter().zip(found) {
            self.known.put(pair, last.unwrap_or(Sequence::ZERO));
        }
        Ok(())
    }

    /// The previous sequence of this key and type; from now on it is `sequence`.
    pub(super) fn advance(&mut self, key: &str, event_type: &str, sequence: Sequence) -> Sequence {
        self.known
            .put((key.to_owned(), event_type.to_owned()), sequence)
            .unwrap_or(Sequence::ZERO)
    }
}
