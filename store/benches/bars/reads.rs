//! Reading: a scattered stream, a whole log, and appends beside a reader of all history.

use std::time::Instant;

use horizon_store::{Commit, LogName, Options, Position, ReadLimit, Revision, Selection, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bare::Bare;
use crate::events::{commit, event, mixed, stream};

/// How many streams the log holds, and how many events each.
const STREAMS: u64 = 1_000;
const EVENTS: u64 = 100;

/// A log in which the events of each stream are scattered, and the same bytes in RocksDB alone.
pub(crate) struct Reads {
    runtime: Runtime,
    store: Option<Store>,
    bare: Bare,
    next: u64,
    _dirs: [TempDir; 2],
}

impl Reads {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// Of which only blocks stay in memory, as when streams are read for the first time.
    pub(crate) fn without_records() -> Self {
        Self::with(Options {
            record_cache_bytes: 0,
            ..Options::default()
        })
    }

    fn with(options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut bare = Bare::open(dirs[1].path());
        let store = runtime.block_on(async {
            let store = Store::open(dirs[0].path(), options).await.unwrap();
            for round in 0..EVENTS {
                for some in 0..STREAMS / 250 {
                    let streams = some * 250..(some + 1) * 250;
                    let numbers = streams.map(|number| (number, round * STREAMS + number));
                    let writes = numbers
                        .flat_map(|(number, event)| commit(stream(number), event..event + 1).writes)
                        .collect();
                    store
                        .append(&LogName::main(), Commit { writes })
                        .await
                        .unwrap();
                }
            }
            // On the disk both, compressed and in tables, as history is.
            store.close().await.unwrap();
            Store::open(dirs[0].path(), options).await.unwrap()
        });
        for round in 0..EVENTS {
            for number in 0..STREAMS {
                let event = event(round * STREAMS + number);
                let entries = bare.entries(stream(number).as_str(), round % 32, &event);
                bare.put_unsynced(&entries);
            }
        }
        let bare = bare.reopened();
        Self {
            runtime,
            store: Some(store),
            bare,
            next: STREAMS * EVENTS,
            _dirs: dirs,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Reads streams of a hundred scattered events, warm; gives microseconds for each.
    pub(crate) fn streams(&mut self) -> f64 {
        let some: Vec<_> = (0..20).map(stream).collect();
        let limit = ReadLimit::default();
        self.runtime.block_on(async {
            let log = LogName::main();
            let mut micros = 0.0;
            for warm in [false, true] {
                let begun = Instant::now();
                for stream in &some {
                    let page = self
                        .store()
                        .read_stream(&log, stream, Revision::ZERO, limit);
                    assert_eq!(page.await.unwrap().events.len() as u64, EVENTS);
                }
                if warm {
                    micros = begun.elapsed().as_secs_f64() * 1e6 / some.len() as f64;
                }
            }
            micros
        })
    }

    /// Goes over the whole log: how much of a bare iterator's events a second the store has.
    pub(crate) fn scan(&mut self) -> f64 {
        let begun = Instant::now();
        assert!(self.bare.scan() > 0);
        let bare = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        self.runtime.block_on(read_all(self.store()));
        bare / begun.elapsed().as_secs_f64()
    }

    /// The 99th percentile of appends while history is read over and over, against none.
    pub(crate) fn p99_beside_a_reader(&mut self) -> f64 {
        let alone = self.p99();
        let store = self.store().clone();
        let reader = self.runtime.spawn(async move {
            loop {
                read_all(&store).await;
            }
        });
        let beside = self.p99();
        reader.abort();
        beside / alone
    }

    fn p99(&mut self) -> f64 {
        let numbers = self.next..self.next + 600;
        self.next = numbers.end;
        let mut seconds: Vec<f64> = self.runtime.block_on(async {
            let log = LogName::main();
            let mut seconds = Vec::new();
            for number in numbers {
                let commit = commit(stream(mixed(number) % STREAMS), number..number + 1);
                let begun = Instant::now();
                self.store().append(&log, commit).await.unwrap();
                seconds.push(begun.elapsed().as_secs_f64());
            }
            seconds
        });
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() * 99 / 100]
    }
}

/// Reads a log from its beginning to its head.
pub(crate) async fn read_all(store: &Store) {
    let (log, mut after) = (LogName::main(), Position::ZERO);
    loop {
        let page = store
            .read_log(&log, &Selection::All, after, ReadLimit::default())
            .await
            .unwrap();
        if page.through >= page.head {
            return;
        }
        after = page.through;
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            self.runtime.block_on(store.close()).unwrap();
        }
    }
}
