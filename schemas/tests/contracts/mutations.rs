//! The files of a sound folder, spoiled at random: pieces taken out, doubled, exchanged, cut short. Whatever comes of it is told or
//! crosses, within a bounded time, and never leaks.

use crate::fixture::{cross, load};
use horizon_schemas::{Outcome, Rules};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is spoiled: a contract that uses most of the language, and both of its schemas.
const FILES: [(&str, &str); 3] = [
    (
        "contracts/shop.orders.v1.yaml",
        r#"horizon: 1
contract: shop.orders
version: 1.2.0
team: { name: shop, contact: shop@shop.example }
source: //shop.example/orders/v1
streams: { category: order }
start: beginning
key: .orderId
types:
  example.shop.order.placed.v1:
    name: placed
    schema: public/shop.orders/placed.v1.json
    data: { orderId: .orderId, currency: { const: "EUR" } }
    from:
      - event: OrderPlaced
        when: (.total // 0) > 1 and (.lines | length) < 9
        data:
          total: { jq: '[.lines[].quantity] | add' }
          lines: { each: .lines, data: { sku: .sku } }
          customer: .customer
          cancels: { public_id: { type: example.shop.order.placed.v1, of: .cancels } }
outlets:
  - mqtt: { broker: main, topic: "shop/orders/v1/{key}/{name}" }
  - amqp: { broker: rabbit, exchange: shop.orders.v1, routing_key: "order.{name}" }
"#,
    ),
    (
        "schemas/private/order/OrderPlaced.json",
        r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "orderId": {"type": "string"}, "total": {"type": "number"}, "cancels": {"type": "string"},
    "email": {"type": "string", "format": "email", "x-personal": ".orderId"},
    "customer": {"$ref": "#/$defs/customer"},
    "lines": {"type": "array", "items": {"type": "object", "properties": {
      "sku": {"type": "string", "pattern": "^[a-z]+$"}, "quantity": {"type": "integer", "minimum": 0},
      "giftFor": {"type": "string", "x-personal": true}}}}
  },
  "$defs": {"customer": {"allOf": [{"properties": {"tier": {"enum": ["a", "b"]}, "name": {"type": "string", "x-personal": true}}}]}}
}"##,
    ),
    (
        "schemas/public/shop.orders/placed.v1.json",
        r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://shop.example/schemas/placed.v1.json",
  "type": "object",
  "required": ["orderId"],
  "properties": {
    "orderId": {"type": "string", "maxLength": 64}, "currency": {"const": "EUR"}, "total": {"type": "number"}, "cancels": {"type": "string"},
    "customer": {"type": "object", "properties": {"tier": {}}},
    "lines": {"type": "array", "maxItems": 9, "items": {"type": "object", "properties": {"sku": {"type": "string"}}}}
  }
}"#,
    ),
];

/// One way of spoiling a text; places are shares of its length.
#[derive(Debug, Clone)]
enum Spoil {
    Take { from: f64, len: usize },
    Double { from: f64, len: usize, times: usize },
    Exchange { one: f64, other: f64, len: usize },
    Insert { at: f64, text: String },
    Cut { at: f64 },
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let share = || 0.0..1.0;
    let pieces = vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "'",
        "\n",
        "  ",
        "null",
        "true",
        "-1",
        "1e999",
        "\u{0}",
        "é",
        "&a",
        "*a",
        "<<: ",
        "$ref",
        "\"#\"",
        "\"$dynamicRef\": \"#x\",",
        "..",
        ".[]",
        "| .",
        "x-personal",
        "\"not\": {},",
        "reveal: .email",
        "99999999999999999999",
    ];
    prop_oneof![
        (share(), 1_usize..40).prop_map(|(from, len)| Spoil::Take { from, len }),
        (share(), 1_usize..60, 1_usize..40).prop_map(|(from, len, times)| Spoil::Double {
            from,
            len,
            times
        }),
        (share(), share(), 1_usize..20).prop_map(|(one, other, len)| Spoil::Exchange {
            one,
            other,
            len
        }),
        (share(), prop::sample::select(pieces)).prop_map(|(at, text)| Spoil::Insert {
            at,
            text: text.to_owned()
        }),
        share().prop_map(|at| Spoil::Cut { at }),
    ]
}

fn apply(text: &str, spoil: &Spoil) -> String {
    let mut all: Vec<char> = text.chars().collect();
    let place = |share: f64| (share * all.len() as f64) as usize;
    let stretch = |share: f64, len: usize| {
        let from = place(share).min(all.len());
        from..(from + len).min(all.len())
    };
    match spoil {
        Spoil::Take { from, len } => {
            let range = stretch(*from, *len);
            all.drain(range);
        }
        Spoil::Double { from, len, times } => {
            let range = stretch(*from, *len);
            let piece: Vec<char> = all[range.clone()].repeat(*times);
            all.splice(range.end..range.end, piece);
        }
        Spoil::Exchange { one, other, len } => {
            let (one, other) = (stretch(*one, *len), stretch(*other, *len));
            for (a, b) in one.zip(other) {
                all.swap(a, b);
            }
        }
        Spoil::Insert { at, text } => {
            let at = place(*at);
            all.splice(at..at, text.chars());
        }
        Spoil::Cut { at } => all.truncate(place(*at)),
    }
    all.into_iter().collect()
}

fn write(folder: &Path, spoils: &[(usize, Spoil)]) {
    for (nth, (path, text)) in FILES.iter().enumerate() {
        let mut text = (*text).to_owned();
        for (_, spoil) in spoils.iter().filter(|(file, _)| *file == nth) {
            text = apply(&text, spoil);
        }
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn event() -> Value {
    json!({
        "orderId": "1", "total": 7.5, "cancels": "0", "email": "CANARY", "undeclared": "CANARY",
        "customer": {"tier": "a", "name": "CANARY", "undeclared": "CANARY"},
        "lines": [{"sku": "a", "quantity": 2, "giftFor": "CANARY", "undeclared": "CANARY"}]
    })
}

/// What a public event may show: a spoiled private schema can lose a mark or gain a declaration, and a spoiled contract can reveal with
/// a reason. Only where the private schema is whole and nothing was revealed must every canary stay inside.
fn may_show(spoils: &[(usize, Spoil)]) -> bool {
    spoils.iter().any(|(file, spoil)| {
        *file == 1 || matches!(spoil, Spoil::Insert { text, .. } if text.contains("reveal"))
    })
}

#[test]
fn the_folder_as_it_is_crosses() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[]);
    let catalog = load(folder.path(), &Rules::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let outcome = cross(&catalog.contracts()[0], &event());
    assert!(matches!(outcome, Outcome::Crossed(_)), "{outcome:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoiled_folder_is_told_or_crosses(spoils in prop::collection::vec((0..FILES.len(), spoil()), 1..5)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &spoils);
        let begun = Instant::now();
        match load(folder.path(), &Rules::default()) {
            Err(diagnostics) => {
                prop_assert!(!diagnostics.is_empty());
                for diagnostic in diagnostics.iter() {
                    prop_assert!(!diagnostic.message().is_empty() && diagnostic.file().is_some(), "{diagnostic}");
                }
                prop_assert!(diagnostics.to_string().starts_with("error["));
            }
            Ok(catalog) => for contract in catalog.contracts() {
                let told = match cross(contract, &event()) {
                    Outcome::Crossed(crossed) => String::from_utf8(crossed.seal(1, 0).into_bytes()).unwrap(),
                    other => format!("{other:?}"),
                };
                prop_assert!(may_show(&spoils) || !told.contains("CANARY"), "{told}");
            },
        }
        // A bound, not a measure: what is small costs milliseconds, and what could blow up would take minutes.
        prop_assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
    }
}
