//! Opening and closing: the lock, the identity, the marker of a clean stop.

use std::fs;

use horizon_store::{Advice, Expected, Limits, OpenError, Options, Selection, Store, StoreError};

use crate::build::{append, exact, fresh, main_log, one, open};

#[tokio::test]
async fn a_store_keeps_its_id_and_its_secrets() {
    let (store, dir) = fresh().await;
    let (id, secret) = (store.id().to_owned(), store.derive_secret("public ids"));
    assert_eq!(id.len(), 32);
    assert_ne!(secret, store.derive_secret("pseudonyms"));
    store.close().await.unwrap();
    let store = open(&dir).await;
    assert_eq!(
        (store.id(), store.derive_secret("public ids")),
        (&*id, secret)
    );
    let (other, _other_dir) = fresh().await;
    assert_ne!(other.id(), id);
    assert_ne!(other.derive_secret("public ids"), secret);
}

#[tokio::test]
async fn a_store_is_open_once() {
    let (store, dir) = fresh().await;
    let error = Store::open(dir.path(), Options::default())
        .await
        .err()
        .unwrap();
    assert_eq!(
        error,
        OpenError::InUse {
            dir: dir.path().to_owned()
        }
    );
    store.close().await.unwrap();
    open(&dir).await.close().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so_and_lets_go_at_once() {
    let (store, dir) = fresh().await;
    let clone = store.clone();
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.close().await.unwrap();
    let error = clone
        .append(&main_log(), one("a-1", exact(1), &["2"]))
        .await
        .unwrap_err();
    assert_eq!(error, StoreError::Closed.into());
    let error = clone
        .read_log(
            &main_log(),
            &Selection::All,
            Default::default(),
            Default::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (error.advice(), &error),
        (Advice::Restart, &StoreError::Closed)
    );
    assert_eq!(clone.close().await, Err(StoreError::Closed));
    assert_eq!(open(&dir).await.head(&main_log()).await.unwrap().get(), 1);
}

#[tokio::test]
async fn the_marker_is_there_only_after_a_clean_stop() {
    let (store, dir) = fresh().await;
    let marker = dir.path().join("clean-stop");
    append(&store, one("a-1", Expected::None, &["1"])).await;
    assert!(!marker.exists());
    store.close().await.unwrap();
    assert!(marker.exists());
    let store = open(&dir).await;
    assert!(!marker.exists());
    append(&store, one("a-1", exact(1), &["2"])).await;
    drop(store);
    assert!(!marker.exists());
    assert_eq!(open(&dir).await.head(&main_log()).await.unwrap().get(), 2);
}

#[tokio::test]
async fn what_waited_when_the_store_was_closed_is_answered() {
    let (store, dir) = fresh().await;
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (store, commit) = (store.clone(), one("a-1", Expected::Any, &[&n.to_string()]));
        senders.spawn(async move { store.append(&main_log(), commit).await });
    }
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let answered = senders
        .join_all()
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    let store = open(&dir).await;
    assert_eq!(
        store.head(&main_log()).await.unwrap().get(),
        answered as u64
    );
}

#[tokio::test]
async fn a_database_that_is_gone_is_never_made_anew() {
    let (store, dir) = fresh().await;
    store.close().await.unwrap();
    fs::remove_dir_all(dir.path().join("rocksdb")).unwrap();
    assert!(Store::open(dir.path(), Options::default()).await.is_err());
    assert!(!dir.path().join("rocksdb").join("CURRENT").exists());
}

#[tokio::test]
async fn a_database_of_another_store_is_refused() {
    let (one_store, one_dir) = fresh().await;
    let (other_store, other_dir) = fresh().await;
    one_store.close().await.unwrap();
    other_store.close().await.unwrap();
    fs::copy(
        one_dir.path().join("store-id"),
        other_dir.path().join("store-id"),
    )
    .unwrap();
    let error = Store::open(other_dir.path(), Options::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let usual = Options::default();
    let types = Limits {
        type_max_bytes: 2_000,
        ..usual.limits
    };
    let wrong = [
        (
            "queue_max_bytes",
            Options {
                queue_max_bytes: 1,
                ..usual
            },
        ),
        (
            "batch_max_requests",
            Options {
                batch_max_requests: 0,
                ..usual
            },
        ),
        (
            "block_cache_bytes",
            Options {
                block_cache_bytes: 0,
                ..usual
            },
        ),
        (
            "block_cache_bytes",
            Options {
                block_cache_bytes: usize::MAX,
                ..usual
            },
        ),
        (
            "record_cache_bytes",
            Options {
                record_cache_bytes: usize::MAX,
                ..usual
            },
        ),
        (
            "type_max_bytes",
            Options {
                limits: types,
                ..usual
            },
        ),
    ];
    for (name, options) in wrong {
        let error = Store::open(dir.path(), options).await.err().unwrap();
        assert!(
            matches!(error, OpenError::Option { option, .. } if option == name),
            "{name}: {error}"
        );
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_small_queue_slows_writers_down_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        commit_max_bytes: 4_096,
        crossing_max_bytes: 4_096,
        system_max_bytes: 4_096,
        ..Limits::default()
    };
    let options = Options {
        limits,
        queue_max_requests: 1,
        queue_max_bytes: 4_096,
        ..Options::default()
    };
    let store = Store::open(dir.path(), options).await.unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (store, commit) = (store.clone(), one("a-1", Expected::Any, &[&n.to_string()]));
        senders.spawn(async move { store.append(&main_log(), commit).await.unwrap() });
    }
    senders.join_all().await;
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 100);
}
