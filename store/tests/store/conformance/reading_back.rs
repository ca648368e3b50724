//! Reading backwards, by type, the last event, and the streams of a category.

use bytes::Bytes;
use horizon_store::{
    EventStore, Expected, LogName, LogPage, NewEvent, Position, ReadLimit, Record, Revision,
    Selection,
};

use super::Home;
use super::reading::{positions, records};
use crate::build::{append, category, commit, event, main_log, one, stream, write};

fn of_type(name: &str) -> Selection {
    Selection::EventType(name.into())
}

/// All pages backwards, each with its records' positions and where it looked through.
async fn pages_back(store: &impl EventStore, selection: &Selection, count: usize) -> Vec<(Vec<u64>, u64)> {
    let mut pages = Vec::new();
    let mut before = Position::END;
    loop {
        let page: LogPage = store
            .read_log_back(&main_log(), selection, before, records(count))
            .await
            .unwrap();
        before = page.through;
        pages.push((positions(&page), page.through.get()));
        if before == Position::ZERO {
            return pages;
        }
    }
}

/// Seven events of two categories and two types, and a system record at 4.
async fn mixed<H: Home>(home: &H) -> H::Store {
    let store = home.open().await;
    for (name, id, event_type) in [
        ("a-1", "1", "X"),
        ("b-1", "2", "Y"),
        ("a-2", "3", "X"),
        ("", "", ""),
        ("a", "5", "Y"),
        ("ab-1", "6", "X"),
        ("a-1", "7", "X"),
        ("b-1", "8", "Y"),
    ] {
        if name.is_empty() {
            let log = main_log();
            let system = store.append_system(&log, "X", Bytes::new());
            system.await.unwrap();
            continue;
        }
        let mut commit = one(name, Expected::Any, &[]);
        commit.writes[0].events = vec![NewEvent {
            event_type: event_type.into(),
            ..event(id)
        }];
        append(&store, commit).await;
    }
    store
}

pub(crate) async fn a_log_is_read_backwards_in_pages_that_resume(home: impl Home) {
    let store = mixed(&home).await;
    assert_eq!(
        pages_back(&store, &Selection::All, 3).await,
        [(vec![8, 7, 6], 6), (vec![5, 4, 3], 3), (vec![2, 1], 0)]
    );
    assert_eq!(
        pages_back(&store, &Selection::All, 4).await,
        [(vec![8, 7, 6, 5], 5), (vec![4, 3, 2, 1], 0)]
    );
    for (before, expected) in [(0, vec![]), (1, vec![]), (2, vec![1]), (9, vec![8]), (10, vec![8])] {
        let page = store
            .read_log_back(&main_log(), &Selection::All, Position::new(before), records(1))
            .await
            .unwrap();
        assert_eq!((positions(&page), page.head.get()), (expected, 8), "{before}");
    }
    let nothing = LogName::new("nothing").unwrap();
    let page = store
        .read_log_back(&nothing, &Selection::All, Position::END, records(1))
        .await
        .unwrap();
    assert_eq!((positions(&page), page.through.get(), page.head.get()), (vec![], 0, 0));
}

pub(crate) async fn what_is_selected_is_read_in_both_directions(home: impl Home) {
    let store = mixed(&home).await;
    assert_eq!(
        pages_back(&store, &category("a"), 2).await,
        [(vec![7, 5], 5), (vec![3, 1], 0)]
    );
    assert_eq!(
        pages_back(&store, &of_type("X"), 3).await,
        [(vec![7, 6, 3], 3), (vec![1], 0)]
    );
    assert_eq!(pages_back(&store, &of_type("Y"), 10).await, [(vec![8, 5, 2], 0)]);
    let mut seen = Vec::new();
    let mut after = Position::ZERO;
    while after.get() < 8 {
        let page = store
            .read_log(&main_log(), &of_type("X"), after, records(2))
            .await
            .unwrap();
        assert!(page.through > after && page.head.get() == 8);
        seen.push((positions(&page), page.through.get()));
        after = page.through;
    }
    assert_eq!(seen, [(vec![1, 3], 3), (vec![6, 7], 8)]);
    for unknown in ["", "Z", "X\0", "\u{1}X", "x"] {
        for selection in [of_type(unknown), category(unknown)] {
            let page = store
                .read_log(&main_log(), &selection, Position::ZERO, records(2))
                .await
                .unwrap();
            assert_eq!((positions(&page), page.through.get()), (vec![], 8), "{selection:?}");
            assert_eq!(pages_back(&store, &selection, 2).await, [(vec![], 0)]);
        }
    }
}

pub(crate) async fn a_backward_page_keeps_the_limit_of_bytes_and_has_one_record_at_least(home: impl Home) {
    let store = home.open().await;
    for n in 0..5 {
        let mut commit = one("a-1", Expected::Any, &[&n.to_string()]);
        commit.writes[0].events[0].data = Some(vec![b'x'; 10_000].into());
        append(&store, commit).await;
    }
    for (bytes, expected, through) in [(0, 1, 5), (15_000, 2, 4), (1 << 20, 5, 0)] {
        let limit = ReadLimit { records: 100, bytes };
        for selection in [Selection::All, category("a"), of_type("Tested")] {
            let page = store
                .read_log_back(&main_log(), &selection, Position::END, limit)
                .await
                .unwrap();
            assert_eq!((page.records.len(), page.through.get()), (expected, through), "{selection:?}");
        }
        let page = store
            .read_stream_back(&main_log(), &stream("a-1"), Revision::END, limit)
            .await
            .unwrap();
        assert_eq!(page.events.len(), expected);
    }
}

pub(crate) async fn a_stream_is_read_backwards_in_pages_that_resume(home: impl Home) {
    let store = home.open().await;
    for n in 1..=7 {
        append(&store, one("a-1", Expected::Any, &[&format!("a{n}")])).await;
        append(&store, one("a-10", Expected::Any, &[&format!("b{n}")])).await;
    }
    let mut seen = Vec::new();
    let mut from = Revision::END;
    while from > Revision::ZERO {
        let page = store
            .read_stream_back(&main_log(), &stream("a-1"), from, records(3))
            .await
            .unwrap();
        assert_eq!(page.revision.get(), 7);
        let revisions: Vec<_> = page.events.iter().map(|event| event.revision.get()).collect();
        assert!(page.events.iter().all(|event| event.id() == format!("a{}", event.revision)));
        from = Revision::new(revisions.last().unwrap() - 1);
        seen.push(revisions);
    }
    assert_eq!(seen, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    for (name, from, expected) in [("a-1", 2, vec![2, 1]), ("a-1", 0, vec![]), ("a", 9, vec![])] {
        let page = store
            .read_stream_back(&main_log(), &stream(name), Revision::new(from), records(3))
            .await
            .unwrap();
        let revisions: Vec<_> = page.events.iter().map(|event| event.revision.get()).collect();
        assert_eq!(revisions, expected);
    }
}

pub(crate) async fn the_last_event_of_a_stream_is_known(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1", "2"])).await;
    append(&store, one("a-2", Expected::None, &["3"])).await;
    append(&store, one("a-1", Expected::Any, &["4"])).await;
    for (name, expected) in [("a-1", Some("4")), ("a-2", Some("3")), ("a", None), ("a-3", None)] {
        let last = store.last_event(&main_log(), &stream(name)).await.unwrap();
        assert_eq!(last.as_ref().map(|event| event.id()), expected);
    }
    let nothing = LogName::new("nothing").unwrap();
    assert_eq!(store.last_event(&nothing, &stream("a-1")).await.unwrap(), None);
}

/// The names in the order of the pages, with their revisions.
async fn streams_of(store: &impl EventStore, category: &str, count: usize) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .streams(&main_log(), category, after.as_ref(), records(count))
            .await
            .unwrap();
        assert!(page.streams.len() <= count);
        found.extend(page.streams.iter().map(|head| (head.stream.as_str().to_owned(), head.revision.get())));
        match page.streams.last() {
            Some(last) if page.more => after = Some(last.stream.clone()),
            _ => return found,
        }
    }
}

pub(crate) async fn the_streams_of_a_category_are_listed_in_pages(home: impl Home) {
    let store = home.open().await;
    // In the order of bytes: `!` and `+` come before `-`, `.` and `2` after it.
    let names = [
        "acc", "account", "account!", "account+1", "account-", "account-1", "account-1-x", "account-10",
        "account-2", "account-ä", "account.1", "account2-1", "accounts-1", "-1", "-", "b-1",
    ];
    for (n, name) in names.iter().enumerate() {
        for round in 0..=n % 3 {
            append(&store, one(name, Expected::Any, &[&format!("{n}-{round}")])).await;
        }
    }
    let owned = ["account", "account-", "account-1", "account-1-x", "account-10", "account-2", "account-ä"];
    let expected: Vec<_> = owned
        .iter()
        .map(|name| {
            let n = names.iter().position(|other| other == name).unwrap();
            ((*name).to_owned(), n as u64 % 3 + 1)
        })
        .collect();
    for count in [1, 2, 3, 100] {
        assert_eq!(streams_of(&store, "account", count).await, expected, "{count} at a time");
    }
    let just = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (category, expected) in [
        ("", just(&["-", "-1"])),
        ("b", just(&["b-1"])),
        ("account-1", just(&[])),
        ("account-", just(&[])),
        ("account!", just(&["account!"])),
        ("accoun", just(&[])),
        ("account\0", just(&[])),
        ("c", just(&[])),
    ] {
        let found = streams_of(&store, category, 2).await;
        assert_eq!(found.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), expected, "{category:?}");
    }
    for (after, expected) in [("a", 7), ("account", 6), ("account!", 6), ("account-10", 2), ("account.", 0), ("z", 0)] {
        let page = store
            .streams(&main_log(), "account", Some(&stream(after)), ReadLimit::default())
            .await
            .unwrap();
        assert_eq!((page.streams.len(), page.more), (expected, false), "{after:?}");
    }
}

pub(crate) async fn a_stream_with_many_events_is_listed_once(home: impl Home) {
    let store = home.open().await;
    for round in 0..20 {
        let ids: Vec<_> = (0..50).map(|n| format!("{round}-{n}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let (first, second) = ids.split_at(25);
        append(
            &store,
            commit(vec![write("a-1", Expected::Any, first), write("a-2", Expected::Any, second)]),
        )
        .await;
    }
    let expected = [("a-1".to_owned(), 500), ("a-2".to_owned(), 500)];
    assert_eq!(streams_of(&store, "a", 1).await, expected);
    let page = store
        .read_log_back(&main_log(), &Selection::All, Position::END, records(1))
        .await
        .unwrap();
    assert!(matches!(&page.records[0], Record::Event(event) if event.stream() == "a-2"));
}
