//! Generated schemas that refer to each other in all ways: what is loaded is also checked in time, however deep the data is.

use crate::fixture::Fixture;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Many times what any of them takes; one that doubles at each of 100 levels would not end at all.
const LONG: Duration = Duration::from_secs(60);

fn schema() -> impl Strategy<Value = Value> {
    let reference = prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b"]);
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!({"type": "integer"})),
        Just(json!({"required": ["none"]})),
        reference.prop_map(|to| json!({"$ref": to})),
    ];
    let name = prop::sample::select(vec!["a", "b"]);
    leaf.prop_recursive(4, 16, 3, move |inner| {
        let several = prop::collection::vec(inner.clone(), 1..3);
        let keyword = prop::sample::select(vec!["allOf", "anyOf", "oneOf"]);
        prop_oneof![
            3 => (name.clone(), inner.clone()).prop_map(|(name, below)| json!({"properties": {name: below}})),
            1 => inner.clone().prop_map(|below| json!({"additionalProperties": below})),
            1 => inner.clone().prop_map(|below| json!({"patternProperties": {"^a": below}})),
            1 => inner.clone().prop_map(|below| json!({"items": below})),
            1 => inner.clone().prop_map(|below| json!({"contains": below})),
            1 => inner.clone().prop_map(|below| json!({"not": below})),
            2 => (keyword, several).prop_map(|(keyword, branches)| json!({keyword: branches})),
            2 => (inner.clone(), inner).prop_map(|(one, other)| match (one, other) {
                (Value::Object(mut one), Value::Object(other)) => {
                    one.extend(other);
                    one.into()
                }
                (one, _) => one,
            }),
        ]
    })
}

/// Data with one value a level.
fn data(steps: &[u8]) -> Value {
    steps.iter().fold(json!("end"), |inner, step| match step {
        0 => json!({"a": inner}),
        1 => json!({"b": inner}),
        _ => json!([inner]),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_loaded_is_checked_in_time(root in schema(), a in schema(), b in schema(), steps in prop::collection::vec(0_u8..3, 100)) {
        let mut whole = root;
        whole["$defs"] = json!({"a": a, "b": b});
        let fixture = Fixture::empty();
        fixture.private("order/X", &whole);
        if let Ok(catalog) = fixture.load() {
            let (done, wait) = channel();
            thread::spawn(move || {
                for data in [data(&steps), data(&[0; 100]), data(&[2; 100])] {
                    let _ = catalog.private().check("order", "X", Some(&data));
                }
                done.send(())
            });
            prop_assert!(wait.recv_timeout(LONG).is_ok(), "{}", whole);
        }
    }
}
