//! Generated sequences of calls, alone and many at once, against the model; with reopenings between.

use horizon_store::{
    CursorName, Options, ParkScope, Position, PublicHead, ReadLimit, Record, Revision, Selection,
    Sequence, Store,
};
use proptest::prelude::*;

use crate::build::{main_log, public_stream, relay, stream};
use crate::export::arrives;
use crate::model::{Belief, Call, Model, NAMES, Outcome, Stored, Write};

#[derive(Debug, Clone)]
enum Step {
    /// Handed in at once, in this order.
    Together(Vec<Write>),
    Read {
        limit: u8,
    },
    Close,
    Drop,
}

async fn make(store: Store, call: Call) -> Outcome {
    let log = main_log();
    match call {
        Call::Append(commit) => Outcome::Append(store.append(&log, commit).await.map(|done| {
            let writes = done
                .streams
                .iter()
                .map(|write| (write.first_revision.get(), write.last_revision.get()));
            (
                done.first_position.get(),
                done.last_position.get(),
                writes.collect(),
                done.repeat,
            )
        })),
        Call::System => Outcome::System(
            store
                .append_system(&log, "test", bytes::Bytes::new())
                .await
                .unwrap()
                .get(),
        ),
        Call::Cross(crossing) => Outcome::Cross(store.cross(&log, crossing).await),
        Call::Settle(settlement) => Outcome::Settle(store.settle(&log, settlement).await),
    }
}

fn shown(record: &Record) -> Option<Stored> {
    match record {
        Record::Event(event) => Some(Stored {
            stream: event.stream.as_str().into(),
            revision: event.revision.get(),
            id: event.id.parse().unwrap(),
            content: event.data.as_ref().unwrap()[0],
            index: event.commit_index,
            len: event.commit_len,
        }),
        _ => None,
    }
}

/// Reads everything in pages and compares.
async fn compare(store: &Store, model: &Model, records: usize) {
    let (log, limit) = (
        main_log(),
        ReadLimit {
            records,
            ..ReadLimit::default()
        },
    );
    let mut seen = Vec::new();
    let mut after = Position::ZERO;
    loop {
        let page = store
            .read_log(&log, &Selection::All, after, limit)
            .await
            .unwrap();
        seen.extend(page.records.iter().map(shown));
        after = page.through;
        if after == page.head {
            break;
        }
    }
    assert_eq!(seen, model.log);
    let events = model.log.iter().flatten().count();
    assert_eq!(store.event_count(&log).await.unwrap(), events as u64);
    let system: Vec<_> = (1..)
        .zip(&model.log)
        .filter(|(_, record)| record.is_none())
        .collect();
    let found = store.read_system(&log, "test").await.unwrap();
    assert!(
        found
            .iter()
            .map(|(at, _)| at.get())
            .eq(system.iter().map(|(at, _)| *at))
    );
    for name in NAMES {
        let page = store
            .read_stream(&log, &stream(name), Revision::new(1), ReadLimit::default())
            .await
            .unwrap();
        let places: Vec<_> = page
            .events
            .iter()
            .map(|event| event.position.get() as usize - 1)
            .collect();
        assert_eq!(
            (page.revision.get(), &places),
            (
                model.revision(name),
                model.streams.get(name).unwrap_or(&vec![])
            )
        );
    }
    for category in ["a", "b"] {
        let mut seen = Vec::new();
        let mut after = Position::ZERO;
        loop {
            let page = store
                .read_log(&log, &Selection::Category(category.into()), after, limit)
                .await
                .unwrap();
            seen.extend(
                page.records
                    .iter()
                    .map(|record| record.position().get() as usize - 1),
            );
            after = page.through;
            if after == page.head {
                break;
            }
        }
        let belongs = |stored: &Stored| stored.stream.split('-').next() == Some(category);
        let places = model
            .log
            .iter()
            .enumerate()
            .filter(|(_, stored)| stored.as_ref().is_some_and(belongs));
        assert_eq!(seen, places.map(|(place, _)| place).collect::<Vec<_>>());
    }
    compare_public(store, model).await;
}

async fn compare_public(store: &Store, model: &Model) {
    let log = main_log();
    let page = store
        .read_public(
            &log,
            &public_stream("p"),
            Sequence::ZERO,
            ReadLimit::default(),
        )
        .await
        .unwrap();
    let origins: Vec<_> = page.events.iter().map(|event| event.origin.get()).collect();
    assert_eq!(origins, model.public);
    let head = store
        .public_head(&log, &public_stream("p"))
        .await
        .unwrap()
        .unwrap_or_default();
    let last = model.public.len() as u64;
    assert_eq!(
        head,
        PublicHead {
            last: Sequence::new(last),
            crossed: last,
            ..PublicHead::default()
        }
    );
    let cursor = store
        .crossing_cursor(&log, &CursorName::new("crossing").unwrap())
        .await
        .unwrap();
    assert_eq!(cursor.unwrap_or_default().get(), model.cursor);
    let parked = store
        .parked_keys(&log, &ParkScope::Crossing(public_stream("p")))
        .await
        .unwrap();
    assert_eq!(
        parked.iter().map(|key| key.entries).sum::<u64>(),
        model.parked
    );
    let settled = store
        .relay_cursor(&log, &relay("p/r"))
        .await
        .unwrap()
        .unwrap_or_default();
    assert_eq!(settled.get(), model.settled);
    assert_eq!(
        store.relay_totals(&log, &relay("p/r")).await.unwrap(),
        model.totals
    );
    if last > 0 {
        let pairs = vec![("k".into(), "test.tested.v1".into())];
        let known = store
            .last_of_keys(&log, &public_stream("p"), pairs)
            .await
            .unwrap();
        assert_eq!(known, [Some(Sequence::new(last))]);
    }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::default()).await.unwrap();
    let mut model = Model::default();
    // Calls that look nothing up on the disk are handed in as they are made, on one thread; others have no order.
    let mut in_order = true;
    for step in steps {
        match step {
            Step::Together(writes) if !in_order => {
                for write in &writes {
                    if let Some((call, outcome)) = model.call(write) {
                        assert_eq!(make(store.clone(), call).await, outcome);
                    }
                }
            }
            Step::Together(writes) => {
                let calls = writes.iter().filter_map(|write| model.call(write));
                let under_way: Vec<_> = calls
                    .map(|(call, outcome)| (tokio::spawn(make(store.clone(), call)), outcome))
                    .collect();
                for (answer, outcome) in under_way {
                    assert_eq!(answer.await.unwrap(), outcome);
                }
            }
            Step::Read { limit } => compare(&store, &model, usize::from(limit)).await,
            Step::Close => {
                store.close().await.unwrap();
                store = Store::open(dir.path(), Options::default()).await.unwrap();
                in_order = false;
            }
            Step::Drop => {
                drop(store);
                store = Store::open(dir.path(), Options::default()).await.unwrap();
                in_order = false;
            }
        }
    }
    compare(&store, &model, 1_000).await;
    let (other, _other_dir) = arrives(&store, &[main_log()]).await;
    // What was stored is a repeat there too, and what was refused is refused.
    if let Some((call, outcome)) = model.call(&Write::Again) {
        assert_eq!(make(other, call).await, outcome);
    }
}

fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![
        4 => Just(Belief::Right),
        1 => Just(Belief::Off),
        1 => Just(Belief::None),
        1 => Just(Belief::Exists),
        4 => Just(Belief::Any),
    ]
}

fn append() -> impl Strategy<Value = Write> {
    let events = |ids: Vec<(u8, u8)>| {
        let mut seen = std::collections::BTreeSet::new();
        ids.into_iter()
            .filter(move |(id, _)| seen.insert(*id))
            .collect::<Vec<_>>()
    };
    let ids = proptest::collection::btree_map(
        0..120_u8,
        prop_oneof![9 => Just(0_u8), 1 => Just(1)],
        1..5,
    );
    (
        ids,
        proptest::collection::vec((0..4_u8, belief(), 0..3_usize), 1..3),
    )
        .prop_map(move |(ids, writes)| {
            let mut ids = events(ids.into_iter().collect());
            let mut writes: Vec<_> = writes
                .into_iter()
                .map(|(name, belief, count)| {
                    (
                        name,
                        belief,
                        ids.drain(..count.min(ids.len())).collect::<Vec<_>>(),
                    )
                })
                .collect();
            if let Some((_, _, last)) = writes.last_mut() {
                last.append(&mut ids);
            }
            Write::Append(writes)
        })
}

fn write() -> impl Strategy<Value = Write> {
    let wrong = || proptest::bool::weighted(0.1);
    prop_oneof![
        6 => append(),
        1 => Just(Write::Again),
        1 => Just(Write::System),
        2 => (1..8_u8, wrong(), wrong())
            .prop_map(|(records, wrong_cursor, wrong_sequence)| Write::Cross { records, wrong_cursor, wrong_sequence }),
        2 => (1..8_u8, wrong(), any::<bool>(), any::<bool>()).prop_map(|(events, wrong_cursor, unheard, parked)| {
            Write::Settle { events, wrong_cursor, unheard, parked }
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => proptest::collection::vec(write(), 1..8).prop_map(Step::Together),
        3 => (1..20_u8).prop_map(|limit| Step::Read { limit }),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_is_answered_as_the_model_says(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
