//! Write-ahead files: what is wrong with a closed one is refused, and never taken for the torn end of the last.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use horizon_store::{Expected, OpenError, Options, Store};
use tempfile::TempDir;

use crate::build::{commit, fresh, main_log, write};

const COLUMNS: [&str; 5] = ["default", "log", "index", "public", "state"];

/// A store that was stopped uncleanly, with several write-ahead files and no tables: the content of a real one, put in
/// order into a database that does not flush.
async fn with_many_files() -> TempDir {
    let (store, from) = fresh().await;
    for n in 0..40 {
        let mut write = write("a-1", Expected::Any, &[&n.to_string()]);
        write.events[0].data = Some(Bytes::from(vec![n; 20_000]));
        store
            .append(&main_log(), commit(vec![write]))
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    let to = tempfile::tempdir().unwrap();
    fs::copy(from.path().join("store-id"), to.path().join("store-id")).unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_track_and_verify_wals_in_manifest(true);
    let families = COLUMNS.map(|column| {
        let mut family = rocksdb::Options::default();
        family.set_write_buffer_size(128 * 1024);
        family.set_max_write_buffer_number(64);
        family.set_min_write_buffer_number_to_merge(60);
        rocksdb::ColumnFamilyDescriptor::new(column, family)
    });
    let source = rocksdb::DB::open_cf_for_read_only(
        &rocksdb::Options::default(),
        from.path().join("rocksdb"),
        COLUMNS,
        false,
    )
    .unwrap();
    let db =
        rocksdb::DB::open_cf_descriptors(&options, to.path().join("rocksdb"), families).unwrap();
    let mut sync = rocksdb::WriteOptions::default();
    sync.set_sync(true);
    for column in COLUMNS {
        let entries = source.iterator_cf(
            source.cf_handle(column).unwrap(),
            rocksdb::IteratorMode::Start,
        );
        for (key, value) in entries.map(Result::unwrap) {
            db.put_cf_opt(db.cf_handle(column).unwrap(), key, value, &sync)
                .unwrap();
        }
    }
    to
}

fn wals(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("rocksdb"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut wals: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .collect();
    wals.sort();
    wals
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("rocksdb")).unwrap();
    for (path, content) in crate::backup::files(from) {
        fs::write(to.path().join(path.strip_prefix(from).unwrap()), content).unwrap();
    }
    to
}

/// Whether RocksDB itself would open it, if it did not hold the files against the manifest.
fn is_taken_for_a_torn_end(dir: &Path) -> bool {
    let mut options = rocksdb::Options::default();
    options.set_wal_recovery_mode(rocksdb::DBRecoveryMode::TolerateCorruptedTailRecords);
    rocksdb::DB::open_cf(&options, dir.join("rocksdb"), COLUMNS).is_ok()
}

#[tokio::test]
async fn a_closed_write_ahead_file_that_is_cut_short_missing_or_flipped_is_refused() {
    let whole = with_many_files().await;
    let closed = wals(whole.path());
    assert!(closed.len() >= 3, "{closed:?}");
    let untouched = copy(whole.path());
    let store = Store::open(untouched.path(), Options::default())
        .await
        .unwrap();
    assert_eq!(store.event_count(&main_log()).await.unwrap(), 40);
    drop(store);
    let (mut wrong, mut torn_ends) = (Vec::new(), 0);
    for file in &closed[..closed.len() - 1] {
        let bytes = fs::read(file).unwrap();
        let name = file.strip_prefix(whole.path()).unwrap();
        let middle = bytes.len() / 2;
        let mut flipped = bytes.clone();
        flipped[middle] ^= 1;
        let mut torn = bytes.clone();
        let end = torn.len();
        torn[end - 3_000..].fill(0);
        let cases: [(&str, Option<Vec<u8>>); 7] = [
            ("one byte less", Some(bytes[..bytes.len() - 1].to_vec())),
            (
                "a record less and a half",
                Some(bytes[..bytes.len() - 30_000].to_vec()),
            ),
            ("half", Some(bytes[..middle].to_vec())),
            ("empty", Some(Vec::new())),
            ("zeros at its end", Some(torn)),
            ("a flipped bit", Some(flipped)),
            ("gone", None),
        ];
        for (what, content) in cases {
            let dir = copy(whole.path());
            match content {
                Some(content) => fs::write(dir.path().join(name), content).unwrap(),
                None => fs::remove_file(dir.path().join(name)).unwrap(),
            }
            match Store::open(dir.path(), Options::default()).await {
                Err(OpenError::Damaged { .. } | OpenError::Io { .. }) => {
                    torn_ends += u32::from(is_taken_for_a_torn_end(dir.path()));
                }
                Err(other) => panic!("{what}: {other:?}"),
                Ok(store) => wrong.push((
                    name.to_owned(),
                    what,
                    store.event_count(&main_log()).await.unwrap(),
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "opened: {wrong:?}");
    assert!(
        torn_ends > 0,
        "the sizes in the manifest make no difference here"
    );
}
