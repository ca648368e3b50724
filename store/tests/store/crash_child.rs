//! The child that the crash test kills: it appends, crosses and settles as fast as it can, and tells what was answered.

use std::io::Write;

use horizon_store::{
    Commit, Crossing, CursorMove, CursorName, Expected, Options, Position, ReadLimit, Selection,
    Sequence, Settlement, Store,
};

use crate::build::{main_log, public, public_stream, relay, write};

pub(crate) const DIR: &str = "HORIZON_CRASH_DIR";
pub(crate) const ROUND: &str = "HORIZON_CRASH_ROUND";
pub(crate) const CHILD: &str = "crash_child::the_child_that_is_killed";
const TASKS: u64 = 8;

/// A small generator of numbers that a seed replays (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The commit that a task asks for; the same for parent and child.
pub(crate) fn commit_of(round: u64, task: u64, number: u64) -> Commit {
    let mut numbers = Numbers(round << 40 | task << 32 | number);
    let mut writes = Vec::new();
    for part in 0..=numbers.below(3) {
        let ids: Vec<_> = (0..=numbers.below(3))
            .map(|n| format!("{round}/{task}/{number}/{part}/{n}"))
            .collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        writes.push(write(
            &format!("s-{}", numbers.below(5)),
            Expected::Any,
            &ids,
        ));
    }
    Commit { writes }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever listens may be gone already.
    let _ = out
        .write_all(format!("\n{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the crash test runs it as a process to kill"]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let store = Store::open(dir.as_ref(), Options::default()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0.. {
                say(&format!("ask {task} {number}"));
                let done = store
                    .append(&main_log(), commit_of(round, task, number))
                    .await
                    .unwrap();
                say(&format!("appended {task} {number} {}", done.first_position));
            }
        });
    }
    let crossing = store.clone();
    tasks.spawn(async move {
        loop {
            let to = cross_some(&crossing).await;
            say(&format!("crossed {to}"));
        }
    });
    tasks.spawn(async move {
        let mut head = store
            .watch_public(&main_log(), &public_stream("p"))
            .await
            .unwrap();
        let mut cursor = store
            .relay_cursor(&main_log(), &relay("p/r"))
            .await
            .unwrap()
            .unwrap_or_default();
        loop {
            let to = *head.wait_for(|head| *head > cursor).await.unwrap();
            store
                .settle(&main_log(), settlement(cursor, to))
                .await
                .unwrap();
            cursor = to;
        }
    });
    tasks.join_all().await;
}

/// Crosses what there is after the cursor: each event becomes one public event.
async fn cross_some(store: &Store) -> Position {
    let name = CursorName::new("crossing").unwrap();
    let log = main_log();
    let cursor = store
        .crossing_cursor(&log, &name)
        .await
        .unwrap()
        .unwrap_or_default();
    store
        .watch_log(&log)
        .await
        .unwrap()
        .wait_for(|head| *head > cursor)
        .await
        .unwrap();
    let page = store
        .read_log(
            &log,
            &Selection::All,
            cursor,
            ReadLimit {
                records: 50,
                ..ReadLimit::default()
            },
        )
        .await
        .unwrap();
    let last = store
        .public_head(&log, &public_stream("p"))
        .await
        .unwrap()
        .unwrap_or_default()
        .last;
    let numbered = page.records.iter().zip(last.get() + 1..);
    let public = numbered
        .map(|(record, sequence)| public("p", sequence, record.position().get(), "k"))
        .collect();
    let (parked, counts) = (Vec::new(), Vec::new());
    let cursors = vec![CursorMove {
        cursor: name,
        expected: cursor,
        to: page.through,
    }];
    let crossing = Crossing {
        cursors,
        public,
        parked,
        counts,
    };
    store.cross(&log, crossing).await.unwrap();
    page.through
}

fn settlement(expected: Sequence, to: Sequence) -> Settlement {
    let (unheard, parked) = (Vec::new(), Vec::new());
    Settlement {
        relay: relay("p/r"),
        stream: public_stream("p"),
        expected,
        to,
        at_ms: 1,
        unheard,
        parked,
    }
}
