//! The child that the crash test kills: it appends, crosses and settles as fast as it can, and tells what was answered.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use horizon_store::{
    AppendError, Commit, CrossError, Crossing, CursorMove, CursorName, Expected, Options, Position,
    ReadLimit, Selection, Sequence, SettleError, Settlement, Store, StoreError,
};
use tokio::task::JoinSet;

use crate::build::{main_log, public, public_stream, relay, write};

pub(crate) const DIR: &str = "HORIZON_CRASH_DIR";
pub(crate) const ROUND: &str = "HORIZON_CRASH_ROUND";
/// The point to die at, and which time: `POINT:N`. Points: `answered` (an append), `cross` (a crossing is about to be
/// written), `crossed` (it was answered), `settled` (a settlement was answered).
pub(crate) const AT: &str = "HORIZON_CRASH_AT";
/// After how many commits each task stops; then the store is closed.
pub(crate) const CLOSE_AFTER: &str = "HORIZON_CRASH_CLOSE_AFTER";
/// Bytes of memtables.
pub(crate) const MEMTABLES: &str = "HORIZON_CRASH_MEMTABLES";
pub(crate) const CHILD: &str = "crash_child::the_child_that_is_killed";
const TASKS: u64 = 8;
/// The number of a commit that must never be stored.
pub(crate) const NEVER: u64 = u32::MAX as u64;

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

fn number_in(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

/// Dies at a named point, the Nth time that it is passed, if the test asked for that: as with SIGKILL, nothing of the
/// process runs any more.
fn at(point: &str) {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let asked = std::env::var(AT).unwrap_or_default();
    let nth = asked
        .strip_prefix(point)
        .and_then(|rest| rest.strip_prefix(':'));
    if let Some(nth) = nth
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == nth.parse::<u64>().unwrap()
    {
        std::process::abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the crash test runs it as a process to kill"]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let round = number_in(ROUND).unwrap();
    let store = match Store::open(dir.as_ref(), options()).await {
        Ok(store) => store,
        Err(error) => return say(&format!("unopened {error}")),
    };
    say("opened");
    let enough = number_in(CLOSE_AFTER).unwrap_or(u64::MAX);
    let mut appending = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        appending.spawn(async move { append_all(&store, round, task, enough).await });
    }
    let mut others = JoinSet::new();
    let crossing = store.clone();
    others.spawn(async move { while cross_some(&crossing).await.is_some() {} });
    let settling = store.clone();
    others.spawn(async move { settle_all(&settling).await });
    let well = appending.join_all().await.into_iter().all(|well| well);
    if !well {
        tell_what_still_works(&store, round).await;
    }
    others.shutdown().await;
    match store.close().await {
        Ok(()) => say("closed"),
        Err(error) => say(&format!("unclosed {error}")),
    }
}

/// The options of parent and child; small memtables, if asked for, flush and compact while the child runs.
pub(crate) fn options() -> Options {
    match number_in(MEMTABLES) {
        None => Options::default(),
        Some(bytes) => Options {
            memtables_bytes: bytes as usize,
            wal_max_bytes: 2 * bytes as usize,
            ..Options::default()
        },
    }
}

/// Appends commits until there are enough; false if one failed.
async fn append_all(store: &Store, round: u64, task: u64, enough: u64) -> bool {
    for number in 0..enough {
        say(&format!("ask {task} {number}"));
        match store
            .append(&main_log(), commit_of(round, task, number))
            .await
        {
            Ok(done) => say(&format!("appended {task} {number} {}", done.first_position)),
            Err(error) => {
                say(&format!("failed {task} {number} {error}"));
                return false;
            }
        }
        at("answered");
    }
    true
}

/// After a failure: what an append is answered, and whether the log can still be read.
async fn tell_what_still_works(store: &Store, round: u64) {
    let answer = store.append(&main_log(), commit_of(round, 0, NEVER)).await;
    say(&match answer {
        Err(AppendError::Unavailable(StoreError::Stopped { .. })) => "then stopped".into(),
        other => format!("then {other:?}"),
    });
    let limit = ReadLimit::default();
    let page = store
        .read_log(&main_log(), &Selection::All, Position::ZERO, limit)
        .await;
    say(&match page {
        Ok(_) => "then readable".into(),
        Err(error) => format!("then {error}"),
    });
}

/// Settles what has crossed, as a relay does.
async fn settle_all(store: &Store) {
    let (log, relay) = (main_log(), relay("p/r"));
    let mut head = store.watch_public(&log, &public_stream("p")).await.unwrap();
    let mut cursor = store
        .relay_cursor(&log, &relay)
        .await
        .unwrap()
        .unwrap_or_default();
    loop {
        let to = *head.wait_for(|head| *head > cursor).await.unwrap();
        match store.settle(&log, settlement(cursor, to)).await {
            Ok(()) => cursor = to,
            Err(SettleError::Unavailable(StoreError::Stopped { .. })) => return,
            Err(error) => panic!("{error}"),
        }
        at("settled");
    }
}

/// Crosses what there is after the cursor: each event becomes one public event. None once the store has stopped.
async fn cross_some(store: &Store) -> Option<()> {
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
        resolved: Vec::new(),
    };
    at("cross");
    match store.cross(&log, crossing).await {
        Ok(()) => {}
        Err(CrossError::Unavailable(StoreError::Stopped { .. })) => return None,
        Err(error) => panic!("{error}"),
    }
    at("crossed");
    say(&format!("crossed {}", page.through));
    Some(())
}

fn settlement(expected: Sequence, to: Sequence) -> Settlement {
    let (unheard, parked) = (Vec::new(), Vec::new());
    Settlement {
        not_sent: false,
        relay: relay("p/r"),
        stream: public_stream("p"),
        expected,
        to,
        at_ms: 1,
        unheard,
        parked,
    }
}
