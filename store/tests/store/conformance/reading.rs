//! Reading in bounded pages, and waiting for what comes.

use horizon_store::{EventStore, Expected, LogPage, Position, ReadLimit, Record, Revision, Selection};

use super::Home;
use crate::build::{append, category, main_log, one, stream};

pub(crate) fn records(count: usize) -> ReadLimit {
    ReadLimit {
        records: count,
        ..ReadLimit::default()
    }
}

pub(super) fn positions(page: &LogPage) -> Vec<u64> {
    page.records
        .iter()
        .map(|record| record.position().get())
        .collect()
}

pub(crate) async fn a_stream_is_read_in_pages_that_resume(home: impl Home) {
    let store = home.open().await;
    for n in 0..10 {
        append(&store, one("a-1", Expected::Any, &[&format!("a{n}")])).await;
        append(&store, one("a-10", Expected::Any, &[&format!("b{n}")])).await;
    }
    let mut seen = Vec::new();
    let mut from = Revision::ZERO;
    loop {
        let page = store
            .read_stream(&main_log(), &stream("a-1"), from, records(3))
            .await
            .unwrap();
        assert_eq!(page.revision.get(), 10);
        seen.extend(
            page.events
                .iter()
                .map(|event| (event.revision.get(), event.id().to_string())),
        );
        match page.events.last() {
            Some(last) if last.revision < page.revision => {
                from = Revision::new(last.revision.get() + 1)
            }
            _ => break,
        }
    }
    assert_eq!(
        seen,
        (0..10)
            .map(|n| (n + 1, format!("a{n}")))
            .collect::<Vec<_>>()
    );
    let beyond = store
        .read_stream(
            &main_log(),
            &stream("a-1"),
            Revision::new(u64::MAX),
            records(3),
        )
        .await
        .unwrap();
    assert_eq!((beyond.revision.get(), beyond.events.len()), (10, 0));
    let none = store
        .read_stream(&main_log(), &stream("a"), Revision::ZERO, records(3))
        .await
        .unwrap();
    assert_eq!((none.revision.get(), none.events.len()), (0, 0));
}

pub(crate) async fn a_log_is_read_in_pages_that_resume(home: impl Home) {
    let store = home.open().await;
    for n in 0..7 {
        append(&store, one("a-1", Expected::Any, &[&n.to_string()])).await;
    }
    let page = store
        .read_log(&main_log(), &Selection::All, Position::ZERO, records(4))
        .await
        .unwrap();
    assert_eq!(
        (positions(&page), page.through.get(), page.head.get()),
        (vec![1, 2, 3, 4], 4, 7)
    );
    let page = store
        .read_log(&main_log(), &Selection::All, page.through, records(4))
        .await
        .unwrap();
    assert_eq!((positions(&page), page.through.get()), (vec![5, 6, 7], 7));
    for after in [7, 8, 1 << 45, u64::MAX] {
        let page = store
            .read_log(
                &main_log(),
                &Selection::All,
                Position::new(after),
                records(4),
            )
            .await
            .unwrap();
        assert_eq!((positions(&page), page.through.get()), (vec![], after));
    }
    let nothing = horizon_store::LogName::new("nothing").unwrap();
    let page = store
        .read_log(&nothing, &Selection::All, Position::ZERO, records(4))
        .await
        .unwrap();
    assert_eq!(
        (positions(&page), page.through.get(), page.head.get()),
        (vec![], 0, 0)
    );
}

pub(crate) async fn a_limit_of_bytes_is_kept_and_one_record_is_returned_at_least(home: impl Home) {
    let store = home.open().await;
    for n in 0..5 {
        let mut commit = one("a-1", Expected::Any, &[&n.to_string()]);
        commit.writes[0].events[0].data = Some(vec![b'x'; 10_000].into());
        append(&store, commit).await;
    }
    for (bytes, expected) in [(0, 1), (1, 1), (15_000, 2), (1 << 20, 5)] {
        let limit = ReadLimit {
            records: 100,
            bytes,
        };
        let log = store
            .read_log(&main_log(), &Selection::All, Position::ZERO, limit)
            .await
            .unwrap();
        assert_eq!(
            (log.records.len(), log.through.get()),
            (expected, expected as u64)
        );
        let category = store
            .read_log(
                &main_log(),
                &category("a"),
                Position::ZERO,
                limit,
            )
            .await
            .unwrap();
        assert_eq!(
            (category.records.len(), category.through.get()),
            (expected, expected as u64)
        );
        let page = store
            .read_stream(&main_log(), &stream("a-1"), Revision::ZERO, limit)
            .await
            .unwrap();
        assert_eq!((page.events.len(), page.revision.get()), (expected, 5));
    }
    let none = ReadLimit {
        records: 0,
        bytes: 0,
    };
    assert_eq!(
        store
            .read_log(&main_log(), &Selection::All, Position::ZERO, none)
            .await
            .unwrap()
            .records
            .len(),
        1
    );
}

pub(crate) async fn a_category_is_read_with_the_place_to_go_on_from(home: impl Home) {
    let store = home.open().await;
    for (name, id) in [
        ("a-1", "1"),
        ("b-1", "2"),
        ("a-2", "3"),
        ("a", "4"),
        ("ab-1", "5"),
        ("a-1", "6"),
        ("b-1", "7"),
    ] {
        append(&store, one(name, Expected::Any, &[id])).await;
    }
    let page = store
        .read_log(
            &main_log(),
            &category("a"),
            Position::ZERO,
            records(2),
        )
        .await
        .unwrap();
    assert_eq!(
        (positions(&page), page.through.get(), page.head.get()),
        (vec![1, 3], 3, 7)
    );
    let page = store
        .read_log(
            &main_log(),
            &category("a"),
            page.through,
            records(2),
        )
        .await
        .unwrap();
    assert_eq!((positions(&page), page.through.get()), (vec![4, 6], 7));
    let page = store
        .read_log(
            &main_log(),
            &category("a"),
            page.through,
            records(2),
        )
        .await
        .unwrap();
    assert_eq!((positions(&page), page.through.get()), (vec![], 7));
    for unknown in ["", "c", "a\0", "a-1"] {
        let page = store
            .read_log(
                &main_log(),
                &Selection::Category(unknown.into()),
                Position::ZERO,
                records(2),
            )
            .await
            .unwrap();
        assert_eq!(
            (positions(&page), page.through.get()),
            (vec![], 7),
            "{unknown:?}"
        );
    }
}

pub(crate) async fn who_waits_is_woken_by_commits_and_sees_each_event_once(home: impl Home) {
    let store = home.open().await;
    const EVENTS: usize = 200;
    let reader = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut head = store.watch_log(&main_log()).await.unwrap();
            let (mut seen, mut after) = (Vec::new(), Position::ZERO);
            while seen.len() < EVENTS {
                head.wait_for(|head| *head > after).await.unwrap();
                let page = store
                    .read_log(&main_log(), &Selection::All, after, ReadLimit::default())
                    .await
                    .unwrap();
                seen.extend(page.records.iter().map(|record| match record {
                    Record::Event(event) => event.id().to_owned(),
                    _ => panic!("not an event"),
                }));
                after = page.through;
            }
            seen
        })
    };
    for n in 0..EVENTS {
        append(&store, one("a-1", Expected::Any, &[&n.to_string()])).await;
    }
    assert_eq!(
        reader.await.unwrap(),
        (0..EVENTS).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}
