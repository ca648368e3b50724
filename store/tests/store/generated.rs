//! Generated sequences of calls, alone and many at once, against the store in memory; with reopenings between.

mod calls;
mod compare;

use std::sync::{Arc, Mutex};

use horizon_store::{Options, Store};
use proptest::prelude::*;

use crate::build::main_log;
use crate::export::arrives;
use crate::memory::{Kept, MemoryStore};
use calls::{Belief, Caller, Write, make};
use compare::compare;

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

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::default()).await.unwrap();
    let memory = MemoryStore::open(&Arc::new(Mutex::new(Kept::default())));
    let mut caller = Caller::default();
    // Calls that look nothing up on the disk are handed in as they are made, on one thread; others have no order.
    let mut in_order = true;
    for step in steps {
        match step {
            Step::Together(writes) => {
                let mut under_way = Vec::new();
                for write in &writes {
                    if let Some(call) = caller.call(&memory, write).await {
                        let outcome = make(memory.clone(), call.clone()).await;
                        let answer = tokio::spawn(make(store.clone(), call.clone()));
                        if !in_order {
                            let answer = answer.await.unwrap();
                            assert!(answer.agrees(&outcome), "{call:?}\n{answer:?}\n{outcome:?}");
                            continue;
                        }
                        under_way.push((call, outcome, answer));
                    }
                }
                for (call, outcome, answer) in under_way {
                    let answer = answer.await.unwrap();
                    assert!(answer.agrees(&outcome), "{call:?}\n{answer:?}\n{outcome:?}");
                }
            }
            Step::Read { limit } => compare(&store, &memory, usize::from(limit)).await,
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
    compare(&store, &memory, 1_000).await;
    let (other, _other_dir) = arrives(&store, &[main_log()]).await;
    // What was stored is a repeat there too, and what was refused is refused.
    if let Some(call) = caller.call(&memory, &Write::Again).await {
        let outcome = make(memory.clone(), call.clone()).await;
        let answer = make(other, call.clone()).await;
        assert!(answer.agrees(&outcome), "{call:?}\n{answer:?}\n{outcome:?}");
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
    let content = prop_oneof![9 => Just(0_u8), 1 => Just(1)];
    let ids = proptest::collection::btree_map(0..120_u8, content, 1..5);
    let writes = proptest::collection::vec((0..5_u8, belief(), 0..3_usize), 1..3);
    (ids, writes).prop_map(move |(ids, writes)| {
        let mut ids: Vec<_> = ids.into_iter().collect();
        let mut writes: Vec<_> = writes
            .into_iter()
            .map(|(name, belief, count)| {
                let count = count.min(ids.len());
                (name, belief, ids.drain(..count).collect::<Vec<_>>())
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
        2 => (1..8_u8, wrong(), any::<u8>())
            .prop_map(|(events, wrong_cursor, outcomes)| Write::Settle { events, wrong_cursor, outcomes }),
        2 => (1..4_u8, any::<u8>(), wrong(), wrong())
            .prop_map(|(entries, outcomes, wrong_order, gone)| Write::Mend { entries, outcomes, wrong_order, gone }),
        2 => (1..4_u8, any::<u8>(), wrong(), wrong())
            .prop_map(|(entries, outcomes, wrong_order, gone)| Write::Resolve { entries, outcomes, wrong_order, gone }),
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
    fn any_sequence_of_calls_is_answered_as_the_store_in_memory_says(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
