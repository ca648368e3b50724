//! What differs between the data that was expected and the data that came, field by field.

use crate::path::escape;
use serde_json::Value;

/// How many differences of one event are told.
const MAX_TOLD: usize = 20;
/// How many characters of a value are shown.
const MAX_CHARACTERS: usize = 200;

/// One difference: a JSON pointer, and both sides, if they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) pointer: String,
    pub(super) expected: Option<String>,
    pub(super) got: Option<String>,
}

/// All differences, at most [`MAX_TOLD`]. The order of fields does not matter; number text does.
pub(super) fn differences(expected: &Value, got: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(&mut String::new(), Some(expected), Some(got), &mut found);
    found
}

/// A value in one line of a bounded length.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn walk(
    pointer: &mut String,
    expected: Option<&Value>,
    got: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    if expected == got || found.len() >= MAX_TOLD {
        return;
    }
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            let more = got.keys().filter(|name| !expected.contains_key(*name));
            for name in expected.keys().chain(more) {
                below(
                    pointer,
                    &escape(name),
                    expected.get(name),
                    got.get(name),
                    found,
                );
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for nth in 0..expected.len().max(got.len()) {
                below(
                    pointer,
                    &nth.to_string(),
                    expected.get(nth),
                    got.get(nth),
                    found,
                );
            }
        }
        _ => found.push(Difference {
            pointer: pointer.clone(),
            expected: expected.map(shown),
            got: got.map(shown),
        }),
    }
}

fn below(
    pointer: &mut String,
    step: &str,
    expected: Option<&Value>,
    got: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(step);
    walk(pointer, expected, got, found);
    pointer.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_field_that_differs_is_told_and_no_other() {
        let expected = json!({"a": 1, "b": {"c": [1, 2, 3]}, "gone": true});
        let got = json!({"b": {"c": [1, 5]}, "a": 1, "new/one": null});
        let told: Vec<_> = differences(&expected, &got)
            .into_iter()
            .map(|one| (one.pointer, one.expected, one.got))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("/b/c/1".to_owned(), text("2"), text("5")),
                ("/b/c/2".to_owned(), text("3"), None),
                ("/gone".to_owned(), text("true"), None),
                ("/new~1one".to_owned(), None, text("null")),
            ]
        );
        assert_eq!(differences(&expected, &expected), []);
    }
}
