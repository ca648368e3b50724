//! jq's view of values: truth, text, order and arithmetic.

use super::limits::{Stop, type_name};
use super::number;
use serde_json::Value;
use std::cmp::Ordering;

/// Neither null nor false.
pub(super) fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// A text as it is, anything else as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `a + b`.
pub(super) fn plus(a: &Value, b: &Value) -> Result<Value, Stop> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::compute('+', a, b)
            .map(Value::Number)
            .ok_or_else(no_result),
        (Value::String(a), Value::String(b)) => Ok(Value::String(format!("{a}{b}"))),
        (Value::Array(a), Value::Array(b)) => Ok(a.iter().chain(b).cloned().collect()),
        _ => Err(Stop::Strict(format!(
            "`+` needs two numbers, texts or arrays and was given {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}

/// `a - b`, `a * b`, `a / b`, `a % b`.
pub(super) fn compute(operator: char, a: &Value, b: &Value) -> Result<Value, Stop> {
    match (operator, a, b) {
        ('+', _, _) => plus(a, b),
        (_, Value::Number(a), Value::Number(b)) => number::compute(operator, a, b)
            .map(Value::Number)
            .ok_or_else(no_result),
        _ => Err(Stop::Strict(format!(
            "`{operator}` needs two numbers and was given {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}

fn no_result() -> Stop {
    Stop::Strict("a computation has no result that is a number".to_owned())
}

/// jq's order over all values: null, false, true, numbers, texts, arrays, objects.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::compare(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(a, b))
            .find(|found| found.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => {
            let sorted = |fields: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = fields.keys().cloned().collect();
                names.sort();
                names
            };
            let (names, others) = (sorted(a), sorted(b));
            names.cmp(&others).then_with(|| {
                let pairs = names
                    .iter()
                    .filter_map(|name| Some((a.get(name)?, b.get(name)?)));
                pairs
                    .map(|(a, b)| order(a, b))
                    .find(|found| found.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
        }
        _ => rank(a).cmp(&rank(b)),
    }
}
