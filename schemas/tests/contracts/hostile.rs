//! Bad input of any kind costs a clear error, in bounded time and memory.

use crate::fixture::{Fixture, cross};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Instant;

#[test]
fn a_yaml_bomb_is_refused() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for nth in 1..9 {
        let (own, last) = (char::from(b'a' + nth), char::from(b'a' + nth - 1));
        let references = vec![format!("*{last}"); 9].join(", ");
        bomb.push_str(&format!("{own}: &{own} [{references}]\n"));
    }
    for text in [
        bomb,
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("horizon: 1\ncontract: {}", "[".repeat(30)),
        "a: &x 1\nb: 2".to_owned(),
        "<<: { a: 1 }".to_owned(),
        "- ".repeat(200_000),
        format!("{}: 1", "k".repeat(500_000)),
        "? ? ? ? a".to_owned(),
        "a: 1\n---\nb: 2".to_owned(),
        "!!python/object:os.system x".to_owned(),
        "\u{0}".to_owned(),
        "\t".to_owned(),
        String::new(),
        "x".repeat((1 << 20) + 1),
    ] {
        let start = Instant::now();
        let fixture = Fixture::shop();
        fixture.contract("x", &text);
        assert!(
            fixture.load().is_err(),
            "{}",
            text.chars().take(40).collect::<String>()
        );
        assert!(start.elapsed().as_secs() < 5);
    }
}

#[test]
fn an_expression_that_would_overflow_or_hang_is_refused_or_ends() {
    for jq in [
        format!("{}.orderId{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}1", "-".repeat(4000)),
        format!("{}1", "if ".repeat(1000)),
        format!("{}1", "try ".repeat(900)),
        format!("{}1", "1|".repeat(2000)),
        format!("{}1", "1,".repeat(2000)),
        format!("{}1", ". as $x|".repeat(500)),
        format!("{}1", "\"\\(".repeat(1000)),
        format!("[{}", "[".repeat(3000)),
        "1".repeat(5000),
        "def f: f; f".to_owned(),
        "[recurse]".to_owned(),
        "range(1e9)".to_owned(),
        "[limit(3; repeat(1))]".to_owned(),
        "until(false; .)".to_owned(),
        "reduce range(1e9) as $x (0; .)".to_owned(),
        "label $x | break $x".to_owned(),
    ] {
        let fixture =
            Fixture::shop().with_data(&format!("{{ x: {{ jq: {} }} }}", Value::String(jq.clone())));
        assert!(
            fixture.load().is_err(),
            "{}",
            jq.chars().take(40).collect::<String>()
        );
    }
}

#[test]
fn an_expression_that_costs_too_much_is_a_violation_and_not_a_hang() {
    let many: Vec<Value> = (0..3000).map(|nth| json!(nth.to_string())).collect();
    let data = json!({"orderId": "1", "note": "n".repeat(100_000), "tags": many});
    for jq in [
        "[.tags[] as $a | .tags[] as $b | $a + $b] | length",
        "[.tags[] | [.]] | map(.[0]) | sort | map(. + \"x\") | join(\",\") | split(\",\") | map(. + .) | length",
        "[.note, .note, .note, .note, .note, .note, .note, .note, .note, .note, .note, .note] | add | . + . + . + .",
        ".note * 1000000000",
        "\"\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\\(.note)\"",
    ] {
        let contract = Fixture::shop()
            .with_data(&format!(
                "{{ x: {{ jq: {} }} }}",
                Value::String(jq.to_owned())
            ))
            .right();
        let start = Instant::now();
        let outcome = cross(&contract, &data);
        assert!(
            matches!(outcome, horizon_schemas::Outcome::Violation { .. }),
            "{jq}"
        );
        assert!(start.elapsed().as_secs() < 2, "{jq}");
    }
}

#[test]
fn deep_data_costs_nothing_that_is_not_declared() {
    let contract = Fixture::shop()
        .with_data("{ customer: .customer, x: { jq: '.customer.tier' } }")
        .right();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"tier": deep, "x": [1]});
    }
    let outcome = cross(&contract, &json!({"orderId": "1", "customer": deep}));
    assert!(matches!(outcome, horizon_schemas::Outcome::Crossed(_)));
}

/// Pieces of the language, so that generated texts get further than the first character.
fn word() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "horizon: 1\n",
        "contract: a.b\n",
        "version: 1.0.0\n",
        "types:\n",
        "  t.v1:\n",
        "    from:\n",
        "      - event: X\n",
        "key: .a\n",
        "data: ",
        "{ ",
        " }",
        "[",
        "]",
        "const: ",
        "jq: ",
        "each: ",
        ".a",
        ".b[0]",
        ", ",
        ": ",
        "'",
        "\"",
        "\n",
        "  ",
        "- ",
        "&a ",
        "*a",
        "!!str ",
        "|\n",
        ">\n",
        "#",
        "{key}",
        "null",
        "~",
        "1.5",
        "é",
        "\u{0}",
        "\t",
        "outlets:\n",
        "mqtt: ",
    ]);
    prop_oneof![4 => words.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn jq_word() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        ".",
        ".orderId",
        ".total",
        ".tags",
        ".lines",
        ".customer",
        ".email",
        "[]",
        "[0]",
        "[-1:]",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "|",
        ",",
        " as $x ",
        "$x",
        "$y",
        "if ",
        " then ",
        " else ",
        " elif ",
        " end",
        "//",
        "and",
        " or ",
        "not",
        "==",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "?",
        "..",
        "\"a\"",
        "\"\\(",
        "\"",
        "1",
        "1e999",
        "map(",
        "select(",
        "any(",
        "join(",
        "add",
        "length",
        "tostring",
        "tonumber",
        "sort",
        "unique",
        "empty",
        "null",
        "has(\"total\")",
        "split(\"\")",
        "reduce",
        "def",
        "@json",
        "try",
        "first",
        ":",
        ";",
        "#",
        "\n",
        "é",
    ]);
    prop_oneof![8 => words.prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        "[a-z0-9é]{0,4}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "orderId", "total", "tags", "lines", "customer", "email", "tier", "name", "sku", "giftFor",
        "x",
    ]);
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

/// Every text of personal and undeclared places is a canary.
fn with_canaries(mut data: Value) -> Value {
    fn mark(value: &mut Value, hidden: bool) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
                let open = [
                    "orderId", "total", "tags", "lines", "customer", "tier", "sku",
                ]
                .contains(&name.as_str());
                mark(value, hidden || !open);
            }),
            Value::Array(items) => items.iter_mut().for_each(|item| mark(item, hidden)),
            other if hidden => *other = "CANARY".into(),
            _ => {}
        }
    }
    mark(&mut data, false);
    data
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_contract_text_makes_it_panic(words in prop::collection::vec(word(), 0..40)) {
        let fixture = Fixture::shop();
        fixture.contract("x", &words.concat());
        if let Err(diagnostics) = fixture.load() {
            prop_assert!(!diagnostics.to_string().is_empty());
        }
    }

    #[test]
    fn no_schema_makes_it_panic(schema in json_value(), keyword in prop::sample::select(vec!["$ref", "items", "properties", "allOf", "type", "pattern", "$id", "x-personal", "if"])) {
        let fixture = Fixture::empty();
        fixture.private("order/X", &json!({keyword: schema}));
        fixture.public("c/y.v1", &schema);
        let _ = fixture.load();
    }

    #[test]
    fn no_expression_and_no_data_make_it_panic_or_leak(words in prop::collection::vec(jq_word(), 0..14), data in json_value()) {
        let jq = words.concat();
        let mut data = with_canaries(data);
        if let Value::Object(fields) = &mut data {
            fields.insert("orderId".to_owned(), json!("1"));
        }
        let fixture = Fixture::shop().with_data(&format!("{{ x: {{ jq: {} }}, customer: .customer, lines: .lines }}", Value::String(jq)));
        if let Ok(catalog) = fixture.load() {
            let told = match cross(&catalog.contracts()[0], &data) {
                horizon_schemas::Outcome::Crossed(event) => String::from_utf8_lossy(event.seal(1, 0).bytes()).into_owned(),
                other => format!("{other:?}"),
            };
            prop_assert!(!told.contains("CANARY"), "{}", told);
        }
    }
}
