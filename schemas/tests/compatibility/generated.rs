//! Nothing is called compatible when a value exists that is published and refused: random pairs, and a search for such values.
//!
//! `HORIZON_COMPATIBILITY_CASES` says how many pairs (300 unless it is set), `HORIZON_COMPATIBILITY_SEED` with which seed to begin; a
//! failure prints the seed of its pair, which replays as the first one. `HORIZON_COMPATIBILITY_TELL` prints what was undecided.

use crate::guided::guided;
use crate::judge::{Side, findings};
use crate::random::{self, Draft, Random};
use horizon_schemas::compatibility::{Direction, Published};
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

/// How many values are tried for each pair.
const VALUES: usize = 160;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[derive(Debug, Default)]
struct Counts {
    pairs: usize,
    refused: usize,
    compatible: usize,
    shown: usize,
    undecided: usize,
    undecided_and_apart: usize,
}

#[test]
fn no_value_separates_what_is_called_compatible() {
    let mut runner = TestRunner::deterministic();
    let first = from_environment("HORIZON_COMPATIBILITY_SEED")
        .unwrap_or_else(|| any::<u64>().new_tree(&mut runner).unwrap().current());
    let cases = from_environment("HORIZON_COMPATIBILITY_CASES").unwrap_or(300);
    println!("seeds {first} to {}", first.wrapping_add(cases - 1));
    let mut counts = Counts::default();
    for nth in 0..cases {
        pair(first.wrapping_add(nth), &mut counts);
    }
    println!("{counts:?}");
    assert!(
        counts.pairs > counts.refused * 2,
        "too many schemas are refused: {counts:?}"
    );
    assert!(counts.compatible > 0 && counts.shown > 0, "{counts:?}");
}

fn pair(seed: u64, counts: &mut Counts) {
    let mut random = Random::new(seed);
    let draft = |random: &mut Random| match random.below(6) {
        0 => Draft::Four,
        1 => Draft::Seven,
        _ => Draft::Latest,
    };
    let own = draft(&mut random);
    let old = random::document(&mut random, own);
    let new = match random.below(8) {
        0 => {
            let other = draft(&mut random);
            random::document(&mut random, other)
        }
        _ => random::changed(&mut random, &old, own),
    };
    let (Ok(old), Ok(new)) = (Side::of(&old), Side::of(&new)) else {
        counts.refused += 1;
        return;
    };
    counts.pairs += 1;
    let values = values(&mut random, &old.value, &new.value);
    for published in [Published::AsWritten, Published::ClosedOnLeaving] {
        for (direction, publisher, reader) in [
            (Direction::Backward, &old, &new),
            (Direction::Forward, &new, &old),
        ] {
            let found = findings(&old, &new, direction, published);
            let told = |value: &Value| {
                format!(
                    "seed {seed}, {direction:?}, {published:?}\nold {}\nnew {}\nvalue {value}\n{found:#?}",
                    old.value, new.value
                )
            };
            let separates =
                |value: &Value| publisher.publishes(value, published) && !reader.accepts(value);
            for value in found.iter().filter_map(|one| one.counterexample.as_ref()) {
                assert!(separates(value), "no counterexample: {}", told(value));
            }
            let separating = values.iter().find(|value| separates(value));
            let tells = std::env::var("HORIZON_COMPATIBILITY_TELL").is_ok();
            match (found.is_empty(), separating) {
                (true, Some(value)) => panic!("called compatible: {}", told(value)),
                (true, None) => counts.compatible += 1,
                (false, _) if found.iter().any(|one| !one.is_undecided()) => counts.shown += 1,
                (false, Some(value)) => {
                    if tells {
                        println!("not shown: {}", told(value));
                    }
                    counts.undecided_and_apart += 1;
                }
                (false, None) => {
                    if tells {
                        println!("undecided: {}", told(&Value::Null));
                    }
                    counts.undecided += 1;
                }
            }
        }
    }
    for published in [Published::AsWritten, Published::ClosedOnLeaving] {
        let same = findings(&old, &old, Direction::Backward, published);
        assert!(
            same.is_empty(),
            "seed {seed}: {} breaks itself: {same:#?}",
            old.value
        );
    }
}

fn values(random: &mut Random, old: &Value, new: &Value) -> Vec<Value> {
    (0..VALUES)
        .map(|nth| match nth % 8 {
            0 => random::value(random, 2),
            nth if nth % 2 == 0 => guided(random, old, old, 5),
            _ => guided(random, new, new, 5),
        })
        .collect()
}
