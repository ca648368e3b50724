//! What is mapped and can never fit the public schema is told when it is loaded; what might fit is not.

use crate::fixture::{Fixture, public_data};
use serde_json::{Value, json};

/// A shop whose `a` is mapped to the public `x`, with what the private and the public schema say of them.
fn mapped(private: Value, public: Value, data: &str) -> Fixture {
    let fixture = Fixture::empty();
    let properties = json!({"orderId": {"type": "string"}, "a": private});
    let definitions = json!({
        "text": {"type": "string"},
        "number": {"allOf": [{"$ref": "#/$defs/any"}, {"type": "number"}]},
        "any": {}
    });
    fixture.private(
        "order/OrderPlaced",
        &json!({"type": "object", "properties": properties, "$defs": definitions}),
    );
    let properties = json!({"orderId": {}, "x": public});
    fixture.public(
        "shop.orders/placed.v1",
        &json!({"type": "object", "properties": properties, "$defs": definitions}),
    );
    fixture.with_data(&format!("{{ orderId: .orderId, x: {data} }}"))
}

#[track_caller]
fn never(private: Value, public: Value, data: &str) {
    let codes = mapped(private.clone(), public.clone(), data).codes();
    assert_eq!(codes, ["never-fits"], "{private} {public} {data}");
}

#[track_caller]
fn may(private: Value, public: Value, data: &str) {
    let fixture = mapped(private.clone(), public.clone(), data);
    if let Err(told) = fixture.load() {
        panic!("{private} {public} {data}\n{told}");
    }
}

#[test]
fn a_path_and_a_constant_that_never_fit_are_told_with_both_sides() {
    let wrong = mapped(
        json!({"type": "integer"}),
        json!({"type": ["string", "null"]}),
        ".a",
    )
    .wrong();
    assert_eq!(
        wrong,
        r#"error[never-fits]: .a never fits public/shop.orders/placed.v1.json at /x: in OrderPlaced it is integer, and the public schema allows null or string
  --> contracts/shop.orders.v1.yaml:15:39
   |
15 |         data: { orderId: .orderId, x: .a }
   |                                       ^^
   = mend: map another path or an expression, or change one of the schemas
"#
    );
    let wrong = mapped(json!({}), json!({"maxLength": 3}), "{ const: cash }").wrong();
    assert!(
        wrong.starts_with("error[never-fits]: the constant never fits public/shop.orders/placed.v1.json at /x: must have at most 3 characters\n"),
        "{wrong}"
    );
}

#[test]
fn a_path_whose_types_are_others_never_fits() {
    let number = || json!({"type": "number"});
    for (private, public) in [
        (json!({"type": "string"}), number()),
        (number(), json!({"type": "string"})),
        (
            json!({"type": ["string", "null"]}),
            json!({"type": ["integer", "boolean"]}),
        ),
        (json!({"enum": ["a", "b"]}), json!({"type": "integer"})),
        (json!({"const": "a"}), number()),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            number(),
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"const": true}]}),
            number(),
        ),
        (
            json!({"$ref": "#/$defs/text"}),
            json!({"$ref": "#/$defs/number"}),
        ),
        (
            json!({"allOf": [{"type": ["string", "number"]}, {"type": ["string", "null"]}]}),
            number(),
        ),
        (
            json!({"type": "string"}),
            json!({"anyOf": [{"type": "number"}, {"type": "object"}]}),
        ),
        (json!({"type": "string"}), json!({"enum": [1, 2]})),
        (
            json!({"type": "object", "properties": {}}),
            json!({"type": "string"}),
        ),
    ] {
        never(private, public, ".a");
    }
}

#[test]
fn a_path_that_might_fit_is_right() {
    let number = || json!({"type": "number"});
    for (private, public) in [
        (json!({"type": "integer"}), number()),
        (number(), json!({"type": "integer"})),
        (json!({}), number()),
        (json!({"type": "string"}), json!({})),
        (json!({"type": "string"}), json!(true)),
        (
            json!({"type": ["string", "null"]}),
            json!({"type": ["null", "number"]}),
        ),
        (json!({"minimum": 5}), json!({"type": "string"})),
        (json!({"anyOf": [{"type": "string"}, {}]}), number()),
        (
            json!({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/number"}]}),
            number(),
        ),
        (
            json!({"if": {"type": "string"}, "then": {"type": "string"}}),
            number(),
        ),
        (json!({"not": {"type": "number"}}), number()),
        (
            json!({"type": "string"}),
            json!({"not": {"type": "string", "maxLength": 3}}),
        ),
        (
            json!({"type": "string", "maxLength": 3}),
            json!({"type": "string", "minLength": 4}),
        ),
        (json!({"enum": ["a", 1]}), number()),
        (json!({"enum": [1.5]}), number()),
    ] {
        may(private, public, ".a");
    }
}

#[test]
fn values_that_the_public_schema_refuses_one_by_one_never_fit() {
    let letters = || json!({"enum": ["a", "b"]});
    never(letters(), json!({"enum": ["c"]}), ".a");
    never(letters(), json!({"minLength": 2}), ".a");
    never(json!({"const": 1}), json!({"minimum": 2}), ".a");
    never(
        json!({"allOf": [letters(), {"type": "string"}]}),
        json!({"pattern": "^[0-9]"}),
        ".a",
    );
    may(letters(), json!({"enum": ["b", "c"]}), ".a");
    may(json!({"enum": ["a", null]}), json!({"type": "null"}), ".a");
    may(
        json!({"anyOf": [letters(), {"type": "string"}]}),
        json!({"const": "c"}),
        ".a",
    );
    // The same number in another writing.
    may(
        json!({"const": 1.0}),
        json!({"type": "integer", "maximum": 1}),
        ".a",
    );
    // Of an object only what is declared is copied, so another value may come of it.
    let object = json!({"const": {"b": 1}, "properties": {"c": {}}});
    may(object, json!({"maxProperties": 0}), ".a");
}

#[test]
fn a_constant_is_held_against_the_whole_schema_of_its_property() {
    for (public, constant) in [
        (json!({"type": "integer"}), "cash"),
        (json!({"enum": ["card"]}), "cash"),
        (json!({"$ref": "#/$defs/number"}), "cash"),
        (json!({"format": "date"}), "cash"),
        (json!({"not": {"const": "cash"}}), "cash"),
        (json!({"type": "integer"}), "1.5"),
        (json!({"items": {"type": "string"}}), "[a, 1]"),
        (json!(false), "1"),
        (
            json!({"type": "object", "required": ["b"], "properties": {"b": {}}}),
            "{ }",
        ),
    ] {
        never(json!({}), public, &format!("{{ const: {constant} }}"));
    }
    for (public, constant) in [
        (json!({"type": "integer"}), "1.0"),
        (json!({"enum": ["card", "cash"]}), "cash"),
        (json!({}), "null"),
        (
            json!({"anyOf": [{"type": "number"}, {"$ref": "#/$defs/text"}]}),
            "cash",
        ),
        // What is not declared never leaves, so it does no harm.
        (
            json!({"type": "object", "properties": {"b": {}}, "additionalProperties": false}),
            "{ b: 1, c: 2 }",
        ),
    ] {
        may(json!({}), public, &format!("{{ const: {constant} }}"));
    }
}

#[test]
fn what_is_nested_and_what_is_made_of_items_is_followed() {
    let lines = || json!({"type": "array", "items": {"properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}}});
    let public = |sku: Value| json!({"type": "array", "items": {"type": "object", "properties": {"sku": sku}}});
    let each = "{ each: .a, data: { sku: .sku } }";
    never(lines(), public(json!({"type": "integer"})), each);
    may(
        lines(),
        public(json!({"type": ["integer", "string"]})),
        each,
    );
    let wrong = mapped(lines(), public(json!({"type": "boolean"})), each).wrong();
    assert!(
        wrong.contains("at /x/*/sku: in OrderPlaced it is string"),
        "{wrong}"
    );
    never(
        lines(),
        public(json!({"maxLength": 1})),
        "{ each: .a, data: { sku: { const: ab } } }",
    );
    // Which item of a tuple it becomes is not known.
    let tuple = json!({"type": "array", "prefixItems": [{"properties": {"sku": {"type": "integer"}}}], "items": {"properties": {"sku": {}}}});
    may(lines(), tuple, each);

    let object = json!({"type": "object", "properties": {"b": {"type": "number"}}});
    never(
        json!({"type": "string"}),
        object.clone(),
        "{ data: { b: .a } }",
    );
    may(
        json!({"type": "integer"}),
        object.clone(),
        "{ data: { b: .a } }",
    );
    never(
        lines(),
        json!({"type": "string", "properties": {"b": {}}}),
        "{ data: { b: { const: 1 } } }",
    );
    never(lines(), object, each);
    never(lines(), json!({"type": "integer"}), "'.a[0].sku'");
    may(lines(), json!({"type": "string"}), "'.a[-1].sku'");
    never(
        json!({"type": "string"}),
        json!({"type": "integer"}),
        "{ public_id: { type: example.shop.order.placed.v1, of: .a } }",
    );
    may(
        json!({"type": "string"}),
        json!({"type": "integer"}),
        "{ jq: '.a' }",
    );
}

#[test]
fn what_the_parent_says_of_a_property_counts() {
    let fixture = Fixture::shop();
    let mut public = Fixture::public_schema();
    public["patternProperties"] = json!({"^to": {"type": "string"}});
    fixture.public("shop.orders/placed.v1", &public);
    assert_eq!(
        fixture.with_data("{ total: .total }").codes(),
        ["never-fits"]
    );
}

#[test]
fn history_of_every_revision_counts() {
    let number = json!({"type": "object", "properties": {"orderId": {}, "a": {"type": "number"}}});
    let public = || json!({"type": "string"});
    let fixture = mapped(json!({"type": "integer"}), public(), ".a");
    assert_eq!(fixture.codes(), ["never-fits"]);
    fixture.private("order/OrderPlaced/1", &number);
    assert_eq!(fixture.codes(), ["never-fits"]);
    // Under this one anything may have been recorded there.
    fixture.private("order/OrderPlaced/2", &json!({"type": "object"}));
    assert_eq!(fixture.codes(), Vec::<&str>::new());
}

#[test]
fn what_is_shared_is_told_once() {
    let fixture = mapped(json!({}), json!({"type": "integer"}), ".a");
    fixture.private(
        "order/OrderSent",
        &json!({"properties": {"orderId": {}, "a": {}}}),
    );
    let text = fixture.read("contracts/shop.orders.v1.yaml");
    let text = text.replace(
        "    from:\n      - event: OrderPlaced\n        data: { orderId: .orderId, x: .a }\n",
        "    data: { orderId: .orderId, x: { const: cash } }\n    from: [{ event: OrderPlaced }, { event: OrderSent }]\n",
    );
    fixture.contract("shop.orders.v1", &text);
    assert_eq!(fixture.codes(), ["never-fits"]);
}

#[test]
fn what_may_fit_does() {
    let fixture = mapped(json!({"type": "integer"}), json!({"type": "number"}), ".a");
    let made = public_data(&fixture.right(), &json!({"orderId": "1", "a": 2}));
    assert_eq!(made, json!({"orderId": "1", "x": 2}));
}
