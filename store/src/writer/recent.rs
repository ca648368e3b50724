//! What was written lately: callers look things up before the writer has their call, and what they found may have
//! changed since. Each batch has a number, and what was looked up tells the last batch that it has seen.

use std::collections::VecDeque;

use super::draft::LogDraft;
use crate::names::{ByName, LogName};

/// How many batches are remembered; what was looked up before them is looked up again. With the default options a full
/// queue is sixteen batches.
const BATCHES: usize = 20;

/// The last batches, the newest first.
#[derive(Default)]
pub(crate) struct Recent {
    batches: VecDeque<ByName<LogName, LogDraft>>,
    /// The number of the newest.
    last: u64,
}

impl Recent {
    /// Takes in a batch that was written; gives its number.
    pub(super) fn push(&mut self, batch: ByName<LogName, LogDraft>) -> u64 {
        self.batches.truncate(BATCHES - 1);
        self.batches.push_front(batch);
        self.last += 1;
        self.last
    }

    /// What the newest batch changed in a log.
    pub(super) fn newest(&self, log: &LogName) -> Option<&LogDraft> {
        self.batches.front()?.get(log)
    }

    /// Whether all batches after `when` are remembered.
    pub(super) fn reaches(&self, when: u64) -> bool {
        self.last.saturating_sub(when) <= self.batches.len() as u64
    }

    /// Looks for something in the batches after `when`, in the newest first.
    pub(super) fn find<T>(
        &self,
        when: u64,
        log: &LogName,
        look: impl Fn(&LogDraft) -> Option<&T>,
    ) -> Option<&T> {
        let newer = self.last.saturating_sub(when) as usize;
        let mut batches = self.batches.iter().take(newer);
        batches.find_map(|batch| batch.get(log).and_then(&look))
    }
}
