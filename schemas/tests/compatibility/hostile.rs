//! A comparison ends, whatever the schemas: what takes too long is undecided.

use crate::judge::{Side, findings};
use horizon_schemas::compatibility::{Direction, Finding, Published};
use serde_json::{Value, json};

/// What breaks, as published and backward.
fn breaks(old: &Value, new: &Value) -> Vec<Finding> {
    let [old, new] =
        [old, new].map(|schema| Side::of(schema).unwrap_or_else(|error| panic!("{error}")));
    findings(&old, &new, Direction::Backward, Published::ClosedOnLeaving)
}

/// Ten choices of eight ways each, all of which must hold.
fn choices(last: i64) -> Value {
    let all: Vec<Value> = (0..10)
        .map(|nth| {
            let ways = (0..8).map(|way| json!({ "properties": { format!("p{nth}"): { "minimum": way, "maximum": way + last } } }));
            json!({ "anyOf": ways.collect::<Vec<_>>() })
        })
        .collect();
    let names: Vec<String> = (0..10).map(|nth| format!("p{nth}")).collect();
    json!({ "type": "object", "allOf": all, "required": names })
}

#[test]
fn choices_that_multiply_are_bounded() {
    assert!(breaks(&choices(1), &choices(1)).is_empty());
    let found = breaks(&choices(2), &choices(1));
    assert!(!found.is_empty());
}

#[test]
fn schemas_that_refer_to_each_other_twice_are_bounded() {
    let schema = |most: i64| {
        let mut defined = serde_json::Map::new();
        for nth in 0..20 {
            let next = json!({ "$ref": format!("#/$defs/d{}", (nth + 1) % 20) });
            let other = json!({ "$ref": format!("#/$defs/d{}", (nth + 7) % 20) });
            defined.insert(
                format!("d{nth}"),
                json!({ "type": "object", "properties": { "a": next, "b": other, "c": { "type": "integer", "maximum": most + nth } } }),
            );
        }
        json!({ "$ref": "#/$defs/d0", "$defs": defined })
    };
    assert!(breaks(&schema(5), &schema(6)).is_empty());
    let found = breaks(&schema(6), &schema(5));
    assert_eq!(found.len(), 20);
    assert!(found.iter().any(|one| !one.is_undecided()));
}

#[test]
fn long_lists_and_deep_schemas_are_bounded() {
    let list = |count: i64| json!({ "enum": (0..count).collect::<Vec<_>>() });
    assert!(breaks(&list(5_000), &list(5_001)).is_empty());
    assert!(!breaks(&list(5_001), &list(5_000)).is_empty());
    let deep = |most: i64| {
        (0..24).fold(
            json!({ "type": "integer", "maximum": most }),
            |inner, _| json!({ "type": "object", "properties": { "a": inner }, "required": ["a"] }),
        )
    };
    assert!(breaks(&deep(5), &deep(6)).is_empty());
    assert!(!breaks(&deep(6), &deep(5)).is_empty());
    assert!(
        breaks(
            &json!({ "maxLength": 1e300, "pattern": "(a{50}){50}" }),
            &json!({})
        )
        .is_empty()
    );
}
