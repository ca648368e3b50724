//! The JSON Schema of the language and the parser say the same.

use crate::fixture::Fixture;
use horizon_schemas::{contract_language_schema, defaults_language_schema};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn accepts(schema: &Value, document: &Value) -> Result<(), String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

/// A contract that says everything that can be said.
const EVERYTHING: &str = r##"horizon: 1
contract: shop.orders
version: 1.2.0
status: deprecated
team: { name: shop, contact: shop@shop.example }
description: Orders.
source: "//shop.example/{contract}/v{major}"
streams: { category: order, match: [ "order-*" ] }
start: { position: 1 }
key: { pseudonym: .orderId }
flagged: cross
compatibility: full
subject: { jq: .currency }
time: recorded
dataschema: "https://shop.example/{contract}/{name}.v{major}.json"
correlationid: { public_id: { type: example.shop.order.placed.v1, of: .cancels, source: .note } }
causationid: { public_id: { type: example.shop.order.placed.v1, of: .cancels } }
traceparent: pass
tracestate: pass
deprecation: { from: 2025-01-01T00:00:00Z, sunset: 2025-07-01T00:00:00Z, migration: "https://shop.example/v2" }
attributes: { region: .currency }
waivers:
  - { change: property-removed, at: /properties/a, type: example.shop.order.placed.v1, reason: unused, until: 2025-06-30 }
types:
  example.shop.order.placed.v1:
    name: placed
    schema: public/shop.orders/placed.v1.json
    status: deprecated
    subject: .currency
    time: .note
    dataschema: "https://shop.example/{type}.json"
    correlationid: { public_id: { type: example.shop.order.placed.v1, of: .cancels } }
    causationid: { public_id: { type: example.shop.order.placed.v1, of: .cancels } }
    traceparent: pass
    tracestate: pass
    deprecation: { sunset: 2025-07-01T00:00:00Z }
    attributes: { region: { const: 5 } }
    data: { orderId: .orderId, x: { reveal: .email, reason: published by law } }
    from:
      - event: OrderPlaced
        when: .total > 0
        flagged: violation
        data: { total: { jq: '.total' }, lines: { each: .lines, data: { sku: .sku } }, nested: { data: { a: { const: 1 } } } }
outlets:
  - mqtt:
      broker: main
      topic: "shop/orders/v1/{key}/{subject}/{data.total}/{data.nested.a}/{name}"
      name: one
      qos: 2
      retain: true
      expiry_seconds: 3600
      user_properties: { Cost-Centre: "7" }
      content_mode: binary
      datacontenttype_property: true
      unheard: wait
      start: { sequence: 1000 }
      max_in_flight_per_key: 4
  - amqp:
      broker: rabbit
      exchange: "{contract}.v{major}"
      declare: true
      alternate_exchange: unrouted
      routing_key: "order.{name}"
      name: two
      content_mode: structured
      header_prefix: cloudEvents_
      priority: 5
      expiration_ms: 60000
      headers: { cost-centre: "7" }
      queues:
        - { name: budgets, type: quorum, bind: [ "order.*" ], arguments: { x-delivery-limit: 20 } }
      bindings:
        - { queue: fraud, routing_key: "order.#" }
      unheard: continue
      start: { time: 2025-01-01T00:00:00Z }
"##;

#[test]
fn everything_that_can_be_said_is_right_and_in_the_schema() {
    let fixture = Fixture::shop();
    fixture.contract("shop.orders.v1", EVERYTHING);
    assert_eq!(fixture.right().source(), "//shop.example/shop.orders/v1");
    accepts(&contract_language_schema(), &yaml(EVERYTHING)).unwrap();
    // The document above leaves no key out.
    let mut unsaid = keys(&contract_language_schema());
    said(&yaml(EVERYTHING), &mut unsaid);
    assert_eq!(unsaid, BTreeSet::new());
}

/// Every key of every mapping of the schema.
fn keys(schema: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let definitions = schema["$defs"].as_object().unwrap();
    for mapping in definitions.values().chain([schema]) {
        all.extend(mapping["properties"].as_object().unwrap().keys().cloned());
    }
    all
}

fn said(document: &Value, unsaid: &mut BTreeSet<String>) {
    match document {
        Value::Object(entries) => {
            for (key, value) in entries {
                unsaid.remove(key);
                said(value, unsaid);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| said(item, unsaid)),
        _ => {}
    }
}

#[test]
fn the_example_and_its_defaults_fit_the_schema() {
    let folder = Path::new("../deploy/example/contracts");
    let mut contracts = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".test.yaml") {
            continue;
        }
        let schema = if name == "_defaults.yaml" {
            defaults_language_schema()
        } else {
            contracts += 1;
            contract_language_schema()
        };
        let document = yaml(&std::fs::read_to_string(&path).unwrap());
        accepts(&schema, &document).unwrap_or_else(|errors| panic!("{name}: {errors}"));
    }
    assert!(contracts > 0);
    let shop = Fixture::shop()
        .with(&[])
        .read("contracts/shop.orders.v1.yaml");
    accepts(&contract_language_schema(), &yaml(&shop)).unwrap();
}

/// Each place of a mapping in a document, as a pointer.
fn mappings(document: &Value, pointer: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(entries) => {
            found.push(pointer.to_owned());
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                mappings(value, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                mappings(item, &format!("{pointer}/{nth}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn an_unknown_key_is_refused_by_both_wherever_it_stands() {
    let whole = yaml(EVERYTHING);
    let schema = contract_language_schema();
    let mut places = Vec::new();
    mappings(&whole, "", &mut places);
    assert!(places.len() > 30);
    let mut refused = 0;
    for place in places {
        let mut document = whole.clone();
        let mapping = document
            .pointer_mut(&place)
            .unwrap()
            .as_object_mut()
            .unwrap();
        mapping.insert("unkown".to_owned(), json!({"const": 1}));
        let fixture = Fixture::shop();
        // JSON is YAML.
        fixture.contract(
            "shop.orders.v1",
            &serde_json::to_string_pretty(&document).unwrap(),
        );
        let codes = fixture.codes();
        let by_schema = accepts(&schema, &document).is_err();
        // Where names are the writer's own there is no unknown key; what such a mapping holds is checked further on.
        let own = ["/data", "/attributes"]
            .iter()
            .any(|own| place.ends_with(own));
        let scalars = ["/user_properties", "/headers", "/arguments"];
        let of_scalars = scalars.iter().any(|own| place.ends_with(own));
        assert_eq!(
            codes.contains(&"unknown-key"),
            !own && !of_scalars,
            "{place}: {codes:?}"
        );
        assert_eq!(by_schema, !own, "{place}");
        refused += u32::from(!own);
    }
    assert!(refused > 20);
}

#[test]
fn a_missing_key_is_refused_by_both() {
    let whole = yaml(EVERYTHING);
    let schema = contract_language_schema();
    for (place, key) in [
        ("", "horizon"),
        ("", "contract"),
        ("", "version"),
        ("", "streams"),
        ("", "key"),
        ("", "types"),
        ("/streams", "category"),
        ("/key", "pseudonym"),
        ("/team", "name"),
        ("/team", "contact"),
        ("/types/example.shop.order.placed.v1", "name"),
        ("/types/example.shop.order.placed.v1", "schema"),
        ("/types/example.shop.order.placed.v1", "from"),
        ("/types/example.shop.order.placed.v1/from/0", "event"),
        ("/outlets/0/mqtt", "broker"),
        ("/outlets/0/mqtt", "topic"),
        ("/outlets/1/amqp", "exchange"),
        ("/outlets/1/amqp", "routing_key"),
        ("/correlationid/public_id", "type"),
        ("/correlationid/public_id", "of"),
        ("/waivers/0", "change"),
        ("/waivers/0", "at"),
        ("/waivers/0", "reason"),
        ("/waivers/0", "until"),
    ] {
        let mut document = whole.clone();
        document
            .pointer_mut(place)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .shift_remove(key)
            .unwrap();
        let fixture = Fixture::shop();
        fixture.contract(
            "shop.orders.v1",
            &serde_json::to_string_pretty(&document).unwrap(),
        );
        assert!(fixture.codes().contains(&"missing-key"), "{place}/{key}");
        assert!(accepts(&schema, &document).is_err(), "{place}/{key}");
    }
}

#[test]
fn an_unknown_word_is_refused_by_both() {
    let whole = yaml(EVERYTHING);
    let schema = contract_language_schema();
    for (place, key) in [
        ("", "status"),
        ("", "flagged"),
        ("", "compatibility"),
        ("", "traceparent"),
        ("", "tracestate"),
        ("/types/example.shop.order.placed.v1", "status"),
        ("/types/example.shop.order.placed.v1", "traceparent"),
        ("/types/example.shop.order.placed.v1/from/0", "flagged"),
        ("/outlets/0/mqtt", "unheard"),
    ] {
        let mut document = whole.clone();
        document.pointer_mut(place).unwrap()[key] = json!("sideways");
        let fixture = Fixture::shop();
        fixture.contract(
            "shop.orders.v1",
            &serde_json::to_string_pretty(&document).unwrap(),
        );
        assert_eq!(fixture.codes(), ["unknown-word"], "{place}/{key}");
        assert!(accepts(&schema, &document).is_err(), "{place}/{key}");
    }
    let fixture = Fixture::shop();
    fixture.contract("shop.orders.v1", EVERYTHING);
    fixture.contract("_defaults", "horizon: 1\ncompatibility: sideways\n");
    assert_eq!(fixture.codes(), ["unknown-word"]);
}

#[test]
fn every_example_in_the_schema_fits_it() {
    for schema in [contract_language_schema(), defaults_language_schema()] {
        let definitions = schema["$defs"].as_object().unwrap();
        let mut examples = 0;
        for mapping in definitions.values().chain([&schema]) {
            for (name, property) in mapping["properties"].as_object().unwrap() {
                assert!(
                    property["description"]
                        .as_str()
                        .is_some_and(|text| text.len() > 5),
                    "{name}"
                );
                for example in property["examples"].as_array().into_iter().flatten() {
                    let mut of_one = property.clone();
                    of_one["$defs"] = schema["$defs"].clone();
                    accepts(&of_one, example).unwrap_or_else(|errors| panic!("{name}: {errors}"));
                    examples += 1;
                }
            }
        }
        assert!(examples > 5);
    }
}
