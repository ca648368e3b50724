//! What needs a failing disk or another format, which the public interface does not give.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::place::Position;
use crate::{AppendError, Commit, Expected, NewEvent, ReadLimit, StreamName, StreamWrite};
use crate::{keys, state};

fn commit(id: &str) -> Commit {
    let event = NewEvent {
        id: id.into(),
        source: None,
        event_type: "Tested".into(),
        attributes: Vec::new(),
        media_type: None,
        data: None,
    };
    let stream = StreamName::new("a-1").unwrap();
    Commit {
        writes: vec![StreamWrite {
            stream,
            expected: Expected::Any,
            events: vec![event],
        }],
    }
}

fn fail_writes(store: &Store, fail: bool) {
    let open = store.inner.open.read().unwrap();
    open.as_ref()
        .unwrap()
        .database
        .fail_writes
        .store(fail, Ordering::SeqCst);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_written_until_the_store_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    store.append(&log, commit("1")).await.unwrap();
    fail_writes(&store, true);
    let stopped = |result| {
        matches!(
            result,
            Err(AppendError::Unavailable(StoreError::Stopped { .. }))
        )
    };
    assert!(stopped(store.append(&log, commit("2")).await));
    // The disk is well again, and still nothing is written, repeats included.
    fail_writes(&store, false);
    assert!(stopped(store.append(&log, commit("3")).await));
    assert!(stopped(store.append(&log, commit("1")).await));
    let page = store
        .read_log(&log, Position::ZERO, ReadLimit::default())
        .await
        .unwrap();
    assert_eq!((page.records.len(), page.head.get()), (1, 1));
    assert!(matches!(
        store.close().await,
        Err(StoreError::Stopped { .. })
    ));
    assert!(!dir.path().join("clean-stop").exists());
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    assert!(!store.append(&log, commit("2")).await.unwrap().repeat);
    assert!(store.append(&log, commit("1")).await.unwrap().repeat);
}

#[tokio::test]
async fn of_a_batch_that_fails_no_call_is_answered_with_success() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    fail_writes(&store, true);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..50 {
        let store = store.clone();
        calls.spawn(async move { store.append(&LogName::main(), commit(&n.to_string())).await });
    }
    for answer in calls.join_all().await {
        assert!(
            matches!(
                answer,
                Err(AppendError::Unavailable(StoreError::Stopped { .. }))
            ),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_store_of_a_newer_format_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    let newer = state::StoreEntry {
        format: 2,
        id: [0; 16],
        secret: [0; 32],
        created_ms: 0,
    };
    {
        let open = store.inner.open.read().unwrap();
        let mut batch = crate::database::Batch::default();
        batch.put(keys::store(), &newer.encode());
        open.as_ref().unwrap().database.write(batch, true).unwrap();
    }
    store.close().await.unwrap();
    let error = Store::open(dir.path(), Options::default())
        .await
        .unwrap_err();
    assert_eq!(
        error,
        OpenError::NewerFormat {
            dir: dir.path().to_owned(),
            found: 2,
            supported: 1
        }
    );
}
