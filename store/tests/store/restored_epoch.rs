//! The epochs of restores: above what was opened by hand, and named where the folder of backups cannot know.

use std::fs;

use horizon_store::{Expected, KeepError, Options, Store, open_new_epoch, restore};

use crate::build::{append, exact, fresh, main_log, one, open};

const EPOCH: u64 = 1 << 40;

#[tokio::test]
async fn a_restore_does_not_use_epochs_that_were_opened_by_hand_in_the_lost_store() {
    let (store, dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.backup(backups.path(), None).await.unwrap();
    store.close().await.unwrap();
    for _ in 0..3 {
        open_new_epoch(dir.path(), "a test", None, Options::default())
            .await
            .unwrap();
    }
    let store = open(&dir).await;
    let lost = append(&store, one("a-1", exact(1), &["lost"])).await;
    assert_eq!(lost.first_position.get(), 3 * EPOCH + 2);
    drop(store);
    let to = tempfile::tempdir().unwrap();
    let restored = restore(backups.path(), None, to.path(), None, Options::default())
        .await
        .unwrap();
    assert_eq!(restored.epochs[0].first.epoch(), 16);
}

#[tokio::test]
async fn a_restore_is_given_the_epoch_that_it_must_be_in_at_least() {
    let (store, _dir) = fresh().await;
    let backups = tempfile::tempdir().unwrap();
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.backup(backups.path(), None).await.unwrap();
    let into = async |epoch| {
        let to = tempfile::tempdir().unwrap();
        let folder = to.path().join("new");
        let restored = restore(backups.path(), None, &folder, epoch, Options::default()).await;
        match restored {
            Ok(restored) => {
                let store = Store::open(&folder, Options::default()).await.unwrap();
                let first = restored.epochs[0].first;
                assert_eq!(store.head(&main_log()).await.unwrap(), first);
                Ok(first.epoch())
            }
            Err(error) => {
                assert!(!folder.exists(), "nothing is begun");
                Err(error)
            }
        }
    };
    assert_eq!(into(Some(33)).await, Ok(48));
    for used in [0, 33, 48] {
        let refused = into(Some(used)).await.unwrap_err();
        assert!(refused.to_string().contains("above 48"), "{refused}");
    }
    assert_eq!(into(None).await, Ok(64));
    // The end: what is left behind the last multiple is taken as it is named, and then there is none.
    assert_eq!(into(Some(8_190)).await, Ok(8_190));
    for none in [Some(8_192), Some(u64::MAX)] {
        let refused = into(none).await.unwrap_err();
        assert!(refused.to_string().contains("last epoch"), "{refused}");
    }
    assert_eq!(into(None).await, Ok(8_191));
    let end = into(None).await;
    assert!(matches!(end, Err(KeepError::Refused { .. })), "{end:?}");
    let noted = fs::read_to_string(backups.path().join("restored")).unwrap();
    assert_eq!(noted, "8191\n");
}
