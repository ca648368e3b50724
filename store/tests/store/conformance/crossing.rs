//! Crossings: cursor, public events, parked entries and counts as one unit.

use horizon_store::{EventStore, 
    Counts, CrossError, Crossing, CursorMove, CursorName, Expected, NewPublicEvent, ParkScope,
    ParkedEntry, ParkedKey, Position, ReadLimit, Sequence,
};

use super::Home;
use crate::build::{append, main_log, one, parked, public, public_stream};

pub(crate) fn cursor(name: &str) -> CursorName {
    CursorName::new(name).unwrap()
}

pub(crate) fn cursor_move(name: &str, expected: u64, to: u64) -> CursorMove {
    CursorMove {
        cursor: cursor(name),
        expected: Position::new(expected),
        to: Position::new(to),
    }
}

pub(crate) fn crossing(expected: u64, to: u64, public: Vec<NewPublicEvent>) -> Crossing {
    Crossing {
        cursors: vec![cursor_move("crossing", expected, to)],
        public,
        parked: Vec::new(),
        resolved: Vec::new(),
        counts: Vec::new(),
    }
}

/// A store with ten private events.
pub(crate) async fn with_ten<H: Home>(home: &H) -> H::Store {
    let store = home.open().await;
    append(
        &store,
        one(
            "a-1",
            Expected::None,
            &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
        ),
    )
    .await;
    store
}

pub(crate) async fn sequences(store: &impl EventStore, name: &str) -> Vec<u64> {
    let page = store
        .read_public(
            &main_log(),
            &public_stream(name),
            Sequence::ZERO,
            ReadLimit::default(),
        )
        .await;
    page.unwrap()
        .events
        .iter()
        .map(|event| event.sequence.get())
        .collect()
}

pub(crate) async fn a_crossing_is_read_back_whole_and_survives_a_restart(home: impl Home) {
    let store = with_ten(&home).await;
    let mut sent = crossing(
        0,
        4,
        vec![
            public("p", 1, 1, "k"),
            public("q", 1, 1, "k"),
            public("p", 2, 3, "l"),
        ],
    );
    let scope = ParkScope::Crossing(public_stream("p"));
    sent.parked = vec![
        parked(scope.clone(), "m", 2, Some("no amount")),
        parked(scope.clone(), "m", 4, None),
    ];
    sent.counts = vec![
        (
            public_stream("p"),
            Counts {
                filtered: 1,
                unmatched: 2,
                violated: 3,
            },
        ),
        (
            public_stream("r"),
            Counts {
                filtered: 4,
                ..Counts::default()
            },
        ),
    ];
    store.cross(&main_log(), sent.clone()).await.unwrap();
    store.close().await.unwrap();
    let store = home.open().await;
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("crossing"))
            .await
            .unwrap(),
        Some(Position::new(4))
    );
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("other"))
            .await
            .unwrap(),
        None
    );
    let page = store
        .read_public(
            &main_log(),
            &public_stream("p"),
            Sequence::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.head.get(), 2);
    for (read, new) in page.events.iter().zip([&sent.public[0], &sent.public[2]]) {
        assert_eq!(
            (&read.stream, read.sequence, read.origin),
            (&new.stream, new.sequence, new.origin)
        );
        assert_eq!(
            (&read.id, &read.key, &read.name),
            (&new.id, &new.key, &new.name)
        );
        assert_eq!(
            (&read.event_type, &read.contract_version),
            (&new.event_type, &new.contract_version)
        );
        assert_eq!(read.event, new.event);
    }
    let head = store
        .public_head(&main_log(), &public_stream("p"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((head.last.get(), head.crossed), (2, 2));
    assert_eq!(
        head.counts,
        Counts {
            filtered: 1,
            unmatched: 2,
            violated: 3
        }
    );
    let counted = store
        .public_head(&main_log(), &public_stream("r"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((counted.last.get(), counted.counts.filtered), (0, 4));
    assert_eq!(
        store
            .public_head(&main_log(), &public_stream("s"))
            .await
            .unwrap(),
        None
    );
    let made = store
        .public_of(&main_log(), Position::new(1))
        .await
        .unwrap();
    assert_eq!(
        made,
        [
            (public_stream("p"), Sequence::new(1)),
            (public_stream("q"), Sequence::new(1))
        ]
    );
    assert!(
        store
            .public_of(&main_log(), Position::new(2))
            .await
            .unwrap()
            .is_empty()
    );
    let log = main_log();
    let page = store.parked_keys(&log, &scope, None, ReadLimit::default());
    let keys = page.await.unwrap().keys;
    assert_eq!(
        keys,
        [ParkedKey {
            key: "m".into(),
            entries: 2,
            first_at: 2
        }]
    );
    let entry = ParkedEntry {
        key: "m".into(),
        at: 2,
        reason: Some("no amount".into()),
    };
    for key in [None, Some("m")] {
        assert_eq!(
            store
                .parked_entry(&main_log(), &scope, key, 2)
                .await
                .unwrap()
                .as_ref(),
            Some(&entry)
        );
    }
    assert_eq!(
        store
            .parked_entry(&main_log(), &scope, Some("k"), 2)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .parked_entry(&main_log(), &scope, None, 3)
            .await
            .unwrap(),
        None
    );
    let elsewhere = ParkScope::Crossing(public_stream("q"));
    assert_eq!(
        store
            .parked_entry(&main_log(), &elsewhere, None, 2)
            .await
            .unwrap(),
        None
    );
}

pub(crate) async fn the_last_event_of_a_key_and_type_is_known(home: impl Home) {
    let store = with_ten(&home).await;
    let other_type = NewPublicEvent {
        event_type: "test.other.v1".into(),
        ..public("p", 3, 3, "k")
    };
    let sent = vec![
        public("p", 1, 1, "k"),
        public("p", 2, 2, "k"),
        other_type,
        public("p", 4, 4, "l"),
    ];
    store
        .cross(&main_log(), crossing(0, 4, sent))
        .await
        .unwrap();
    for (name, key, event_type, expected) in [
        ("p", "k", "test.tested.v1", Some(2)),
        ("p", "k", "test.other.v1", Some(3)),
        ("p", "l", "test.tested.v1", Some(4)),
        ("p", "l", "test.other.v1", None),
        ("q", "k", "test.tested.v1", None),
    ] {
        let pairs = vec![
            (key.into(), event_type.into()),
            ("none".into(), "none".into()),
        ];
        let last = store
            .last_of_keys(&main_log(), &public_stream(name), pairs)
            .await
            .unwrap();
        assert_eq!(
            last,
            [expected.map(Sequence::new), None],
            "{name} {key} {event_type}"
        );
    }
}

pub(crate) async fn cursors_and_public_streams_are_apart(home: impl Home) {
    let store = with_ten(&home).await;
    store
        .cross(&main_log(), crossing(0, 3, vec![public("p", 1, 1, "k")]))
        .await
        .unwrap();
    let other = Crossing {
        cursors: vec![cursor_move("crossing/q", 0, 2)],
        ..crossing(0, 2, vec![public("q", 1, 1, "k")])
    };
    store.cross(&main_log(), other).await.unwrap();
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("crossing"))
            .await
            .unwrap(),
        Some(Position::new(3))
    );
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("crossing/q"))
            .await
            .unwrap(),
        Some(Position::new(2))
    );
    assert_eq!(
        (sequences(&store, "p").await, sequences(&store, "q").await),
        (vec![1], vec![1])
    );
}

pub(crate) async fn who_waits_for_a_public_stream_is_woken_by_crossings(home: impl Home) {
    let store = with_ten(&home).await;
    store
        .cross(&main_log(), crossing(0, 1, vec![public("p", 1, 1, "k")]))
        .await
        .unwrap();
    let mut watched = store
        .watch_public(&main_log(), &public_stream("p"))
        .await
        .unwrap();
    assert_eq!(watched.borrow_and_update().get(), 1);
    store
        .cross(&main_log(), crossing(1, 2, vec![public("p", 2, 2, "k")]))
        .await
        .unwrap();
    watched.changed().await.unwrap();
    assert_eq!(watched.borrow_and_update().get(), 2);
    store.close().await.unwrap();
    let store = home.open().await;
    let watched = store
        .watch_public(&main_log(), &public_stream("p"))
        .await
        .unwrap();
    assert_eq!(watched.borrow().get(), 2);
}

pub(crate) async fn a_public_stream_is_read_in_pages_that_resume(home: impl Home) {
    let store = with_ten(&home).await;
    let sent = (1..=7).map(|n| public("p", n, n, "k")).collect();
    store
        .cross(&main_log(), crossing(0, 10, sent))
        .await
        .unwrap();
    let mut after = Sequence::ZERO;
    let mut pages = Vec::new();
    loop {
        let limit = ReadLimit {
            records: 3,
            ..ReadLimit::default()
        };
        let page = store
            .read_public(&main_log(), &public_stream("p"), after, limit)
            .await
            .unwrap();
        assert_eq!(page.head.get(), 7);
        let Some(last) = page.events.last() else {
            break;
        };
        after = last.sequence;
        pages.push(page.events.len());
    }
    assert_eq!(pages, [3, 3, 1]);
}

pub(crate) async fn several_cursors_move_in_one_crossing_or_none_does(home: impl Home) {
    let store = with_ten(&home).await;
    let moves = |second: u64| Crossing {
        cursors: vec![cursor_move("p", 0, 3), cursor_move("q", second, 5)],
        parked: vec![parked(
            ParkScope::Crossing(public_stream("q")),
            "k",
            5,
            None,
        )],
        ..crossing(0, 3, vec![public("p", 1, 1, "k"), public("q", 1, 4, "k")])
    };
    let error = store.cross(&main_log(), moves(2)).await.unwrap_err();
    let moved = CrossError::CursorMoved {
        cursor: cursor("q"),
        actual: Position::ZERO,
    };
    assert_eq!(error, moved);
    assert_eq!(
        store
            .crossing_cursor(&main_log(), &cursor("p"))
            .await
            .unwrap(),
        None
    );
    store.cross(&main_log(), moves(0)).await.unwrap();
    for (name, position) in [("p", 3), ("q", 5)] {
        let found = store
            .crossing_cursor(&main_log(), &cursor(name))
            .await
            .unwrap();
        assert_eq!(found, Some(Position::new(position)));
    }
}
