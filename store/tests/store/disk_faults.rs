//! Failing syncs and full disks: no success is answered after them, nothing is half done, and what was answered before
//! is there when the store is opened again.

use std::fs;
use std::path::Path;

use horizon_store::{Options, Store};

use crate::crash::{Ground, Run, rounds, run_child, seed};
use crate::crash_child::{MEMTABLES, Numbers};
use crate::oracle::{Oracle, Said};
use crate::power::Before;

/// The child said that the store had stopped: for those that waited, for who came later, and when it was closed.
fn assert_stopped(said: &Said, dir: &Path) {
    assert!(said.told("failed"), "{:?}", said.told);
    for line in said.told.iter().filter(|line| line.starts_with("failed")) {
        assert!(
            line.contains("has stopped writing and must be restarted"),
            "{line}"
        );
    }
    assert!(
        said.told("then stopped") && said.told("then readable"),
        "{:?}",
        said.told
    );
    assert!(
        said.told("unclosed the store has stopped"),
        "{:?}",
        said.told
    );
    assert!(!dir.join("clean-stop").exists());
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_answered_and_what_was_answered_before_is_there() {
    let mut numbers = Numbers(seed());
    let (mut ground, mut oracle) = (Ground::new(), Oracle::default());
    for round in 0..rounds(4) {
        if round % 16 == 0 {
            (ground, oracle) = (Ground::new(), Oracle::default());
        }
        let before = Before::of(&ground.store());
        let mut faults = ground.faults(round);
        // The first syncs of a new store are those of its making.
        faults.ask("FAULTS_FAIL_SYNC", 20 + numbers.below(200));
        let said = run_child(&ground.store(), &faults, &Run::to_its_end(round));
        assert_stopped(&said, &ground.store());
        oracle.hear(round, &said);
        // Later syncs of the same file succeed and keep nothing: what was answered after the failure would be gone now.
        before.lose_power(&ground.store(), &faults, &mut numbers, true);
        let store = ground.open().await;
        oracle.judge(&store, round, &said).await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_fails_clearly_and_once_freed_everything_answered_is_there() {
    let mut numbers = Numbers(seed());
    let (mut ground, mut oracle) = (Ground::new(), Oracle::default());
    for round in 0..rounds(4) {
        if round % 16 == 0 {
            (ground, oracle) = (Ground::new(), Oracle::default());
        }
        let mut faults = ground.faults(round);
        faults.ask("FAULTS_FULL_AFTER", 200_000 + numbers.below(3_000_000));
        let mut run = Run::to_its_end(round);
        if round % 2 == 0 {
            // The disk may be full while tables are written, too.
            run.asked.push((MEMTABLES, (1 << 20).to_string()));
        }
        let said = run_child(&ground.store(), &faults, &run);
        assert_stopped(&said, &ground.store());
        oracle.hear(round, &said);

        // Still full: whether it opens or not, nothing is answered.
        let still_full = run_child(&ground.store(), &faults, &run);
        assert!(
            still_full.told("unopened") || still_full.told("failed"),
            "{:?}",
            still_full.told
        );
        assert!(still_full.appended.is_empty());
        oracle.hear(round, &still_full);

        fs::remove_file(faults.control().join("full")).unwrap();
        let store = Store::open(&ground.store(), Options::default())
            .await
            .unwrap();
        oracle.judge(&store, round, &said).await;
        store.close().await.unwrap();
    }
}
