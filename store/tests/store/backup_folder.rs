//! Folders of backups: whose they are, what is listed, and what is removed.

use std::fs;
use std::num::NonZeroUsize;

use horizon_store::{Backup, Expected, KeepError, Options, Store, list_backups, restore};

use crate::build::{append, fresh, main_log, one, open};

#[tokio::test]
async fn old_backups_are_removed_and_the_kept_ones_stay_whole() {
    let (store, _dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    let to = backups.path().join("deep/er");
    for n in 1..=5 {
        append(&store, one("a-1", Expected::Any, &[&n.to_string()])).await;
        let backup = store.backup(&to, NonZeroUsize::new(2)).await.unwrap();
        assert_eq!(backup.id, n);
    }
    let ids: Vec<_> = list_backups(&to)
        .await
        .unwrap()
        .iter()
        .map(|found| found.id)
        .collect();
    assert_eq!(ids, [4, 5]);
    for (id, events) in [(Some(4), 4), (None, 5)] {
        let into = tempfile::tempdir().unwrap();
        restore(&to, id, into.path(), None, Options::default())
            .await
            .unwrap();
        let store = open(&into).await;
        assert_eq!(store.event_count(&main_log()).await.unwrap(), events);
    }
    let gone = restore(
        &to,
        Some(3),
        &backups.path().join("x"),
        None,
        Options::default(),
    )
    .await;
    assert!(
        matches!(&gone, Err(KeepError::Refused { reason, .. }) if reason.contains("[4, 5]")),
        "{gone:?}"
    );
    assert!(!backups.path().join("x").exists());
    #[cfg(unix)]
    for dir in [to.clone(), to.join("rocksdb")] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(dir).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_not_for_this_stores_backups_is_refused() {
    let (store, dir) = fresh().await;
    let (other, _other_dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    other.backup(backups.path(), None).await.unwrap();
    let refused = |result: Result<Backup, KeepError>| match result {
        Err(KeepError::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let reason = refused(store.backup(backups.path(), None).await);
    assert!(
        reason.contains(other.id()) && reason.contains(store.id()),
        "{reason}"
    );
    let reason = refused(store.backup(dir.path(), None).await);
    assert!(reason.contains("something else"), "{reason}");
    let lock = fs::File::open(backups.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let reason = refused(other.backup(backups.path(), None).await);
    assert!(reason.contains("in use"), "{reason}");
    drop(lock);
    other.backup(backups.path(), None).await.unwrap();
    let none = tempfile::tempdir().unwrap();
    assert!(matches!(
        list_backups(none.path()).await,
        Err(KeepError::Refused { .. })
    ));
}

#[tokio::test]
async fn a_folder_in_which_nothing_was_finished_has_no_backups() {
    let dir = tempfile::tempdir().unwrap();
    let backups = dir.path().join("backups");
    let store = Store::open(&dir.path().join("store"), Options::default())
        .await
        .unwrap();
    // As a kill leaves it right after the folder was taken for this store's backups.
    std::fs::create_dir(&backups).unwrap();
    std::fs::write(backups.join("lock"), "").unwrap();
    std::fs::write(backups.join("backup-of"), format!("{}\n", store.id())).unwrap();
    assert_eq!(list_backups(&backups).await.unwrap(), []);
    store.backup(&backups, None).await.unwrap();
    assert_eq!(list_backups(&backups).await.unwrap().len(), 1);
}
