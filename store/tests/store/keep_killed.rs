//! Backups and restores that are killed: done again they work, and what was finished stays.
//!
//! As in the crash test the child is this test's own binary. `HORIZON_TEST_SEED` replays a run, `HORIZON_CRASH_ROUNDS` makes it
//! longer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use horizon_store::{Expected, KeepError, OpenError, Store, list_backups, restore, verify};

use crate::backup::{log_of, small};
use crate::build::{append, main_log, one};
use crate::crash_child::Numbers;

const DIR: &str = "HORIZON_KEEP_DIR";
const WORK: &str = "HORIZON_KEEP_WORK";

fn seed_and_rounds() -> (Numbers, u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let told = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = told("HORIZON_TEST_SEED").unwrap_or(now);
    let rounds = told("HORIZON_CRASH_ROUNDS").unwrap_or(6);
    println!("HORIZON_TEST_SEED={seed} HORIZON_CRASH_ROUNDS={rounds}");
    (Numbers(seed), rounds)
}

/// Runs the child, and kills it some time after it has begun its work.
fn run_and_kill(dir: &Path, work: &str, after: Duration) {
    let begun = dir.join("begun");
    let _ = fs::remove_file(&begun);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "keep_killed::the_child_that_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DIR, dir)
        .env(WORK, work)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !begun.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended before it began"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(after);
    assert!(
        child.try_wait().unwrap().is_none(),
        "the child ended by itself"
    );
    // SIGKILL on Unix.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the tests of kills run it as a process to kill"]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let backups = dir.join("backups");
    if std::env::var(WORK).unwrap() == "restore" {
        fs::write(dir.join("begun"), "").unwrap();
        for n in 0.. {
            let to = dir.join("restored").join(n.to_string());
            restore(&backups, None, &to, None, small()).await.unwrap();
        }
    }
    let store = Store::open(&dir.join("store"), small()).await.unwrap();
    let round = store.head(&main_log()).await.unwrap();
    for task in 0..4 {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0_u64.. {
                let id = format!("{round}/{task}/{number}");
                append(&store, one(&format!("s-{task}"), Expected::Any, &[&id])).await;
            }
        });
    }
    fs::write(dir.join("begun"), "").unwrap();
    loop {
        store
            .backup(&backups, std::num::NonZeroUsize::new(3))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_killed_backup_leaves_the_finished_ones_whole_and_the_next_one_works() {
    let (mut numbers, rounds) = seed_and_rounds();
    let dir = tempfile::tempdir().unwrap();
    let backups = dir.path().join("backups");
    for round in 0..rounds {
        run_and_kill(
            dir.path(),
            "backup",
            Duration::from_micros(numbers.below(200_000)),
        );
        let store = Store::open(&dir.path().join("store"), small())
            .await
            .unwrap();
        let found = match list_backups(&backups).await {
            Ok(found) => found,
            // Killed before the first one.
            Err(KeepError::Refused { .. }) => Vec::new(),
            Err(other) => panic!("{other:?}"),
        };
        let made = store.backup(&backups, None).await.unwrap();
        println!(
            "round {round}: {} finished before, backup {} after",
            found.len(),
            made.id
        );
        let finished: Vec<_> = found
            .into_iter()
            .map(|found| found.backup.unwrap())
            .collect();
        for backup in finished.iter().chain([&made]) {
            let to = tempfile::tempdir().unwrap();
            let restored = restore(&backups, Some(backup.id), to.path(), None, small())
                .await
                .unwrap();
            let Some(epoch) = restored.epochs.first() else {
                continue;
            };
            let again = Store::open(to.path(), small()).await.unwrap();
            let through = epoch.after.get();
            assert!(through >= backup.logs.first().map_or(0, |log| log.head.get()));
            assert_eq!(log_of(&again, through).await, log_of(&store, through).await);
        }
    }
}

#[tokio::test]
async fn a_killed_restore_opens_nothing_and_works_when_done_again() {
    let (mut numbers, rounds) = seed_and_rounds();
    let dir = tempfile::tempdir().unwrap();
    let backups = dir.path().join("backups");
    let store = Store::open(&dir.path().join("store"), small())
        .await
        .unwrap();
    for n in 0..200 {
        append(&store, one("a-1", Expected::Any, &[&n.to_string()])).await;
    }
    store.backup(&backups, None).await.unwrap();
    let (mut interrupted, mut finished) = (0, 0);
    for _ in 0..rounds {
        run_and_kill(
            dir.path(),
            "restore",
            Duration::from_micros(numbers.below(400_000)),
        );
        let restored = dir.path().join("restored");
        for folder in fs::read_dir(&restored).into_iter().flatten() {
            let to = folder.unwrap().path();
            match verify(&to, small(), |_, _| ()).await {
                Ok(verified) => {
                    assert_eq!((verified.findings, verified.events), (Vec::new(), 200));
                    finished += 1;
                }
                Err(KeepError::Open(OpenError::Restoring { .. } | OpenError::NoStore { .. })) => {
                    interrupted += 1;
                    restore(&backups, None, &to, None, small()).await.unwrap();
                    let store = Store::open(&to, small()).await.unwrap();
                    assert_eq!(log_of(&store, 200).await.len(), 200);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        let _ = fs::remove_dir_all(&restored);
    }
    println!("{interrupted} interrupted, {finished} finished");
    assert!(interrupted > 0);
}
