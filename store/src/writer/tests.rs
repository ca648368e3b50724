//! What the writer rests on besides what the public interface shows: reads that fail, and a writer that is still at work.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::database::{Batch, Reach};
use crate::keys::{self, Indexed};
use crate::{
    AppendError, Commit, Expected, LogName, NewEvent, Options, Position, ReadLimit, Selection,
    Store, StoreError, StreamName, StreamWrite,
};

/// A commit of an event of each of these types.
fn commit(stream: &str, id: &str, types: &[&str]) -> Commit {
    let event = |(n, of): (usize, &&str)| NewEvent {
        id: format!("{id}-{n}"),
        source: None,
        event_type: (*of).into(),
        attributes: Vec::new(),
        media_type: None,
        data: None,
        flagged: false,
    };
    let write = StreamWrite {
        stream: StreamName::new(stream).unwrap(),
        expected: Expected::Any,
        events: types.iter().enumerate().map(event).collect(),
    };
    Commit {
        writes: vec![write],
    }
}

#[tokio::test]
async fn a_commit_that_is_refused_halfway_leaves_the_indexes_of_others_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    let first = commit("z-1", "z", &["Z"; 10]);
    store.append(&log, first).await.unwrap();
    let id = store.inner.heads.log_id(&log).unwrap();
    let key = || keys::block(id, Indexed::Type("Bad"), Position::new(256));
    let write = |batch| {
        let open = store.inner.open.read().unwrap();
        open.as_ref().unwrap().database.write(batch, true).unwrap();
    };
    // A block that cannot be read, as if there were too many open files for a while.
    let mut broken = Batch::default();
    broken.put(key(), &[]);
    write(broken);
    let mut types = ["Tested"; 10];
    types[8] = "Bad";
    // Together in one batch, over the border of two blocks at position 256.
    let (filler, before, refused, after, more) = tokio::join!(
        store.append(&log, commit("y-1", "filler", &["Y"; 240])),
        store.append(&log, commit("a-1", "before", &["Tested"])),
        store.append(&log, commit("a-2", "refused", &types)),
        store.append(&log, commit("a-3", "after", &["Tested"])),
        store.append(&log, commit("a-4", "more", &["Tested"; 10])),
    );
    assert_eq!(filler.unwrap().last_position.get(), 250);
    assert_eq!(before.unwrap().first_position.get(), 251);
    let damaged = matches!(
        refused,
        Err(AppendError::Unavailable(StoreError::Damaged { .. }))
    );
    assert!(damaged, "{refused:?}");
    assert_eq!(after.unwrap().first_position.get(), 252);
    assert_eq!(more.unwrap().last_position.get(), 262);
    let mut mended = Batch::default();
    mended.delete(key());
    write(mended);
    for of in [
        Selection::Category("a".into()),
        Selection::EventType("Tested".into()),
    ] {
        let page = store.read_log(&log, &of, Position::ZERO, ReadLimit::default());
        let found: Vec<_> = page
            .await
            .unwrap()
            .records
            .iter()
            .map(|record| record.position().get())
            .collect();
        assert_eq!(found, (251..=262).collect::<Vec<_>>(), "{of:?}");
    }
}

#[tokio::test]
async fn who_closes_while_another_closes_waits_for_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let options = Options {
        batch_max_bytes: 64 * 1024,
        ..Options::default()
    };
    let store = Store::open(dir.path(), options).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..600 {
        let (store, log) = (store.clone(), log.clone());
        calls.spawn(async move {
            let mut commit = commit("a-1", &n.to_string(), &["Tested"]);
            commit.writes[0].events[0].data = Some(vec![7; 60_000].into());
            store.append(&log, commit).await
        });
    }
    tokio::task::yield_now().await;
    let (one, other) = tokio::join!(store.clone().close(), store.close());
    let closed = [one, other];
    assert!(closed.contains(&Ok(())), "{closed:?}");
    assert!(closed.contains(&Err(StoreError::Closed)), "{closed:?}");
    let answers = calls.join_all().await;
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    assert_eq!(store.event_count(&log).await.unwrap(), stored as u64);
}

#[tokio::test]
async fn a_look_up_in_memory_never_finds_what_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    // More than RocksDB reads ahead of itself when it opens a table.
    let many = || commit("a-1", "x", &["T"; 900]);
    store.append(&log, many()).await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    let id = store.inner.heads.log_id(&log).unwrap();
    let secrets = &store.inner.secrets;
    let limits = &store.inner.options.limits;
    let look_up = |reach| {
        let open = store.inner.open.read().unwrap();
        let database = &open.as_ref().unwrap().database;
        let mut prepared = crate::prepare::commit(many(), limits, secrets).unwrap();
        crate::lookup::commit(database, reach, id, 0, &mut prepared)?;
        assert_eq!(prepared.looked_up, Some(0));
        let places = prepared
            .events()
            .map(|event| event.stored.map(|id| id.position.get()));
        assert!(places.eq((1..=900).map(Some)));
        let tail = prepared.writes[0].tail.as_ref();
        assert_eq!(tail.unwrap().revision.get(), 900);
        Ok(())
    };
    assert!(matches!(look_up(Reach::Memory), Err(StoreError::Io { .. })));
    assert_eq!(look_up(Reach::Disk), Ok(()));
    assert_eq!(look_up(Reach::Memory), Ok(()));
}
