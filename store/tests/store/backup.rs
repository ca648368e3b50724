//! Backups and restores: made under load, killed, repeated, refused, and compared with what was backed up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use horizon_store::{
    Backup, Crossing, CursorMove, CursorName, Expected, KeepError, OpenError, Options, Position,
    PublicEvent, ReadLimit, Record, Selection, Sequence, Store, list_backups, restore,
};
use tempfile::TempDir;

use crate::build::{append, exact, fresh, main_log, one, open, public, public_stream};

const EPOCH: u64 = 1 << 40;

/// A small store: memtables of 1 MiB, so that there are several tables.
pub(crate) fn small() -> Options {
    Options {
        memtables_bytes: 1024 * 1024,
        ..Options::default()
    }
}

pub(crate) async fn log_of(store: &Store, through: u64) -> Vec<Record> {
    let (mut after, mut records) = (Position::ZERO, Vec::new());
    loop {
        let page = store
            .read_log(&main_log(), &Selection::All, after, ReadLimit::default())
            .await
            .unwrap();
        records.extend(page.records);
        if page.through == page.head || page.through.get() >= through {
            records.retain(|record| record.position().get() <= through);
            return records;
        }
        after = page.through;
    }
}

async fn public_of(store: &Store) -> Vec<PublicEvent> {
    let page = store
        .read_public(
            &main_log(),
            &public_stream("p"),
            Sequence::ZERO,
            ReadLimit::default(),
        )
        .await;
    page.unwrap().events
}

pub(crate) async fn cross_one(store: &Store, from: u64, to: u64, sequence: u64) {
    let cursors = vec![CursorMove {
        cursor: CursorName::new("c").unwrap(),
        expected: Position::new(from),
        to: Position::new(to),
    }];
    let crossing = Crossing {
        cursors,
        public: vec![public("p", sequence, to, "k")],
        ..Crossing::default()
    };
    store.cross(&main_log(), crossing).await.unwrap();
}

fn head(backup: &Backup) -> u64 {
    backup.logs.first().map_or(0, |log| log.head.get())
}

/// Appends until told to stop; gives how long each append took.
fn load(
    store: &Store,
    task: u64,
) -> (
    tokio::sync::watch::Sender<bool>,
    tokio::task::JoinHandle<Vec<Duration>>,
) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let store = store.clone();
    let running = tokio::spawn(async move {
        let mut took = Vec::new();
        for number in 0.. {
            if *stopped.borrow() {
                break;
            }
            let began = Instant::now();
            let id = format!("{task}/{number}");
            append(
                &store,
                one(&format!("s-{}", number % 50), Expected::Any, &[&id]),
            )
            .await;
            took.push(began.elapsed());
        }
        took
    });
    (stop, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_all_that_was_answered_before_and_the_next_copies_only_what_is_new()
 {
    let dir = tempfile::tempdir().unwrap();
    let backups = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), small()).await.unwrap();
    for n in 0..20 {
        let ids: Vec<_> = (0..500).map(|id| format!("first/{n}/{id}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        append(&store, one("first-1", Expected::Any, &ids)).await;
    }
    cross_one(&store, 0, 7, 1).await;
    let tasks: Vec<_> = (0..4).map(|task| load(&store, task)).collect();
    let mut made = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = store.head(&main_log()).await.unwrap().get();
        let backup = store.backup(backups.path(), None).await.unwrap();
        assert!(
            head(&backup) >= before,
            "{backup:?}, answered up to {before}"
        );
        made.push(backup);
    }
    let mut took = Vec::new();
    for (stop, running) in tasks {
        stop.send(true).unwrap();
        took.extend(running.await.unwrap());
    }
    took.sort();
    let (p99, worst) = (took[took.len() * 99 / 100], took[took.len() - 1]);
    println!(
        "{} appends beside backups: p99 {p99:?}, worst {worst:?}",
        took.len()
    );
    assert!(
        worst < Duration::from_secs(5),
        "an append waited {worst:?} for a backup"
    );
    let ids: Vec<_> = made.iter().map(|backup| backup.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert!(made[0].new_bytes >= made[0].bytes / 2);
    assert!(made[1].new_bytes < made[1].bytes, "{:?}", made[1]);
    let listed = list_backups(backups.path()).await.unwrap();
    let listed: Vec<_> = listed
        .into_iter()
        .map(|found| found.backup.unwrap())
        .collect();
    assert_eq!(listed, made);
    for backup in &made {
        let to = tempfile::tempdir().unwrap();
        let restored = restore(backups.path(), Some(backup.id), to.path(), None, small())
            .await
            .unwrap();
        assert_eq!(&restored.backup, backup);
        let again = Store::open(to.path(), small()).await.unwrap();
        let after = restored.epochs[0].after.get();
        assert!(
            after >= head(backup),
            "it holds {after} of {}",
            head(backup)
        );
        assert_eq!(log_of(&again, after).await, log_of(&store, after).await);
        assert_eq!(public_of(&again).await, public_of(&store).await);
        assert_eq!(again.derive_secret("ids"), store.derive_secret("ids"));
        assert_eq!(again.id(), store.id());
    }
}

#[tokio::test]
async fn a_restored_store_is_in_an_epoch_that_was_never_used_and_knows_old_commits() {
    let (store, dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    append(&store, one("a-1", Expected::None, &["1", "2"])).await;
    cross_one(&store, 0, 2, 1).await;
    store.backup(backups.path(), None).await.unwrap();
    append(&store, one("a-1", exact(2), &["lost"])).await;
    cross_one(&store, 2, 3, 2).await;
    drop(store);
    drop(dir);
    for epoch in [16, 32] {
        let to = tempfile::tempdir().unwrap();
        let folder = to.path().join("new");
        let restored = restore(backups.path(), None, &folder, None, Options::default())
            .await
            .unwrap();
        let first = epoch * EPOCH + 1;
        assert_eq!(restored.epochs[0].first.get(), first);
        assert_eq!(restored.epochs[0].reason, "restored from backup 1");
        let store = Store::open(&folder, Options::default()).await.unwrap();
        let again = append(&store, one("a-1", exact(77), &["1", "2"])).await;
        assert_eq!((again.repeat, again.first_position.get()), (true, 1));
        let next = append(&store, one("a-1", exact(2), &["3"])).await;
        assert_eq!(next.first_position.get(), first + 1);
        cross_one(&store, 2, first + 1, first).await;
        // A backup of the restored store, in its epoch, counts as well.
        if epoch == 32 {
            let backup = store.backup(backups.path(), None).await.unwrap();
            assert_eq!((backup.epoch, head(&backup)), (32, first + 1));
            fs::remove_file(backups.path().join("restored")).unwrap();
            let to = tempfile::tempdir().unwrap();
            let restored = restore(backups.path(), Some(1), to.path(), None, Options::default())
                .await
                .unwrap();
            assert_eq!(restored.epochs[0].first.epoch(), 48);
            fs::remove_dir_all(backups.path()).unwrap();
            break;
        }
    }
}

#[tokio::test]
async fn a_restore_is_all_or_nothing() {
    let (store, dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.backup(backups.path(), None).await.unwrap();
    store.close().await.unwrap();
    let into = async |to: &Path| restore(backups.path(), None, to, None, Options::default()).await;
    let full = into(dir.path()).await;
    assert!(matches!(full, Err(KeepError::Refused { .. })), "{full:?}");
    open(&dir).await.close().await.unwrap();
    // As an interrupted restore leaves it.
    let to = tempfile::tempdir().unwrap();
    fs::write(to.path().join("restoring"), "backup 1\n").unwrap();
    fs::create_dir(to.path().join("rocksdb")).unwrap();
    fs::write(to.path().join("rocksdb/CURRENT"), "half").unwrap();
    let refused = Store::open(to.path(), Options::default()).await.err();
    let expected = OpenError::Restoring {
        dir: to.path().to_owned(),
    };
    assert_eq!(refused, Some(expected));
    into(to.path()).await.unwrap();
    assert_eq!(open(&to).await.event_count(&main_log()).await.unwrap(), 1);
    // A folder with anything else is never touched.
    let to = tempfile::tempdir().unwrap();
    fs::write(to.path().join("precious"), "1").unwrap();
    let refused = into(to.path()).await;
    assert!(
        matches!(&refused, Err(KeepError::Refused { reason, .. }) if reason.contains("precious"))
    );
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
}

/// All files below a folder, with their contents.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut dirs) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Offsets to flip a bit at: both ends, and some between.
pub(crate) fn offsets(length: usize) -> Vec<usize> {
    let mut offsets: Vec<_> = (0..8).map(|eighth| length * eighth / 8).collect();
    offsets.extend([length.saturating_sub(1), length.saturating_sub(9)]);
    offsets.retain(|at| *at < length);
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

#[tokio::test]
async fn a_flipped_bit_in_any_file_of_a_backup_is_refused_with_its_place() {
    let (store, _dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    append(&store, one("a-1", Expected::None, &["1", "2", "3"])).await;
    cross_one(&store, 0, 2, 1).await;
    store.backup(backups.path(), None).await.unwrap();
    let mut flips = 0;
    for (path, content) in files(backups.path()) {
        for at in offsets(content.len()) {
            let mut flipped = content.clone();
            flipped[at] ^= 0x04;
            fs::write(&path, &flipped).unwrap();
            let to = TempDir::new().unwrap();
            let result = restore(backups.path(), None, to.path(), None, Options::default()).await;
            assert!(
                matches!(
                    result,
                    Err(KeepError::DamagedBackup { .. }
                        | KeepError::Refused { .. }
                        | KeepError::Io { .. })
                ),
                "{} at {at}: {result:?}",
                path.display()
            );
            assert!(
                Store::open(to.path(), Options::default()).await.is_err()
                    || !to.path().join("restoring").exists()
            );
            flips += 1;
            fs::write(&path, &content).unwrap();
        }
    }
    assert!(flips > 50, "{flips}");
    let to = TempDir::new().unwrap();
    restore(backups.path(), None, to.path(), None, Options::default())
        .await
        .unwrap();
    // A list tells of files that are missing or cut short, and reads no further.
    let shared = files(&backups.path().join("rocksdb/shared_checksum"));
    let (path, content) = shared.first_key_value().unwrap();
    let listed = async || list_backups(backups.path()).await.unwrap().remove(0).backup;
    assert!(listed().await.is_ok());
    fs::write(path, &content[1..]).unwrap();
    let damage = listed().await.unwrap_err();
    assert!(
        damage.contains("meta/1") && damage.contains("bytes"),
        "{damage}"
    );
    fs::remove_file(path).unwrap();
    let damage = listed().await.unwrap_err();
    assert!(damage.contains("missing"), "{damage}");
}
