//! Hostile schemas and hostile data: refused when they are loaded, or checked in bounded time.
//!
//! The bounds of time are many times what a check takes, and far below what it would take without its own bounds.

use crate::fixture::Fixture;
use horizon_schemas::Catalog;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// More than a check may take, also on a busy machine without optimisation.
const LONG: Duration = Duration::from_secs(60);

fn within<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = run();
    assert!(begun.elapsed() < LONG, "{what} took {:?}", begun.elapsed());
    done
}

fn load(schema: &Value) -> Result<Catalog, Vec<&'static str>> {
    let fixture = Fixture::empty();
    fixture.write("schemas/private/order/X.json", &schema.to_string());
    let load = || fixture.load();
    within("loading", load).map_err(|wrong| wrong.iter().map(|one| one.code()).collect())
}

fn loads(schema: &Value) -> Catalog {
    load(schema).unwrap_or_else(|codes| panic!("{codes:?}"))
}

/// What is said against the data.
fn told(catalog: &Catalog, data: &Value) -> Vec<String> {
    let check = || catalog.private().check("order", "X", Some(data));
    let violations = within("checking", check)
        .err()
        .map(|refusal| refusal.violations);
    let told = violations.into_iter().flatten();
    told.map(|violation| violation.reason).collect()
}

/// Data as deep as a parser lets it be, with something wrong at its end.
fn deep(name: &str) -> Value {
    (0..120).fold(json!({"leaf": "wrong"}), |inner, _| json!({name: inner}))
}

#[test]
fn schemas_that_double_at_every_level_of_the_data_are_refused() {
    let back = json!({"$ref": "#"});
    let leaf = json!({"type": "integer"});
    for schema in [
        json!({"anyOf": [{"properties": {"c": back, "leaf": leaf}}, {"properties": {"c": back, "leaf": leaf}}]}),
        json!({"properties": {"c": {"anyOf": [back, {"allOf": [back]}]}}}),
        json!({"properties": {"c": back}, "patternProperties": {"^c": back}}),
        json!({"properties": {"c": back}, "allOf": [{"additionalProperties": back}]}),
        json!({"patternProperties": {"^a": back, "b$": back}}),
        json!({"additionalProperties": back, "anyOf": [{"additionalProperties": back}]}),
        json!({"items": back, "contains": back}),
        json!({"prefixItems": [back], "allOf": [{"items": back}]}),
        json!({"if": {"properties": {"c": back}}, "then": {"properties": {"c": back}}}),
        json!({"$defs": {"a": {"properties": {"c": {"$ref": "#/$defs/b"}}}, "b": {"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}),
    ] {
        assert_eq!(load(&schema).err(), Some(vec!["schema-cost"]), "{schema}");
    }
}

#[test]
fn schemas_that_come_back_once_at_every_level_are_taken() {
    let back = json!({"$ref": "#"});
    for (schema, name) in [
        (
            json!({"properties": {"c": back, "leaf": {"type": "integer"}}}),
            "c",
        ),
        (
            json!({"properties": {"left": back, "right": back, "leaf": {"type": "integer"}}}),
            "left",
        ),
        (
            json!({"properties": {"leaf": {"type": "integer"}}, "additionalProperties": back}),
            "any",
        ),
        (
            json!({"oneOf": [{"required": ["a"], "properties": {"a": back}}, {"required": ["b"], "properties": {"b": back}}, {"properties": {"leaf": {"type": "integer"}}, "required": ["leaf"]}]}),
            "a",
        ),
        (
            json!({"properties": {"leaf": {"type": "integer"}, "c": {"anyOf": [{"type": "null"}, back]}}, "propertyNames": {"minLength": 1}}),
            "c",
        ),
        (
            json!({"allOf": [{"properties": {"leaf": {"type": "integer"}}}, {"properties": {"c": back}}], "properties": {"d": {"items": back}}}),
            "c",
        ),
    ] {
        let catalog = loads(&schema);
        assert!(!told(&catalog, &deep(name)).is_empty(), "{schema}");
        assert!(
            told(&catalog, &json!({name: {"leaf": 1}})).is_empty(),
            "{schema}"
        );
    }
}

#[test]
fn schemas_that_double_deeper_down_without_coming_back_are_refused() {
    let mut defs = json!({"d40": {"type": "integer"}});
    for nth in 0..40 {
        let next = json!({"properties": {"c": {"$ref": format!("#/$defs/d{}", nth + 1)}}});
        defs[format!("d{nth}")] = json!({"anyOf": [next, next]});
    }
    let schema = json!({"$defs": defs, "$ref": "#/$defs/d0"});
    assert_eq!(load(&schema).err(), Some(vec!["schema-cost"]));
}

#[test]
fn data_that_would_cost_too_much_is_refused_before_it_is_looked_at() {
    let branches: Vec<Value> = (0..2_000).map(|nth| json!({"const": nth})).collect();
    let catalog = loads(&json!({"items": {"anyOf": branches}}));
    let many = Value::from(vec![json!("x"); 400_000]);
    let reasons = told(&catalog, &many);
    assert!(
        reasons.len() == 1 && reasons[0].contains("too many values"),
        "{reasons:?}"
    );
    let reasons = told(&catalog, &json!([1, "x"]));
    assert!(
        reasons.len() == 1 && reasons[0].contains("anyOf"),
        "{reasons:?}"
    );
    // A large list of words is no hindrance to usual data.
    let words: Vec<String> = (0..50_000).map(|nth| format!("w{nth}")).collect();
    let catalog = loads(&json!({"items": {"enum": words}}));
    assert!(told(&catalog, &Value::from(vec![json!("w49999"); 1_000])).is_empty());
    let mut mixed: Vec<Value> = words.into_iter().map(Value::from).collect();
    mixed.push(json!(1));
    let catalog = loads(&json!({"items": {"enum": mixed}}));
    let reasons = told(&catalog, &many);
    assert!(reasons[0].contains("too many values"), "{reasons:?}");
    let names: Vec<String> = (0..50_000).map(|nth| format!("n{nth}")).collect();
    let catalog = loads(&json!({"items": {"required": names}}));
    assert!(!told(&catalog, &Value::from(vec![json!({}); 300_000])).is_empty());
}

#[test]
fn deep_wide_and_odd_schemas_are_refused_or_loaded_in_time() {
    let nested = |keyword: &str, depth: usize| {
        (0..depth).fold(json!({"type": "string"}), |inner, _| match keyword {
            "allOf" => json!({"allOf": [inner]}),
            "properties" => json!({"properties": {"a": inner}}),
            _ => json!({keyword: inner}),
        })
    };
    for keyword in [
        "not",
        "items",
        "allOf",
        "properties",
        "additionalProperties",
    ] {
        let codes = load(&nested(keyword, 70)).err();
        let told = ["schema-depth", "schema-json"].map(|code| Some(vec![code]));
        assert!(told.contains(&codes), "{keyword}: {codes:?}");
        loads(&nested(keyword, 30));
    }
    let many: serde_json::Map<String, Value> = (0..3_000)
        .map(|nth| {
            (
                format!("field{nth}"),
                json!({"type": "string", "maxLength": 10, "x-personal": ".field0"}),
            )
        })
        .collect();
    loads(&json!({"properties": many}));
    let refs: serde_json::Map<String, Value> = (0..3_000)
        .map(|nth| (format!("d{nth}"), json!({"properties": {"next": {"$ref": format!("#/$defs/d{}", (nth + 1) % 3_000)}}})))
        .collect();
    let ring = loads(&json!({"$defs": refs, "$ref": "#/$defs/d0"}));
    assert!(told(&ring, &deep("next")).is_empty());
    let branches = vec![json!({"type": "string"}); 20_000];
    assert_eq!(
        load(&json!({"anyOf": branches})).err(),
        Some(vec!["schema-cost"])
    );
    let examples =
        vec![json!({"examples": [1], "properties": {"a": {"$ref": "#/$defs/all"}}}); 2_000];
    let all: serde_json::Map<String, Value> = (0..2_000)
        .map(|nth| (format!("p{nth}"), json!({})))
        .collect();
    let codes = load(&json!({"$defs": {"all": {"properties": all}}, "oneOf": examples})).err();
    assert_eq!(codes, Some(vec!["schema-examples"]));
}

#[test]
fn patterns_cost_linear_time_and_bounded_memory() {
    for pattern in [
        "^(a+)+$",
        "(a|aa)+$",
        "^(.*)*x$",
        "(a*)*b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        let catalog = loads(&json!({"pattern": pattern, "properties": {}}));
        assert!(
            !told(&catalog, &format!("{}!", "a".repeat(500_000)).into()).is_empty(),
            "{pattern}"
        );
    }
    let names = loads(
        &json!({"patternProperties": {"^(a+)+$": false}, "propertyNames": {"pattern": "^(b|bb)+$"}}),
    );
    assert!(!told(&names, &json!({"a".repeat(200_000): 1})).is_empty());
    for pattern in [
        "(?=a)",
        "(a)\\1",
        "(?<!a)b",
        "a{1000}{1000}{1000}",
        "(\\w{500}){500}",
        "[",
        "(?P<a",
        "\\p{Nope}",
    ] {
        assert!(load(&json!({"pattern": pattern})).is_err(), "{pattern}");
        assert!(
            load(&json!({"patternProperties": {pattern: {}}})).is_err(),
            "{pattern}"
        );
    }
    // Data that claims to be a pattern itself.
    let regex = loads(&json!({"format": "regex"}));
    for pattern in [
        "(".repeat(100_000),
        "a{1000}{1000}{1000}{1000}".to_owned(),
        "(?:a?){30}a{30}".to_owned(),
    ] {
        told(&regex, &pattern.into());
    }
    for format in [
        "email",
        "uri",
        "iri",
        "uri-template",
        "hostname",
        "duration",
        "date-time",
    ] {
        let catalog = loads(&json!({"format": format}));
        for text in [
            "a".repeat(1_000_000),
            "a.".repeat(500_000),
            "@".repeat(500_000),
            "{".repeat(500_000),
        ] {
            told(&catalog, &text.into());
        }
    }
}

#[test]
fn numbers_of_any_size_cost_bounded_time() {
    let number = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let long = format!("1{}", "0".repeat(100_000));
    let numbers = [
        "1e400",
        "-1e400",
        "1e999999999",
        "1e-999999999",
        "0.1e-400",
        "123456789012345678901234567890",
        "1E+2147483647",
        &long,
    ];
    let keywords = [
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ];
    for bound in [
        "1e-300",
        "0.0000000001",
        "5e-324",
        "0.01",
        "3",
        "1e300",
        "1e400",
        "1e999999999",
        "1e-999999999",
        &long,
    ] {
        for keyword in keywords {
            // Taken or refused, but not for ever.
            let Ok(catalog) = load(&json!({keyword: number(bound)})) else {
                continue;
            };
            for data in numbers {
                told(&catalog, &number(data));
            }
        }
        for schema in [
            json!({"const": number(bound)}),
            json!({"enum": [number(bound), 1]}),
            json!({"type": "integer"}),
            json!({"uniqueItems": true}),
        ] {
            let catalog = loads(&schema);
            for data in numbers {
                told(&catalog, &number(data));
                told(
                    &catalog,
                    &json!([number(data), number(bound), number(data)]),
                );
            }
        }
        for keyword in [
            "maxLength",
            "minLength",
            "maxItems",
            "minItems",
            "maxProperties",
            "minProperties",
        ] {
            if let Ok(catalog) = load(&json!({keyword: number(bound)})) {
                told(&catalog, &json!("text"));
                told(&catalog, &json!([1]));
                told(&catalog, &json!({"a": 1}));
            }
        }
    }
    // What is told is right, not only quick.
    let cents = loads(&json!({"multipleOf": 0.01}));
    assert!(told(&cents, &number("123456789012345678.91")).is_empty());
    assert!(!told(&cents, &number("0.001")).is_empty());
    let large = loads(&json!({"maximum": number("1e400")}));
    assert!(told(&large, &number("1e399")).is_empty());
    assert!(!told(&large, &number("1e401")).is_empty());
    for none in ["0", "-1", "0.0"] {
        assert!(
            load(&json!({"multipleOf": number(none)})).is_err(),
            "{none}"
        );
    }
    for (keyword, none) in [
        ("maxLength", "-1"),
        ("minItems", "1.5"),
        ("maxProperties", "\"3\""),
    ] {
        assert!(load(&json!({keyword: number(none)})).is_err(), "{keyword}");
    }
}

#[test]
fn unique_items_cost_less_than_comparing_all_with_all() {
    let catalog = loads(&json!({"uniqueItems": true}));
    let many: Vec<Value> = (0..150_000).map(|nth| json!({"n": nth})).collect();
    assert!(told(&catalog, &Value::from(many.clone())).is_empty());
    let twice: Vec<Value> = many.into_iter().chain([json!({"n": 149_999})]).collect();
    assert_eq!(told(&catalog, &Value::from(twice)).len(), 1);
}
