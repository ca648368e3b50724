//! The pairs of `pairs.yaml`, each with its verdicts.

use crate::judge::{Side, findings};
use horizon_schemas::compatibility::{Direction, Finding, Published};
use serde_json::{Value, json};

const PAIRS: &str = include_str!("pairs.yaml");

fn schema(pair: &Value, nth: usize) -> Value {
    let word = ["old", "new"][nth];
    match pair.get("a") {
        Some(both) => {
            json!({ "type": "object", "properties": { "a": both[nth] }, "required": ["a"] })
        }
        None => pair[word].clone(),
    }
}

fn verdict(found: &[Finding]) -> &'static str {
    if found.is_empty() {
        "ok"
    } else if found.iter().all(Finding::is_undecided) {
        "undecided"
    } else {
        "breaks"
    }
}

#[test]
fn each_pair_has_its_verdicts() {
    let pairs: Vec<Value> = serde_saphyr::from_str(PAIRS).unwrap();
    assert!(pairs.len() >= 80, "{} pairs", pairs.len());
    let mut wrong = Vec::new();
    for pair in &pairs {
        let name = pair["name"].as_str().unwrap();
        assert!(pair["why"].is_string(), "{name} has no why");
        let [old, new] = [0, 1].map(|nth| {
            Side::of(&schema(pair, nth)).unwrap_or_else(|error| panic!("{name}: {error}"))
        });
        let mut rules: Vec<&str> = Vec::new();
        for (word, published) in [
            ("published", Published::ClosedOnLeaving),
            ("written", Published::AsWritten),
        ] {
            let directions = [Direction::Backward, Direction::Forward];
            for (nth, direction) in directions.into_iter().enumerate() {
                let found = findings(&old, &new, direction, published);
                let expected = pair[word][nth].as_str().unwrap();
                if verdict(&found) != expected {
                    wrong.push(format!(
                        "{name}: {word} {direction:?} is not {expected}: {found:#?}"
                    ));
                }
                if published == Published::ClosedOnLeaving {
                    rules.extend(found.iter().map(|one| one.rule));
                }
                for one in &found {
                    assert!(!one.mend.is_empty() && !one.message.is_empty(), "{name}");
                    let (publisher, reader) = match direction {
                        Direction::Backward => (&old, &new),
                        Direction::Forward => (&new, &old),
                    };
                    if let Some(value) = &one.counterexample {
                        assert!(
                            publisher.publishes(value, published) && !reader.accepts(value),
                            "{name}: {value} separates nothing"
                        );
                    }
                }
            }
        }
        let expected = pair.get("rules").and_then(Value::as_array);
        let expected: Vec<&str> = expected
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if rules != expected {
            wrong.push(format!("{name}: the rules are {rules:?}, not {expected:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
