//! Private and public schemas: what is checked, and what is refused when they are loaded.

use crate::fixture::Fixture;
use horizon_schemas::{EventsWithoutSchema, Rules};
use serde_json::{Value, json};

#[test]
fn an_event_is_checked_against_its_private_schema() {
    let catalog = Fixture::shop().load().unwrap();
    let private = catalog.private();
    assert!(
        private
            .check("order", "OrderPlaced", Some(&json!({"orderId": "1"})))
            .is_ok()
    );
    let refusal = private
        .check(
            "order",
            "OrderPlaced",
            Some(&json!({"orderId": [], "lines": [{"quantity": 0.5}]})),
        )
        .unwrap_err();
    let told: Vec<String> = refusal
        .violations
        .iter()
        .map(|one| format!("{} {}", one.pointer, one.reason))
        .collect();
    assert_eq!(
        told,
        [
            "/orderId must be number or string",
            "/lines/0/quantity must be integer"
        ]
    );
    assert!(
        refusal
            .help
            .contains("schemas/private/order/OrderPlaced.json")
    );
    assert!(private.check("order", "OrderPlaced", None).is_err());
}

#[test]
fn an_event_without_a_schema_is_refused_or_accepted_by_one_setting() {
    let mut fixture = Fixture::shop();
    let catalog = fixture.load().unwrap();
    let refusal = catalog
        .private()
        .check("order", "OrderShipped", Some(&json!({})))
        .unwrap_err();
    assert!(
        refusal
            .help
            .contains("schemas/private/order/OrderShipped.json"),
        "{}",
        refusal.help
    );
    for name in ["../x", "a/b", ".hidden", "_shared", ""] {
        let refusal = catalog
            .private()
            .check("order", name, Some(&json!({})))
            .unwrap_err();
        assert!(
            refusal.help.contains("file names"),
            "{name}: {}",
            refusal.help
        );
    }
    fixture.rules = Rules {
        events_without_schema: EventsWithoutSchema::Accept,
        ..Rules::default()
    };
    assert!(
        fixture
            .load()
            .unwrap()
            .private()
            .check("order", "OrderShipped", None)
            .is_ok()
    );
}

fn codes(schema: &Value) -> Vec<&'static str> {
    let fixture = Fixture::empty();
    fixture.private("order/X", schema);
    fixture.codes()
}

#[test]
fn what_would_not_be_checked_is_refused() {
    let none: [&str; 0] = [];
    assert_eq!(
        codes(&json!({"x-mine": {"anything": 1}, "type": "object"})),
        none
    );
    assert_eq!(
        codes(&json!({"requierd": ["a"]})),
        ["schema-keyword-unknown"]
    );
    assert_eq!(
        codes(&json!({"properties": {"a": {"minimun": 1}}})),
        ["schema-keyword-unknown"]
    );
    assert_eq!(
        codes(&json!({"allOf": [{"not": {"anyOf": [{"x": 1}]}}]})),
        ["schema-keyword-unknown"]
    );
    assert_eq!(
        codes(&json!({"properties": {"minimun": {}}, "const": {"minimun": 1}})),
        none
    );
    assert_eq!(
        codes(
            &json!({"$schema": "http://json-schema.org/draft-07/schema#", "dependentRequired": {}})
        ),
        ["schema-keyword-unknown"]
    );
    assert_eq!(
        codes(&json!({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1})),
        ["schema-keyword-unknown"]
    );
    assert_eq!(
        codes(&json!({"$schema": "http://json-schema.org/draft-03/schema#"})),
        ["schema-draft"]
    );
    assert_eq!(
        codes(&json!({"$dynamicRef": "#x"})),
        ["schema-keyword-refused"]
    );
    assert_eq!(
        codes(&json!({"contentEncoding": "base64"})),
        ["schema-keyword-refused"]
    );
    assert_eq!(
        codes(&json!({"format": "no-such-format"})),
        ["schema-format-unknown"]
    );
    assert_eq!(codes(&json!({"x-personal": false})), ["schema-personal"]);
    assert_eq!(
        codes(&json!({"x-personal": "customer"})),
        ["schema-personal"]
    );
    assert_eq!(
        codes(&json!({"x-personal": ".customerId"})),
        ["schema-subject"]
    );
    let beside = json!({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a", "minLength": 1});
    assert_eq!(codes(&beside), ["schema-beside-ref"]);
}

#[test]
fn references_stay_inside_the_folder() {
    for reference in [
        "https://example.com/x.json",
        "http://127.0.0.1:1/x.json",
        "file:///etc/passwd",
        "../../../../etc/passwd",
        "Y.json",
        "#/$defs/none",
        "#anchor",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        assert_eq!(
            codes(&json!({"$ref": reference})),
            ["schema-reference-unknown"],
            "{reference}"
        );
    }
    let fixture = Fixture::empty();
    fixture.private(
        "_shared/money",
        &json!({"$id": "https://bank.example/money", "$defs": {"amount": {"type": "number"}}}),
    );
    fixture.private("order/X", &json!({"properties": {"a": {"$ref": "../_shared/money.json#/$defs/amount"}, "b": {"$ref": "https://bank.example/money#/$defs/amount"}}}));
    let catalog = fixture
        .load()
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    for name in ["a", "b"] {
        let refusal = catalog
            .private()
            .check("order", "X", Some(&json!({name: "text"})))
            .unwrap_err();
        assert_eq!(refusal.violations[0].pointer, format!("/{name}"));
    }
    let fixture = Fixture::empty();
    fixture.private("order/X", &json!({}));
    fixture.public("c/x.v1", &json!({"$ref": "../../private/order/X.json"}));
    assert_eq!(fixture.codes(), ["schema-reference-private"]);
}

#[test]
fn a_schema_that_is_none_of_its_draft_is_refused_at_its_place() {
    let fixture = Fixture::empty();
    fixture.private("order/X", &json!({"properties": {"a": {"type": "strin"}}}));
    let told = fixture.wrong();
    assert!(told.contains("schemas/private/order/X.json:4:"), "{told}");
    assert_eq!(codes(&json!({"pattern": "(?=a)"})), ["schema"]);
    assert_eq!(
        codes(&json!({"pattern": "(a{1000}){1000}{1000}"})),
        ["schema"]
    );
    assert_eq!(codes(&json!([])), ["schema"]);
    let fixture = Fixture::empty();
    fixture.write("schemas/private/order/X.json", "{\n  \"a\": x\n}");
    assert!(fixture.wrong().contains("X.json:2:"), "{}", fixture.wrong());
    fixture.write(
        "schemas/private/order/X.json",
        "{\"type\": \"object\", \"type\": \"array\"}",
    );
    assert_eq!(fixture.codes(), ["schema-key-twice"]);
    fixture.write(
        "schemas/private/order/X.json",
        &format!("{}1{}", "[".repeat(120), "]".repeat(120)),
    );
    assert_eq!(fixture.codes(), ["schema-depth"]);
}

#[test]
fn a_document_in_no_known_place_is_told() {
    let fixture = Fixture::empty();
    fixture.write("schemas/private/X.json", "{}");
    fixture.write("schemas/private/a/b/X.json", "{}");
    fixture.write("schemas/private/a-b/X.json", "{}");
    assert_eq!(
        fixture.codes(),
        ["schema-place", "schema-place", "schema-place"]
    );
}

#[test]
fn formats_are_asserted_and_the_five_drafts_are_checked() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let fixture = Fixture::empty();
        fixture.private("order/X", &json!({"$schema": draft, "properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"]}));
        let catalog = fixture
            .load()
            .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let check = |data: Value| catalog.private().check("order", "X", Some(&data)).is_ok();
        assert!(check(json!({"at": "1993-01-01T00:00:00Z"})), "{draft}");
        assert!(
            !check(json!({"at": "yesterday"})) && !check(json!({})),
            "{draft}"
        );
    }
}

#[test]
fn a_pattern_costs_linear_time() {
    let fixture = Fixture::empty();
    fixture.private("order/X", &json!({"pattern": "^(a+)+$"}));
    let catalog = fixture.load().unwrap();
    let start = std::time::Instant::now();
    let text = format!("{}b", "a".repeat(100_000));
    assert!(
        catalog
            .private()
            .check("order", "X", Some(&text.into()))
            .is_err()
    );
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_reason_never_repeats_a_value() {
    let fixture = Fixture::empty();
    fixture.private(
        "order/X",
        &json!({
            "properties": {
                "a": {"enum": ["x"]}, "b": {"const": 1}, "c": {"pattern": "^x$"}, "d": {"format": "date"}, "e": {"type": "string"},
                "f": {"anyOf": [{"type": "string"}]}, "g": {"oneOf": [{}, {}]}, "h": {"not": {}}, "i": {"uniqueItems": true},
                "j": {"maxLength": 1}, "k": {"multipleOf": 2}, "l": {"contains": {"type": "null"}}, "m": {"propertyNames": {"maxLength": 1}}
            },
            "additionalProperties": false
        }),
    );
    let catalog = fixture
        .load()
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let canary = "CANARY";
    let data = json!({
        "a": canary, "b": canary, "c": canary, "d": canary, "e": [canary], "f": [canary], "g": canary, "h": canary,
        "i": [canary, canary], "j": canary, "k": 987_654_321, "l": [canary], "m": {"CANARY": 1}, "more": canary
    });
    let refusal = catalog
        .private()
        .check("order", "X", Some(&data))
        .unwrap_err();
    assert!(refusal.violations.len() >= 14, "{refusal:?}");
    let told = format!("{refusal:?}");
    assert!(
        !told.contains("CANARY") && !told.contains("987654321"),
        "{told}"
    );
}

#[test]
fn schemas_that_would_not_end_or_double_at_every_step_are_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"properties": {"a": {"not": {"$ref": "#/properties/a"}}}}),
        json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"if": {"$ref": "#/$defs/a"}}}}),
    ] {
        assert_eq!(codes(&schema), ["schema-cost"], "{schema}");
    }
    let mut doubling = json!({"d40": {"type": "string"}});
    for nth in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", nth + 1)});
        doubling[format!("d{nth}")] = json!({"allOf": [next, next]});
    }
    assert_eq!(codes(&json!({"$defs": doubling})), ["schema-cost"]);
    let none: [&str; 0] = [];
    assert_eq!(
        codes(&json!({"properties": {"child": {"$ref": "#"}}, "items": {"$ref": "#"}})),
        none
    );
}
