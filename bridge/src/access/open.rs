//! How much each caller has open: requests in flight, and follows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How much each caller has open.
#[derive(Debug, Default)]
pub(super) struct Open(Mutex<HashMap<Arc<str>, Counts>>);

#[derive(Debug, Default)]
struct Counts {
    requests: usize,
    follows: usize,
}

/// One request or follow that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    open: Arc<Open>,
    who: Arc<str>,
    follows: bool,
}

impl Open {
    /// One more request of a caller, if that is not too many.
    pub(super) fn hold(self: &Arc<Open>, who: &Arc<str>, limit: usize) -> Option<Held> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = open.entry(Arc::clone(who)).or_default();
        if counts.requests >= limit {
            return None;
        }
        counts.requests += 1;
        Some(Held {
            open: Arc::clone(self),
            who: Arc::clone(who),
            follows: false,
        })
    }
}

impl Held {
    /// Who holds it.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// A request turns out to be a follow; it is counted as such if that is not too many.
    pub(super) fn follow(&mut self, limit: usize) -> bool {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = open.get_mut(&self.who)
            && counts.follows < limit
        {
            counts.requests -= 1;
            counts.follows += 1;
            self.follows = true;
        }
        self.follows
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = open.get_mut(&self.who) {
            match self.follows {
                true => counts.follows -= 1,
                false => counts.requests -= 1,
            }
            if counts.requests == 0 && counts.follows == 0 {
                open.remove(&self.who);
            }
        }
    }
}
