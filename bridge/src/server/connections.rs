//! The open connections of one listener: how many there may be, and which of them end when they are overdue or in the way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::activity::{Activity, Overdue};
use super::limits::Limits;

/// How often overdue connections are looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// What part of the connections is ended at once to make room, if so many are idle.
const ROOM_PART: usize = 16;

/// The open connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    /// Ended because their clients kept them waiting.
    overdue: AtomicU64,
    /// Ended while idle, to make room for others.
    made_room: AtomicU64,
    /// Refused because there were too many.
    refused: AtomicU64,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    activity: Arc<Activity>,
}

/// A place among the open connections, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

/// A listener's connections, as they are told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerView {
    /// How many are open.
    connections: usize,
    /// Ended because their client kept them waiting.
    overdue: u64,
    /// Ended, idle, to make room for others.
    made_room: u64,
    /// Not taken in.
    refused: u64,
}

impl Connections {
    /// A place for one more connection, if there is one or can be made.
    pub(super) fn take_in(
        self: &Arc<Connections>,
        address: IpAddr,
        limits: &Limits,
    ) -> Option<Place> {
        let mut open = self.open();
        let refused = || {
            self.refused.fetch_add(1, Ordering::Relaxed);
            None
        };
        if !address.is_loopback() {
            let same = open.values().filter(|open| open.address == address);
            if same.count() >= limits.connections_per_address {
                return refused();
            }
        }
        if open.len() >= limits.connections {
            self.make_room(&mut open);
            if open.len() >= limits.connections {
                return refused();
            }
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(Instant::now()));
        open.insert(
            number,
            Open {
                address,
                activity: Arc::clone(&activity),
            },
        );
        Some(Place {
            connections: Arc::clone(self),
            number,
            activity,
        })
    }

    /// Ends some of those that have been without a request for longest.
    fn make_room(&self, open: &mut HashMap<u64, Open>) {
        let mut idle: Vec<(Instant, u64)> = open
            .iter()
            .filter_map(|(number, open)| Some((open.activity.idle_since()?, *number)))
            .collect();
        idle.sort_unstable();
        idle.truncate((open.len() / ROOM_PART).max(1));
        for (_, number) in idle {
            if let Some(open) = open.remove(&number) {
                open.activity.end.notify_one();
                self.made_room.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends overdue connections, for ever.
    pub(super) async fn watch(&self, limits: &Limits) {
        let mut interval = tokio::time::interval(WATCH_INTERVAL);
        loop {
            interval.tick().await;
            let now = Instant::now();
            for open in self.open().values() {
                match open.activity.overdue(now, limits) {
                    Some(Overdue::Header | Overdue::Idle | Overdue::Stalled) => {
                        open.activity.end.notify_one();
                        self.overdue.fetch_add(1, Ordering::Relaxed);
                    }
                    None => {}
                }
            }
        }
    }

    /// Numbers for the status.
    pub(super) fn view(&self) -> ListenerView {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ListenerView {
            connections: self.open().len(),
            overdue: of(&self.overdue),
            made_room: of(&self.made_room),
            refused: of(&self.refused),
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::super::limits::LimitOptions;
    use super::*;

    #[test]
    fn one_address_has_so_many_connections_at_most_unless_it_is_this_machines() {
        let limits = LimitOptions::default().resolve();
        let mut limits = limits.unwrap_or_else(|_| panic!("the defaults are sound"));
        limits.connections_per_address = 2;
        let connections = Arc::<Connections>::default();
        let [one, other, here] = [[10, 0, 0, 1], [10, 0, 0, 2], [127, 0, 0, 1]].map(IpAddr::from);
        let held = [one, one].map(|address| connections.take_in(address, &limits));
        assert!(held.iter().all(Option::is_some));
        assert!(connections.take_in(one, &limits).is_none());
        assert!(connections.take_in(other, &limits).is_some());
        let ours: Vec<_> = (0..9)
            .filter_map(|_| connections.take_in(here, &limits))
            .collect();
        assert_eq!(ours.len(), 9);
        drop(held);
        assert!(connections.take_in(one, &limits).is_some());
        assert_eq!(connections.view().refused, 1);
    }
}
