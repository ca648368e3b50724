//! Repeats and conflicts: what is sent again is told from what is new, before expectations are looked at.

use bytes::Bytes;
use horizon_store::{
    AppendError, Committed, EventState, EventStore, Expected, NewEvent, Position, ReadLimit,
    Revision,
};

use super::Home;
use crate::build::{append, commit, event, exact, main_log, one, stream, write};

fn places(committed: &Committed) -> (u64, u64, Vec<(u64, u64)>) {
    let writes = committed
        .streams
        .iter()
        .map(|write| (write.first_revision.get(), write.last_revision.get()));
    (
        committed.first_position.get(),
        committed.last_position.get(),
        writes.collect(),
    )
}

async fn conflict(store: &impl EventStore, commit: horizon_store::Commit) -> Vec<EventState> {
    match store.append(&main_log(), commit).await.unwrap_err() {
        AppendError::IdConflict { events } => events,
        other => panic!("{other:?}"),
    }
}

fn stored(position: u64, name: &str, revision: u64) -> EventState {
    EventState::Stored {
        position: Position::new(position),
        stream: stream(name),
        revision: Revision::new(revision),
    }
}

pub(crate) async fn a_commit_sent_again_is_answered_as_the_first_time_for_good(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["0"])).await;
    let sent = || {
        commit(vec![
            write("a-1", exact(1), &["1", "2"]),
            write("b-1", Expected::None, &["3"]),
            write("c-1", Expected::None, &[]),
        ])
    };
    let first = append(&store, sent()).await;
    append(&store, one("a-1", exact(3), &["4"])).await;
    append(&store, one("c-1", Expected::None, &["5"])).await;
    let again = append(&store, sent()).await;
    assert!(again.repeat && !first.repeat);
    assert_eq!(places(&again), places(&first));
    store.close().await.unwrap();
    let store = home.open().await;
    let again = append(&store, sent()).await;
    assert!(again.repeat);
    assert_eq!(places(&again), places(&first));
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 6);
}

pub(crate) async fn a_mark_stays_as_it_was_first_and_is_no_part_of_the_content(home: impl Home) {
    let marked = |marks: [bool; 3]| {
        let mut commit = one("a-1", Expected::Any, &["1", "2", "3"]);
        for (event, mark) in commit.writes[0].events.iter_mut().zip(marks) {
            event.flagged = mark;
        }
        commit
    };
    let store = home.open().await;
    append(&store, marked([false, true, false])).await;
    for marks in [[false; 3], [true; 3], [false, true, false]] {
        assert!(append(&store, marked(marks)).await.repeat);
    }
    let mut alone = one("a-1", Expected::Any, &["2"]);
    alone.writes[0].events[0].flagged = false;
    assert_eq!(conflict(&store, alone).await, [stored(2, "a-1", 2)]);
    store.close().await.unwrap();
    let store = home.open().await;
    let (log, name) = (main_log(), stream("a-1"));
    let page = store.read_stream(&log, &name, Revision::ZERO, ReadLimit::default());
    let events = page.await.unwrap().events;
    let marks: Vec<_> = events.iter().map(|event| event.flagged).collect();
    assert_eq!(marks, [false, true, false]);
    let found = store.find_events(&main_log(), "2", None).await.unwrap();
    assert!(found[0].flagged);
}

pub(crate) async fn attributes_in_another_order_are_the_same_content(home: impl Home) {
    let store = home.open().await;
    let attribute = |name: &str| (name.to_owned(), horizon_store::AttributeValue::Int(1));
    let sent = |names: [&str; 2]| {
        let mut commit = one("a-1", Expected::None, &["1"]);
        commit.writes[0].events[0].attributes = names.map(attribute).to_vec();
        commit
    };
    append(&store, sent(["x", "y"])).await;
    assert!(append(&store, sent(["y", "x"])).await.repeat);
}

pub(crate) async fn any_other_overlap_is_a_conflict_that_tells_each_events_state(home: impl Home) {
    let store = home.open().await;
    append(&store, one("a-1", Expected::None, &["1", "2", "3"])).await;
    append(&store, one("a-1", exact(3), &["4"])).await;
    let any = Expected::Any;
    let (one_, two, three, four) = (
        stored(1, "a-1", 1),
        stored(2, "a-1", 2),
        stored(3, "a-1", 3),
        stored(4, "a-1", 4),
    );
    // A part of a commit, other orders, two commits as one, more than a commit, another stream.
    assert_eq!(
        conflict(&store, one("a-1", any, &["1", "2"])).await,
        [one_.clone(), two.clone()]
    );
    assert_eq!(
        conflict(&store, one("a-1", any, &["2", "3"])).await,
        [two.clone(), three.clone()]
    );
    assert_eq!(
        conflict(&store, one("a-1", any, &["3", "2", "1"])).await,
        [three.clone(), two.clone(), one_.clone()]
    );
    assert_eq!(
        conflict(&store, one("a-1", any, &["1", "2", "3", "4"])).await,
        [one_.clone(), two.clone(), three.clone(), four.clone()]
    );
    assert_eq!(
        conflict(&store, one("a-1", any, &["4", "5"])).await,
        [four.clone(), EventState::New]
    );
    assert_eq!(conflict(&store, one("a-2", any, &["4"])).await, [four]);
    let mut different = one("a-1", any, &["1", "2", "3"]);
    different.writes[0].events[1].data = Some(Bytes::from_static(b"other"));
    let two_differs = EventState::Different {
        position: Position::new(2),
        stream: stream("a-1"),
        revision: Revision::new(2),
    };
    assert_eq!(
        conflict(&store, different).await,
        [one_, two_differs, three]
    );
    assert_eq!(store.head(&main_log()).await.unwrap().get(), 4);
}

pub(crate) async fn the_same_id_under_another_source_is_another_event(home: impl Home) {
    let store = home.open().await;
    for (source, name) in [
        (None, "a-1"),
        (None, "a-2"),
        (Some("//x"), "a-1"),
        (Some("//y"), "a-1"),
    ] {
        let mut commit = one(name, Expected::Any, &[]);
        commit.writes[0].events = vec![NewEvent {
            source: source.map(Into::into),
            ..event("same")
        }];
        assert!(!append(&store, commit).await.repeat);
    }
    let found = store.find_events(&main_log(), "same", None).await.unwrap();
    let sources: Vec<_> = found.iter().map(|event| event.source()).collect();
    assert_eq!(sources, ["a-1", "a-2", "//x", "//y"]);
    let found = store
        .find_events(&main_log(), "same", Some("//x"))
        .await
        .unwrap();
    assert_eq!(
        found
            .iter()
            .map(|event| event.position.get())
            .collect::<Vec<_>>(),
        [3]
    );
    assert!(
        store
            .find_events(&main_log(), "none", None)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn the_same_commit_from_many_at_once_is_stored_once(home: impl Home) {
    let store = home.open().await;
    for round in 0..20_u64 {
        let id = round.to_string();
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (store, commit) = (store.clone(), one("a-1", exact(round), &[&id]));
            senders.spawn(async move { store.append(&main_log(), commit).await.unwrap() });
        }
        let answers = senders.join_all().await;
        assert_eq!(answers.iter().filter(|answer| !answer.repeat).count(), 1);
        assert!(
            answers
                .iter()
                .all(|answer| answer.first_position.get() == round + 1)
        );
    }
}
