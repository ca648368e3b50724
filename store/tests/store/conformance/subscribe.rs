//! Subscriptions: every place once and in order, through history into the present.

use std::time::Duration;

use horizon_store::{
    EventStore, Expected, Position, ReadLimit, Selection, Sequence, StoreError,
};
use tokio::task::JoinSet;

use super::Home;
use super::crossing::{crossing, with_ten};
use super::reading::positions;
use crate::build::{append, category, main_log, one, public, public_stream};

const WRITERS: usize = 4;
const COMMITS: usize = 50;

/// Writers that append to categories `a`, `b`, … at once; `WRITERS * COMMITS` commits of two events.
async fn write_all(store: &impl EventStore) {
    let mut writers = JoinSet::new();
    for (writer, name) in (0..WRITERS).zip(["a-1", "b-1", "c-1", "d-1"]) {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..COMMITS {
                let ids = [format!("{writer}-{n}-0"), format!("{writer}-{n}-1")];
                append(&store, one(name, Expected::Any, &[&ids[0], &ids[1]])).await;
            }
        });
    }
    writers.join_all().await;
}

/// Follows until `last`; the positions that were seen.
async fn follow(
    store: impl EventStore,
    selection: Selection,
    last: u64,
    records: usize,
    pause: Duration,
) -> Vec<u64> {
    let limit = ReadLimit { records, ..ReadLimit::default() };
    let subscription = store.subscribe(&main_log(), selection, Position::ZERO).await.unwrap();
    let mut subscription = subscription.with_limit(limit);
    let mut seen = Vec::new();
    while subscription.after().get() < last {
        let before = subscription.after();
        let page = subscription.next().await.unwrap();
        assert!(page.through > before && page.through == subscription.after());
        seen.extend(positions(&page));
        tokio::time::sleep(pause).await;
    }
    seen
}

pub(crate) async fn many_subscribers_see_each_position_once_and_in_order(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-0", Expected::None, &["first"])).await;
    let last = (1 + 2 * WRITERS * COMMITS) as u64;
    let mut all = JoinSet::new();
    for records in [1, 3, 1_000] {
        all.spawn(follow(store.clone(), Selection::All, last, records, Duration::ZERO));
    }
    let slow = tokio::spawn(follow(store.clone(), Selection::All, last, 20, Duration::from_millis(5)));
    let of_a = tokio::spawn(follow(store.clone(), category("a"), last, 7, Duration::ZERO));
    let of_none = tokio::spawn(follow(store.clone(), category("none"), last, 7, Duration::ZERO));
    write_all(&store).await;
    // Who comes late goes through history.
    all.spawn(follow(store.clone(), Selection::All, last, 11, Duration::ZERO));
    let every: Vec<_> = (1..=last).collect();
    for seen in all.join_all().await {
        assert_eq!(seen, every);
    }
    assert_eq!(slow.await.unwrap(), every);
    assert_eq!(of_none.await.unwrap(), [] as [u64; 0]);
    let of_a = of_a.await.unwrap();
    assert!(of_a.is_sorted_by(|one, next| one < next));
    assert_eq!(of_a.len(), 1 + 2 * COMMITS);
}

pub(crate) async fn a_subscriber_that_waits_is_woken_and_a_dropped_wait_loses_nothing(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    let mut subscription = store
        .subscribe(&main_log(), Selection::All, Position::ZERO)
        .await
        .unwrap();
    assert_eq!(positions(&subscription.next().await.unwrap()), [1]);
    for n in 2..30_u64 {
        let given_up = tokio::time::timeout(Duration::from_micros(n * 20), subscription.next()).await;
        assert!(given_up.is_err(), "nothing was appended");
        let (seen, _) = tokio::join!(
            subscription.next(),
            append(&store, one("a-1", Expected::Any, &[&n.to_string()])),
        );
        assert_eq!(positions(&seen.unwrap()), [n]);
    }
    // Dropped while it reads, too.
    let (mut seen, mut n) = (Vec::new(), 30);
    while seen.len() < 30 {
        append(&store, one("a-1", Expected::Any, &[&n.to_string()])).await;
        n += 1;
        let wait = Duration::from_micros(n % 7 * 30);
        if let Ok(page) = tokio::time::timeout(wait, subscription.next()).await {
            seen.extend(positions(&page.unwrap()));
        }
    }
    assert!(seen.iter().copied().eq(30..30 + seen.len() as u64), "{seen:?}");
}

pub(crate) async fn a_subscription_begins_after_any_position(home: impl Home) {
    let store = with_ten(&home).await;
    for (after, expected) in [(0, 1), (4, 5), (9, 10), (10, 11), (11, 12)] {
        let mut subscription = store
            .subscribe(&main_log(), Selection::All, Position::new(after))
            .await
            .unwrap();
        if after >= 10 {
            append(&store, one("b-1", Expected::Any, &[&format!("late-{after}")])).await;
        }
        if after == 11 {
            append(&store, one("b-1", Expected::Any, &["more"])).await;
        }
        let page = subscription.next().await.unwrap();
        assert_eq!(page.records[0].position().get(), expected);
    }
}

pub(crate) async fn a_public_stream_is_followed(home: impl Home) {
    let store = with_ten(&home).await;
    let first = crossing(0, 3, (1..=3).map(|n| public("p", n, n, "k")).collect());
    store.cross(&main_log(), first).await.unwrap();
    let mut subscription = store
        .subscribe_public(&main_log(), &public_stream("p"), Sequence::new(1))
        .await
        .unwrap();
    let page = subscription.next().await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.sequence.get()).collect::<Vec<_>>(), [2, 3]);
    let elsewhere = crossing(3, 4, vec![public("q", 1, 4, "k")]);
    store.cross(&main_log(), elsewhere).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(20), subscription.next()).await;
    assert!(waited.is_err(), "another public stream wakes nobody");
    let next = crossing(4, 5, vec![public("p", 4, 5, "k")]);
    let log = main_log();
    let (page, crossed) = tokio::join!(subscription.next(), store.cross(&log, next));
    crossed.unwrap();
    assert_eq!(page.unwrap().events[0].sequence.get(), 4);
}

pub(crate) async fn subscriptions_end_when_the_store_is_closed(home: impl Home) {
    let store = with_ten(&home).await;
    let mut waiting = store
        .subscribe(&main_log(), Selection::All, Position::new(10))
        .await
        .unwrap();
    let mut public = store
        .subscribe_public(&main_log(), &public_stream("p"), Sequence::ZERO)
        .await
        .unwrap();
    let mut behind = store
        .subscribe(&main_log(), Selection::All, Position::ZERO)
        .await
        .unwrap();
    let clone = store.clone();
    let (ended, public, closed) = tokio::join!(waiting.next(), public.next(), store.close());
    closed.unwrap();
    assert_eq!(ended.unwrap_err(), StoreError::Closed);
    assert_eq!(public.unwrap_err(), StoreError::Closed);
    assert_eq!(behind.next().await.unwrap_err(), StoreError::Closed);
    let late = clone.subscribe(&main_log(), Selection::All, Position::ZERO).await;
    assert_eq!(late.err(), Some(StoreError::Closed));
}
