//! JSON values as YAML, for documents that people read.

use serde_json::Value;

/// The value as a YAML 1.2 document. Text that could be read as anything else is quoted.
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (nth, (key, value)) in entries.iter().enumerate() {
                if nth > 0 {
                    text.push_str(&"  ".repeat(depth));
                }
                text.push_str(&scalar(key));
                text.push(':');
                below(value, depth, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    text.push_str(&"  ".repeat(depth));
                }
                text.push_str("- ");
                write(item, depth + 1, text);
            }
        }
        Value::String(string) => {
            text.push_str(&scalar(string));
            text.push('\n');
        }
        // Numbers, booleans, null and what is empty are written in YAML as in JSON.
        other => {
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

/// A value after its key.
fn below(value: &Value, depth: usize, text: &mut String) {
    let nested = matches!(value, Value::Object(entries) if !entries.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if nested {
        text.push('\n');
        text.push_str(&"  ".repeat(depth + 1));
        write(value, depth + 1, text);
    } else {
        text.push(' ');
        write(value, depth, text);
    }
}

/// Text, plain where nobody could take it for something else. JSON's quoted texts are YAML's.
fn scalar(string: &str) -> String {
    let plain = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && string
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " ._-/()".contains(c))
        && !string.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&string.to_lowercase().as_str());
    if plain {
        string.to_owned()
    } else {
        Value::from(string).to_string()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let value = json!({
            "a b": {"empty": {}, "none": null, "list": [1, "x: y", [], ["no", "0x1"], {"k": [true, {"deep": 1.5}]}]},
            "$ref": "#/a", "text": "two\nlines \"quoted\" é # no comment", "on": "off", "": "", "-": "- a", "/p": "~",
        });
        let read: Value = serde_saphyr::from_str(&to_yaml(&value)).unwrap();
        assert_eq!(read, value);
    }
}
