//! Damage: what is stored and is not what was written is refused with its place, and never returned.

use std::fs;
use std::path::{Path, PathBuf};

use horizon_store::{
    Expected, OpenError, Options, Position, ReadLimit, Revision, Selection, Store, StoreError,
};
use tempfile::TempDir;

use crate::build::{append, fresh, main_log, one, stream};

const COLUMNS: [&str; 5] = ["default", "log", "index", "public", "state"];

/// A closed store with three events.
async fn closed() -> TempDir {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1", "2", "3"])).await;
    store.close().await.unwrap();
    dir
}

/// Changes the closed database behind the store's back. The marker of the stop would tell.
pub(crate) fn behind_its_back(dir: &Path, change: impl FnOnce(&rocksdb::DB)) {
    let db =
        rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.join("rocksdb"), COLUMNS).unwrap();
    change(&db);
    for column in COLUMNS {
        db.flush_cf(db.cf_handle(column).unwrap()).unwrap();
    }
    drop(db);
    fs::remove_file(dir.join("clean-stop")).unwrap();
}

/// The key of the log's record at a position.
fn log_key(position: u64) -> Vec<u8> {
    [&[1_u8, 0, 0, 0, 1][..], &position.to_be_bytes()].concat()
}

async fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).await.unwrap()
}

fn place(result: Result<impl Sized, StoreError>) -> String {
    match result.err() {
        Some(StoreError::Damaged { place, .. }) => place,
        other => panic!("not damaged: {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_record_is_refused_with_its_place() {
    for bit in [0, 9, 77, 300] {
        let dir = closed().await;
        behind_its_back(dir.path(), |db| {
            let log = db.cf_handle("log").unwrap();
            let mut value = db.get_cf(log, log_key(2)).unwrap().unwrap();
            let bit = bit % (value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            db.put_cf(log, log_key(2), value).unwrap();
        });
        let store = open(&dir).await;
        let (log, limit) = (main_log(), ReadLimit::default());
        assert_eq!(
            place(
                store
                    .read_log(&log, &Selection::All, Position::ZERO, limit)
                    .await
            ),
            "log 1, position 2"
        );
        assert_eq!(
            place(
                store
                    .read_log(
                        &log,
                        &Selection::Category("a".into()),
                        Position::ZERO,
                        limit
                    )
                    .await
            ),
            "log 1, position 2"
        );
        assert_eq!(
            place(
                store
                    .read_stream(&log, &stream("a-1"), Revision::ZERO, limit)
                    .await
            ),
            "log 1, position 2"
        );
        assert_eq!(
            place(store.find_events(&log, "2", None).await),
            "log 1, position 2"
        );
        let page = store
            .read_log(
                &log,
                &Selection::All,
                Position::ZERO,
                ReadLimit {
                    records: 1,
                    ..limit
                },
            )
            .await
            .unwrap();
        assert_eq!(page.records.len(), 1);
    }
}

#[tokio::test]
async fn a_record_under_a_wrong_key_is_refused() {
    let dir = closed().await;
    behind_its_back(dir.path(), |db| {
        let log = db.cf_handle("log").unwrap();
        let value = db.get_cf(log, log_key(1)).unwrap().unwrap();
        db.put_cf(log, log_key(2), value).unwrap();
    });
    let store = open(&dir).await;
    let read = store
        .read_log(
            &main_log(),
            &Selection::All,
            Position::ZERO,
            ReadLimit::default(),
        )
        .await;
    assert_eq!(place(read), "log 1, position 2");
}

#[tokio::test]
async fn a_missing_record_is_damage_and_no_gap() {
    let dir = closed().await;
    behind_its_back(dir.path(), |db| {
        db.delete_cf(db.cf_handle("log").unwrap(), log_key(2))
            .unwrap()
    });
    let store = open(&dir).await;
    let limit = ReadLimit::default();
    assert_eq!(
        place(
            store
                .read_log(&main_log(), &Selection::All, Position::ZERO, limit)
                .await
        ),
        "log 1, position 3"
    );
    let read = store
        .read_stream(&main_log(), &stream("a-1"), Revision::ZERO, limit)
        .await;
    assert_eq!(place(read), "log 1, position 2");
}

#[tokio::test]
async fn what_is_missing_is_damage_backwards_too() {
    let (log, limit) = (main_log(), ReadLimit::default());
    for (deleted, before, at) in [
        (2, u64::MAX, "log 1, position 1"),
        (2, 3, "log 1, position 1"),
        (1, u64::MAX, "log 1, position 1"),
        (1, 2, "log 1, position 1"),
    ] {
        let dir = closed().await;
        behind_its_back(dir.path(), |db| {
            db.delete_cf(db.cf_handle("log").unwrap(), log_key(deleted))
                .unwrap()
        });
        let store = open(&dir).await;
        let before = Position::new(before);
        let read = store.read_log_back(&log, &Selection::All, before, limit);
        assert_eq!(
            place(read.await),
            at,
            "{deleted} is missing before {before}"
        );
        for selection in [
            Selection::Category("a".into()),
            Selection::EventType("Tested".into()),
        ] {
            let read = store.read_log_back(&log, &selection, before, limit);
            assert_eq!(place(read.await), format!("log 1, position {deleted}"));
        }
    }
}

/// The key of the run of stream `a-1` that begins at a revision.
fn run_key(first: u64) -> Vec<u8> {
    [&b"\x10\0\0\0\x01a-1\0"[..], &first.to_be_bytes()].concat()
}

#[tokio::test]
async fn a_missing_run_of_a_stream_is_damage_in_every_read_that_needs_it() {
    let (store, dir) = fresh().await;
    let ids: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    append(&store, one("a-1", Expected::None, &ids)).await;
    store.close().await.unwrap();
    behind_its_back(dir.path(), |db| {
        db.delete_cf(db.cf_handle("index").unwrap(), run_key(33))
            .unwrap()
    });
    let store = open(&dir).await;
    let (log, a_1) = (main_log(), stream("a-1"));
    for (from, records, whole) in [
        (100, 1_000, false),
        (100, 40, false),
        (64, 1, false),
        (33, 1, false),
        (33, 1_000, false),
        (100, 35, true),
        (32, 1_000, true),
    ] {
        let limit = ReadLimit {
            records,
            ..ReadLimit::default()
        };
        let from = Revision::new(from);
        let read = store.read_stream_back(&log, &a_1, from, limit).await;
        assert_eq!(read.is_ok(), whole, "{records} from {from}");
    }
    let limit = ReadLimit::default();
    assert!(store.streams(&log, "a", None, limit).await.is_ok());
    store.close().await.unwrap();
    behind_its_back(dir.path(), |db| {
        db.delete_cf(db.cf_handle("index").unwrap(), run_key(1))
            .unwrap()
    });
    let store = open(&dir).await;
    let listed = store.streams(&log, "a", None, limit).await;
    assert!(place(listed).starts_with("log 1, StreamIndex"));
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("rocksdb"))
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect()
}

#[tokio::test]
async fn flipped_bits_in_tables_are_never_returned_as_data() {
    let whole = closed().await;
    let expected = {
        let store = open(&whole).await;
        let page = store
            .read_log(
                &main_log(),
                &Selection::All,
                Position::ZERO,
                ReadLimit::default(),
            )
            .await
            .unwrap();
        store.close().await.unwrap();
        page
    };
    let mut refused = 0;
    for table in files(whole.path(), "sst") {
        let bytes = fs::read(&table).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 6 + 1) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(&table, &flipped).unwrap();
            match Store::open(whole.path(), Options::default()).await {
                Err(OpenError::Damaged { .. } | OpenError::Io { .. }) => refused += 1,
                Err(other) => panic!("{other:?}"),
                Ok(store) => {
                    match store
                        .read_log(
                            &main_log(),
                            &Selection::All,
                            Position::ZERO,
                            ReadLimit::default(),
                        )
                        .await
                    {
                        Err(StoreError::Damaged { .. }) => refused += 1,
                        Err(other) => panic!("{other:?}"),
                        Ok(page) => assert_eq!(page, expected),
                    }
                    drop(store);
                }
            }
            fs::write(&table, &bytes).unwrap();
        }
    }
    assert!(refused > 0, "no flipped bit was in the log's tables");
}

#[tokio::test]
async fn an_incomplete_last_record_is_dropped_after_an_unclean_stop_only() {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    append(&store, one("a-1", Expected::Any, &["2"])).await;
    drop(store);
    let wal = files(dir.path(), "log").pop().unwrap();
    let bytes = fs::read(&wal).unwrap();
    // Flipped in the middle: refused, not cut short.
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(&wal, &flipped).unwrap();
    let error = Store::open(dir.path(), Options::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    // Cut at the end, with a marker of a clean stop: refused as well.
    fs::write(&wal, &bytes[..bytes.len() - 3]).unwrap();
    fs::write(dir.path().join("clean-stop"), "flushed 2\n").unwrap();
    let error = Store::open(dir.path(), Options::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    // Without the marker the last record was never answered, as far as anybody can tell.
    fs::remove_file(dir.path().join("clean-stop")).unwrap();
    let store = open(&dir).await;
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 1);
}
