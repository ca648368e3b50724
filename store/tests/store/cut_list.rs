//! RocksDB's list of files, cut short: nothing is destroyed that the whole list would bring back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use horizon_store::{Expected, OpenError, Options, Store};
use tempfile::TempDir;

use crate::build::{append, exact, fresh, main_log, one, open};

/// A closed store with two events, each in tables of its own; its list of files, and the list's content.
async fn two_events() -> (TempDir, PathBuf, Vec<u8>) {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.close().await.unwrap();
    let store = open(&dir).await;
    append(&store, one("a-1", exact(1), &["2"])).await;
    store.close().await.unwrap();
    let current = fs::read_to_string(dir.path().join("rocksdb/CURRENT")).unwrap();
    let list = dir.path().join("rocksdb").join(current.trim_end());
    let whole = fs::read(&list).unwrap();
    (dir, list, whole)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let there = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &there);
        } else {
            fs::copy(file.path(), there).unwrap();
        }
    }
}

fn tables(dir: &Path) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(dir) else {
        return BTreeSet::new();
    };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".sst")).collect()
}

async fn events(dir: &Path) -> Result<u64, OpenError> {
    let store = Store::open(dir, Options::default()).await?;
    let events = store.event_count(&main_log()).await.unwrap();
    store.close().await.unwrap();
    Ok(events)
}

#[tokio::test]
async fn after_a_clean_stop_a_list_that_is_cut_is_refused_and_can_be_put_back() {
    let (dir, list, whole) = two_events().await;
    let before = tables(&dir.path().join("rocksdb"));
    // To before the last stop's flush, at whatever bytes.
    let mut refused = 0;
    for cut in (whole.len() / 2..whole.len()).step_by(7) {
        fs::write(&list, &whole[..cut]).unwrap();
        let opened = events(dir.path()).await;
        assert!(
            matches!(opened, Err(OpenError::Damaged { .. })),
            "{cut}: {opened:?}"
        );
        refused += 1;
    }
    assert!(refused > 10);
    assert_eq!(tables(&dir.path().join("rocksdb")), before);
    assert!(dir.path().join("clean-stop").exists());
    fs::write(&list, &whole).unwrap();
    assert_eq!(events(dir.path()).await, Ok(2));
}

#[tokio::test]
async fn after_an_unclean_stop_the_tables_that_a_cut_list_does_not_name_are_kept() {
    let (dir, list, whole) = two_events().await;
    fs::remove_file(dir.path().join("clean-stop")).unwrap();
    let before = tables(&dir.path().join("rocksdb"));
    let mut lost = 0;
    for cut in (whole.len() / 2..whole.len()).rev().step_by(25) {
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path());
        let (rocksdb, orphans) = (
            copied.path().join("rocksdb"),
            copied.path().join("rocksdb-orphans"),
        );
        let list = rocksdb.join(list.file_name().unwrap());
        fs::write(&list, &whole[..cut]).unwrap();
        let found = events(copied.path()).await;
        let kept = &tables(&rocksdb) | &tables(&orphans);
        assert!(before.is_subset(&kept), "{cut}: {found:?}, {kept:?}");
        let Ok(0 | 1) = found else { continue };
        lost += 1;
        assert!(!tables(&orphans).is_empty());
        // They stay when the store is opened again, and with the whole list they are the store as it was.
        events(copied.path()).await.unwrap();
        for table in &before {
            let there = orphans.join(table);
            if there.exists() {
                fs::rename(there, rocksdb.join(table)).unwrap();
            }
        }
        fs::remove_file(copied.path().join("clean-stop")).unwrap();
        fs::write(&list, &whole).unwrap();
        let name = list.file_name().unwrap().to_str().unwrap();
        fs::write(rocksdb.join("CURRENT"), format!("{name}\n")).unwrap();
        assert_eq!(events(copied.path()).await, Ok(2), "{cut}");
    }
    assert!(lost > 0, "no cut has lost anything");
}

#[tokio::test]
async fn after_an_unclean_stop_nothing_is_kept_that_the_list_names() {
    let (dir, ..) = two_events().await;
    fs::remove_file(dir.path().join("clean-stop")).unwrap();
    // A table that was never finished is nobody's.
    fs::write(dir.path().join("rocksdb/999999.sst"), "half a table").unwrap();
    assert_eq!(events(dir.path()).await, Ok(2));
    assert!(!dir.path().join("rocksdb-orphans").exists());
}
