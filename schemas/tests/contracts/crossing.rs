//! What a contract makes of events: which ways are taken, what keys, ids and bytes are, what is violated where.

use crate::fixture::{Fixture, cross, crossed, event, public_data, secret, violations};
use horizon_schemas::{
    Outcome, OutletKind, PrivateEvent, Start, Status, TemplateValues, Unheard, envelope,
};
use serde_json::{Value, json};

#[test]
fn the_bytes_of_a_public_event_are_these() {
    let contract = Fixture::shop()
        .with_data("{ orderId: .orderId, total: .total, x: { const: 1.50 } }")
        .right();
    let data: Value = serde_json::from_str(r#"{"orderId":"é\"1","total":700.0}"#).unwrap();
    let event = crossed(&contract, &data).seal(12, 7);
    let id = event.id().to_owned();
    assert_eq!(
        String::from_utf8(event.bytes().to_vec()).unwrap(),
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"//shop.example/orders/v1","type":"example.shop.order.placed.v1","time":"2024-05-06T07:08:09.5+02:00","datacontenttype":"application/json","dataschema":"https://shop.example/schemas/placed.v1.json","partitionkey":"é\"1","sequence":"00000000000000000012","previoussequence":"00000000000000000007","data":{{"orderId":"é\"1","total":700.0,"x":1.50}}}}"#
        )
    );
    assert_eq!(
        (event.sequence(), event.key(), event.name()),
        (12, "é\"1", "placed")
    );
    let attributes = envelope::read(event.bytes()).unwrap().attributes;
    assert_eq!(attributes.len(), 10);
    assert_eq!(
        attributes[7],
        ("partitionkey".to_owned(), "é\"1".to_owned())
    );
}

#[test]
fn number_text_is_never_rewritten() {
    let contract =
        Fixture::shop().with_data("{ total: .total, x: { jq: '.total' }, lines: .lines, nested: { data: { a: .orderId } } }").right();
    for text in [
        "12345678901234567890.123456789",
        "700.0",
        "1e+2",
        "0.10",
        "-0",
        "1e+400",
    ] {
        let data: Value =
            serde_json::from_str(&format!("{{\"orderId\":{text},\"total\":{text}}}")).unwrap();
        let outcome = cross(&contract, &data);
        let Outcome::Crossed(event) = outcome else {
            panic!("{text}: {outcome:?}")
        };
        assert_eq!(event.key(), text);
        let bytes = String::from_utf8(event.seal(1, 0).into_bytes()).unwrap();
        assert!(
            bytes.ends_with(&format!(
                "\"data\":{{\"total\":{text},\"x\":{text},\"nested\":{{\"a\":{text}}}}}}}"
            )),
            "{bytes}"
        );
    }
}

#[test]
fn the_first_entry_whose_condition_holds_is_taken() {
    let from = "from:\n      - { event: OrderPlaced, when: .total > 100, data: { x: { const: big } } }\n      - { event: OrderPlaced, when: .total > 10, data: { x: { const: small } } }\n    data: ";
    let contract = Fixture::shop()
        .with(&[("from:\n      - event: OrderPlaced\n        data: ", from)])
        .right();
    assert_eq!(
        public_data(&contract, &json!({"orderId": "1", "total": 1000})),
        json!({"orderId": "1", "x": "big"})
    );
    assert_eq!(
        public_data(&contract, &json!({"orderId": "1", "total": 100.0})),
        json!({"orderId": "1", "x": "small"})
    );
    assert!(matches!(
        cross(&contract, &json!({"orderId": "1", "total": 10.000})),
        Outcome::Filtered
    ));
}

#[test]
fn what_the_contract_does_not_speak_of_is_unmatched() {
    let contract = Fixture::shop().with_data("{}").right();
    let data = json!({"orderId": "1"});
    let other_type = PrivateEvent {
        event_type: "OrderShipped",
        ..event(&data)
    };
    let other_category = PrivateEvent {
        category: "client",
        ..event(&data)
    };
    assert!(matches!(
        contract.cross(&other_type, &secret()),
        Outcome::Unmatched
    ));
    assert!(matches!(
        contract.cross(&other_category, &secret()),
        Outcome::Unmatched
    ));
    assert!(contract.matches("order", "OrderPlaced") && !contract.matches("client", "OrderPlaced"));
    for status in ["draft", "retired"] {
        let contract = Fixture::shop()
            .with(&[(
                "version: 1.2.0",
                &format!("version: 1.2.0\nstatus: {status}"),
            )])
            .right();
        assert!(!contract.matches("order", "OrderPlaced"));
        assert!(matches!(cross(&contract, &data), Outcome::Unmatched));
    }
    let contract = Fixture::shop()
        .with(&[("version: 1.2.0", "version: 1.2.0\nstatus: deprecated")])
        .right();
    assert!(matches!(cross(&contract, &data), Outcome::Crossed(_)));
}

#[test]
fn a_condition_that_is_neither_true_nor_false_is_a_violation() {
    for (when, data, told) in [
        (".total > 10", json!({"orderId": "1"}), "have an order"),
        (
            ".currency > 10",
            json!({"orderId": "1", "currency": "EUR"}),
            "have an order",
        ),
        (
            ".total",
            json!({"orderId": "1", "total": 1}),
            "neither true nor false",
        ),
        ("empty", json!({"orderId": "1"}), "gave nothing"),
        ("true, false", json!({"orderId": "1"}), "more than one"),
        (
            ".total / 0 > 1",
            json!({"orderId": "1", "total": 1}),
            "no result",
        ),
    ] {
        let contract = Fixture::shop()
            .with(&[(
                "event: OrderPlaced",
                &format!("event: OrderPlaced\n        when: {when}"),
            )])
            .right();
        let (key, violations) = violations(&contract, &data);
        assert_eq!(key.as_deref(), Some("1"), "{when}");
        assert!(
            violations[0].reason.starts_with("when: ") && violations[0].reason.contains(told),
            "{violations:?}"
        );
    }
}

#[test]
fn a_key_that_cannot_be_computed_is_a_violation_without_a_key() {
    let contract = Fixture::shop().with_data("{}").right();
    for data in [
        json!({}),
        json!({"orderId": null}),
        json!({"orderId": {}}),
        json!({"orderId": ["a"]}),
        json!({"orderId": ""}),
        json!({"orderId": "a\nb"}),
        json!({"orderId": "k".repeat(256)}),
        json!([]),
        Value::Null,
    ] {
        let (key, violations) = violations(&contract, &data);
        assert_eq!(key, None);
        assert_eq!(violations[0].pointer, "/orderId");
    }
    assert_eq!(
        crossed(&contract, &json!({"orderId": "k".repeat(255)}))
            .key()
            .len(),
        255
    );
    assert_eq!(crossed(&contract, &json!({"orderId": true})).key(), "true");
}

#[test]
fn violations_point_into_the_public_data() {
    let contract = Fixture::shop()
        .with_data("{ total: .total, currency: .currency, lines: { each: .lines, data: { sku: { jq: '.quantity + 1' }, quantity: { jq: '.sku + 1' } } } }")
        .right();
    let (key, found) = violations(
        &contract,
        &json!({"orderId": "1", "lines": [{"sku": "a", "quantity": 1}]}),
    );
    assert_eq!(key.as_deref(), Some("1"));
    assert_eq!(
        found
            .iter()
            .map(|one| one.pointer.as_str())
            .collect::<Vec<_>>(),
        ["/lines/0/quantity"]
    );
    let (_, found) = violations(
        &contract,
        &json!({"orderId": "1", "total": -1, "currency": "euro"}),
    );
    assert_eq!(
        found
            .iter()
            .map(|one| format!("{} {}", one.pointer, one.reason))
            .collect::<Vec<_>>(),
        [
            "/total must be at least 0",
            "/currency must match the pattern ^[A-Z]{3}$"
        ]
    );
}

#[test]
fn a_missing_field_is_left_out_and_the_public_schema_decides() {
    let mut public = Fixture::public_schema();
    public["required"] = json!(["total"]);
    let fixture = Fixture::shop().with_data(
        "{ total: .total, x: .note, tags: .tags, nested: { data: { a: .customer.tier } } }",
    );
    fixture.public("shop.orders/placed.v1", &public);
    let contract = fixture.right();
    assert_eq!(
        public_data(
            &contract,
            &json!({"orderId": "1", "total": 1, "note": null})
        ),
        json!({"total": 1, "x": null, "nested": {}})
    );
    let (_, found) = violations(&contract, &json!({"orderId": "1"}));
    assert_eq!(
        (found[0].pointer.as_str(), found[0].reason.as_str()),
        ("", "\"total\" is required")
    );
}

#[test]
fn the_id_of_another_event_is_the_one_it_crossed_under() {
    let contract = Fixture::shop()
        .with_data(
            "{ cancels: { public_id: { type: example.shop.order.placed.v1, of: .cancels } } }",
        )
        .right();
    let first = crossed(&contract, &json!({"orderId": "1"}));
    let second = public_data(&contract, &json!({"orderId": "1", "cancels": "private-id"}));
    assert_eq!(second["cancels"], first.id());
    assert_eq!(public_data(&contract, &json!({"orderId": "1"})), json!({}));
}

#[test]
fn a_time_that_is_none_is_replaced_by_when_the_event_was_recorded() {
    let contract = Fixture::shop().with_data("{}").right();
    let data = json!({"orderId": "1"});
    for (time, expected) in [
        (Some("1993-01-01T00:00:00Z"), "1993-01-01T00:00:00Z"),
        (Some("yesterday\",\"x\":\""), "2023-11-14T22:13:20.123Z"),
        (None, "2023-11-14T22:13:20.123Z"),
    ] {
        let Outcome::Crossed(event) = contract.cross(
            &PrivateEvent {
                time,
                ..event(&data)
            },
            &secret(),
        ) else {
            panic!()
        };
        let read: Value = serde_json::from_slice(event.seal(1, 0).bytes()).unwrap();
        assert_eq!(read["time"], expected);
    }
}

#[test]
fn a_contract_tells_what_it_says() {
    let contract = Fixture::shop().with(&[("unheard", "unheard")][..0]).right();
    assert_eq!(
        (contract.name(), contract.version(), contract.major()),
        ("shop.orders", "1.2.0", 1)
    );
    assert_eq!(contract.public_stream(), "shop.orders.v1");
    assert_eq!(
        (contract.start(), contract.status()),
        (Start::Beginning, Status::Active)
    );
    assert_eq!(
        (contract.source(), contract.key_text().as_str()),
        ("//shop.example/orders/v1", ".orderId")
    );
    let outlets = contract.outlets();
    assert_eq!(
        outlets
            .iter()
            .map(|one| (one.name(), one.broker()))
            .collect::<Vec<_>>(),
        [("mqtt:main", "main"), ("amqp:rabbit", "rabbit")]
    );
    assert_eq!(outlets[0].unheard(), Unheard::Continue);
    let values = TemplateValues {
        contract: "shop.orders",
        major: 1,
        name: "placed",
        event_type: "t",
        key: "a/b",
        ..TemplateValues::default()
    };
    let OutletKind::Mqtt(place) = outlets[0].kind() else {
        panic!()
    };
    assert_eq!(
        (place.topic.render(&values).unwrap().as_str(), place.qos),
        ("shop/orders/v1/a%2Fb/placed", 1)
    );
    let OutletKind::Amqp(place) = outlets[1].kind() else {
        panic!()
    };
    assert_eq!(
        (
            place.routing_key.render(&values).unwrap().as_str(),
            place.exchange.as_str()
        ),
        ("order.placed", "shop.orders.v1")
    );
}

#[test]
fn a_fingerprint_changes_with_what_is_said_and_not_with_how() {
    let first = Fixture::shop()
        .with_data("{ x: .note }")
        .right()
        .fingerprint();
    assert_eq!(first.len(), 64);
    assert_eq!(
        first,
        Fixture::shop()
            .with_data("{   x:   .note   } # why")
            .right()
            .fingerprint()
    );
    assert_ne!(
        first,
        Fixture::shop()
            .with_data("{ x: .currency }")
            .right()
            .fingerprint()
    );
    let fixture = Fixture::shop().with_data("{ x: .note }");
    let mut schema = Fixture::public_schema();
    schema["properties"]["x"] = json!({"type": "string"});
    fixture.public("shop.orders/placed.v1", &schema);
    assert_ne!(first, fixture.right().fingerprint());
}

#[test]
fn every_event_is_read_by_a_cloudevents_library_as_it_was_meant() {
    use cloudevents::AttributesReader;
    let contract = Fixture::shop()
        .with_data("{ orderId: .orderId, total: .total, tags: .tags }")
        .right();
    for key in ["1", "é\u{1F600}\"\\", "a b%/"] {
        let data = json!({"orderId": key, "total": 12, "tags": ["x"]});
        let sealed = crossed(&contract, &data).seal(9_007_199_254_740_991, 1);
        let read: cloudevents::Event = serde_json::from_slice(sealed.bytes()).unwrap();
        assert_eq!(read.id(), sealed.id());
        assert_eq!(read.ty(), "example.shop.order.placed.v1");
        assert_eq!(read.source(), "//shop.example/orders/v1");
        assert_eq!(
            read.dataschema().unwrap().as_str(),
            "https://shop.example/schemas/placed.v1.json"
        );
        assert_eq!(read.datacontenttype(), Some("application/json"));
        assert_eq!(
            read.time().unwrap().to_rfc3339(),
            "2024-05-06T05:08:09.500+00:00"
        );
        assert_eq!(read.extension("partitionkey").unwrap().to_string(), key);
        assert_eq!(
            read.extension("sequence").unwrap().to_string(),
            "00009007199254740991"
        );
        assert_eq!(
            read.extension("previoussequence").unwrap().to_string(),
            "00000000000000000001"
        );
        assert_eq!(read.iter_extensions().count(), 3);
        let Some(cloudevents::Data::Json(read)) = read.data() else {
            panic!()
        };
        assert_eq!(*read, json!({"orderId": key, "total": 12, "tags": ["x"]}));
    }
}

#[test]
fn an_event_that_would_become_too_large_is_a_violation_of_its_key() {
    let large = "x".repeat(1_200_000);
    let lines: Vec<_> = (0..100_000).map(|_| json!({"sku": "a"})).collect();
    let each = format!(
        "{{ orderId: .orderId, lines: {{ each: .lines, data: {{ sku: {{ const: {} }} }} }} }}",
        "k".repeat(1_000)
    );
    for (data, event) in [
        (
            "{ orderId: .orderId, x: .note, nested: { data: { a: .note } } }",
            json!({"orderId": "1", "note": large}),
        ),
        (each.as_str(), json!({"orderId": "1", "lines": lines})),
    ] {
        let contract = Fixture::shop().with_data(data).right();
        let (key, violations) = violations(&contract, &event);
        assert_eq!(key.as_deref(), Some("1"));
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].reason.contains("2 MiB"), "{violations:?}");
    }
    // One copy of it is well within.
    let contract = Fixture::shop()
        .with_data("{ orderId: .orderId, x: .note }")
        .right();
    crossed(&contract, &json!({"orderId": "1", "note": large}));
}
