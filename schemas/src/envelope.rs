//! The attributes of a structured-mode CloudEvent, read without its data.

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The bytes are not a structured CloudEvent.
#[derive(Debug, thiserror::Error)]
#[error("not a structured CloudEvent: {0}")]
pub struct EnvelopeError(serde_json::Error);

/// The attributes in their order, as text; neither `data` nor `data_base64`. An attribute that is null is left out.
///
/// # Errors
/// If the bytes are not one JSON object, or an attribute is an object or an array.
pub fn attributes(structured: &[u8]) -> Result<Vec<(String, String)>, EnvelopeError> {
    serde_json::from_slice::<Attributes>(structured)
        .map(|read| read.0)
        .map_err(EnvelopeError)
}

struct Attributes(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Attributes, A::Error> {
        let mut attributes = Vec::with_capacity(12);
        while let Some(name) = entries.next_key::<String>()? {
            if name == "data" || name == "data_base64" {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            match entries.next_value::<serde_json::Value>()? {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => attributes.push((name, text)),
                serde_json::Value::Bool(value) => attributes.push((name, value.to_string())),
                serde_json::Value::Number(number) => attributes.push((name, number.to_string())),
                _ => {
                    return Err(de::Error::custom(format!(
                        "the attribute `{name}` is neither text, number nor boolean"
                    )));
                }
            }
        }
        Ok(Attributes(attributes))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_in_order_and_data_is_passed_over() {
        let event = br#"{"specversion":"1.0","id":"a\"b","n":7,"b":true,"none":null,"data":{"x":[1,2]},"data_base64":"AA==","z":"1"}"#;
        let read = attributes(event).unwrap();
        let expected = [
            ("specversion", "1.0"),
            ("id", "a\"b"),
            ("n", "7"),
            ("b", "true"),
            ("z", "1"),
        ];
        assert_eq!(
            read,
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bytes in [&b"[]"[..], b"{", b"{\"a\":{}}", b"", b"\xff", b"{} x"] {
            assert!(attributes(bytes).is_err());
        }
    }
}
