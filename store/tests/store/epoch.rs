//! Epochs: appends, crossings, relays and reads go on over them, and no position or sequence is used twice.

use std::path::Path;

use horizon_store::{
    AppendError, CrossError, Crossing, CursorMove, CursorName, Epoch, Expected, KeepError, LogName,
    OpenError, Options, ParkScope, Position, ReadLimit, Record, RelayTotals, Revision, Selection,
    Sequence, SettleError, Settlement, Store, open_new_epoch,
};

use crate::build::{
    append, category, exact, fresh, main_log, one, open, parked, public, public_stream, relay,
    stream,
};

/// The first position and sequence of epoch 1 is one after this.
const EPOCH: u64 = 1 << 40;

async fn cross(
    store: &Store,
    from: u64,
    to: u64,
    sequences: &[(u64, u64)],
) -> Result<(), CrossError> {
    let cursors = vec![CursorMove {
        cursor: CursorName::new("c").unwrap(),
        expected: Position::new(from),
        to: Position::new(to),
    }];
    let public = sequences
        .iter()
        .map(|(sequence, origin)| public("p", *sequence, *origin, "k"))
        .collect();
    let crossing = Crossing {
        cursors,
        public,
        ..Crossing::default()
    };
    store.cross(&main_log(), crossing).await
}

async fn settle(
    store: &Store,
    from: u64,
    to: u64,
    unheard: &[u64],
    park: &[u64],
) -> Result<(), SettleError> {
    let scope = ParkScope::Relay(relay("r"));
    let settlement = Settlement {
        not_sent: false,
        relay: relay("r"),
        stream: public_stream("p"),
        expected: Sequence::new(from),
        to: Sequence::new(to),
        at_ms: 7,
        unheard: unheard.iter().copied().map(Sequence::new).collect(),
        parked: park
            .iter()
            .map(|at| parked(scope.clone(), "k", *at, Some("no")))
            .collect(),
    };
    store.settle(&main_log(), settlement).await
}

async fn new_epoch(dir: &Path) -> Vec<Epoch> {
    open_new_epoch(dir, "a test", None, Options::default())
        .await
        .unwrap()
}

async fn positions(store: &Store, records: usize) -> Vec<u64> {
    let (mut after, mut positions) = (Position::ZERO, Vec::new());
    loop {
        let limit = ReadLimit {
            records,
            ..ReadLimit::default()
        };
        let page = store
            .read_log(&main_log(), &Selection::All, after, limit)
            .await
            .unwrap();
        positions.extend(page.records.iter().map(|record| record.position().get()));
        if page.through == page.head {
            return positions;
        }
        after = page.through;
    }
}

#[tokio::test]
async fn a_log_goes_on_in_a_new_epoch_and_its_record_tells_why() {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1", "2"])).await;
    store.close().await.unwrap();
    let opened = new_epoch(dir.path()).await;
    let expected = Epoch {
        log: main_log(),
        first: Position::new(EPOCH + 1),
        after: Position::new(2),
        reason: "a test".into(),
    };
    assert_eq!(opened, std::slice::from_ref(&expected));
    let store = open(&dir).await;
    assert_eq!(store.epochs(&main_log()).await.unwrap(), [expected]);
    assert_eq!(store.head(&main_log()).await.unwrap().get(), EPOCH + 1);
    assert_eq!(store.event_count(&main_log()).await.unwrap(), 2);
    let third = append(&store, one("a-1", exact(2), &["3"])).await;
    assert_eq!(third.first_position.get(), EPOCH + 2);
    assert_eq!(third.streams[0].first_revision.get(), 3);
    // A repeat of a commit from before is answered as the first time.
    let again = append(&store, one("a-1", exact(99), &["1", "2"])).await;
    assert_eq!((again.repeat, again.first_position.get()), (true, 1));
    store.close().await.unwrap();
    new_epoch(dir.path()).await;
    let store = open(&dir).await;
    append(&store, one("a-2", Expected::None, &["4"])).await;
    let all = [1, 2, EPOCH + 1, EPOCH + 2, 2 * EPOCH + 1, 2 * EPOCH + 2];
    for records in [1, 2, 100] {
        assert_eq!(positions(&store, records).await, all);
    }
    let page = store
        .read_log(
            &main_log(),
            &category("a"),
            Position::new(2),
            ReadLimit::default(),
        )
        .await
        .unwrap();
    let found: Vec<_> = page
        .records
        .iter()
        .map(|record| record.position().get())
        .collect();
    assert_eq!(found, [EPOCH + 2, 2 * EPOCH + 2]);
    assert_eq!(page.through.get(), 2 * EPOCH + 2);
    let page = store
        .read_stream(
            &main_log(),
            &stream("a-1"),
            Revision::new(2),
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.revision.get(), 3);
    assert_eq!(page.events[1].position.get(), EPOCH + 2);
    // From a place between two epochs as from the end of the first.
    let page = store
        .read_log(
            &main_log(),
            &Selection::All,
            Position::new(77),
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.records[0].position().get(), EPOCH + 1);
    assert!(matches!(&page.records[0], Record::System { kind, .. } if kind == "epoch"));
    drop(store);
    let store = open(&dir).await;
    assert_eq!(positions(&store, 100).await, all);
}

#[tokio::test]
async fn crossings_and_relays_go_on_over_epochs() {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1", "2", "3"])).await;
    cross(&store, 0, 3, &[(1, 1), (2, 2), (3, 3)])
        .await
        .unwrap();
    settle(&store, 0, 1, &[], &[]).await.unwrap();
    store.close().await.unwrap();
    new_epoch(dir.path()).await;
    let store = open(&dir).await;
    append(&store, one("a-1", exact(3), &["4", "5"])).await;
    // An event of the first epoch may cross in the second, and gets a sequence of the second.
    let gap = cross(&store, 3, EPOCH + 3, &[(4, EPOCH + 2)]).await;
    let expected = Sequence::new(EPOCH + 1);
    assert!(
        matches!(&gap, Err(CrossError::SequenceGap { expected: found, .. }) if *found == expected),
        "{gap:?}"
    );
    for wrong in [4, EPOCH] {
        let between = cross(&store, 3, wrong, &[]).await;
        assert!(matches!(between, Err(CrossError::Limit(_))), "{between:?}");
        let origin = cross(&store, 3, EPOCH + 2, &[(EPOCH + 1, wrong)]).await;
        assert!(matches!(origin, Err(CrossError::Limit(_))), "{origin:?}");
    }
    cross(
        &store,
        3,
        EPOCH + 3,
        &[(EPOCH + 1, 3), (EPOCH + 2, EPOCH + 3)],
    )
    .await
    .unwrap();
    let (log, p) = (main_log(), public_stream("p"));
    let head = store.public_head(&log, &p).await.unwrap().unwrap();
    assert_eq!((head.last.get(), head.crossed), (EPOCH + 2, 5));
    let page = store
        .read_public(&log, &p, Sequence::new(1), ReadLimit::default())
        .await
        .unwrap();
    let sequences: Vec<_> = page
        .events
        .iter()
        .map(|event| event.sequence.get())
        .collect();
    assert_eq!(sequences, [2, 3, EPOCH + 1, EPOCH + 2]);
    let all = [EPOCH + 2, EPOCH + 1, 3, 2, 1];
    for before in [
        0,
        1,
        2,
        3,
        4,
        EPOCH,
        EPOCH + 1,
        EPOCH + 2,
        EPOCH + 3,
        Sequence::END.get(),
    ] {
        let below: Vec<u64> = all.into_iter().filter(|at| *at < before).collect();
        for records in [1, 2, 9] {
            let limit = ReadLimit {
                records,
                ..ReadLimit::default()
            };
            let page = store.read_public_back(&log, &p, Sequence::new(before), limit);
            let read: Vec<_> = page.await.unwrap().events;
            let read: Vec<u64> = read.iter().map(|event| event.sequence.get()).collect();
            let due = &below[..records.min(below.len())];
            assert_eq!(read, due, "before {before}, {records} at a time");
        }
    }
    let pair = vec![("k".to_owned(), "test.tested.v1".to_owned())];
    assert_eq!(
        store.last_of_keys(&log, &p, pair).await.unwrap(),
        [Some(Sequence::new(EPOCH + 2))]
    );
    let between =
        |after, to| store.public_between(&log, &p, Sequence::new(after), Sequence::new(to));
    assert_eq!(between(1, EPOCH + 2).await.unwrap(), 4);
    assert_eq!(between(3, EPOCH + 1).await.unwrap(), 1);
    assert_eq!(between(EPOCH + 1, EPOCH + 2).await.unwrap(), 1);
    // A relay's cursor stands on sequences only, and counts no place between the epochs.
    for wrong in [4, EPOCH] {
        let refused = settle(&store, 1, wrong, &[], &[]).await;
        assert!(matches!(refused, Err(SettleError::Limit(_))), "{refused:?}");
    }
    settle(&store, 1, EPOCH + 2, &[2], &[EPOCH + 1])
        .await
        .unwrap();
    let totals = RelayTotals {
        confirmed: 3,
        unheard: 1,
        parked: 1,
        skipped: 0,
    };
    assert_eq!(store.relay_totals(&log, &relay("r")).await.unwrap(), totals);
    let settled = async |sequence| {
        let sequence = Sequence::new(sequence);
        let settled = store
            .settled(&log, &relay("r"), sequence)
            .await
            .unwrap()
            .unwrap();
        (settled.unheard, settled.parked)
    };
    assert_eq!(settled(2).await, (true, false));
    assert_eq!(settled(3).await, (false, false));
    assert_eq!(settled(EPOCH + 1).await, (false, true));
    let scope = ParkScope::Relay(relay("r"));
    let parked = store.parked_keys(&log, &scope, None, ReadLimit::default());
    assert_eq!(parked.await.unwrap().keys[0].first_at, EPOCH + 1);
    store.close().await.unwrap();
    new_epoch(dir.path()).await;
    let store = open(&dir).await;
    // Nothing crossed in epoch 1's successor yet; one event passes two epochs at once.
    cross(&store, EPOCH + 3, 2 * EPOCH + 1, &[(2 * EPOCH + 1, 1)])
        .await
        .unwrap();
    settle(&store, EPOCH + 2, 2 * EPOCH + 1, &[], &[])
        .await
        .unwrap();
    assert_eq!(
        store
            .relay_totals(&log, &relay("r"))
            .await
            .unwrap()
            .confirmed,
        4
    );
    let all = store.public_between(&log, &p, Sequence::ZERO, Sequence::new(2 * EPOCH + 1));
    assert_eq!(all.await.unwrap(), 6);
}

#[tokio::test]
async fn a_log_that_is_first_written_in_a_later_epoch_begins_there() {
    let (store, dir) = fresh().await;
    store.close().await.unwrap();
    assert_eq!(new_epoch(dir.path()).await, []);
    let store = open(&dir).await;
    let other = LogName::new("other").unwrap();
    assert_eq!(store.head(&other).await.unwrap().get(), EPOCH);
    let page = store
        .read_log(
            &other,
            &Selection::All,
            Position::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.through, page.head);
    let committed = store
        .append(&other, one("a-1", Expected::None, &["1"]))
        .await
        .unwrap();
    assert_eq!(committed.first_position.get(), EPOCH + 1);
    drop(store);
    let store = open(&dir).await;
    let page = store
        .read_log(
            &other,
            &Selection::All,
            Position::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.records.len(), 1);
    // Backwards to its first record, and not a step further.
    let (mut before, mut found) = (Position::END, 0);
    while before > Position::ZERO {
        let limit = ReadLimit {
            records: 1,
            ..ReadLimit::default()
        };
        let back = store.read_log_back(&other, &Selection::All, before, limit);
        let page = back.await.unwrap();
        found += page.records.len();
        before = page.through;
    }
    assert_eq!(found, 1);
    assert_eq!(store.epochs(&other).await.unwrap(), []);
}

#[tokio::test]
async fn a_new_epoch_is_opened_in_stopped_stores_only_and_with_a_reason() {
    let (store, dir) = fresh().await;
    let failed = |error: KeepError| format!("{error}");
    let open_it =
        |reason: &'static str| open_new_epoch(dir.path(), reason, None, Options::default());
    let in_use = KeepError::Open(OpenError::InUse {
        dir: dir.path().to_owned(),
    });
    assert_eq!(open_it("because").await, Err(in_use));
    let refused = store
        .append_system(&main_log(), "epoch", bytes::Bytes::new())
        .await;
    assert!(refused.is_err());
    store.close().await.unwrap();
    let without = open_it("").await.map_err(failed).unwrap_err();
    assert!(without.contains("1 to 1024 bytes"), "{without}");
    let empty = tempfile::tempdir().unwrap();
    let none = open_new_epoch(empty.path(), "because", None, Options::default()).await;
    let expected = KeepError::Open(OpenError::NoStore {
        dir: empty.path().to_owned(),
    });
    assert_eq!(none, Err(expected));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    // The belief about a stream is not touched by an epoch.
    let store = open(&dir).await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.close().await.unwrap();
    new_epoch(dir.path()).await;
    let store = open(&dir).await;
    let wrong = store
        .append(&main_log(), one("a-1", Expected::None, &["2"]))
        .await;
    assert!(matches!(wrong, Err(AppendError::WrongRevision { .. })));
}

#[tokio::test]
async fn an_epoch_that_is_named_is_above_the_stores_and_exists() {
    let (store, dir) = fresh().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    store.close().await.unwrap();
    let named = async |epoch: u64| {
        let opened = open_new_epoch(dir.path(), "a test", Some(epoch), Options::default()).await;
        opened
            .map(|epochs| epochs[0].first.get())
            .map_err(|error| error.to_string())
    };
    // The same volume was rolled back before, and went on in epoch 1 then.
    assert_eq!(named(2).await, Ok(2 * EPOCH + 1));
    for used in [0, 1, 2] {
        let refused = named(used).await.unwrap_err();
        assert!(refused.contains("name one above 2"), "{refused}");
    }
    assert_eq!(named(8_191).await, Ok(8_191 * EPOCH + 1));
    for none in [8_192, u64::MAX] {
        let refused = named(none).await.unwrap_err();
        assert!(refused.contains("the last epoch is 8191"), "{refused}");
    }
    let end = open_new_epoch(dir.path(), "a test", None, Options::default()).await;
    assert!(matches!(end, Err(KeepError::Refused { .. })), "{end:?}");
    // What was refused has changed nothing.
    let store = open(&dir).await;
    let next = append(&store, one("a-1", exact(1), &["2"])).await;
    assert_eq!(next.first_position.get(), 8_191 * EPOCH + 2);
}
