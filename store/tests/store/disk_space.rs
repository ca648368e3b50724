//! The two low-space marks, in a process of its own whose disk says what the test wants it to say.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use horizon_store::{
    Advice, AppendError, CrossError, Crossing, CursorMove, CursorName, Expected, OpenError,
    Options, Position, ReadLimit, Selection, Sequence, Settlement, Store, StoreError,
};

use crate::build::{append, main_log, one, public, public_stream, relay};
use crate::crash::Ground;
use crate::crash_child::DIR;

const CHILD: &str = "disk_space::the_child_on_a_small_disk";
const MIB: u64 = 1024 * 1024;

#[test]
fn appends_are_refused_first_then_crossings_and_both_lift_by_themselves() {
    let ground = Ground::new();
    let faults = ground.faults(0);
    fs::create_dir(ground.store()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .env(DIR, ground.store());
    faults.under(&mut command, &ground.store());
    let done = command.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Says how much is free, in MiB.
fn set_free(mib: u64) {
    let control = PathBuf::from(std::env::var("FAULTS_CONTROL").unwrap());
    let new = control.join("free-bytes.new");
    fs::write(&new, (mib * MIB).to_string()).unwrap();
    fs::rename(new, control.join("free-bytes")).unwrap();
}

async fn open() -> Store {
    let options = Options {
        appends_min_free_bytes: 1_000 * MIB,
        crossing_min_free_bytes: 500 * MIB,
        ..Options::default()
    };
    let dir = std::env::var(DIR).unwrap();
    Store::open(dir.as_ref(), options).await.unwrap()
}

/// Waits until the store has seen the disk, without asking it for anything else.
async fn wait_for(store: &Store, appends_refused: bool, crossing_refused: bool) {
    let seen = async {
        loop {
            let space = store.disk_space();
            if (space.appends_refused, space.crossing_refused)
                == (appends_refused, crossing_refused)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), seen).await;
    assert!(in_time.is_ok(), "{:?}", store.disk_space());
}

/// Crosses the event at a position; the sequence is the same number.
async fn cross(store: &Store, at: u64) -> Result<(), CrossError> {
    let step = CursorMove {
        cursor: CursorName::new("crossing").unwrap(),
        expected: Position::new(at - 1),
        to: Position::new(at),
    };
    let crossing = Crossing {
        cursors: vec![step],
        public: vec![public("p", at, at, "k")],
        ..Crossing::default()
    };
    store.cross(&main_log(), crossing).await
}

/// Settles a sequence, and reads what is stored: that always works.
async fn publishing_and_reading_go_on(store: &Store, sequence: u64) {
    let settlement = Settlement {
        not_sent: false,
        relay: relay("p/r"),
        stream: public_stream("p"),
        expected: Sequence::new(sequence - 1),
        to: Sequence::new(sequence),
        at_ms: 1,
        unheard: Vec::new(),
        parked: Vec::new(),
    };
    store.settle(&main_log(), settlement).await.unwrap();
    let limit = ReadLimit::default();
    let page = store
        .read_log(&main_log(), &Selection::All, Position::ZERO, limit)
        .await;
    assert_eq!(page.unwrap().records.len(), 3);
}

fn low(what: &'static str, free: u64, mark: u64) -> StoreError {
    StoreError::DiskLow {
        what,
        free_bytes: free * MIB,
        mark_bytes: mark * MIB,
    }
}

#[tokio::test]
#[ignore = "the test of the low-space marks runs it on a disk of its own"]
async fn the_child_on_a_small_disk() {
    if std::env::var(DIR).is_err() {
        return;
    }
    set_free(1_000);
    let store = open().await;
    append(&store, one("a-1", Expected::Any, &["1", "2", "3"])).await;
    cross(&store, 1).await.unwrap();

    set_free(999);
    wait_for(&store, true, false).await;
    assert_eq!(store.disk_space().free_bytes, Some(999 * MIB));
    let error = low("appends", 999, 1_050);
    assert_eq!(error.advice(), Advice::TryAgain);
    let fourth = one("a-1", Expected::Any, &["4"]);
    assert_eq!(
        store.append(&main_log(), fourth).await,
        Err(AppendError::Unavailable(error))
    );
    cross(&store, 2).await.unwrap();
    publishing_and_reading_go_on(&store, 1).await;

    set_free(499);
    wait_for(&store, true, true).await;
    let error = low("crossings", 499, 525);
    assert_eq!(
        cross(&store, 3).await,
        Err(CrossError::Unavailable(error.clone()))
    );
    let record = store.append_system(&main_log(), "k", Bytes::new()).await;
    assert_eq!(record, Err(error));
    publishing_and_reading_go_on(&store, 2).await;

    // Just above a mark is not enough to lift it, and the state is found again by an opening.
    set_free(510);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(store.disk_space().crossing_refused);
    store.close().await.unwrap();
    let store = open().await;
    let space = store.disk_space();
    assert_eq!(
        (space.appends_refused, space.crossing_refused),
        (true, false)
    );
    cross(&store, 3).await.unwrap();
    publishing_and_reading_go_on(&store, 3).await;

    set_free(1_051);
    wait_for(&store, false, false).await;
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 3);
    append(&store, one("a-1", Expected::Any, &["4"])).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn marks_in_the_wrong_order_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        appends_min_free_bytes: 1,
        crossing_min_free_bytes: 2,
        ..Options::default()
    };
    let error = Store::open(dir.path(), options).await.err();
    assert!(matches!(error, Some(OpenError::Option { .. })), "{error:?}");
}
