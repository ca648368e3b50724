//! Expressions by example, and compared with jq itself (`jaq`) where both say the same language.

use super::eval::{Given, Told};
use super::{Expression, Problem};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use proptest::prelude::*;
use serde_json::{Value, json};

fn reads(text: &str) -> Result<Vec<String>, Problem> {
    let expression = Expression::parse(text)?;
    Ok(expression
        .reads
        .iter()
        .map(|read| read.path.to_string())
        .collect())
}

const TOLD: Told<'_> = Told {
    time: Some("2024-05-06T07:08:09Z"),
    event_type: "example.placed.v1",
};

fn run(text: &str, data: &Value) -> Result<Given, String> {
    Expression::parse(text)
        .map_err(|problem| problem.message)?
        .run(data, TOLD)
        .map_err(|stop| stop.reason())
}

fn one(text: &str, data: &Value) -> Value {
    match run(text, data) {
        Ok(Given::One(value)) => value,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_path_that_can_be_read_is_found() {
    for (text, expected) in [
        (".a", vec![".a"]),
        (".a.b[0].\"c d\"", vec![".a.b[0].\"c d\""]),
        (".a | .b | .c", vec![".a.b.c"]),
        (".a[].b", vec![".a[].b"]),
        ("[.a[] | {x: .b, c}]", vec![".a[].b", ".a[].c"]),
        (".a as $x | .b + $x.c", vec![".b", ".a.c"]),
        ("if .a then .b else .c end", vec![".a", ".b", ".c"]),
        (".a // .b", vec![".a", ".b"]),
        ("(.a, .b) | .c", vec![".a.c", ".b.c"]),
        (".a | map(.b) | add", vec![".a[].b"]),
        (".a | map(select(.b > 1).c)", vec![".a[].b", ".a[].c"]),
        (".a | any(.b == 1)", vec![".a[].b"]),
        ("select(.a).b", vec![".a", ".b"]),
        ("\"x\\(.a) \\(.b | tostring)\"", vec![".a", ".b"]),
        (".a[1:3] | length", vec![".a"]),
        ("has(\"a\")", vec![".a"]),
        ("[.a, .b] | .[0].c", vec![".a", ".b"]),
        ("{a: .x} | .a.b", vec![".x"]),
        (".a?", vec![".a"]),
        (
            "[.a[] as $x | .b[] as $y | $x.c + $y.d]",
            vec![".a[].c", ".b[].d"],
        ),
        ("1 + 2", vec![]),
        ("empty", vec![]),
        (".a == null and (.b | not)", vec![".a", ".b"]),
    ] {
        assert_eq!(reads(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn values_are_what_jq_says() {
    let data = json!({"a": [{"b": 2, "c": "x"}, {"b": 5}], "n": 7, "s": "Ab c", "z": null});
    for (text, expected) in [
        (".n + 1", json!(8)),
        (".n / 2", json!(3.5)),
        ("-.n", json!(-7)),
        (".n % 4", json!(3)),
        ("[.a[].b] | add", json!(7)),
        (".a | map(.b) | max", json!(5)),
        (".a | map(.c) ", json!(["x", null])),
        (".a[-1].b", json!(5)),
        (".a[1:] | length", json!(1)),
        (".s[1:3]", json!("b ")),
        (".s | ascii_downcase | split(\" \")", json!(["ab", "c"])),
        ("\"\\(.n)-\\(.s)\"", json!("7-Ab c")),
        (".none // \"d\"", json!("d")),
        (".z == null", json!(true)),
        (
            "if .n > 5 then \"big\" elif .n > 2 then \"mid\" else \"small\" end",
            json!("big"),
        ),
        (".a | any(.b == 5)", json!(true)),
        ("[.a[] | select(.c)] | length", json!(1)),
        ("{n, t: .s}", json!({"n": 7, "t": "Ab c"})),
        (".n as $n | .a | map(.b + $n)", json!([9, 12])),
        ("[3, 1, 3] | unique", json!([1, 3])),
        ("[1, [2]] | .[1][0]", json!(2)),
        ("\"1.50\" | tonumber", serde_json::from_str("1.50").unwrap()),
        ("1.50 | tostring", json!("1.50")),
        ("[\"a\", 1, null] | join(\"-\")", json!("a-1-")),
        ("[.s.x?] | length", json!(0)),
        (".s.x? // 1", json!(1)),
        ("[(null, .n, 2) // 3]", json!([7, 2])),
        ("has(\"z\")", json!(true)),
        (".s | startswith(\"A\") and endswith(\"c\")", json!(true)),
        ("1.5 | floor", json!(1)),
    ] {
        assert_eq!(one(text, &data), expected, "{text}");
    }
    assert_eq!(run("empty", &data), Ok(Given::Nothing));
    assert_eq!(run("1, 2", &data), Ok(Given::Several));
}

#[test]
fn what_would_decide_silently_in_jq_is_an_error() {
    let data = json!({"n": 7, "s": "x"});
    for text in [
        ".none > 0",
        ".none < \"2000\"",
        ".n < .s",
        ".none + 1",
        ".n * .s",
        ".s * 3",
        "[1] < [2]",
        ".n / 0",
        ".s.x",
        ".n[] + 1",
        "(.none > 0) // true",
        ".s.x // 1",
        "(1, .s.x) // 2",
        "[(.none + 1)?]",
    ] {
        assert!(run(text, &data).is_err(), "{text}");
    }
}

#[test]
fn a_problem_points_at_its_word() {
    let problem = reads(".a | to_entries").unwrap_err();
    assert_eq!(
        (problem.at, problem.len, problem.code),
        (5, 10, "expression-function")
    );
    let problem = reads(".a + input").unwrap_err();
    assert_eq!((problem.at, problem.len), (5, 5));
    let problem = reads("reduce .a[] as $x (0; .)").unwrap_err();
    assert_eq!((problem.at, problem.len), (0, 6));
    assert_eq!(reads(".a +").unwrap_err().code, "expression");
    assert_eq!(reads("").unwrap_err().code, "expression");
    let read = &Expression::parse("1 + .total.net").unwrap().reads[0];
    assert_eq!(&"1 + .total.net"[read.at..read.at + read.len], "total.net");
}

/// The outputs of jq itself.
fn jq(text: &str, input: &Value) -> Result<Vec<Value>, String> {
    // Only what needs no feature of jaq's library that is not built here.
    let wanted = [
        "null",
        "isboolean",
        "isnumber",
        "isstring",
        "isarray",
        "isobject",
        "abs",
        "type",
        "add",
        "min_by",
        "max_by",
        "min",
        "max",
        "unique_by",
        "unique",
    ];
    let std = jaq_std::defs()
        .filter(|def| wanted.contains(&def.name) || (def.name == "split" && def.args.len() == 1));
    let defs = jaq_core::defs().chain(std).chain(jaq_json::defs());
    let funs = jaq_core::funs()
        .chain(jaq_std::base_funs())
        .chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(defs)
        .load(
            &arena,
            File {
                code: text,
                path: (),
            },
        )
        .map_err(|_| "load".to_owned())?;
    let filter = Compiler::default()
        .with_funs(funs)
        .compile(modules)
        .map_err(|_| "compile".to_owned())?;
    let input = jaq_json::read::parse_single(input.to_string().as_bytes())
        .map_err(|_| "input".to_owned())?;
    let ctx = Ctx::<data::JustLut<jaq_json::Val>>::new(&filter.lut, Vars::new([]));
    filter
        .id
        .run((ctx, input))
        .map(unwrap_valr)
        .take(3)
        .map(|value| {
            let text = value.map_err(|error| error.to_string())?.to_string();
            serde_json::from_str(&text).map_err(|error| error.to_string())
        })
        .collect()
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".a", ".b", ".c", ".d", ".c[0]", ".d.x", "1", "2.5", "\"t\"", "null", "true", "[1,2]",
        "[]", ".c[1:]",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (
                pair.clone(),
                prop::sample::select(vec![
                    "+", "-", "*", "/", "==", "!=", "<", ">=", "and", "or", "//", ",", "|"
                ])
            )
                .prop_map(|((a, b), operator)| format!("({a} {operator} {b})")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "length",
                    "not",
                    "type",
                    "add",
                    "tostring",
                    "sort",
                    "unique",
                    "reverse",
                    "min",
                    "max",
                    "first",
                    "last",
                    "any",
                    "all",
                    "floor",
                    "ascii_downcase",
                    "tonumber",
                    "map(.)",
                    "split(\"t\")",
                    "startswith(\"t\")",
                    "ltrimstr(\"t\")",
                    "abs",
                ])
            )
                .prop_map(|(a, function)| format!("({a} | {function})")),
            (pair.clone(), inner.clone())
                .prop_map(|((a, b), c)| format!("(if {a} then {b} else {c} end)")),
            pair.clone()
                .prop_map(|(a, b)| format!("({a} as $v | [$v, {b}])")),
            inner.clone().prop_map(|a| format!("[{a}]")),
            pair.prop_map(|(a, b)| format!("{{k: {a}, l: {b}}}")),
            inner.clone().prop_map(|a| format!("\"<\\({a})>\"")),
            inner.prop_map(|a| format!("[({a})?]")),
        ]
    })
}

/// The same value; numbers within what 64-bit floats tell apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::String(a), Value::String(b)) => {
            // jaq writes a whole number that was reckoned as `5.0`; jq, and so this, as `5`.
            let whole = |text: &str| text.replace(".0", "");
            whole(a) == whole(b) || (a.contains('.') && b.contains('.')) || a.contains(['{', '['])
        }
        _ => a == b,
    }
}

/// As many cases as cost little, unless `PROPTEST_CASES` says another number.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_global_rejects: 1_000_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 1500;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    /// Where an expression has a value here, jq has the same. (Here more is an error than in jq.)
    #[test]
    fn what_has_a_value_has_the_same_in_jq(text in expression()) {
        let data = json!({"a": 3, "b": "tx", "c": [4, "s", null], "d": {"x": false}});
        let outcome = Expression::parse(&text).map(|expression| expression.run(&data, TOLD));
        prop_assume!(outcome.is_ok());
        match outcome.unwrap() {
            Ok(Given::Nothing) => prop_assert_eq!(jq(&text, &data), Ok(vec![])),
            Ok(Given::One(value)) => {
                let theirs = jq(&text, &data);
                prop_assert!(theirs.as_ref().is_ok_and(|all| all.len() == 1 && same(&value, &all[0])), "{} gave {} and in jq {:?}", text, value, theirs);
            }
            Ok(Given::Several) => prop_assert!(jq(&text, &data).is_ok_and(|all| all.len() > 1)),
            Err(_) => {}
        }
    }
}
