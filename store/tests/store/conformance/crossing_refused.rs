//! Crossings that are refused: nothing of them is written.

use horizon_store::{EventStore, CrossError, Crossing, ParkScope, Position, Sequence};

use super::Home;
use crate::build::{main_log, parked, public, public_stream};
use super::crossing::{crossing, cursor, cursor_move, sequences, with_ten};

pub(crate) async fn a_crossing_from_another_place_than_the_cursors_writes_nothing(home: impl Home) {
    let store = with_ten(&home).await;
    store
        .cross(&main_log(), crossing(0, 3, vec![public("p", 1, 1, "k")]))
        .await
        .unwrap();
    for expected in [0, 2, 4] {
        let error = store
            .cross(
                &main_log(),
                crossing(expected, 6, vec![public("p", 2, 4, "k")]),
            )
            .await
            .unwrap_err();
        assert_eq!(
            error,
            CrossError::CursorMoved {
                cursor: cursor("crossing"),
                actual: Position::new(3)
            }
        );
    }
    assert_eq!(sequences(&store, "p").await, [1]);
}

pub(crate) async fn a_sequence_that_is_not_the_next_one_writes_nothing(home: impl Home) {
    let store = with_ten(&home).await;
    for wrong in [
        vec![public("p", 2, 1, "k")],
        vec![public("p", 1, 1, "k"), public("p", 3, 2, "k")],
    ] {
        let error = store
            .cross(&main_log(), crossing(0, 3, wrong))
            .await
            .unwrap_err();
        assert!(matches!(error, CrossError::SequenceGap { .. }), "{error}");
    }
    assert_eq!(sequences(&store, "p").await, [] as [u64; 0]);
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("crossing"))
            .await
            .unwrap(),
        None
    );
    store
        .cross(&main_log(), crossing(0, 3, vec![public("p", 1, 1, "k")]))
        .await
        .unwrap();
    let error = store
        .cross(&main_log(), crossing(3, 4, vec![public("p", 1, 4, "k")]))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        CrossError::SequenceGap {
            stream: public_stream("p"),
            expected: Sequence::new(2)
        }
    );
}

pub(crate) async fn what_cannot_be_is_refused_and_writes_nothing(home: impl Home) {
    let store = with_ten(&home).await;
    let scope = |name| ParkScope::Crossing(public_stream(name));
    let with_parked = |entry| Crossing {
        parked: vec![entry],
        ..crossing(0, 3, Vec::new())
    };
    let relay = ParkScope::Relay(crate::build::relay("p/mqtt:main"));
    for wrong in [
        crossing(0, 0, Vec::new()),
        Crossing {
            cursors: Vec::new(),
            ..crossing(0, 3, Vec::new())
        },
        Crossing {
            cursors: vec![cursor_move("crossing", 0, 3), cursor_move("crossing", 3, 4)],
            ..crossing(0, 3, Vec::new())
        },
        crossing(0, 11, Vec::new()),
        crossing(0, 3, vec![public("p", 1, 0, "k")]),
        crossing(0, 3, vec![public("p", 1, 11, "k")]),
        crossing(0, 3, vec![public("p", 1, 1, &"k".repeat(1_025))]),
        with_parked(parked(scope("p"), "k", 0, None)),
        with_parked(parked(scope("p"), "k", 4, None)),
        with_parked(parked(relay, "k", 1, None)),
    ] {
        let error = store.cross(&main_log(), wrong).await.unwrap_err();
        assert!(matches!(error, CrossError::Limit(_)), "{error}");
    }
    let nowhere = horizon_store::LogName::new("nowhere").unwrap();
    assert!(
        store
            .cross(&nowhere, crossing(0, 1, Vec::new()))
            .await
            .is_err()
    );
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("crossing"))
            .await
            .unwrap(),
        None
    );
}

pub(crate) async fn a_long_reason_is_cut_between_two_characters(home: impl Home) {
    let store = with_ten(&home).await;
    let scope = ParkScope::Crossing(public_stream("p"));
    let long = format!("x{}", "ä".repeat(3_000));
    let sent = Crossing {
        parked: vec![parked(scope.clone(), "k", 1, Some(&long))],
        ..crossing(0, 1, Vec::new())
    };
    store.cross(&main_log(), sent).await.unwrap();
    let entry = store
        .parked_entry(&main_log(), &scope, None, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(entry.reason.unwrap().len(), 4_095);
}
