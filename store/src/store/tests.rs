//! What needs a failing disk or another format, which the public interface does not give.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use rocksdb::statistics::Ticker;

use super::*;
use crate::database::Reach;
use crate::{
    AppendError, Commit, Crossing, CursorMove, CursorName, Event, Expected, LogName, NewEvent,
    NewPublicEvent, Position, PublicStreamName, ReadLimit, Record, RelayName, Revision, Selection,
    Sequence, Settlement, StreamName, StreamWrite,
};
use crate::{keys, state};

fn commit(id: &str) -> Commit {
    let event = NewEvent {
        id: id.into(),
        source: None,
        event_type: "Tested".into(),
        attributes: Vec::new(),
        media_type: None,
        data: None,
        flagged: false,
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
        .read_log(&log, &Selection::All, Position::ZERO, ReadLimit::default())
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
        epoch: 0,
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

fn counted(store: &Store, what: Ticker) -> u64 {
    let open = store.inner.open.read().unwrap();
    open.as_ref()
        .unwrap()
        .database
        .counters
        .get_ticker_count(what)
}

fn syncs(store: &Store) -> u64 {
    counted(store, Ticker::WalFileSynced)
}

/// How many values were looked up several at a time, and not found in memory.
fn looked_up(store: &Store) -> u64 {
    counted(store, Ticker::NumberMultigetKeysRead)
}

#[tokio::test]
async fn each_append_system_record_and_crossing_is_synced_and_settlements_ride_along() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    let stream = PublicStreamName::new("p").unwrap();
    let before = syncs(&store);
    store.append(&log, commit("1")).await.unwrap();
    assert_eq!(syncs(&store), before + 1);
    store
        .append_system(&log, "test", Bytes::new())
        .await
        .unwrap();
    assert_eq!(syncs(&store), before + 2);
    let event = NewPublicEvent {
        stream: stream.clone(),
        sequence: Sequence::new(1),
        origin: Position::new(1),
        contract_version: "1.0.0".into(),
        event_type: "t".into(),
        name: "n".into(),
        id: "i".into(),
        key: "k".into(),
        event: Bytes::new(),
    };
    let cursor = CursorName::new("c").unwrap();
    let moved = CursorMove {
        cursor,
        expected: Position::ZERO,
        to: Position::new(1),
    };
    let crossing = Crossing {
        cursors: vec![moved],
        public: vec![event],
        parked: Vec::new(),
        resolved: Vec::new(),
        counts: Vec::new(),
    };
    store.cross(&log, crossing).await.unwrap();
    assert_eq!(syncs(&store), before + 3);
    let settlement = Settlement {
        not_sent: false,
        relay: RelayName::new("r").unwrap(),
        stream,
        expected: Sequence::ZERO,
        to: Sequence::new(1),
        at_ms: 0,
        unheard: Vec::new(),
        parked: Vec::new(),
    };
    store.settle(&log, settlement).await.unwrap();
    assert_eq!(syncs(&store), before + 3);
}

#[tokio::test]
async fn reading_long_history_leaves_the_block_cache_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    for n in 0..70 {
        let mut many = commit("");
        let like = many.writes[0].events[0].clone();
        let event = |of| NewEvent {
            id: format!("{n}-{of}"),
            ..like.clone()
        };
        many.writes[0].events = (0..1_000).map(event).collect();
        store.append(&log, many).await.unwrap();
    }
    store.close().await.unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    let cached = || counted(&store, Ticker::BlockCacheDataAdd);
    let before = cached();
    for limit in [1, 1_000] {
        let limit = ReadLimit {
            records: limit,
            ..ReadLimit::default()
        };
        let all = Selection::All;
        store
            .read_log(&log, &all, Position::ZERO, limit)
            .await
            .unwrap();
        store
            .read_log_back(&log, &all, Position::new(2_000), limit)
            .await
            .unwrap();
    }
    assert_eq!(cached(), before);
    // Nor does it stay as records.
    let category = Selection::Category("a".into());
    let page = || store.read_log(&log, &category, Position::ZERO, ReadLimit::default());
    let before_pages = looked_up(&store);
    for times in 1..=2 {
        assert_eq!(page().await.unwrap().records.len(), 1_000);
        assert_eq!(looked_up(&store), before_pages + times * 1_000);
    }
    let all = Selection::All;
    let recent = store.read_log_back(&log, &all, Position::END, ReadLimit::default());
    assert_eq!(recent.await.unwrap().records.len(), 1_000);
    assert!(cached() > before);
}

/// Everything of a log of one stream and category, in all ways in which records are read by their positions.
async fn pages(store: &Store) -> Vec<Vec<Event>> {
    let (log, stream) = (LogName::main(), StreamName::new("a-1").unwrap());
    let mut pages = Vec::new();
    for bytes in [1_000, 1_000_000] {
        let limit = ReadLimit {
            bytes,
            ..ReadLimit::default()
        };
        let page = store.read_stream(&log, &stream, Revision::ZERO, limit);
        pages.push(page.await.unwrap().events);
        let page = store.read_stream_back(&log, &stream, Revision::END, limit);
        pages.push(page.await.unwrap().events);
        let category = Selection::Category("a".into());
        let forwards = store.read_log(&log, &category, Position::ZERO, limit);
        let forwards = forwards.await.unwrap().records;
        let back = store.read_log_back(&log, &category, Position::END, limit);
        for records in [forwards, back.await.unwrap().records] {
            let events = records.into_iter().map(|record| match record {
                Record::Event(event) => event,
                other => unreachable!("{other:?}"),
            });
            pages.push(events.collect());
        }
    }
    pages
}

#[tokio::test]
async fn records_that_are_read_again_are_in_memory_and_in_the_same_pages() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    for n in 0..80 {
        let committed = store.append(&log, commit(&n.to_string())).await;
        committed.unwrap();
    }
    // Some are in memory, and others between them are not.
    for id in ["2", "4", "40", "79"] {
        assert_eq!(store.find_events(&log, id, None).await.unwrap().len(), 1);
    }
    let first = pages(&store).await;
    assert!(first[0].len() < 80 && first[4].len() == 80);
    let before = looked_up(&store);
    assert_eq!(before, 80, "each of them once");
    assert_eq!(pages(&store).await, first);
    assert_eq!(looked_up(&store), before);
    // What comes later is looked up, and only that.
    store.append(&log, commit("later")).await.unwrap();
    let all = pages(&store).await;
    assert_eq!(all[4].len(), 81);
    assert_eq!(looked_up(&store), before + 1);
    store.close().await.unwrap();
    let forgetful = Options {
        record_cache_bytes: 0,
        ..Options::default()
    };
    let store = Store::open(dir.path(), forgetful).await.unwrap();
    assert_eq!(pages(&store).await, all);
    let before = looked_up(&store);
    assert_eq!(pages(&store).await, all);
    assert_eq!(looked_up(&store), 2 * before, "nothing is kept");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_record_that_was_damaged_in_memory_is_told_and_never_data() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    store.append(&log, commit("1")).await.unwrap();
    let stream = StreamName::new("a-1").unwrap();
    let read = || store.read_stream(&log, &stream, Revision::ZERO, ReadLimit::default());
    assert_eq!(read().await.unwrap().events.len(), 1);
    {
        let open = store.inner.open.read().unwrap();
        let database = &open.as_ref().unwrap().database;
        let id = store.inner.heads.log_id(&log).unwrap();
        let key = keys::log_record(id, Position::new(1));
        let mut value = database.records.get(&key).unwrap().to_vec();
        value[9] ^= 1;
        database.records.keep(&key, &value);
    }
    let told = read().await;
    assert!(matches!(told, Err(StoreError::Damaged { .. })), "{told:?}");
}

#[tokio::test]
async fn what_was_written_last_is_read_at_once_and_more_is_cut_no_shorter() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogName::main();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    for n in 0..3 {
        let mut large = commit(&format!("large-{n}"));
        large.writes[0].events[0].data = Some(Bytes::from(vec![b'x'; 200 * 1024]));
        store.append(&log, large).await.unwrap();
    }
    let all = Selection::All;
    {
        let last = store.read_log(&log, &all, Position::new(2), ReadLimit::default());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(last).poll(&mut context).is_ready());
    }
    let page = store.read_log(&log, &all, Position::ZERO, ReadLimit::default());
    assert_eq!(
        page.await.unwrap().records.len(),
        3,
        "more is one page as well"
    );
}

#[tokio::test]
async fn a_stream_is_found_wherever_it_is_believed_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let (log, stream) = (LogName::main(), StreamName::new("a-1").unwrap());
    let mut store = Store::open(dir.path(), Options::default()).await.unwrap();
    let mut appends = 0;
    for revision in 1..=130_u64 {
        let committed = store.append(&log, commit(&revision.to_string())).await;
        assert_eq!(committed.unwrap().streams[0].last_revision.get(), revision);
        appends += 1;
        let remembered = (appends > 1).then_some(revision);
        assert_eq!(ends(&store, &log, &stream, revision), remembered);
        if [1, 32, 33, 64, 65, 130].contains(&revision) {
            store.close().await.unwrap();
            store = Store::open(dir.path(), Options::default()).await.unwrap();
            assert_eq!(ends(&store, &log, &stream, revision), None);
            appends = 0;
        }
    }
}

/// Asserts where a stream is found to end, whatever is believed; gives what is remembered of it.
fn ends(store: &Store, log: &LogName, stream: &StreamName, revision: u64) -> Option<u64> {
    let open = store.inner.open.read().unwrap();
    let database = &open.as_ref().unwrap().database;
    let id = store.inner.heads.log_id(log).unwrap();
    let remembered = database.tails.get(id, stream);
    let believed = [1, 32, 33, 64, 65, 96, 97, 128, 129, 4_000].map(Some);
    for believed in believed.into_iter().chain([None]) {
        let told = believed.map(crate::Revision::new);
        let tail = crate::index::tail(database, Reach::Disk, id, stream, told).unwrap();
        let found = tail.as_ref().unwrap().revision.get();
        assert_eq!(found, revision, "{believed:?}");
        assert!(remembered.is_none() || tail == remembered, "{tail:?}");
    }
    remembered.map(|tail| tail.revision.get())
}
