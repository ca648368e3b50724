//! Appending with expectations, over one stream or several, and its limits.

use bytes::Bytes;
use horizon_store::{EventStore, 
    AppendError, AttributeValue, Commit, Expected, LimitError, LogName, NewEvent, Position,
    ReadLimit, Record, Revision, Selection, StoreError,
};

use super::Home;
use crate::build::{append, commit, event, exact, main_log, one, stream, write};

pub(crate) async fn positions_and_revisions_count_from_one_without_gaps(home: impl Home) {
    let store = home.open().await;
    let first = append(&store, one("account-1", Expected::None, &["a", "b"])).await;
    assert_eq!(
        (
            first.first_position.get(),
            first.last_position.get(),
            first.repeat
        ),
        (1, 2, false)
    );
    assert_eq!(
        (
            first.streams[0].first_revision.get(),
            first.streams[0].last_revision.get()
        ),
        (1, 2)
    );
    let second = append(&store, one("account-2", Expected::Any, &["c"])).await;
    assert_eq!(second.first_position.get(), 3);
    assert_eq!(second.streams[0].first_revision.get(), 1);
    let third = append(&store, one("account-1", exact(2), &["d"])).await;
    assert_eq!(
        (
            third.first_position.get(),
            third.streams[0].last_revision.get()
        ),
        (4, 3)
    );
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 4);
}

pub(crate) async fn an_expectation_that_does_not_hold_stores_nothing_and_tells_the_actual_revision(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1", "2"])).await;
    for (name, expected, actual) in [
        ("a-1", Expected::None, 2),
        ("a-1", exact(1), 2),
        ("a-1", exact(3), 2),
        ("a-1", exact(0), 2),
        ("a-2", Expected::Exists, 0),
        ("a-2", exact(1), 0),
    ] {
        let error = store
            .append(&main_log(), one(name, expected, &["new"]))
            .await
            .unwrap_err();
        let wrong = AppendError::WrongRevision {
            stream: stream(name),
            expected,
            actual: Revision::new(actual),
        };
        assert_eq!(error, wrong);
    }
    for (name, expected) in [
        ("a-1", exact(2)),
        ("a-1", Expected::Exists),
        ("a-1", Expected::Any),
        ("a-2", exact(0)),
    ] {
        append(
            &store,
            one(name, expected, &[&format!("{name}{expected:?}")]),
        )
        .await;
    }
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 6);
}

pub(crate) async fn a_commit_over_several_streams_is_all_or_nothing(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    let half_wrong = commit(vec![
        write("b-1", Expected::None, &["2"]),
        write("a-1", exact(7), &["3"]),
    ]);
    assert!(store.append(&main_log(), half_wrong).await.is_err());
    let page = store
        .read_stream(
            &main_log(),
            &stream("b-1"),
            Revision::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert_eq!((page.revision, page.events.len()), (Revision::ZERO, 0));
    let right = commit(vec![
        write("b-1", Expected::None, &["2"]),
        write("a-1", exact(1), &["3", "4"]),
        write("c-1", Expected::None, &[]),
        write("b-1", exact(1), &["5"]),
    ]);
    let committed = append(&store, right).await;
    let revisions: Vec<_> = committed
        .streams
        .iter()
        .map(|write| (write.first_revision.get(), write.last_revision.get()))
        .collect();
    assert_eq!(revisions, [(1, 1), (2, 3), (0, 0), (2, 2)]);
    assert_eq!(
        (
            committed.first_position.get(),
            committed.last_position.get()
        ),
        (2, 5)
    );
    let log = store
        .read_log(
            &main_log(),
            &Selection::All,
            Position::new(1),
            ReadLimit::default(),
        )
        .await
        .unwrap();
    let places: Vec<_> = log
        .records
        .iter()
        .map(|record| match record {
            Record::Event(event) => (event.id(), event.commit_index, event.commit_len),
            _ => panic!("not an event"),
        })
        .collect();
    assert_eq!(places, [("2", 0, 4), ("3", 1, 4), ("4", 2, 4), ("5", 3, 4)]);
}

pub(crate) async fn a_stream_that_is_only_checked_can_refuse_a_commit(home: impl Home) {
    let store = home.open().await;
    let checked = |expected| {
        commit(vec![
            write("a-1", Expected::Any, &["1"]),
            write("limits", expected, &[]),
        ])
    };
    let error = store
        .append(&main_log(), checked(Expected::Exists))
        .await
        .unwrap_err();
    assert!(
        matches!(error, AppendError::WrongRevision { .. }),
        "{error}"
    );
    append(&store, checked(Expected::None)).await;
}

pub(crate) async fn everything_of_an_event_comes_back_as_it_was_sent(home: impl Home) {
    let store = home.open().await;
    let sent = NewEvent {
        id: "ä 1".into(),
        source: None,
        event_type: "Opened".into(),
        attributes: vec![
            ("subject".into(), AttributeValue::Text("x\u{1}y".into())),
            ("flag".into(), AttributeValue::Bool(false)),
            ("amount".into(), AttributeValue::Int(i32::MIN)),
        ],
        media_type: None,
        data: Some(Bytes::from_static(b"\x00\xff not json 1.00")),
        flagged: false,
    };
    let mut new = one("account-1", Expected::Any, &[]);
    new.writes[0].events = vec![
        sent.clone(),
        NewEvent {
            id: "2".into(),
            data: None,
            ..sent.clone()
        },
    ];
    append(&store, new).await;
    let page = store
        .read_stream(
            &main_log(),
            &stream("account-1"),
            Revision::ZERO,
            ReadLimit::default(),
        )
        .await;
    let events = page.unwrap().events;
    assert_eq!(events[0].source(), "account-1");
    assert_eq!(
        (events[0].id(), events[0].event_type()),
        (&*sent.id, &*sent.event_type)
    );
    let attributes = sent.attributes.iter();
    let attributes = attributes.map(|(name, value)| (name.as_str(), value.as_ref()));
    assert_eq!(
        events[0].attributes().collect::<Vec<_>>(),
        attributes.collect::<Vec<_>>()
    );
    assert_eq!(events[0].data(), sent.data.as_deref());
    assert_eq!((events[0].media_type(), events[1].data()), (None, None));
    assert!(events[0].recorded_ms > 1_700_000_000_000);
}

pub(crate) async fn what_is_over_a_limit_or_malformed_is_refused_by_name_and_stores_nothing(home: impl Home) {
    let store = home.open().await;
    let with = |change: &dyn Fn(&mut NewEvent)| {
        let mut commit = one("a-1", Expected::Any, &["id"]);
        change(&mut commit.writes[0].events[0]);
        commit
    };
    let text = |text: &str| AttributeValue::Text(text.into());
    let cases: Vec<(Commit, &str)> = vec![
        (
            commit(vec![]),
            "the commit: it has no event; at least one is needed",
        ),
        (
            one("a-1", Expected::Any, &[]),
            "the commit: it has no event; at least one is needed",
        ),
        (
            with(&|event| event.id = String::new()),
            "the id of an event: it must not be empty",
        ),
        (
            with(&|event| event.id = "x".repeat(1025)),
            "the id of an event has 1025 bytes; at most 1024 are allowed",
        ),
        (
            with(&|event| event.source = Some("x".repeat(1025))),
            "the source of event \"id\" has 1025 bytes; at most 1024 are allowed",
        ),
        (
            with(&|event| event.event_type = "x".repeat(256)),
            "the type of event \"id\" has 256 bytes; at most 255 are allowed",
        ),
        (
            with(&|event| event.event_type = "a\0b".into()),
            "the type of event \"id\": it has the control character U+0000; none is allowed",
        ),
        (
            with(&|event| event.data = Some(vec![0; 1 << 20].into())),
            "event \"id\" has 1048616 bytes; at most 1048576 are allowed",
        ),
        (
            with(&|event| {
                event.attributes = vec![("a".into(), text("1")), ("a".into(), text("2"))]
            }),
            "the attributes of event \"id\": \"a\" occurs twice",
        ),
        (
            with(&|event| {
                event.attributes = (0..65).map(|n| (format!("a{n}"), text("1"))).collect()
            }),
            "the attributes of event \"id\" are 65; at most 64 are allowed",
        ),
        (
            one("a-1", Expected::Any, &["1", "2", "1"]),
            "event \"1\": its id and source occur twice in the commit",
        ),
        (
            one("a-1", Expected::Any, &["1", "1"]),
            "event \"1\": its id and source occur twice in the commit",
        ),
        (
            one("a-1", Expected::Any, &vec!["1"; 1001]),
            "the events of the commit are 1001; at most 1000 are allowed",
        ),
    ];
    for (commit, message) in cases {
        match store.append(&main_log(), commit).await.unwrap_err() {
            AppendError::Limit(limit) => assert_eq!(limit.to_string(), message),
            other => panic!("{other:?}"),
        }
    }
    let mut large = one("a-1", Expected::Any, &[]);
    large.writes[0].events = (0..10)
        .map(|n| NewEvent {
            data: Some(vec![0; 1_000_000].into()),
            ..event(&n.to_string())
        })
        .collect();
    let error = store.append(&main_log(), large).await.unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Limit(LimitError::TooLarge {
                limit_bytes: 8_388_608,
                ..
            })
        ),
        "{error}"
    );
    assert_eq!(store.head(&main_log()).await.unwrap(), Position::ZERO);
}

pub(crate) async fn system_records_take_positions_of_the_log(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1"])).await;
    let position = store
        .append_system(&main_log(), "contracts", Bytes::from_static(b"body"))
        .await
        .unwrap();
    assert_eq!(position.get(), 2);
    append(&store, one("a-1", exact(1), &["2"])).await;
    let log = store
        .read_log(
            &main_log(),
            &Selection::All,
            Position::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    assert!(
        matches!(&log.records[1], Record::System { kind, body, .. } if kind == "contracts" && &body[..] == b"body")
    );
    assert_eq!(log.records.len(), 3);
    let system = store.read_system(&main_log(), "contracts").await.unwrap();
    assert_eq!(system, [(position, Bytes::from_static(b"body"))]);
    for other in ["", "contract", "Tested", "contracts\0"] {
        assert!(
            store
                .read_system(&main_log(), other)
                .await
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(store.event_count(&main_log()).await.unwrap(), 2);
    let error = store
        .append_system(&main_log(), "", Bytes::new())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
}

pub(crate) async fn logs_are_apart(home: impl Home) {
    let store = home.open().await;
    let other = LogName::new("other").unwrap();
    append(&store, one("a-1", Expected::None, &["1"])).await;
    let there = store
        .append(&other, one("a-1", Expected::None, &["1"]))
        .await
        .unwrap();
    assert_eq!((there.first_position.get(), there.repeat), (1, false));
    store
        .append(&other, one("a-1", exact(1), &["2"]))
        .await
        .unwrap();
    let heads = |main: Position, other: Position| (main.get(), other.get());
    assert_eq!(
        heads(
            store.head(&main_log()).await.unwrap(),
            store.head(&other).await.unwrap()
        ),
        (1, 2)
    );
    store.close().await.unwrap();
    let store = home.open().await;
    assert_eq!(
        heads(
            store.head(&main_log()).await.unwrap(),
            store.head(&other).await.unwrap()
        ),
        (1, 2)
    );
    let third = LogName::new("third").unwrap();
    store
        .append(&third, one("a-1", Expected::None, &["1"]))
        .await
        .unwrap();
    assert_eq!(store.head(&other).await.unwrap().get(), 2);
}
