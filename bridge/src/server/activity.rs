//! What one connection is doing, as the watch needs to know it: whether it waits for its client, since when, and for what.
//!
//! A connection whose client keeps it waiting too long ends: in the middle of a request's header section, without any request, or
//! without taking what it asked for. A follower to whom nothing happens is none of these.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::limits::Limits;

/// One connection, shared by those who serve it and by the watch.
#[derive(Debug)]
pub(super) struct Activity {
    doing: Mutex<Doing>,
    /// Tells the connection to end.
    pub(super) end: Notify,
}

/// What the connection is doing; all times are of the moment when it began.
#[derive(Debug)]
struct Doing {
    requests: usize,
    /// Without a request.
    idle: Option<Instant>,
    /// In the middle of a header section.
    header: Option<Instant>,
    /// HTTP/2 sends what is no request, too.
    http2: bool,
    /// Waiting for the client to take bytes.
    writing: Option<Instant>,
    /// Parts of answers that the client has not taken, by the answer's number.
    untaken: BTreeMap<u64, Instant>,
    next_answer: u64,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Header,
    Idle,
    Stalled,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Activity {
        Activity {
            doing: Mutex::new(Doing {
                requests: 0,
                idle: Some(now),
                header: Some(now),
                http2: false,
                writing: None,
                untaken: BTreeMap::new(),
                next_answer: 0,
            }),
            end: Notify::new(),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Doing) -> T) -> T {
        change(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes have come.
    pub(super) fn read(&self) {
        self.change(|doing| {
            if doing.requests == 0 && !doing.http2 && doing.header.is_none() {
                doing.header = Some(Instant::now());
            }
        });
    }

    /// Bytes were taken, or could not be.
    pub(super) fn wrote(&self, took: bool) {
        self.change(|doing| match took {
            true => doing.writing = None,
            false => {
                doing.writing.get_or_insert_with(Instant::now);
            }
        });
    }

    /// A request's header section is there.
    pub(super) fn begin(self: &Arc<Activity>, http2: bool) -> Working {
        self.change(|doing| {
            doing.requests += 1;
            doing.idle = None;
            doing.header = None;
            doing.http2 = http2;
        });
        Working(Arc::clone(self))
    }

    /// Since when there is no request; none while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.change(|doing| doing.idle)
    }

    /// Whether the client has kept the connection waiting too long.
    pub(super) fn overdue(&self, now: Instant, limits: &Limits) -> Option<Overdue> {
        let is_over = |since: Option<Instant>, limit| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= limit)
        };
        self.change(|doing| {
            if doing.requests == 0 && is_over(doing.header, limits.header) {
                return Some(Overdue::Header);
            }
            if is_over(doing.idle, limits.idle) {
                return Some(Overdue::Idle);
            }
            let oldest = doing.untaken.values().min().copied();
            let stalled = is_over(doing.writing, limits.stalled) || is_over(oldest, limits.stalled);
            stalled.then_some(Overdue::Stalled)
        })
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Working(Arc<Activity>);

impl Working {
    /// A number for an answer.
    pub(super) fn answer(&self) -> u64 {
        self.0.change(|doing| {
            doing.next_answer += 1;
            doing.next_answer
        })
    }

    /// The client takes what was given to it last, or is given something.
    pub(super) fn given(&self, answer: u64, given: bool) {
        self.0.change(|doing| {
            match given {
                true => doing.untaken.insert(answer, Instant::now()),
                false => doing.untaken.remove(&answer),
            };
        });
    }

    pub(super) fn done(&self, answer: u64) {
        self.given(answer, false);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.change(|doing| {
            doing.requests -= 1;
            if doing.requests == 0 {
                doing.idle = Some(Instant::now());
            }
        });
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::super::limits::LimitOptions;
    use super::*;

    fn limits() -> Limits {
        let limits = LimitOptions::default().resolve();
        limits.unwrap_or_else(|_| panic!("the defaults are within their bounds"))
    }

    #[test]
    fn a_connection_without_a_request_is_overdue_by_the_time_for_a_header_section() {
        let (now, limits) = (Instant::now(), limits());
        let activity = Activity::new(now);
        assert_eq!(activity.overdue(now + limits.header / 2, &limits), None);
        assert_eq!(
            activity.overdue(now + limits.header, &limits),
            Some(Overdue::Header)
        );
    }

    #[test]
    fn between_requests_a_client_has_longer_until_it_begins_one() {
        let limits = limits();
        let activity = Arc::new(Activity::new(Instant::now()));
        drop(activity.begin(false));
        let now = Instant::now();
        assert_eq!(activity.overdue(now + limits.header, &limits), None);
        assert_eq!(
            activity.overdue(now + limits.idle, &limits),
            Some(Overdue::Idle)
        );
        activity.read();
        assert_eq!(
            activity.overdue(Instant::now() + limits.header, &limits),
            Some(Overdue::Header)
        );
    }

    #[test]
    fn an_answer_that_waits_for_events_is_not_stalled_and_one_that_nobody_takes_is() {
        let limits = limits();
        let activity = Arc::new(Activity::new(Instant::now()));
        let working = activity.begin(true);
        let answer = working.answer();
        let later = Instant::now() + Duration::from_secs(86_400);
        assert_eq!(activity.overdue(later, &limits), None);
        working.given(answer, true);
        assert_eq!(activity.overdue(later, &limits), Some(Overdue::Stalled));
        working.given(answer, false);
        assert_eq!(activity.overdue(later, &limits), None);
        activity.wrote(false);
        assert_eq!(activity.overdue(later, &limits), Some(Overdue::Stalled));
        activity.wrote(true);
        assert_eq!(activity.overdue(later, &limits), None);
    }
}
