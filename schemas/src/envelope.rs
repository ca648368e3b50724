//! A structured-mode CloudEvent, read without parsing its data.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The bytes are not a structured CloudEvent.
#[derive(Debug, thiserror::Error)]
#[error("not a structured CloudEvent: {0}")]
pub struct EnvelopeError(serde_json::Error);

/// What a structured CloudEvent is made of.
#[derive(Debug)]
pub struct Envelope<'e> {
    /// The attributes in their order, as text. One that is null is left out.
    pub attributes: Vec<(String, String)>,
    /// The data, as it is written. None: there is none.
    pub data: Option<&'e [u8]>,
}

impl Envelope<'_> {
    /// The text of an attribute, if it is there.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Reads a structured CloudEvent.
///
/// # Errors
/// If the bytes are not one JSON object, an attribute is an object or an array, or it has `data_base64`: public events hold JSON.
pub fn read(structured: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    serde_json::from_slice(structured).map_err(EnvelopeError)
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope {
            attributes: Vec::with_capacity(12),
            data: None,
        };
        while let Some(name) = entries.next_key::<String>()? {
            match name.as_str() {
                "data" => {
                    let raw = entries.next_value::<&'de RawValue>()?;
                    envelope.data = Some(raw.get().as_bytes());
                    continue;
                }
                "data_base64" => {
                    return Err(de::Error::custom(
                        "`data_base64`: no public event has binary data",
                    ));
                }
                _ => {}
            }
            match entries.next_value::<serde_json::Value>()? {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => envelope.attributes.push((name, text)),
                serde_json::Value::Bool(value) => {
                    envelope.attributes.push((name, value.to_string()));
                }
                serde_json::Value::Number(number) => {
                    envelope.attributes.push((name, number.to_string()));
                }
                _ => {
                    return Err(de::Error::custom(format!(
                        "the attribute `{name}` is neither text, number nor boolean"
                    )));
                }
            }
        }
        Ok(envelope)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_in_order_and_data_as_it_is_written() {
        let event = br#"{"specversion":"1.0","id":"a\"b","n":7,"b":true,"none":null,"data":{"x":[1,2.50] },"z":"1"}"#;
        let read = read(event).unwrap();
        let expected = [
            ("specversion", "1.0"),
            ("id", "a\"b"),
            ("n", "7"),
            ("b", "true"),
            ("z", "1"),
        ];
        assert_eq!(
            read.attributes,
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
        assert_eq!(read.data, Some(&br#"{"x":[1,2.50] }"#[..]));
    }

    #[test]
    fn data_that_is_null_is_data() {
        let read = |event: &'static str| super::read(event.as_bytes()).unwrap().data;
        assert_eq!(read(r#"{"data":null}"#), Some(&b"null"[..]));
        assert_eq!(read(r#"{"id":"1"}"#), None);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bytes in [
            &b"[]"[..],
            b"{",
            b"{\"a\":{}}",
            b"",
            b"\xff",
            b"{} x",
            b"{\"data_base64\":\"AA==\"}",
        ] {
            assert!(read(bytes).is_err());
        }
    }
}
