//! The five drafts: what is a keyword in each, and which formats are asserted.

use crate::fixture::Fixture;
use horizon_schemas::Catalog;
use serde_json::{Value, json};

const DRAFTS: [(u16, &str); 5] = [
    (4, "http://json-schema.org/draft-04/schema#"),
    (6, "http://json-schema.org/draft-06/schema#"),
    (7, "http://json-schema.org/draft-07/schema#"),
    (2019, "https://json-schema.org/draft/2019-09/schema"),
    (2020, "https://json-schema.org/draft/2020-12/schema"),
];

/// The catalogue with a schema as that of `order/X`.
fn load(schema: &Value) -> Result<Catalog, Vec<&'static str>> {
    let fixture = Fixture::empty();
    fixture.private("order/X", schema);
    fixture
        .load()
        .map_err(|diagnostics| diagnostics.iter().map(|one| one.code()).collect())
}

fn fits(catalog: &Catalog, data: &Value) -> bool {
    catalog.private().check("order", "X", Some(data)).is_ok()
}

fn in_draft(uri: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema["$schema"] = uri.into();
    schema
}

/// Since which draft and until which one, a schema, data that fits and data that does not.
fn keywords() -> Vec<(u16, u16, Value, Value, Value)> {
    vec![
        (4, 2020, json!({"minimum": 3}), json!(3), json!(2)),
        (
            4,
            4,
            json!({"minimum": 3, "exclusiveMinimum": true}),
            json!(4),
            json!(3),
        ),
        (6, 2020, json!({"exclusiveMinimum": 3}), json!(4), json!(3)),
        (6, 2020, json!({"exclusiveMaximum": 3}), json!(2), json!(3)),
        (
            4,
            2020,
            json!({"multipleOf": 0.01}),
            json!(19.99),
            json!(19.999),
        ),
        (
            4,
            2020,
            json!({"items": {"type": "string"}}),
            json!(["a"]),
            json!([1]),
        ),
        (
            4,
            2019,
            json!({"items": [{"type": "string"}], "additionalItems": false}),
            json!(["a"]),
            json!(["a", 1]),
        ),
        (
            2020,
            2020,
            json!({"prefixItems": [{"type": "string"}], "items": false}),
            json!(["a"]),
            json!(["a", 1]),
        ),
        (
            4,
            2020,
            json!({"uniqueItems": true}),
            json!([1, 2]),
            json!([1, 1.0]),
        ),
        (
            4,
            2020,
            json!({"patternProperties": {"^n": {"type": "number"}}}),
            json!({"n1": 1}),
            json!({"n1": "x"}),
        ),
        (
            4,
            7,
            json!({"dependencies": {"a": ["b"]}}),
            json!({"a": 1, "b": 1}),
            json!({"a": 1}),
        ),
        (4, 2020, json!({"enum": [1, "a"]}), json!("a"), json!("b")),
        (
            4,
            2020,
            json!({"definitions": {"a": {"type": "null"}}, "properties": {"x": {"$ref": "#/definitions/a"}}}),
            json!({"x": null}),
            json!({"x": 1}),
        ),
        (
            6,
            2020,
            json!({"const": {"a": 1}}),
            json!({"a": 1.0}),
            json!({"a": 2}),
        ),
        (
            6,
            2020,
            json!({"contains": {"type": "null"}}),
            json!([1, null]),
            json!([1]),
        ),
        (
            6,
            2020,
            json!({"propertyNames": {"maxLength": 2}}),
            json!({"ab": 1}),
            json!({"abc": 1}),
        ),
        (
            7,
            2020,
            json!({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"type": "null"}}),
            json!("ab"),
            json!("a"),
        ),
        (
            2019,
            2020,
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"a": 1, "b": 1}),
            json!({"a": 1}),
        ),
        (
            2019,
            2020,
            json!({"dependentSchemas": {"a": {"required": ["b"]}}}),
            json!({"a": 1, "b": 1}),
            json!({"a": 1}),
        ),
        (
            2019,
            2020,
            json!({"contains": {"type": "null"}, "minContains": 2, "maxContains": 3}),
            json!([null, null]),
            json!([null]),
        ),
        (
            2019,
            2020,
            json!({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false}),
            json!({"a": 1}),
            json!({"b": 1}),
        ),
        (
            2019,
            2020,
            json!({"$defs": {"a": {"type": "null"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}),
            json!({"x": null}),
            json!({"x": 1}),
        ),
        (
            2019,
            2020,
            json!({"properties": {"x": {"$ref": "#/properties/y", "minLength": 2}, "y": {"type": "string"}}}),
            json!({"x": "ab"}),
            json!({"x": "a"}),
        ),
    ]
}

#[test]
fn a_keyword_works_in_each_draft_that_has_it_and_is_refused_in_all_others() {
    for (since, until, schema, good, bad) in keywords() {
        for (number, uri) in DRAFTS {
            let loaded = load(&in_draft(uri, &schema));
            if (since..=until).contains(&number) {
                let catalog =
                    loaded.unwrap_or_else(|codes| panic!("{schema} in {number}: {codes:?}"));
                assert!(fits(&catalog, &good), "{schema} takes {good} in {number}");
                assert!(!fits(&catalog, &bad), "{schema} refuses {bad} in {number}");
            } else {
                let codes = loaded.err();
                let codes = codes.unwrap_or_else(|| panic!("{schema} is skipped in {number}"));
                let refused = ["schema-keyword-unknown", "schema", "schema-beside-ref"];
                assert!(
                    codes.iter().all(|code| refused.contains(code)),
                    "{schema} in {number}: {codes:?}"
                );
            }
        }
    }
}

/// Since which draft, the format, and values that fit and do not.
const FORMATS: [(u16, &str, &[&str], &[&str]); 17] = [
    (
        4,
        "date-time",
        &["2024-02-29T23:59:59.5+02:00", "2024-01-01T00:00:00Z"],
        &[
            "2023-02-29T00:00:00Z",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00",
        ],
    ),
    (
        4,
        "date",
        &["2024-02-29"],
        &["2023-02-29", "24-01-01", "2024-1-1"],
    ),
    (
        4,
        "time",
        &["23:59:59Z", "08:30:06.28-07:00"],
        &["24:00:00Z", "12:00:00"],
    ),
    (
        2019,
        "duration",
        &["P1Y2M3DT4H5M6S", "P4W"],
        &["P", "1D", "PT"],
    ),
    (
        4,
        "email",
        &["a.b@bank.example"],
        &["a.b", "@bank.example", "a@b@c"],
    ),
    (
        4,
        "hostname",
        &["bank.example"],
        &["-bank.example", "ba_nk..example"],
    ),
    (
        4,
        "ipv4",
        &["192.0.2.1"],
        &["192.0.2.256", "192.0.2", "0192.0.2.1"],
    ),
    (
        4,
        "ipv6",
        &["2001:db8::1", "::"],
        &["2001:db8::g", "1:2:3", "192.0.2.1"],
    ),
    (
        4,
        "uri",
        &["https://bank.example/a?b#c", "urn:a:b"],
        &["/relative", "https://bank.example/a b"],
    ),
    (
        6,
        "uri-reference",
        &["/relative", "https://bank.example"],
        &["\\a", "a b"],
    ),
    (
        7,
        "iri",
        &["https://größe.example/ä"],
        &["/ä", "https://a b"],
    ),
    (7, "iri-reference", &["/ä"], &["ä b"]),
    (
        2019,
        "uuid",
        &["2eb8aa08-aa98-11ea-b4aa-73b441d16380"],
        &["2eb8aa08aa9811eab4aa73b441d16380", "x"],
    ),
    (6, "uri-template", &["/a/{b}"], &["/a/{b"]),
    (6, "json-pointer", &["/a/b~1c", ""], &["a/b", "/a~2"]),
    (7, "relative-json-pointer", &["1/a", "0#"], &["/a", "-1/a"]),
    (4, "regex", &["^a+$"], &["^(a", "[a"]),
];

#[test]
fn every_format_is_asserted_where_the_draft_has_it_and_unknown_elsewhere() {
    let mut wrong = Vec::new();
    for (since, format, good, bad) in FORMATS {
        for (number, uri) in DRAFTS {
            match load(&in_draft(uri, &json!({"format": format}))) {
                Ok(catalog) => {
                    let told = |value: Value, expected| {
                        let told = fits(&catalog, &value);
                        (told != expected || number < since)
                            .then(|| format!("{format} in {number}: {value} fits: {told}"))
                    };
                    wrong.extend(good.iter().filter_map(|good| told(json!(good), true)));
                    wrong.extend(bad.iter().filter_map(|bad| told(json!(bad), false)));
                    wrong.extend(told(json!(7), true));
                }
                Err(codes) if number < since && codes == ["schema-format-unknown"] => {}
                Err(codes) => wrong.push(format!("{format} in {number}: {codes:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for format in [
        "idn-email",
        "idn-hostname",
        "int32",
        "double",
        "byte",
        "color",
        "utc-millisec",
        "Date",
        "",
    ] {
        for (_, uri) in DRAFTS {
            let codes = load(&in_draft(uri, &json!({"format": format}))).err();
            assert_eq!(codes, Some(vec!["schema-format-unknown"]), "{format}");
        }
    }
}

#[test]
fn examples_fit_the_schema_that_they_stand_in() {
    for (number, uri) in &DRAFTS[1..] {
        for (schema, places) in [
            (json!({"type": "string", "examples": ["a", "b"]}), &[][..]),
            (
                json!({"type": "string", "examples": ["a", 2, null]}),
                &["/examples/1", "/examples/2"],
            ),
            (
                json!({"examples": [{"a": {"b": 1}}], "properties": {"a": {"properties": {"b": {"type": "string"}}}}}),
                &["/examples/0/a/b"],
            ),
            (
                json!({"properties": {"a b/c": {"type": "integer", "examples": [1.5]}}}),
                &["/properties/a b~1c/examples/0"],
            ),
            (
                json!({"definitions": {"m": {"minimum": 1}}, "properties": {"a": {"allOf": [{"$ref": "#/definitions/m"}], "examples": [0]}}}),
                &["/properties/a/examples/0"],
            ),
            (
                json!({"properties": {"examples": {"type": "string"}}, "x-mine": {"examples": [1]}}),
                &[],
            ),
        ] {
            let schema = in_draft(uri, &schema);
            for (path, id) in [
                ("private/order/X", None),
                ("public/c/x.v1", Some("https://shop.example/x")),
            ] {
                let fixture = Fixture::empty();
                let mut schema = schema.clone();
                if let Some(id) = id {
                    schema["$id"] = id.into();
                }
                fixture.write(
                    &format!("schemas/{path}.json"),
                    &serde_json::to_string_pretty(&schema).unwrap(),
                );
                let Err(wrong) = fixture.load() else {
                    assert!(places.is_empty(), "{schema} in {number}");
                    continue;
                };
                let told: Vec<_> = wrong
                    .iter()
                    .map(|one| (one.code(), one.message()))
                    .collect();
                assert_eq!(told.len(), places.len(), "{told:?}");
                for ((code, message), place) in told.iter().zip(places) {
                    assert_eq!(*code, "schema-example");
                    assert!(message.contains(&format!("at {place} does")), "{message}");
                }
            }
        }
    }
    // Where several schemas share a part in another document, that part's examples are told once, at their place.
    let fixture = Fixture::empty();
    fixture.private(
        "_shared/money",
        &json!({"$defs": {"amount": {"minimum": 0, "examples": [-1]}}}),
    );
    for name in ["X", "Y"] {
        let amount = json!({"$ref": "../_shared/money.json#/$defs/amount"});
        fixture.private(
            &format!("order/{name}"),
            &json!({"properties": {"a": amount}, "examples": [{"a": 1}]}),
        );
    }
    let wrong = fixture.wrong();
    assert!(
        wrong.contains("_shared/money.json:6:") && wrong.matches("schema-example").count() == 1,
        "{wrong}"
    );
}

#[test]
fn the_subject_of_a_personal_field_is_declared() {
    let codes = |schema: &Value| load(schema).err().unwrap_or_default();
    let person =
        json!({"type": "object", "properties": {"id": {}, "name": {"x-personal": ".person.id"}}});
    let none: [&str; 0] = [];
    assert_eq!(codes(&json!({"properties": {"person": person}})), none);
    assert_eq!(
        codes(&json!({"properties": {"owner": person}})),
        ["schema-subject"]
    );
    assert_eq!(
        codes(&json!({"additionalProperties": {"x-personal": ".id"}, "properties": {"id": {}}})),
        none
    );
    assert_eq!(
        codes(&json!({"additionalProperties": {"x-personal": ".id"}})),
        ["schema-subject"]
    );
    assert_eq!(
        codes(&json!({"$defs": {"unused": {"x-personal": ".id"}}})),
        none
    );
    // A shared part is held against each event type that it applies to, and each revision by itself.
    let fixture = Fixture::empty();
    fixture.private(
        "_shared/name",
        &json!({"type": "string", "x-personal": ".clientId"}),
    );
    let name = |below: &str| json!({"$ref": format!("{below}_shared/name.json")});
    fixture.private(
        "order/Good",
        &json!({"properties": {"clientId": {}, "name": name("../")}}),
    );
    fixture.private(
        "order/Bad",
        &json!({"properties": {"clientid": {}, "name": name("../")}}),
    );
    fixture.private(
        "order/Good/1",
        &json!({"properties": {"name": name("../../")}}),
    );
    let wrong = fixture.wrong();
    assert_eq!(wrong.matches("error[schema-subject]").count(), 2, "{wrong}");
    assert!(
        wrong.contains("not declared by the schema of Bad")
            && wrong.contains("nearest: clientid")
            && wrong.contains("private/order/Good/1.json declares")
            && wrong.contains("_shared/name.json:3:"),
        "{wrong}"
    );
}
