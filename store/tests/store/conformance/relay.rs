//! Settlements: relays' cursors, and what became of each public event.

use horizon_store::{EventStore, 
    Crossing, Expected, NewParked, ParkScope, ReadLimit, RelayTotals, Sequence, SettleError, Settlement,
};

use super::Home;
use crate::build::{append, main_log, one, parked, public, public_stream, relay};

pub(super) const RELAY: &str = "p/mqtt:main";

pub(super) fn settlement(expected: u64, to: u64, unheard: &[u64], parked: Vec<NewParked>) -> Settlement {
    Settlement {
        not_sent: false,
        relay: relay(RELAY),
        stream: public_stream("p"),
        expected: Sequence::new(expected),
        to: Sequence::new(to),
        at_ms: 1_000 + to,
        unheard: unheard.iter().copied().map(Sequence::new).collect(),
        parked,
    }
}

/// A store whose public stream `p` has ten events.
pub(super) async fn with_ten<H: Home>(home: &H) -> H::Store {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    let crossing = Crossing {
        cursors: vec![super::crossing::cursor_move("crossing", 0, 1)],
        public: (1..=10).map(|n| public("p", n, 1, "k")).collect(),
        parked: Vec::new(),
        resolved: Vec::new(),
        counts: Vec::new(),
    };
    store.cross(&main_log(), crossing).await.unwrap();
    store
}

pub(crate) async fn a_settlement_tells_what_became_of_each_event(home: impl Home) {
    let store = with_ten(&home).await;
    let scope = ParkScope::Relay(relay(RELAY));
    assert_eq!(
        store
            .relay_cursor(&main_log(), &relay(RELAY))
            .await
            .unwrap(),
        None
    );
    store
        .settle(&main_log(), settlement(0, 3, &[2], Vec::new()))
        .await
        .unwrap();
    let refused = vec![
        parked(scope.clone(), "k", 5, Some("refused")),
        parked(scope.clone(), "k", 4, None),
    ];
    store
        .settle(&main_log(), settlement(3, 7, &[6, 7], refused))
        .await
        .unwrap();
    store.close().await.unwrap();
    let store = home.open().await;
    assert_eq!(
        store
            .relay_cursor(&main_log(), &relay(RELAY))
            .await
            .unwrap(),
        Some(Sequence::new(7))
    );
    let totals = RelayTotals {
        confirmed: 2,
        unheard: 3,
        parked: 2,
        skipped: 0,
    };
    assert_eq!(
        store
            .relay_totals(&main_log(), &relay(RELAY))
            .await
            .unwrap(),
        totals
    );
    for (sequence, expected) in [
        (0, None),
        (1, Some((false, false))),
        (2, Some((true, false))),
        (3, Some((false, false))),
        (4, Some((false, true))),
        (6, Some((true, false))),
        (8, None),
    ] {
        let found = store
            .settled(&main_log(), &relay(RELAY), Sequence::new(sequence))
            .await
            .unwrap();
        // When at the latest, within a second.
        let settled_ms = 1_003..1_003 + 1_000;
        assert!(found.is_none_or(|found| settled_ms.contains(&found.at_ms)));
        let found = found.map(|found| (found.unheard, found.parked));
        assert_eq!(found, expected, "sequence {sequence}");
    }
    let log = main_log();
    let page = store.parked_keys(&log, &scope, None, ReadLimit::default());
    let keys = page.await.unwrap().keys;
    assert_eq!((keys.len(), keys[0].entries, keys[0].first_at), (1, 2, 4));
    assert_eq!(
        store
            .relay_totals(&main_log(), &relay("p/amqp:x"))
            .await
            .unwrap(),
        RelayTotals::default()
    );
}

pub(crate) async fn a_settlement_from_another_place_than_the_cursors_writes_nothing(home: impl Home) {
    let store = with_ten(&home).await;
    store
        .settle(&main_log(), settlement(0, 3, &[], Vec::new()))
        .await
        .unwrap();
    for expected in [0, 2, 4] {
        let error = store
            .settle(&main_log(), settlement(expected, 8, &[], Vec::new()))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            SettleError::CursorMoved {
                actual: Sequence::new(3)
            }
        );
    }
    assert_eq!(
        store
            .relay_totals(&main_log(), &relay(RELAY))
            .await
            .unwrap()
            .confirmed,
        3
    );
}

pub(crate) async fn what_cannot_be_settled_is_refused_and_writes_nothing(home: impl Home) {
    let store = with_ten(&home).await;
    let scope = ParkScope::Relay(relay(RELAY));
    let other = ParkScope::Relay(relay("p/amqp:x"));
    let at = |scope: &ParkScope, at| parked(scope.clone(), "k", at, None);
    for wrong in [
        settlement(0, 0, &[], Vec::new()),
        settlement(0, 11, &[], Vec::new()),
        settlement(0, 3, &[2, 1], Vec::new()),
        settlement(0, 3, &[1, 1], Vec::new()),
        settlement(0, 3, &[4], Vec::new()),
        settlement(0, 3, &[], vec![at(&scope, 4)]),
        settlement(0, 3, &[], vec![at(&scope, 2), at(&scope, 2)]),
        settlement(0, 3, &[2], vec![at(&scope, 2)]),
        settlement(0, 3, &[], vec![at(&other, 2)]),
        Settlement {
            not_sent: true,
            ..settlement(0, 3, &[2], Vec::new())
        },
        Settlement {
            stream: public_stream("q"),
            ..settlement(0, 3, &[], Vec::new())
        },
    ] {
        let error = store.settle(&main_log(), wrong).await.unwrap_err();
        assert!(matches!(error, SettleError::Limit(_)), "{error}");
    }
    assert_eq!(
        store
            .relay_cursor(&main_log(), &relay(RELAY))
            .await
            .unwrap(),
        None
    );
    let begins = Settlement {
        not_sent: true,
        ..settlement(0, 3, &[], Vec::new())
    };
    store.settle(&main_log(), begins).await.unwrap();
    let totals = store
        .relay_totals(&main_log(), &relay(RELAY))
        .await
        .unwrap();
    assert_eq!((totals.confirmed, totals.skipped), (0, 3));
    let elsewhere = Settlement {
        stream: public_stream("q"),
        ..settlement(3, 4, &[], Vec::new())
    };
    assert!(matches!(
        store.settle(&main_log(), elsewhere).await,
        Err(SettleError::Limit(_))
    ));
}
