//! A message as an AMQP `basic.publish` with its content header.
//!
//! Invariant: what is returned here fits AMQP's short strings and the connection's frames. `lapin` panics over a short
//! string of more than 255 bytes and never splits a content header over frames; so all of it is measured here.

use bytes::Bytes;
use horizon_schemas::AmqpPlace;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::outlets::{Answer, Destination, OutboundMessage};

/// AMQP's `delivery-mode` of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// What a content header has at least, in bytes: the frame's type, channel, size and end (8), class, weight, body size and
/// flags (14), the length of the table of headers (4), delivery mode and priority (2), timestamp (8), and the lengths of the
/// short strings content type, expiration, message id and type (4).
const BYTES_BESIDE_TEXT: usize = 8 + 14 + 4 + 2 + 8 + 4;

/// What a header needs besides its name and value, in bytes: the name's length, the value's kind and its length.
const BYTES_PER_HEADER: usize = 6;

/// What one publish is made of.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) id: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) payload: Bytes,
    pub(super) properties: BasicProperties,
}

/// What may be published on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_payload_bytes: usize,
    /// The negotiated frame size, in bytes; 0 means that there is none.
    pub(super) frame_bytes: usize,
}

/// What all messages of an outlet have in common on one connection.
#[derive(Debug)]
pub(super) struct Encoder {
    /// The exchange that they are published to.
    pub(super) exchange: ShortString,
    header_prefix: String,
    /// The properties and the headers that do not depend on the message.
    properties: BasicProperties,
    headers: FieldTable,
    /// The size of what is fixed in a content header, in bytes.
    fixed_bytes: usize,
    limits: Limits,
}

impl Encoder {
    /// What an outlet's place says of every message.
    pub(super) fn new(place: &AmqpPlace, limits: Limits) -> Result<Self, String> {
        let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let mut fixed_bytes = BYTES_BESIDE_TEXT;
        if let Some(priority) = place.priority {
            properties = properties.with_priority(priority);
        }
        if let Some(milliseconds) = place.expiration_ms {
            let text = milliseconds.to_string();
            fixed_bytes += text.len();
            properties = properties.with_expiration(short("expiration", &text)?);
        }
        let mut headers = FieldTable::default();
        for (name, value) in &place.headers {
            fixed_bytes += insert(&mut headers, name, value)?;
        }
        Ok(Self {
            exchange: short("exchange's name", &place.exchange)?,
            header_prefix: place.header_prefix.clone(),
            properties,
            headers,
            fixed_bytes,
            limits,
        })
    }

    /// Encodes a message, or answers for it where it cannot be published as it is.
    pub(super) fn encode(&self, message: &OutboundMessage) -> Result<Encoded, Answer> {
        self.encode_checked(message).map_err(Answer::Refused)
    }

    fn encode_checked(&self, message: &OutboundMessage) -> Result<Encoded, String> {
        let Destination::Amqp { routing_key } = message.destination() else {
            return Err(
                "the message is addressed to a topic, and this outlet publishes to an exchange"
                    .to_owned(),
            );
        };
        let payload = message.payload().clone();
        if payload.len() > self.limits.max_payload_bytes {
            return Err(format!(
                "the payload has {} bytes and the limit is {}",
                payload.len(),
                self.limits.max_payload_bytes
            ));
        }
        if let Some(c) = routing_key.chars().find(|c| c.is_control()) {
            return Err(format!("the routing key {routing_key:?} holds {c:?}"));
        }
        let id = short("id", message.id())?;
        Ok(Encoded {
            properties: self.properties(message, &id)?,
            id,
            routing_key: short("routing key", routing_key)?,
            payload,
        })
    }

    fn properties(
        &self,
        message: &OutboundMessage,
        id: &ShortString,
    ) -> Result<BasicProperties, String> {
        let mut properties = self.properties.clone();
        let mut bytes = self.fixed_bytes + id.as_str().len() + message.event_type().len();
        if let Some(content_type) = message.content_type() {
            bytes += content_type.len();
            properties = properties.with_content_type(short("content type", content_type)?);
        }
        if let Some(seconds) = unix_seconds(message) {
            properties = properties.with_timestamp(seconds);
        }
        let mut headers = self.headers.clone();
        for (name, value) in message.attributes() {
            // In binary mode it is the content type, and nowhere else.
            if message.is_binary() && name == "datacontenttype" {
                continue;
            }
            let name = format!("{}{name}", self.header_prefix);
            bytes += insert(&mut headers, &name, value)?;
        }
        let frame_bytes = self.limits.frame_bytes;
        if frame_bytes > 0 && bytes > frame_bytes {
            return Err(format!(
                "the attributes need a content header of {bytes} bytes and the connection's frames have {frame_bytes}"
            ));
        }
        Ok(properties
            .with_message_id(id.clone())
            .with_type(short("type", message.event_type())?)
            .with_headers(headers))
    }
}

/// Puts a header into the table, and says how many bytes it takes there.
fn insert(headers: &mut FieldTable, name: &str, value: &str) -> Result<usize, String> {
    let value_bytes = value.len();
    let value = AMQPValue::LongString(LongString::from(value));
    headers.insert(short("name of a header", name)?, value);
    Ok(BYTES_PER_HEADER + name.len() + value_bytes)
}

fn unix_seconds(message: &OutboundMessage) -> Option<u64> {
    let text = message.attribute("time")?;
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp()).ok()
}

/// A short string, which AMQP limits to 255 bytes.
pub(super) fn short(what: &str, text: &str) -> Result<ShortString, String> {
    ShortString::try_new(text).map_err(|_| {
        format!(
            "the {what} has {} bytes and AMQP's limit is 255",
            text.len()
        )
    })
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use horizon_schemas::{ContentMode, Template};

    const LIMITS: Limits = Limits {
        max_payload_bytes: 1_000,
        frame_bytes: 131_072,
    };

    fn place() -> AmqpPlace {
        AmqpPlace {
            exchange: "any.v1".to_owned(),
            declare: true,
            alternate_exchange: None,
            routing_key: Template::routing_key("{name}").expect("a routing key"),
            header_prefix: "ce-".to_owned(),
            priority: Some(3),
            expiration_ms: Some(60_000),
            headers: vec![("team".to_owned(), "payments".to_owned())],
            queues: Vec::new(),
            bindings: Vec::new(),
        }
    }

    fn message(
        mode: ContentMode,
        routing_key: &str,
        payload: usize,
        attributes: &[(&str, &str)],
    ) -> OutboundMessage {
        let routing_key = routing_key.to_owned();
        let destination = Destination::Amqp { routing_key };
        OutboundMessage::made_up(1, mode, vec![b'x'; payload], attributes, destination)
    }

    fn encode(message: &OutboundMessage) -> Result<Encoded, Answer> {
        Encoder::new(&place(), LIMITS)
            .expect("a legal place")
            .encode(message)
    }

    fn header_names(properties: &BasicProperties) -> Vec<String> {
        let headers = properties.headers().clone().expect("headers");
        headers.inner().keys().map(ToString::to_string).collect()
    }

    #[test]
    fn the_content_type_is_a_property_and_in_structured_mode_a_header_too() {
        let attributes = [("id", "id-1"), ("datacontenttype", "application/json")];
        let structured = message(ContentMode::Structured, "a", 5, &attributes);
        let properties = encode(&structured).expect("a legal message").properties;
        assert_eq!(
            properties.content_type().as_ref().map(ShortString::as_str),
            Some("application/cloudevents+json; charset=utf-8")
        );
        assert_eq!(
            header_names(&properties),
            ["ce-datacontenttype", "ce-id", "team"]
        );
        let binary = message(ContentMode::Binary, "a", 5, &attributes);
        let properties = encode(&binary).expect("a legal message").properties;
        assert_eq!(
            properties.content_type().as_ref().map(ShortString::as_str),
            Some("application/json")
        );
        assert_eq!(header_names(&properties), ["ce-id", "team"]);
        let without = message(ContentMode::Binary, "a", 5, &[("id", "id-1")]);
        let properties = encode(&without).expect("a legal message").properties;
        assert_eq!(*properties.content_type(), None);
    }

    #[test]
    fn what_does_not_fit_amqp_is_refused() {
        let long = "r".repeat(256);
        let large = "v".repeat(131_072);
        let message = |key, payload, attributes: &[(&str, &str)]| {
            message(ContentMode::Binary, key, payload, attributes)
        };
        for (case, message) in [
            ("routing key", message(&long, 5, &[])),
            ("control character", message("a\nb", 5, &[])),
            ("payload", message("a", 1_001, &[])),
            (
                "content type",
                message("a", 5, &[("datacontenttype", &long)]),
            ),
            ("name of a header", message("a", 5, &[(&long, "v")])),
            ("content header", message("a", 5, &[("name", &large)])),
        ] {
            let answer = encode(&message).expect_err(case);
            assert!(matches!(answer, Answer::Refused(_)), "{case}: {answer:?}");
        }
    }
}
