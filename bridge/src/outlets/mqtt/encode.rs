//! A message as an MQTT 5 PUBLISH packet.
//!
//! Invariant: what is returned here is legal and fits the broker's limits. `rumqttc` writes string lengths as 16 bits
//! without looking and checks topics only for wildcards, and a packet over the broker's limit ends the connection; so all
//! of it is measured here, before anything is published.

use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5::PublishProperties;

use crate::outlets::{Answer, Destination, OutboundMessage};

/// The content type of a structured-mode CloudEvent.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// The longest topic, in bytes.
pub(super) const MAX_TOPIC_BYTES: usize = 1_024;

/// What one PUBLISH is made of.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) properties: PublishProperties,
}

/// Encodes a message, or answers for it where it cannot be published as it is. `max_packet_bytes` is the smaller of the
/// broker's limit and our own.
pub(super) fn encode(
    message: &OutboundMessage,
    max_packet_bytes: usize,
) -> Result<Encoded, Answer> {
    let Destination::Mqtt { topic } = message.destination() else {
        return Err(Answer::Refused(
            "the message is addressed to an exchange, and this outlet publishes to topics"
                .to_owned(),
        ));
    };
    check_topic(topic).map_err(|problem| Answer::Refused(format!("topic {topic:?}: {problem}")))?;
    let bytes = packet_bytes(topic.len(), message.payload().len());
    if bytes > max_packet_bytes {
        return Err(Answer::Refused(format!(
            "the packet has {bytes} bytes and the limit is {max_packet_bytes}"
        )));
    }
    Ok(Encoded {
        topic: topic.clone(),
        payload: message.payload().clone(),
        properties: PublishProperties {
            content_type: Some(CONTENT_TYPE.to_owned()),
            ..PublishProperties::default()
        },
    })
}

/// Says what is wrong with a topic.
fn check_topic(topic: &str) -> Result<(), String> {
    if topic.len() > MAX_TOPIC_BYTES {
        return Err(format!(
            "{} bytes, and the limit is {MAX_TOPIC_BYTES}",
            topic.len()
        ));
    }
    if topic.starts_with('$') {
        return Err("starts with `$`, which is the broker's own".to_owned());
    }
    if topic.split('/').any(str::is_empty) {
        return Err("has an empty segment".to_owned());
    }
    match topic
        .chars()
        .find(|c| matches!(c, '+' | '#') || c.is_control())
    {
        Some(c) => Err(format!("holds {c:?}, which no topic may")),
        None => Ok(()),
    }
}

/// The size of a PUBLISH at QoS 1 as [`encode`] makes it, in bytes, fixed header included.
fn packet_bytes(topic_bytes: usize, payload_bytes: usize) -> usize {
    // Property length (one byte), property id, length and text of the content type.
    let properties = 1 + 1 + 2 + CONTENT_TYPE.len();
    let remaining = 2 + topic_bytes + 2 + properties + payload_bytes;
    let length_bytes = match remaining {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    };
    1 + length_bytes + remaining
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use horizon_schemas::ContentMode;
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Publish;

    fn message(topic: &str, payload: usize) -> OutboundMessage {
        OutboundMessage::made_up(
            1,
            ContentMode::Structured,
            vec![b'x'; payload],
            &[],
            Destination::Mqtt {
                topic: topic.to_owned(),
            },
        )
    }

    #[test]
    fn the_measured_size_is_the_written_size() {
        for payload in [
            0, 1, 50, 127, 128, 300, 16_300, 16_384, 2_097_000, 2_097_152,
        ] {
            let encoded = encode(&message("bank/accounts/v1/7/opened", payload), usize::MAX)
                .expect("a legal message");
            let size = packet_bytes(encoded.topic.len(), encoded.payload.len());
            let mut publish = Publish::new(
                encoded.topic,
                QoS::AtLeastOnce,
                encoded.payload,
                Some(encoded.properties),
            );
            publish.pkid = 1;
            let mut written = BytesMut::new();
            publish.write(&mut written).expect("it can be written");
            assert_eq!(written.len(), size, "with a payload of {payload} bytes");
        }
    }

    #[test]
    fn illegal_topics_are_refused_and_legal_ones_are_not() {
        let long = "t".repeat(MAX_TOPIC_BYTES + 1);
        let smuggler = "t".repeat(70_000);
        for topic in [
            "", "/a", "a/", "a//b", "a/+/b", "#", "a\0b", "a\nb", "$SYS/a", "a\u{85}", &long,
            &smuggler,
        ] {
            let answer = encode(&message(topic, 10), 1_000_000).expect_err(topic);
            assert!(
                matches!(answer, Answer::Refused(_)),
                "{topic:?}: {answer:?}"
            );
        }
        for topic in ["a", "a/b c/ž", "a/$b", &long[1..]] {
            assert!(encode(&message(topic, 10), 1_000_000).is_ok(), "{topic:?}");
        }
    }

    #[test]
    fn a_packet_of_one_byte_too_many_is_refused() {
        let size = packet_bytes(3, 100);
        assert!(encode(&message("a/b", 100), size).is_ok());
        let answer = encode(&message("a/b", 100), size - 1).expect_err("too large");
        assert!(matches!(answer, Answer::Refused(reason) if reason.contains("limit")));
    }
}
