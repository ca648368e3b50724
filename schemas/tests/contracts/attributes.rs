//! The CloudEvents attributes that a contract sets: what is written where, what is refused at load, what violates later.

use crate::fixture::{Fixture, crossed, event, secret, violations};
use horizon_schemas::{Contract, Outcome, PrivateEvent, envelope};
use serde_json::{Value, json};

/// A contract with lines added at its end and in its type.
fn with(contract: &str, of_type: &str) -> Fixture {
    let key = format!("key: .orderId\n{contract}");
    let name = format!("name: placed\n{of_type}");
    Fixture::shop().with(&[
        ("key: .orderId\n", key.as_str()),
        ("name: placed\n", name.as_str()),
    ])
}

fn attributes(contract: &Contract, event: &PrivateEvent<'_>) -> Vec<(String, String)> {
    let Outcome::Crossed(crossed) = contract.cross(event, &secret()) else {
        panic!("{:?}", contract.cross(event, &secret()))
    };
    envelope::read(crossed.seal(1, 0).bytes())
        .unwrap()
        .attributes
}

fn of(attributes: &[(String, String)], name: &str) -> Option<String> {
    let found = attributes.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.clone())
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn attributes_are_written_in_one_order() {
    let contract = with(
        "subject: .orderId\ncorrelationid: { public_id: { type: example.shop.order.placed.v1, of: .cancels } }\n\
         causationid: { public_id: { type: example.shop.order.placed.v1, of: .note } }\ntraceparent: pass\ntracestate: pass\n\
         attributes: { zone: .customer.city, lines: { jq: '.lines | length' }, vip: { const: true }, answer: { const: -42 } }\n",
        "    status: deprecated\n    deprecation: { from: 2025-01-01T00:00:00Z, sunset: 2025-07-01T00:00:00Z, migration: \"https://shop.example/v2\" }\n",
    )
    .right();
    let data = json!({"orderId": 7, "cancels": "a", "note": "b", "customer": {"city": "Brno"}, "lines": [{}, {}]});
    let event = PrivateEvent {
        traceparent: Some(TRACE),
        tracestate: Some("vendor=1"),
        ..event(&data)
    };
    let all = attributes(&contract, &event);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "specversion",
            "id",
            "source",
            "type",
            "subject",
            "time",
            "datacontenttype",
            "dataschema",
            "partitionkey",
            "correlationid",
            "causationid",
            "traceparent",
            "tracestate",
            "deprecated",
            "deprecationfrom",
            "deprecationsunset",
            "deprecationmigration",
            "answer",
            "lines",
            "vip",
            "zone",
            "sequence",
            "previoussequence"
        ]
    );
    for (name, expected) in [
        ("subject", "7"),
        ("traceparent", TRACE),
        ("deprecated", "true"),
        ("deprecationsunset", "2025-07-01T00:00:00Z"),
        ("answer", "-42"),
        ("lines", "2"),
        ("vip", "true"),
        ("zone", "Brno"),
    ] {
        assert_eq!(of(&all, name).as_deref(), Some(expected), "{name}");
    }
    // The ids are those that the events themselves would have.
    let cause = PrivateEvent { id: "b", ..event };
    assert_eq!(
        of(&all, "causationid"),
        of(&attributes(&contract, &cause), "id")
    );
    assert!(!all.iter().any(|(_, value)| value == "a" || value == "b"));
}

#[test]
fn json_types_of_extensions_are_kept() {
    let contract = with(
        "attributes: { n: { const: 5 }, t: { const: \"5\" }, b: { const: false } }\n",
        "",
    )
    .right();
    let sealed = crossed(&contract, &json!({"orderId": "1"})).seal(1, 0);
    let read: Value = serde_json::from_slice(sealed.bytes()).unwrap();
    assert_eq!(
        (&read["n"], &read["t"], &read["b"]),
        (&json!(5), &json!("5"), &json!(false))
    );
    let read: cloudevents::Event = serde_json::from_slice(sealed.bytes()).unwrap();
    assert_eq!(read.extension("n").unwrap().to_string(), "5");
}

#[test]
fn a_type_wins_over_its_contract_name_by_name() {
    let contract = with(
        "subject: .orderId\ndataschema: \"https://a.example/{contract}/{major}/{name}/{type}\"\nattributes: { a: { const: 1 }, b: { const: 1 } }\n",
        "    subject: .currency\n    attributes: { b: { const: 2 }, c: { const: 2 } }\n",
    )
    .right();
    let data = json!({"orderId": "1", "currency": "EUR"});
    let all = attributes(&contract, &event(&data));
    let found: Vec<_> = ["subject", "a", "b", "c", "dataschema"]
        .map(|name| of(&all, name).unwrap())
        .to_vec();
    assert_eq!(
        found,
        [
            "EUR",
            "1",
            "2",
            "2",
            "https://a.example/shop.orders/1/placed/example.shop.order.placed.v1"
        ]
    );
}

#[test]
fn of_many_violations_a_bounded_number_is_told() {
    let many: Vec<String> = (0..32).map(|nth| format!("a{nth}: .note")).collect();
    let contract = with(&format!("attributes: {{ {} }}\n", many.join(", ")), "").right();
    let (key, told) = violations(&contract, &json!({"orderId": "1", "note": 1.5}));
    assert_eq!((key.as_deref(), told.len()), (Some("1"), 20));
}

#[test]
fn what_is_not_there_is_left_out() {
    let contract = with("subject: .currency\nattributes: { a: .note }\n", "").right();
    for data in [
        json!({"orderId": "1"}),
        json!({"orderId": "1", "currency": null, "note": null}),
    ] {
        let all = attributes(&contract, &event(&data));
        assert_eq!(all.len(), 10, "{all:?}");
    }
}

#[test]
fn a_trace_passes_only_when_asked_and_well_formed() {
    let data = json!({"orderId": "1"});
    let sent = |traceparent, tracestate| PrivateEvent {
        traceparent,
        tracestate,
        ..event(&data)
    };
    let quiet = with("", "").right();
    assert_eq!(
        of(&attributes(&quiet, &sent(Some(TRACE), None)), "traceparent"),
        None
    );
    let contract = with("traceparent: pass\ntracestate: pass\n", "").right();
    let upper = TRACE.to_uppercase();
    for bad in [
        "",
        "00-x",
        upper.as_str(),
        &TRACE[1..],
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\n",
    ] {
        let all = attributes(&contract, &sent(Some(bad), Some("vendor=1")));
        assert_eq!(
            (of(&all, "traceparent"), of(&all, "tracestate")),
            (None, None),
            "{bad:?}"
        );
    }
    let all = attributes(&contract, &sent(Some(TRACE), Some("a\nb")));
    assert_eq!(
        (of(&all, "traceparent").as_deref(), of(&all, "tracestate")),
        (Some(TRACE), None)
    );
}

#[test]
fn the_time_is_what_the_contract_says() {
    let data = json!({"orderId": "1", "note": "1999-12-31T23:59:59.5+02:00"});
    for (time, expected) in [
        ("", "2024-05-06T07:08:09.5+02:00"),
        ("time: recorded\n", "2023-11-14T22:13:20.123Z"),
        ("time: .note\n", "1999-12-31T23:59:59.5+02:00"),
    ] {
        let contract = with(time, "").right();
        assert_eq!(
            of(&attributes(&contract, &event(&data)), "time").as_deref(),
            Some(expected)
        );
    }
    let contract = with("time: .note\n", "").right();
    for (data, told) in [
        (
            json!({"orderId": "1", "note": "soon"}),
            "the attribute `time`: is no time in RFC 3339",
        ),
        (
            json!({"orderId": "1", "note": 5}),
            "the attribute `time`: is no time in RFC 3339",
        ),
        (json!({"orderId": "1"}), "the attribute `time`: is missing"),
    ] {
        let (key, found) = violations(&contract, &data);
        assert_eq!(
            (key.as_deref(), found[0].reason.as_str()),
            (Some("1"), told)
        );
    }
}

#[test]
fn a_value_that_cloudevents_does_not_allow_violates() {
    let contract = with("subject: .note\nattributes: { a: .total, expirytime: .currency, dataref: .cancels, t: .tags }\n", "").right();
    for (field, value, told) in [
        ("note", json!(""), "`subject`: is empty"),
        (
            "note",
            json!("a\u{7}"),
            "`subject`: has a control character",
        ),
        (
            "note",
            json!("a\u{ffff}"),
            "`subject`: has a control character or a noncharacter",
        ),
        (
            "note",
            json!("x".repeat(1025)),
            "`subject`: has more than 1024 bytes",
        ),
        ("note", json!(true), "`subject`: is not text"),
        (
            "total",
            json!(1.5),
            "`a`: is a number that is no 32-bit integer",
        ),
        (
            "total",
            json!(2_147_483_648_u32),
            "`a`: is a number that is no 32-bit integer",
        ),
        (
            "currency",
            json!("soon"),
            "`expirytime`: is no time in RFC 3339",
        ),
        ("cancels", json!("a b"), "`dataref`: is no URI-reference"),
        (
            "tags",
            json!(["a"]),
            "`t`: is neither boolean, 32-bit integer nor text",
        ),
    ] {
        let mut data = json!({"orderId": "1"});
        data[field] = value;
        let (key, found) = violations(&contract, &data);
        assert_eq!((key.as_deref(), found.len()), (Some("1"), 1));
        assert!(found[0].reason.contains(told), "{told}: {found:?}");
    }
}

#[test]
fn what_can_be_known_at_load_is_told_at_load() {
    for (contract, code) in [
        ("subject: { const: \"\" }\n", "attribute"),
        ("subject: { data: { a: .total } }\n", "attribute"),
        (
            "subject: { reveal: .email, reason: because }\n",
            "attribute",
        ),
        ("subject: .email\n", "personal"),
        ("subject: .undeclared\n", "undeclared"),
        ("subject: { jq: '.email | length' }\n", "personal"),
        ("subject: order\n", "not-a-path"),
        ("subject: 5\n", "leaf"),
        ("time: yesterday\n", "attribute"),
        ("time: .email\n", "personal"),
        ("dataschema: \"schemas/{name}.json\"\n", "attribute"),
        ("dataschema: \"https://a.example/{key}\"\n", "template"),
        ("correlationid: .cancels\n", "attribute"),
        ("correlationid: { const: a }\n", "attribute"),
        (
            "causationid: { public_id: { type: example.other, of: .cancels } }\n",
            "unknown-type",
        ),
        ("traceparent: yes\n", "unknown-word"),
        ("tracestate: pass\n", "attribute"),
        ("attributes: { a: { const: 1.5 } }\n", "attribute"),
        ("attributes: { a: { const: 2147483648 } }\n", "attribute"),
        ("attributes: { a: { const: null } }\n", "attribute"),
        ("attributes: { a: { const: [1] } }\n", "attribute"),
        ("attributes: { a: { const: \"a\\tb\" } }\n", "attribute"),
        (
            "attributes: { a: { each: .lines, data: {} } }\n",
            "attribute",
        ),
        ("attributes: { expirytime: { const: soon } }\n", "attribute"),
        ("attributes: { Region: .note }\n", "attribute-name"),
        ("attributes: { a-b: .note }\n", "attribute-name"),
        (
            "attributes: { a12345678901234567890: .note }\n",
            "attribute-name",
        ),
        ("attributes: { data: .note }\n", "attribute-name"),
        ("attributes: { sequence: .note }\n", "attribute-name"),
        ("attributes: { partitionkey: .note }\n", "attribute-name"),
        ("attributes: { subject: .note }\n", "attribute-name"),
        ("attributes: { authid: .note }\n", "attribute-name"),
        (
            "deprecation: { from: 2025-01-01T00:00:00Z }\n",
            "deprecation",
        ),
        (
            "status: deprecated\ndeprecation: { from: soon }\n",
            "deprecation",
        ),
        (
            "status: deprecated\ndeprecation: { migration: later }\n",
            "deprecation",
        ),
        (
            "status: deprecated\ndeprecation: { from: 2025-01-02T00:00:00Z, sunset: 2025-01-01T00:00:00Z }\n",
            "deprecation",
        ),
    ] {
        let codes = with(contract, "").codes();
        assert!(codes.contains(&code), "{contract}: {codes:?}");
    }
}
