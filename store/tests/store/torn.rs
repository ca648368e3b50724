//! The torn end of a write-ahead file: sectors that a power loss took from the last write are no damage, anything else is.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use horizon_store::{Expected, NewEvent, OpenError, Options, Store};
use tempfile::TempDir;

use crate::build::{append, commit, event, fresh, main_log, write};

/// A store that was not closed, with three commits of so many bytes, and where each lies in the write-ahead file.
async fn three_commits(bytes: usize) -> (TempDir, Vec<Range<usize>>) {
    let (store, dir) = fresh().await;
    let mut ends = vec![fs::metadata(wal(dir.path())).unwrap().len() as usize];
    for id in ["1", "2", "3"] {
        let large = NewEvent {
            data: Some(Bytes::from(vec![b'x'; bytes])),
            ..event(id)
        };
        let mut one = write("a-1", Expected::Any, &[]);
        one.events.push(large);
        append(&store, commit(vec![one])).await;
        ends.push(fs::metadata(wal(dir.path())).unwrap().len() as usize);
    }
    drop(store);
    let places = ends.windows(2).map(|ends| ends[0]..ends[1]).collect();
    (dir, places)
}

/// The newest write-ahead file.
fn wal(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join("rocksdb")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let logs = paths.filter(|path| path.extension().is_some_and(|end| end == "log"));
    logs.max().unwrap()
}

fn change(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(wal(dir)).unwrap();
    change(&mut bytes);
    fs::write(wal(dir), bytes).unwrap();
}

/// The sector in the middle of a place.
fn sector_in(place: &Range<usize>) -> Range<usize> {
    let begin = usize::midpoint(place.start, place.end) / 512 * 512;
    begin..begin + 512
}

async fn events_after_opening(dir: &TempDir) -> Result<u64, OpenError> {
    let store = Store::open(dir.path(), Options::default()).await?;
    Ok(store.head(&main_log()).await.unwrap().get())
}

#[tokio::test]
async fn a_lost_sector_of_the_last_write_costs_that_write_only() {
    // Within a block of the file, and over several.
    for bytes in [3_000, 200_000] {
        let (dir, places) = three_commits(bytes).await;
        change(dir.path(), |wal| wal[sector_in(&places[2])].fill(0));
        assert_eq!(events_after_opening(&dir).await, Ok(2));
        // It is gone for good, and what comes after is found again.
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        append(&store, commit(vec![write("a-1", Expected::Any, &["4"])])).await;
        drop(store);
        assert_eq!(events_after_opening(&dir).await, Ok(3));
    }
}

#[tokio::test]
async fn a_last_write_of_which_only_the_length_is_left_is_dropped() {
    for bytes in [3_000, 200_000] {
        let (dir, places) = three_commits(bytes).await;
        change(dir.path(), |wal| wal[places[2].clone()].fill(0));
        assert_eq!(events_after_opening(&dir).await, Ok(2));
    }
}

#[tokio::test]
async fn a_lost_sector_at_the_end_of_the_list_of_files_is_dropped() {
    let (dir, _) = three_commits(3_000).await;
    let rocksdb = dir.path().join("rocksdb");
    let current = fs::read_to_string(rocksdb.join("CURRENT")).unwrap();
    let manifest = rocksdb.join(current.trim_end());
    let mut bytes = fs::read(&manifest).unwrap();
    // A record of 2,000 bytes that was never synced, and of which the second half is lost.
    bytes.extend([1, 2, 3, 4, 0xd0, 0x07, 1]);
    bytes.extend([b'x'; 1_000]);
    bytes.extend([0; 1_000]);
    fs::write(&manifest, bytes).unwrap();
    assert_eq!(events_after_opening(&dir).await, Ok(3));
}

#[tokio::test]
async fn a_lost_sector_with_a_write_behind_it_is_damage() {
    for bytes in [3_000, 200_000] {
        let (dir, places) = three_commits(bytes).await;
        change(dir.path(), |wal| wal[sector_in(&places[1])].fill(0));
        let refused = events_after_opening(&dir).await;
        assert!(
            matches!(refused, Err(OpenError::Damaged { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_write_is_damage() {
    for bytes in [3_000, 200_000] {
        let (dir, places) = three_commits(bytes).await;
        change(dir.path(), |wal| wal[sector_in(&places[2]).start] ^= 1);
        let refused = events_after_opening(&dir).await;
        assert!(
            matches!(refused, Err(OpenError::Damaged { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn what_is_cut_off_is_kept_for_it_may_have_been_answered() {
    // The last commit holds zeros itself: with a flipped bit it looks like one that was never synced.
    let (store, dir) = fresh().await;
    append(&store, commit(vec![write("a-1", Expected::Any, &["1"])])).await;
    let begin = fs::metadata(wal(dir.path())).unwrap().len() as usize;
    let zeros = NewEvent {
        data: Some(Bytes::from(vec![0; 2_000])),
        ..event("2")
    };
    let mut one = write("a-1", Expected::Any, &[]);
    one.events.push(zeros);
    append(&store, commit(vec![one])).await;
    drop(store);
    let file = wal(dir.path());
    change(dir.path(), |wal| wal[begin + 20] ^= 1);
    let flipped = fs::read(&file).unwrap().split_off(begin);
    assert_eq!(events_after_opening(&dir).await, Ok(1));
    let name = file.file_name().unwrap().to_str().unwrap();
    let kept = dir.path().join(format!("torn-{name}-{begin}"));
    assert_eq!(fs::read(&kept).unwrap(), flipped);
}

#[tokio::test]
async fn after_a_clean_stop_a_lost_sector_is_damage() {
    let (dir, places) = three_commits(3_000).await;
    change(dir.path(), |wal| wal[sector_in(&places[2])].fill(0));
    fs::write(dir.path().join("clean-stop"), "flushed\n").unwrap();
    let refused = events_after_opening(&dir).await;
    assert!(
        matches!(refused, Err(OpenError::Damaged { .. })),
        "{refused:?}"
    );
}
