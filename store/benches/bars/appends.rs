//! Appending against bare synced batches of the same entries.

use std::time::Instant;

use horizon_store::{LogName, Options, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::events::{commit, event, mixed, stream};

/// How many append at a time.
const APPENDERS: u64 = 256;
/// How many events each of them appends in one round, one after the other.
const ROUND: u64 = 16;

/// Which streams are appended to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Each event opens one.
    New,
    /// They exist, in a store that was just opened: what is needed of them is on the disk.
    Cold,
    /// They were appended to lately.
    Warm,
}

/// How many streams there are, where they are cold or warm.
const COLD: u64 = 200_000;
const WARM: u64 = 10_000;

/// Both sides, ready to be measured.
pub(crate) struct Appends {
    runtime: Runtime,
    store: Option<Store>,
    bare: Bare,
    streams: Streams,
    /// Number of the next event.
    next: u64,
    _dirs: [TempDir; 2],
}

impl Appends {
    pub(crate) fn new(streams: Streams) -> Self {
        let runtime = Runtime::new().unwrap();
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut next = 0;
        let store = runtime.block_on(async {
            let store = Store::open(dirs[0].path(), Options::default())
                .await
                .unwrap();
            let existing = match streams {
                Streams::New => 0,
                Streams::Cold => COLD,
                Streams::Warm => WARM,
            };
            for number in 0..existing {
                // Many to a commit, one to a stream.
                if number % 500 == 0 {
                    let writes = (number..(number + 500).min(existing))
                        .flat_map(|number| commit(stream(number), number..number + 1).writes)
                        .collect();
                    let commit = horizon_store::Commit { writes };
                    store.append(&LogName::main(), commit).await.unwrap();
                }
            }
            next = existing;
            if streams != Streams::Cold {
                return store;
            }
            store.close().await.unwrap();
            Store::open(dirs[0].path(), Options::default())
                .await
                .unwrap()
        });
        let bare = Bare::open(dirs[1].path());
        Self {
            runtime,
            store: Some(store),
            bare,
            streams,
            next,
            _dirs: dirs,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn stream_of(&self, number: u64) -> u64 {
        match self.streams {
            Streams::New => number,
            Streams::Cold => mixed(number) % COLD,
            Streams::Warm => mixed(number) % WARM,
        }
    }

    /// Many appenders of one event each: how much of the bare events a second the store has.
    pub(crate) fn concurrent(&mut self) -> f64 {
        let numbers = self.next..self.next + APPENDERS * ROUND;
        self.next = numbers.end;
        let batches: Vec<Vec<_>> = (0..ROUND)
            .map(|batch| {
                let first = numbers.start + batch * APPENDERS;
                (first..first + APPENDERS)
                    .flat_map(|number| {
                        let stream = stream(self.stream_of(number));
                        self.bare
                            .entries(stream.as_str(), number % 12, &event(number))
                    })
                    .collect()
            })
            .collect();
        let begun = Instant::now();
        for batch in &batches {
            self.bare.write(batch);
        }
        let bare = begun.elapsed();
        let commits: Vec<Vec<_>> = (0..APPENDERS)
            .map(|appender| {
                (0..ROUND)
                    .map(|round| numbers.start + appender * ROUND + round)
                    .map(|number| commit(stream(self.stream_of(number)), number..number + 1))
                    .collect()
            })
            .collect();
        let begun = Instant::now();
        self.runtime.block_on(async {
            let mut appenders = JoinSet::new();
            for commits in commits {
                let store = self.store().clone();
                appenders.spawn(async move {
                    let log = LogName::main();
                    for commit in commits {
                        store.append(&log, commit).await.unwrap();
                    }
                });
            }
            appenders.join_all().await;
        });
        bare.as_secs_f64() / begun.elapsed().as_secs_f64()
    }

    /// One appender: how many times the latency of a bare synced put an append of one event has.
    pub(crate) fn alone(&mut self) -> f64 {
        let numbers = self.next..self.next + 64;
        self.next = numbers.end;
        let (mut bare, mut ours) = (0.0, 0.0);
        for number in numbers {
            let entries = self.bare.entries("account-1", number % 12, &event(number));
            let begun = Instant::now();
            self.bare.put(&entries[0]);
            bare += begun.elapsed().as_secs_f64();
            let commit = commit(stream(self.stream_of(number)), number..number + 1);
            ours += self.append(commit);
        }
        ours / bare
    }

    /// Commits of a hundred events, one after the other: how much of the bare events a second the store has.
    pub(crate) fn hundreds(&mut self) -> f64 {
        let (mut bare, mut ours) = (0.0, 0.0);
        for _ in 0..16 {
            let numbers = self.next..self.next + 100;
            self.next = numbers.end;
            let stream = stream(self.stream_of(numbers.start));
            let entries: Vec<_> = numbers
                .clone()
                .flat_map(|number| {
                    self.bare
                        .entries(stream.as_str(), number % 12, &event(number))
                })
                .collect();
            let begun = Instant::now();
            self.bare.write(&entries);
            bare += begun.elapsed().as_secs_f64();
            ours += self.append(commit(stream, numbers));
        }
        bare / ours
    }

    /// Appends one commit; gives the seconds that it took.
    fn append(&self, commit: horizon_store::Commit) -> f64 {
        let log = LogName::main();
        let begun = Instant::now();
        self.runtime
            .block_on(self.store().append(&log, commit))
            .unwrap();
        begun.elapsed().as_secs_f64()
    }
}

impl Drop for Appends {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            self.runtime.block_on(store.close()).unwrap();
        }
    }
}
