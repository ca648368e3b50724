//! Parking and un-parking: the entries of a key leave in order, each with what became of it.

use horizon_store::{
    CrossError, Crossing, EventStore, ParkOutcome, ParkScope, ParkedError, ReadLimit, RelayTotals,
    ResolveError, ResolvedParked, Sequence,
};

use super::Home;
use super::crossing::{crossing, sequences, with_ten};
use super::reading::records;
use super::relay::{RELAY, settlement, with_ten as with_ten_public};
use crate::build::{main_log, parked, public, public_stream, relay};

pub(crate) fn leaves(scope: &ParkScope, key: &str, at: u64, outcome: ParkOutcome) -> ResolvedParked {
    ResolvedParked {
        scope: scope.clone(),
        key: key.into(),
        at,
        outcome,
    }
}

fn skipped(reason: &str) -> ParkOutcome {
    ParkOutcome::Skipped {
        reason: reason.into(),
    }
}

fn scope() -> ParkScope {
    ParkScope::Crossing(public_stream("p"))
}

/// A crossing up to 10 with entries of the keys `m` (2, 4, 7) and `n` (3).
async fn with_parked<H: Home>(home: &H) -> H::Store {
    let store = with_ten(home).await;
    let sent = Crossing {
        parked: vec![
            parked(scope(), "m", 2, Some("no amount")),
            parked(scope(), "n", 3, Some("no name")),
            parked(scope(), "m", 4, None),
            parked(scope(), "m", 7, None),
        ],
        ..crossing(0, 10, vec![public("p", 1, 1, "k")])
    };
    store.cross(&main_log(), sent).await.unwrap();
    store
}

fn without_cursor(resolved: Vec<ResolvedParked>) -> Crossing {
    Crossing {
        resolved,
        ..Crossing::default()
    }
}

/// Every parked key with the places of its entries, read in pages; both ways of asking agree.
async fn all_parked(store: &impl EventStore, scope: &ParkScope, count: usize) -> Vec<(String, Vec<u64>)> {
    let log = main_log();
    let mut keys = Vec::new();
    let mut last: Option<String> = None;
    loop {
        let page = store.parked_keys(&log, scope, last.as_deref(), records(count)).await.unwrap();
        last = page.keys.last().map(|key| key.key.clone());
        keys.extend(page.keys);
        if !page.more {
            break;
        }
    }
    let mut all = Vec::new();
    for key in keys {
        let mut places = Vec::new();
        loop {
            let after = places.last().copied().unwrap_or_default();
            let page = store.parked_entries(&log, scope, &key.key, after, records(count)).await.unwrap();
            assert!(page.entries.len() <= count && page.entries.iter().all(|entry| entry.key == key.key));
            places.extend(page.entries.iter().map(|entry| entry.at));
            if !page.more {
                break;
            }
        }
        assert_eq!((key.entries, key.first_at), (places.len() as u64, places[0]));
        all.push((key.key, places));
    }
    all.sort();
    all
}

fn shown(keys: &[(&str, &[u64])]) -> Vec<(String, Vec<u64>)> {
    keys.iter().map(|(key, places)| ((*key).to_owned(), places.to_vec())).collect()
}

pub(crate) async fn what_is_parked_is_read_in_pages(home: impl Home) {
    let store = with_parked(&home).await;
    for count in [1, 2, 100] {
        assert_eq!(all_parked(&store, &scope(), count).await, shown(&[("m", &[2, 4, 7]), ("n", &[3])]));
    }
    let elsewhere = ParkScope::Crossing(public_stream("q"));
    assert_eq!(all_parked(&store, &elsewhere, 2).await, []);
    let log = main_log();
    let page = store.parked_entries(&log, &scope(), "k", 0, ReadLimit::default()).await.unwrap();
    assert!(page.entries.is_empty() && !page.more);
    let page = store.parked_entries(&log, &scope(), "m", u64::MAX, ReadLimit::default()).await.unwrap();
    assert!(page.entries.is_empty() && !page.more);
}

pub(crate) async fn a_mended_key_leaves_in_order_with_what_became_of_it(home: impl Home) {
    let store = with_parked(&home).await;
    let sent = Crossing {
        public: vec![public("p", 2, 2, "m")],
        resolved: vec![
            leaves(&scope(), "m", 2, ParkOutcome::Crossed),
            leaves(&scope(), "n", 3, skipped("a test")),
            leaves(&scope(), "m", 4, ParkOutcome::Filtered),
        ],
        ..Crossing::default()
    };
    store.cross(&main_log(), sent).await.unwrap();
    store.close().await.unwrap();
    let store = home.open().await;
    assert_eq!(all_parked(&store, &scope(), 10).await, shown(&[("m", &[7])]));
    assert_eq!(sequences(&store, "p").await, [1, 2]);
    let log = main_log();
    for (key, at, outcome) in [
        ("m", 2, Some(ParkOutcome::Crossed)),
        ("n", 3, Some(skipped("a test"))),
        ("m", 4, Some(ParkOutcome::Filtered)),
        ("m", 7, None),
        ("m", 1, None),
    ] {
        for key in [None, Some(key)] {
            let found = store.resolution(&log, &scope(), key, at).await.unwrap();
            assert_eq!(found.as_ref().map(|found| &found.outcome), outcome.as_ref(), "{at}");
            assert!(found.is_none_or(|found| found.at_ms > 1_700_000_000_000));
            let entry = store.parked_entry(&log, &scope(), key, at).await.unwrap();
            assert_eq!(entry.is_some(), at == 7);
        }
    }
    assert_eq!(store.resolution(&log, &scope(), Some("other"), 2).await.unwrap(), None);
    let last = without_cursor(vec![leaves(&scope(), "m", 7, ParkOutcome::Filtered)]);
    store.cross(&log, last).await.unwrap();
    assert_eq!(all_parked(&store, &scope(), 10).await, []);
}

pub(crate) async fn who_is_not_the_first_or_not_there_stays_and_nothing_is_done(home: impl Home) {
    let store = with_parked(&home).await;
    let gone = |at| ParkedError::NotParked { scope: scope(), at };
    let later = |at, first| ParkedError::NotFirst { scope: scope(), at, first };
    let filtered = |key, at| leaves(&scope(), key, at, ParkOutcome::Filtered);
    let before = all_parked(&store, &scope(), 10).await;
    let nowhere = ParkScope::Crossing(public_stream("q"));
    for (resolved, expected) in [
        (vec![filtered("m", 4)], later(4, 2)),
        (vec![filtered("m", 2), filtered("m", 7)], later(7, 4)),
        (vec![filtered("n", 3), filtered("m", 4), filtered("m", 2)], later(4, 2)),
        (vec![filtered("m", 3)], gone(3)),
        (vec![filtered("m", 1)], gone(1)),
        (vec![filtered("k", 2)], gone(2)),
        (vec![filtered("m", 2), filtered("m", 2)], gone(2)),
        (vec![filtered("n", 3), filtered("n", 4)], gone(4)),
        (
            vec![leaves(&nowhere, "m", 2, ParkOutcome::Filtered)],
            ParkedError::NotParked { scope: nowhere.clone(), at: 2 },
        ),
    ] {
        let error = store.cross(&main_log(), without_cursor(resolved)).await.unwrap_err();
        assert_eq!(error, CrossError::Parked(expected));
        assert_eq!(all_parked(&store, &scope(), 10).await, before);
        assert_eq!(store.resolution(&main_log(), &scope(), None, 2).await.unwrap(), None);
    }
    let elsewhere = horizon_store::LogName::new("nowhere").unwrap();
    let error = store.cross(&elsewhere, without_cursor(vec![filtered("m", 2)])).await.unwrap_err();
    assert_eq!(error, CrossError::Parked(gone(2)));
    // Refused for another reason, it leaves nothing of itself either.
    let wrong = Crossing {
        public: vec![public("p", 9, 2, "m")],
        resolved: vec![leaves(&scope(), "m", 2, ParkOutcome::Crossed)],
        ..Crossing::default()
    };
    let error = store.cross(&main_log(), wrong).await.unwrap_err();
    assert!(matches!(error, CrossError::SequenceGap { .. }), "{error}");
    assert_eq!(all_parked(&store, &scope(), 10).await, before);
    // And what has left is there no more.
    store.cross(&main_log(), without_cursor(vec![filtered("m", 2)])).await.unwrap();
    let error = store.cross(&main_log(), without_cursor(vec![filtered("m", 2)])).await.unwrap_err();
    assert_eq!(error, CrossError::Parked(gone(2)));
}

pub(crate) async fn an_outcome_that_cannot_be_is_refused(home: impl Home) {
    let store = with_parked(&home).await;
    let one = |outcome| vec![leaves(&scope(), "m", 2, outcome)];
    let of_relay = ParkScope::Relay(relay(RELAY));
    for wrong in [
        Crossing::default(),
        without_cursor(one(ParkOutcome::Crossed)),
        without_cursor(one(ParkOutcome::Confirmed)),
        without_cursor(one(ParkOutcome::Unheard)),
        without_cursor(vec![leaves(&of_relay, "m", 2, skipped("x"))]),
        Crossing {
            public: vec![public("p", 2, 2, "m")],
            ..without_cursor(one(ParkOutcome::Filtered))
        },
        Crossing {
            public: vec![public("q", 1, 2, "m")],
            ..without_cursor(one(ParkOutcome::Crossed))
        },
        without_cursor(vec![leaves(&scope(), &"k".repeat(1_025), 2, skipped("x"))]),
    ] {
        let error = store.cross(&main_log(), wrong).await.unwrap_err();
        assert!(matches!(error, CrossError::Limit(_)), "{error}");
    }
    let other = ParkScope::Relay(relay("p/amqp:x"));
    for wrong in [
        leaves(&of_relay, "m", 2, ParkOutcome::Crossed),
        leaves(&of_relay, "m", 2, ParkOutcome::Filtered),
        leaves(&other, "m", 2, ParkOutcome::Confirmed),
        leaves(&scope(), "m", 2, skipped("x")),
    ] {
        let error = store.resolve(&main_log(), &relay(RELAY), vec![wrong]).await.unwrap_err();
        assert!(matches!(error, ResolveError::Limit(_)), "{error}");
    }
    assert_eq!(all_parked(&store, &scope(), 10).await.len(), 2);
}

pub(crate) async fn a_long_reason_to_skip_is_cut_between_two_characters(home: impl Home) {
    let store = with_parked(&home).await;
    let long = format!("x{}", "ä".repeat(3_000));
    let sent = without_cursor(vec![leaves(&scope(), "n", 3, skipped(&long))]);
    store.cross(&main_log(), sent).await.unwrap();
    let found = store.resolution(&main_log(), &scope(), None, 3).await.unwrap().unwrap();
    assert!(matches!(found.outcome, ParkOutcome::Skipped { reason } if reason.len() == 4_095));
}

pub(crate) async fn entries_that_leave_a_relay_are_counted_as_what_became_of_them(home: impl Home) {
    let store = with_ten_public(&home).await;
    let (log, of_relay) = (main_log(), ParkScope::Relay(relay(RELAY)));
    let refused = (4..=8).map(|at| parked(of_relay.clone(), "k", at, None)).collect();
    store.settle(&log, settlement(0, 9, &[2], refused)).await.unwrap();
    let all = vec![
        leaves(&of_relay, "k", 4, ParkOutcome::Confirmed),
        leaves(&of_relay, "k", 5, ParkOutcome::Unheard),
        leaves(&of_relay, "k", 6, skipped("by hand")),
        leaves(&of_relay, "k", 7, ParkOutcome::Confirmed),
    ];
    store.resolve(&log, &relay(RELAY), all).await.unwrap();
    store.resolve(&log, &relay(RELAY), Vec::new()).await.unwrap();
    store.close().await.unwrap();
    let store = home.open().await;
    let totals = RelayTotals {
        confirmed: 5,
        unheard: 2,
        parked: 1,
        skipped: 1,
    };
    assert_eq!(store.relay_totals(&log, &relay(RELAY)).await.unwrap(), totals);
    assert_eq!(all_parked(&store, &of_relay, 2).await, shown(&[("k", &[8])]));
    assert_eq!(store.relay_cursor(&log, &relay(RELAY)).await.unwrap(), Some(Sequence::new(9)));
    let left = store.resolution(&log, &of_relay, None, 6).await.unwrap().unwrap();
    assert_eq!(left.outcome, skipped("by hand"));
    for (at, expected) in [
        (4, ParkedError::NotParked { scope: of_relay.clone(), at: 4 }),
        (9, ParkedError::NotParked { scope: of_relay.clone(), at: 9 }),
    ] {
        let again = vec![leaves(&of_relay, "k", at, ParkOutcome::Confirmed)];
        let error = store.resolve(&log, &relay(RELAY), again).await.unwrap_err();
        assert_eq!(error, ResolveError::Parked(expected));
    }
    let half = vec![
        leaves(&of_relay, "k", 8, ParkOutcome::Confirmed),
        leaves(&of_relay, "k", 9, ParkOutcome::Confirmed),
    ];
    assert!(store.resolve(&log, &relay(RELAY), half).await.is_err());
    assert_eq!(store.relay_totals(&log, &relay(RELAY)).await.unwrap(), totals);
    let none = ParkScope::Relay(relay("none"));
    let error = store
        .resolve(&log, &relay("none"), vec![leaves(&none, "k", 1, ParkOutcome::Confirmed)])
        .await
        .unwrap_err();
    assert_eq!(error, ResolveError::Parked(ParkedError::NotParked { scope: none, at: 1 }));
}

pub(crate) async fn calls_that_are_written_together_see_each_other(home: impl Home) {
    let store = with_ten(&home).await;
    let log = main_log();
    let park = |from: u64, to: u64, at: &[u64]| Crossing {
        parked: at.iter().map(|at| parked(scope(), "m", *at, None)).collect(),
        ..crossing(from, to, Vec::new())
    };
    let leave = |at: &[u64]| {
        let filtered = |at: &u64| leaves(&scope(), "m", *at, ParkOutcome::Filtered);
        without_cursor(at.iter().map(filtered).collect())
    };
    // Handed in at once, in this order.
    let answers = tokio::join!(
        store.cross(&log, park(0, 3, &[1, 2])),
        store.cross(&log, leave(&[1])),
        store.cross(&log, leave(&[1])),
        store.cross(&log, park(3, 5, &[4, 5])),
        store.cross(&log, leave(&[2, 4])),
        store.cross(&log, leave(&[5])),
        store.cross(&log, park(5, 7, &[6])),
    );
    assert_eq!((answers.0, answers.1, answers.3, answers.4), (Ok(()), Ok(()), Ok(()), Ok(())));
    let gone = ParkedError::NotParked { scope: scope(), at: 1 };
    assert_eq!(answers.2, Err(CrossError::Parked(gone)));
    assert_eq!((answers.5, answers.6), (Ok(()), Ok(())));
    assert_eq!(all_parked(&store, &scope(), 10).await, shown(&[("m", &[6])]));
    // An entry that is parked once more is one entry; one that has left may come again.
    store.cross(&log, Crossing { cursors: vec![super::crossing::cursor_move("other", 0, 10)], ..park(0, 10, &[6, 2, 2, 9, 6]) }).await.unwrap();
    assert_eq!(all_parked(&store, &scope(), 10).await, shown(&[("m", &[2, 6, 9])]));
}
