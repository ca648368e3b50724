//! Nothing leaves that the contract does not name, that the private schema does not declare or marks personal, or that
//! the public schema does not declare.

use crate::fixture::{Fixture, cross, crossed, public_data};
use serde_json::{Value, json};

/// Data in which everything that must not leave says so.
fn data() -> Value {
    json!({
        "orderId": "o-1", "total": 12.50, "currency": "EUR", "note": "CANARY-note", "email": "CANARY-email",
        "customerId": "c-1", "undeclared": "CANARY-undeclared",
        "customer": {"tier": "gold", "city": "Brno", "name": "CANARY-name", "undeclared": "CANARY-deep"},
        "lines": [
            {"sku": "a", "quantity": 1, "giftFor": "CANARY-gift", "undeclared": "CANARY-line"},
            {"sku": "b", "quantity": 2, "extra": {"x": "CANARY-extra"}}
        ],
        "tags": ["t1", "t2"], "anything": ["CANARY-anything"], "diary": {"page": "CANARY-diary"}
    })
}

#[test]
fn a_mapping_that_names_nothing_or_what_it_may_not_is_refused_at_load() {
    for leaf in [
        ".",
        ".undeclared",
        ".email",
        ".customer.name",
        ".customer.undeclared",
        ".lines[0].giftFor",
        ".lines[-1].giftFor",
        ".diary",
        ".diary.page",
        ".anything",
        ".anything[0]",
        ".tags[0].x",
        "{ each: .lines, data: { sku: .giftFor } }",
        "{ each: .anything, data: {} }",
        "{ each: .diary, data: {} }",
        "{ data: { a: .email } }",
        "{ public_id: { type: example.shop.order.placed.v1, of: .email } }",
        "{ public_id: { type: example.shop.order.placed.v1, of: .orderId, source: .email } }",
        "{ jq: . }",
        "{ jq: '.[]' }",
        "{ jq: '..' }",
        "{ jq: '[..]' }",
        "{ jq: '[.[]]' }",
        "{ jq: 'to_entries' }",
        "{ jq: 'keys' }",
        "{ jq: 'map(.)' }",
        "{ jq: 'map_values(.)' }",
        "{ jq: 'with_entries(.)' }",
        "{ jq: 'paths' }",
        "{ jq: 'leaf_paths' }",
        "{ jq: 'tostream' }",
        "{ jq: 'getpath([\"email\"])' }",
        "{ jq: '.[\"em\" + \"ail\"]' }",
        "{ jq: '.[.note]' }",
        "{ jq: '.[(\"email\")]' }",
        "{ jq: '. as $x | $x' }",
        "{ jq: '. as $x | $x.email' }",
        "{ jq: '. as {email: $e} | $e' }",
        "{ jq: '.orderId as $x | . ' }",
        "{ jq: '{email}' }",
        "{ jq: '{x: .}' }",
        "{ jq: '[.] | .[0].email' }",
        "{ jq: '(., .orderId) | .email' }",
        "{ jq: 'if .total > 0 then .email else 1 end' }",
        "{ jq: 'if .email then 1 else 2 end' }",
        "{ jq: 'if true then . else 1 end' }",
        "{ jq: 'if .total > 0 then .orderId end' }",
        "{ jq: '.nothing // .email' }",
        "{ jq: '.email?' }",
        "{ jq: '.email | length' }",
        "{ jq: '\"\\(.email)\"' }",
        "{ jq: '\"\\(.)\"' }",
        "{ jq: 'tostring' }",
        "{ jq: 'tojson' }",
        "{ jq: 'length' }",
        "{ jq: 'select(.email == \"a\") | .orderId' }",
        "{ jq: '.lines | map(.giftFor)' }",
        "{ jq: '.lines[].giftFor' }",
        "{ jq: 'has(\"email\")' }",
        "{ jq: '.customer | has(\"name\")' }",
        "{ jq: '[.lines[] | select(.giftFor != null)] | length' }",
        "{ jq: 'any(.email)' }",
        "{ jq: '.tags as $t | .customer | .name' }",
        "{ jq: '$__loc__' }",
        "{ jq: '$ENV' }",
        "{ jq: '$ENV.PATH' }",
        "{ jq: 'env' }",
        "{ jq: 'input' }",
        "{ jq: 'inputs' }",
        "{ jq: 'now' }",
        "{ jq: '@base64d' }",
        "{ jq: '@json' }",
        "{ jq: '@base64 \"\\(.email)\"' }",
        "{ jq: 'input_line_number' }",
        "{ jq: 'splits(\"a\")' }",
        "{ jq: 'error(.)' }",
        "{ jq: 'try error(.email) catch .' }",
        "{ jq: 'reduce .lines[] as $x (.; .)' }",
        "{ jq: 'def f: .; f' }",
        "{ jq: '.email |= 1' }",
        "{ jq: 'del(.orderId)' }",
        "{ jq: '. - {}' }",
        "{ jq: '. + {}' }",
        "{ jq: '. == .' }",
        "{ reveal: .undeclared, reason: because }",
        "{ reveal: .orderId, reason: because }",
        "{ reveal: .email }",
    ] {
        let fixture = Fixture::shop().with_data(&format!("{{ orderId: .orderId, x: {leaf} }}"));
        assert!(fixture.load().is_err(), "{leaf} was accepted");
    }
}

#[test]
fn a_condition_and_a_key_read_only_what_may_cross() {
    for (from, to) in [
        (
            "event: OrderPlaced",
            "event: OrderPlaced\n        when: .email == \"x\"",
        ),
        (
            "event: OrderPlaced",
            "event: OrderPlaced\n        when: .undeclared == 1",
        ),
        (
            "event: OrderPlaced",
            "event: OrderPlaced\n        when: . != null",
        ),
        ("key: .orderId", "key: .email"),
        ("key: .orderId", "key: .undeclared"),
        ("key: .orderId", "key: ."),
        ("key: .orderId", "key: { pseudonym: .undeclared }"),
    ] {
        assert!(Fixture::shop().with(&[(from, to)]).load().is_err(), "{to}");
    }
}

#[test]
fn what_is_copied_whole_holds_only_what_is_declared_and_not_personal() {
    let mappings = [
        (
            "{ customer: .customer }",
            json!({"customer": {"tier": "gold", "city": "Brno"}}),
        ),
        (
            "{ customer: { jq: .customer } }",
            json!({"customer": {"tier": "gold", "city": "Brno"}}),
        ),
        (
            "{ customer: { jq: '.nothing? // .customer' } }",
            Value::Null,
        ),
        (
            "{ x: { jq: '.customer | tostring' } }",
            json!({"x": "{\"tier\":\"gold\",\"city\":\"Brno\"}"}),
        ),
        ("{ x: { jq: '.lines | length' } }", json!({"x": 2})),
        (
            "{ lines: .lines }",
            json!({"lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]}),
        ),
        (
            "{ lines: { jq: '[.lines[]]' } }",
            json!({"lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]}),
        ),
        (
            "{ x: { jq: '.lines[0] | tostring' } }",
            json!({"x": "{\"sku\":\"a\",\"quantity\":1}"}),
        ),
        (
            "{ lines: { each: .lines, data: { sku: .sku } } }",
            json!({"lines": [{"sku": "a"}, {"sku": "b"}]}),
        ),
        ("{ tags: .tags }", json!({"tags": ["t1", "t2"]})),
    ];
    for (mapping, expected) in mappings {
        let fixture = Fixture::shop().with_data(mapping);
        if expected.is_null() {
            assert!(fixture.load().is_err(), "{mapping}");
            continue;
        }
        let contract = fixture.right();
        assert_eq!(public_data(&contract, &data()), expected, "{mapping}");
    }
}

#[test]
fn data_that_does_not_fit_its_private_schema_leaks_nothing_either() {
    let contract = Fixture::shop()
        .with_data("{ customer: .customer, x: { jq: '.customer.tier' }, lines: { jq: '[.lines[] | {sku}]' }, tags: .tags }")
        .right();
    for data in [
        json!({"orderId": 1, "customer": "CANARY"}),
        json!({"orderId": 1, "customer": ["CANARY"]}),
        json!({"orderId": 1, "customer": {"tier": {"x": "CANARY"}}}),
        json!({"orderId": 1, "lines": {"sku": "CANARY"}}),
        json!({"orderId": 1, "lines": ["CANARY"]}),
        json!({"orderId": 1, "lines": [["CANARY"]]}),
        json!({"orderId": 1, "lines": [{"sku": {"CANARY": "CANARY"}}]}),
        json!({"orderId": 1, "tags": [["CANARY"]]}),
        json!({"orderId": 1, "tags": [{"CANARY": 1}]}),
    ] {
        let outcome = cross(&contract, &data);
        let told = match outcome {
            horizon_schemas::Outcome::Crossed(event) => {
                String::from_utf8(event.seal(1, 0).into_bytes()).unwrap()
            }
            other => format!("{other:?}"),
        };
        // A scalar where an object was declared is the declared field's own value; everything below is not.
        let own_value = data["customer"].is_string();
        assert!(own_value || !told.contains("CANARY"), "{told}");
    }
}

#[test]
fn what_the_public_schema_does_not_declare_never_leaves() {
    let fixture = Fixture::shop().with_data(
        "{ nested: { const: { a: 1, c: CANARY } }, lines: { const: [{ sku: x, y: CANARY }] } }",
    );
    let contract = fixture.right();
    let public = public_data(&contract, &data());
    assert_eq!(public, json!({"nested": {"a": 1}, "lines": [{"sku": "x"}]}));
    assert_eq!(
        Fixture::shop().with_data("{ nothing: .total }").codes(),
        ["public-undeclared"]
    );
}

#[test]
fn only_what_is_revealed_with_a_reason_leaves_though_personal() {
    let contract = Fixture::shop()
        .with_data("{ x: { reveal: .email, reason: the consumer mails receipts } }")
        .right();
    assert_eq!(
        public_data(&contract, &data()),
        json!({"x": "CANARY-email"})
    );
}

#[test]
fn names_and_ids_of_the_private_side_are_in_no_byte() {
    let contract = Fixture::shop()
        .with_data("{ orderId: .orderId, total: .total }")
        .right();
    let event = crossed(&contract, &data()).seal(1, 0);
    let text = String::from_utf8(event.bytes().to_vec()).unwrap();
    for private in [
        "order-private-name",
        "private-id",
        "OrderPlaced",
        "CANARY",
        "c-1",
    ] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[test]
fn a_pseudonym_does_not_show_its_key() {
    let contract = Fixture::shop()
        .with(&[("key: .orderId", "key: { pseudonym: .email }")])
        .right();
    let event = crossed(&contract, &data());
    assert_eq!(event.key().len(), 32);
    assert!(!event.key().contains("CANARY"));
    assert_eq!(event.key(), crossed(&contract, &data()).key());
    assert_eq!(contract.key_text(), "{ pseudonym: .email }");
}

#[test]
fn reasons_never_repeat_a_value() {
    let contract = Fixture::shop()
        .with_data("{ total: .total, currency: .note, orderId: { jq: '.note | tonumber' }, x: { jq: '.customer.city + 1' } }")
        .right();
    let told = format!("{:?}", cross(&contract, &data()));
    assert!(
        told.contains("tonumber") && told.contains("`+`") && !told.contains("CANARY"),
        "{told}"
    );
    let contract = Fixture::shop().with_data("{ currency: .note }").right();
    let told = format!("{:?}", cross(&contract, &data()));
    assert!(
        told.contains("pattern") && !told.contains("CANARY"),
        "{told}"
    );
}

#[test]
fn a_mark_counts_however_its_schema_comes_to_apply() {
    let secret = json!({"$ref": "#/$defs/secret"});
    for extra in [
        json!({"patternProperties": {"^no": secret}}),
        json!({"allOf": [{"patternProperties": {"te$": {"x-personal": true}}}]}),
        json!({"allOf": [{"additionalProperties": secret}]}),
        json!({"anyOf": [{"properties": {"note": secret}}, {}]}),
        json!({"if": {"properties": {"total": {}}}, "then": {"properties": {"note": secret}}}),
        json!({"dependentSchemas": {"total": {"properties": {"note": secret}}}}),
        json!({"x-personal": ".customerId"}),
    ] {
        let mut schema = Fixture::private_schema();
        schema["$defs"]["secret"] = json!({"x-personal": true});
        for (keyword, value) in extra.as_object().unwrap() {
            schema[keyword] = value.clone();
        }
        let fixture = Fixture::shop().with_data("{ x: .note }");
        assert!(fixture.load().is_ok());
        fixture.private("order/OrderPlaced", &schema);
        assert!(fixture.codes().contains(&"personal"), "{extra}");
    }
    let mut schema = Fixture::private_schema();
    schema["properties"]["tags"]["contains"] = json!({"x-personal": true});
    let fixture = Fixture::shop().with_data("{ x: { jq: '.tags[0]' } }");
    fixture.private("order/OrderPlaced", &schema);
    assert_eq!(fixture.codes(), ["personal"]);
}

#[test]
fn contains_declares_no_items_after_the_first_ones() {
    let mut schema = Fixture::private_schema();
    schema["properties"]["tags"] =
        json!({"prefixItems": [{"type": "string"}], "contains": {"type": "string"}});
    for (data, codes) in [
        ("{ x: { jq: '.tags[0]' } }", &[][..]),
        ("{ x: { jq: '.tags[1]' } }", &["undeclared"]),
    ] {
        let fixture = Fixture::shop().with_data(data);
        fixture.private("order/OrderPlaced", &schema);
        assert_eq!(fixture.codes(), codes, "{data}");
    }
    let fixture = Fixture::shop().with_data("{ orderId: .orderId, tags: .tags }");
    fixture.private("order/OrderPlaced", &schema);
    let data = public_data(
        &fixture.right(),
        &json!({"orderId": "1", "tags": ["a", "b"]}),
    );
    assert_eq!(data, json!({"orderId": "1", "tags": ["a"]}));
}
