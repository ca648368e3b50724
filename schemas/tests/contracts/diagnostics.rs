//! What is wrong is told with its place, what is known there and what would mend it, all at once.

use crate::fixture::Fixture;
use serde_json::json;

#[track_caller]
fn told(fixture: &Fixture, expected: &str) {
    let told = fixture.wrong();
    assert!(
        told == expected,
        "--- told\n{told}\n--- expected\n{expected}"
    );
}

#[test]
fn an_unknown_broker_is_told_with_the_nearest() {
    told(
        &Fixture::shop().with(&[("broker: main", "broker: mian")]),
        r#"error[unknown-broker]: no broker is called `mian`
  --> contracts/shop.orders.v1.yaml:17:21
   |
17 |   - mqtt: { broker: mian, topic: "shop/orders/v1/{key}/{name}" }
   |                     ^^^^
   = known: main, old
   = nearest: main
   = mend: name a broker of the configuration, or add it there under `brokers`
"#,
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    told(
        &Fixture::shop().with(&[("key: .orderId", "key: .orderId\nkye: 1")]),
        r#"error[unknown-key]: a contract has no key `kye`
 --> contracts/shop.orders.v1.yaml:9:1
  |
9 | kye: 1
  | ^^^
  = known: horizon, contract, version, status, team, description, source, streams, start, key, types, outlets, flagged, subject, time, dataschema, correlationid, causationid, traceparent, tracestate, deprecation, attributes, waivers, compatibility
  = nearest: key
"#,
    );
}

#[test]
fn an_undeclared_field_is_told_with_the_nearest() {
    told(
        &Fixture::shop().with_data("{ total: .totall }"),
        r#"error[undeclared]: .totall is not declared by the private schema of OrderPlaced
  --> contracts/shop.orders.v1.yaml:15:24
   |
15 |         data: { total: .totall }
   |                        ^^^^^^^
   = known: anything, cancels, currency, customer, customerId, diary, email, lines, note, orderId, tags, total
   = nearest: total
   = mend: declare `totall` in the private schema, or read a field that it declares
"#,
    );
}

#[test]
fn a_personal_field_in_an_expression_is_told_at_its_word() {
    told(
        &Fixture::shop().with_data("{ x: { jq: '.total + (.customer.name | length)' } }"),
        r#"error[personal]: .customer.name is marked personal in the private schema of OrderPlaced
  --> contracts/shop.orders.v1.yaml:15:38
   |
15 |         data: { x: { jq: '.total + (.customer.name | length)' } }
   |                                      ^^^^^^^^^^^^^
   = mend: leave it out; if it may be public, write { reveal: .customer.name, reason: why }
"#,
    );
}

#[test]
fn a_plain_text_says_how_a_constant_is_written() {
    told(
        &Fixture::shop().with_data("{ currency: EUR }"),
        r#"error[not-a-path]: `EUR` is no path
  --> contracts/shop.orders.v1.yaml:15:27
   |
15 |         data: { currency: EUR }
   |                           ^^^
   = mend: if the constant is meant, write { const: "EUR" }
"#,
    );
}

#[test]
fn a_function_that_is_not_for_contracts_is_told_at_its_word() {
    let told = Fixture::shop()
        .with_data("{ x: { jq: '.customer | to_entries' } }")
        .wrong();
    let first = r#"error[expression-function]: `to_entries/0` is not for contracts
  --> contracts/shop.orders.v1.yaml:15:39
   |
15 |         data: { x: { jq: '.customer | to_entries' } }
   |                                       ^^^^^^^^^^
   = known: null, true, false, empty,"#;
    assert!(told.starts_with(first), "{told}");
    assert!(
        told.ends_with(
            "= mend: name each path that is needed: a contract cannot take what it does not name\n"
        ),
        "{told}"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_in_order() {
    let fixture = Fixture::shop().with(&[
        ("horizon: 1", "horizon: 2"),
        ("version: 1.2.0", "version: 1.2"),
        ("start: beginning", "start: yesterday"),
        ("name: placed", "name: Placed"),
        ("placed.v1.json", "plaecd.v1.json"),
        ("OrderPlaced", "OrderPlacd"),
        ("topic: \"shop", "topic: \"$shop/+"),
        ("exchange: shop", "exchange: amq"),
    ]);
    fixture.contract(
        "other",
        "horizon: 1\ncontract: other.things\ndatapoints: {}\n",
    );
    fixture.private("order/OrderShipped", &json!({"propertys": {}}));
    assert_eq!(
        fixture.codes(),
        [
            "missing-key",
            "missing-key",
            "missing-key",
            "missing-key",
            "missing-key",
            "missing-key",
            "missing-key",
            "missing-key",
            "not-yet",
            "language-version",
            "not-text",
            "unknown-word",
            "name",
            "unknown-schema",
            "unknown-event",
            "template",
            "exchange",
            "schema-keyword-unknown",
        ]
    );
}

#[test]
fn each_of_these_is_told_by_its_code() {
    for (from, to, code) in [
        ("key: .orderId", "key: .orderId\nkey: .total", "key-twice"),
        (
            "name: placed",
            "name: placed\n    name: placed",
            "key-twice",
        ),
        (
            "contract: shop.orders",
            "contract: shop.orders.v1",
            "contract-name",
        ),
        ("contract: shop.orders", "contract: Shop", "contract-name"),
        ("contract: shop.orders", "contract: 12", "not-text"),
        (
            "team: { name: shop, contact: shop@shop.example }\n",
            "",
            "missing-key",
        ),
        ("contact: shop@shop.example", "mail: x", "missing-key"),
        (
            "source: //shop.example/orders/v1",
            "source: 'a b'",
            "source",
        ),
        ("source: //shop.example/orders/v1", "source: ''", "source"),
        ("category: order", "category: odrer", "unknown-category"),
        ("{ category: order }", "order", "not-a-mapping"),
        ("{ category: order }", "{ pattern: 'o*' }", "missing-key"),
        ("start: beginning", "start: 17", "not-text"),
        ("start: beginning", "start: { time: x }", "start"),
        ("start: beginning\n", "", "missing-key"),
        ("key: .orderId", "key: orderId", "not-a-path"),
        ("key: .orderId", "key: { pseudo: .orderId }", "missing-key"),
        ("key: .orderId", "key: [.orderId]", "not-text"),
        ("example.shop.order.placed.v1:", "'a b':", "public-type"),
        (
            "example.shop.order.placed.v1:",
            "example.shop.order.placed.v2:",
            "type-version",
        ),
        ("schema: public/", "schema: private/", "schema-place"),
        (
            "- event: OrderPlaced",
            "- { event: OrderPlaced }\n      - event: OrderPlaced",
            "unreachable",
        ),
        (
            "- event: OrderPlaced",
            "- event: OrderPlaced\n        whe: x",
            "unknown-key",
        ),
        (
            "- event: OrderPlaced",
            "- event: OrderPlaced\n        when: 'def f: .; f'",
            "expression",
        ),
        (
            "- event: OrderPlaced",
            "- event: OrderPlaced\n        when: .total >",
            "expression",
        ),
        (
            "- event: OrderPlaced",
            "- event: OrderPlaced\n        when: true",
            "not-text",
        ),
        ("\n        data: DATA", "", "missing-key"),
        ("DATA", "{ x: 1 }", "leaf"),
        ("DATA", "{ x: [.total] }", "leaf"),
        ("DATA", "{ x: {} }", "leaf"),
        ("DATA", "{ x: { const: 1, jq: .total } }", "leaf"),
        ("DATA", "{ x: { cnst: 1 } }", "unknown-key"),
        ("DATA", "{ x: { reveal: .email } }", "missing-key"),
        (
            "DATA",
            "{ x: { reveal: .total, reason: because } }",
            "reveal",
        ),
        ("DATA", "{ x: { each: .total, data: {} } }", "undeclared"),
        ("DATA", "{ x: { each: .lines } }", "missing-key"),
        (
            "DATA",
            "{ x: { public_id: { type: nothing.v1, of: .orderId } } }",
            "unknown-type",
        ),
        ("DATA", "{ nothing: .total }", "public-undeclared"),
        ("DATA", "{ x: .total | length }", "not-a-path"),
        ("DATA", "{ x: .anything }", "open-array"),
        ("DATA", "[]", "not-a-mapping"),
        ("{key}/{name}", "{kye}/{name}", "template"),
        ("{key}/{name}", "{key}//{name}", "template"),
        ("\"order.{name}\"", "\"order.*\"", "template"),
        ("broker: rabbit", "broker: main", "broker-protocol"),
        (
            "{name}\" }\n  - amqp",
            "{name}\", qos: 3 }\n  - amqp",
            "not-in-bounds",
        ),
        (
            "{name}\" }\n  - amqp",
            "{name}\", qos: 0, unheard: wait }\n  - amqp",
            "unheard",
        ),
        (
            "{name}\" }\n  - amqp",
            "{name}\", datacontenttype_property: true }\n  - amqp",
            "content-mode",
        ),
        (
            "{name}\" }\n  - amqp",
            "{name}\", content_mode: binary, user_properties: { team: a } }\n  - amqp",
            "fixed-text",
        ),
        (
            "broker: main",
            "broker: old, content_mode: binary",
            "mqtt-version",
        ),
        (
            "broker: main",
            "broker: old, expiry_seconds: 5",
            "mqtt-version",
        ),
        (
            "broker: main",
            "broker: old, user_properties: { A: b }",
            "mqtt-version",
        ),
        ("broker: main", "broker: old, unheard: wait", "unheard"),
        ("{key}/{name}", "{key}/{subject}", "template"),
        ("{key}/{name}", "{key}/{data.nothing}", "template"),
        (
            "broker: rabbit",
            "broker: rabbit, headers: { x-a: b }",
            "fixed-text",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, headers: { Bcc: b }",
            "fixed-text",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, declare: false, alternate_exchange: a",
            "alternate-exchange",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, queues: [{ name: amq.q }]",
            "queue",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, queues: [{ name: q, arguments: { x-queue-type: quorum } }]",
            "argument",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, bindings: [{ queue: q }]",
            "missing-key",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, start: { sequence: 0 }",
            "not-in-bounds",
        ),
        (
            "broker: rabbit",
            "broker: rabbit, start: { time: yesterday }",
            "start",
        ),
        (
            "{name}\" }\n  - amqp",
            "{name}\", unheard: panic }\n  - amqp",
            "unknown-word",
        ),
        (
            "outlets:",
            "outlets:\n  - mqtt: { broker: main, topic: t }",
            "outlet-twice",
        ),
        (
            "outlets:",
            "outlets:\n  - { broker: main, topic: t }",
            "unknown-key",
        ),
        ("outlets:", "outlets:\n  - {}", "outlet"),
        ("outlets:", "datapoints: {}\noutlets:", "not-yet"),
    ] {
        let codes = Fixture::shop().with(&[(from, to)]).codes();
        assert!(codes.contains(&code), "{to:?}: {codes:?} and not {code}");
    }
}

#[test]
fn a_required_public_field_that_nothing_is_mapped_to_is_told() {
    let mut public = Fixture::public_schema();
    public["required"] = json!(["total"]);
    let fixture = Fixture::shop().with_data("{ x: .total }");
    fixture.public("shop.orders/placed.v1", &public);
    assert_eq!(fixture.codes(), ["required-unmapped"]);
}

#[test]
fn two_contracts_cannot_share_a_public_stream() {
    let fixture = Fixture::shop().with_data("{}");
    let right = fixture.right();
    assert_eq!(right.public_stream(), "shop.orders.v1");
    let again = Fixture::shop().with_data("{}");
    let text = "horizon: 1\ncontract: shop.orders\nversion: 1.9.0\nteam: { name: a, contact: b }\nsource: a\nstreams: { category: order }\nstart: now\nkey: .orderId\ntypes: { t.v1: { name: t, schema: public/shop.orders/placed.v1.json, from: [{ event: OrderPlaced, data: {} }] } }\n";
    again.contract("again", text);
    assert_eq!(again.codes(), ["contract-twice"]);
    again.contract("again", &text.replace("1.9.0", "2.0.0"));
    assert_eq!(again.load().unwrap().contracts().len(), 2);
}

#[test]
fn defaults_supply_what_a_contract_does_not_say() {
    let fixture = Fixture::shop().with(&[
        ("start: beginning\n", ""),
        ("team: { name: shop, contact: shop@shop.example }\n", ""),
        (
            "outlets:\n  - mqtt: { broker: main, topic: \"shop/orders/v1/{key}/{name}\" }\n  - amqp: { broker: rabbit, exchange: shop.orders.v1, routing_key: \"order.{name}\" }\n",
            "",
        ),
    ]);
    assert_eq!(fixture.codes(), ["missing-key", "missing-key"]);
    fixture.contract(
        "_defaults",
        "horizon: 1\nteam: { name: a, contact: b }\nstart: now\noutlets: [{ mqtt: { broker: main, topic: \"{contract}/{key}\", name: all, unheard: wait } }]\n",
    );
    let contract = fixture.right();
    assert_eq!(contract.outlets()[0].name(), "all");
    assert_eq!(
        contract.outlets()[0].unheard(),
        horizon_schemas::Unheard::Wait
    );
    assert_eq!(contract.start(), horizon_schemas::Start::Now);
    fixture.contract("_defaults", "horizon: 1\nkey: .x\n");
    assert!(fixture.codes().contains(&"unknown-key"));
}

#[test]
fn a_broken_document_is_told_with_its_line() {
    let fixture = Fixture::shop();
    fixture.contract("x", "horizon: 1\ncontract: [a\nversion: 1\n");
    let told = fixture.wrong();
    assert!(
        told.starts_with("error[yaml]: ") && told.contains("contracts/x.yaml:"),
        "{told}"
    );
    fixture.contract("x", "horizon: 1\ncontract: &a b\n");
    let told = fixture.wrong();
    assert!(told.contains("contracts/x.yaml:2:"), "{told}");
}

#[test]
fn a_missing_folder_is_told() {
    let missing = horizon_schemas::Folders {
        contracts: "/nowhere/contracts".into(),
        schemas: "/nowhere/schemas".into(),
    };
    let diagnostics = horizon_schemas::Catalog::load(
        &missing,
        &horizon_schemas::KnownBrokers::new(),
        &horizon_schemas::Rules::default(),
    )
    .unwrap_err();
    assert!(diagnostics.iter().all(|one| one.code() == "folder") && diagnostics.len() >= 2);
}
