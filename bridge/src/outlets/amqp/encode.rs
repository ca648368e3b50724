//! A message as an AMQP `basic.publish` with its content header.
//!
//! Invariant: what is returned here fits AMQP's short strings and the connection's frames. `lapin` panics over a short
//! string of more than 255 bytes and never splits a content header over frames; so all of it is measured here.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::outlets::{Answer, Destination, OutboundMessage};

/// The content type of a structured-mode CloudEvent.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// What the name of an attribute's header starts with.
const HEADER_PREFIX: &str = "cloudEvents:";

/// AMQP's `delivery-mode` of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// What a content header needs besides the headers' names and values, in bytes: frame, flags and the other properties
/// (three short strings of 256 bytes at most).
const HEADER_FRAME_BYTES: usize = 1_024;

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

/// Encodes a message, or answers for it where it cannot be published as it is.
pub(super) fn encode(message: &OutboundMessage, limits: Limits) -> Result<Encoded, Answer> {
    encode_checked(message, limits).map_err(Answer::Refused)
}

fn encode_checked(message: &OutboundMessage, limits: Limits) -> Result<Encoded, String> {
    let Destination::Amqp { routing_key } = message.destination() else {
        return Err(
            "the message is addressed to a topic, and this outlet publishes to an exchange"
                .to_owned(),
        );
    };
    let payload = message.payload().clone();
    if payload.len() > limits.max_payload_bytes {
        return Err(format!(
            "the payload has {} bytes and the limit is {}",
            payload.len(),
            limits.max_payload_bytes
        ));
    }
    if let Some(c) = routing_key.chars().find(|c| c.is_control()) {
        return Err(format!("the routing key {routing_key:?} holds {c:?}"));
    }
    let id = short("id", message.id())?;
    let mut properties = BasicProperties::default()
        .with_content_type(short("content type", CONTENT_TYPE)?)
        .with_delivery_mode(PERSISTENT)
        .with_message_id(id.clone())
        .with_type(short("type", message.event_type())?)
        .with_headers(headers(message.attributes(), limits)?);
    if let Some(seconds) = unix_seconds(message) {
        properties = properties.with_timestamp(seconds);
    }
    Ok(Encoded {
        id,
        routing_key: short("routing key", routing_key)?,
        payload,
        properties,
    })
}

fn headers(attributes: &[(String, String)], limits: Limits) -> Result<FieldTable, String> {
    let mut table = FieldTable::default();
    let mut bytes = HEADER_FRAME_BYTES;
    for (name, value) in attributes {
        let name = short("name of a header", &format!("{HEADER_PREFIX}{name}"))?;
        bytes += BYTES_PER_HEADER + name.as_str().len() + value.len();
        table.insert(
            name,
            AMQPValue::LongString(LongString::from(value.as_str())),
        );
    }
    if limits.frame_bytes > 0 && bytes > limits.frame_bytes {
        return Err(format!(
            "the attributes need a content header of {bytes} bytes and the connection's frames have {}",
            limits.frame_bytes
        ));
    }
    Ok(table)
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
    use horizon_schemas::ContentMode;

    const LIMITS: Limits = Limits {
        max_payload_bytes: 1_000,
        frame_bytes: 131_072,
    };

    fn message(routing_key: &str, payload: usize, attributes: &[(&str, &str)]) -> OutboundMessage {
        OutboundMessage::made_up(
            1,
            ContentMode::Structured,
            vec![b'x'; payload],
            attributes,
            Destination::Amqp {
                routing_key: routing_key.to_owned(),
            },
        )
    }

    #[test]
    fn attributes_become_prefixed_headers_and_the_time_a_timestamp() {
        let message = message(
            "account.opened",
            5,
            &[("id", "id-1"), ("time", "1998-02-01T00:00:00Z")],
        );
        let properties = encode(&message, LIMITS)
            .expect("a legal message")
            .properties;
        let headers = properties.headers().clone().expect("headers");
        assert_eq!(
            headers.inner().get("cloudEvents:id"),
            Some(&AMQPValue::LongString("id-1".into()))
        );
        assert_eq!(headers.inner().len(), 2);
        assert_eq!(*properties.timestamp(), Some(886_291_200));
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(
            properties.message_id().as_ref().map(ShortString::as_str),
            Some("id-1")
        );
        assert_eq!(
            properties.kind().as_ref().map(ShortString::as_str),
            Some("example.type.v1")
        );
        assert_eq!(
            properties.content_type().as_ref().map(ShortString::as_str),
            Some("application/cloudevents+json; charset=utf-8")
        );
    }

    #[test]
    fn what_does_not_fit_amqp_is_refused() {
        let long = "r".repeat(256);
        let large = "v".repeat(131_072);
        for (case, message) in [
            ("routing key", message(&long, 5, &[])),
            ("control character", message("a\nb", 5, &[])),
            ("payload", message("a", 1_001, &[])),
            ("name of a header", message("a", 5, &[(&long, "v")])),
            ("content header", message("a", 5, &[("name", &large)])),
        ] {
            let answer = encode(&message, LIMITS).expect_err(case);
            assert!(matches!(answer, Answer::Refused(_)), "{case}: {answer:?}");
        }
    }
}
