//! A message as a PUBLISH packet.
//!
//! Invariant: what is returned here is legal and fits the broker's limits. `rumqttc` writes string lengths as 16 bits
//! without looking and checks topics only for wildcards, and a packet over the broker's limit ends the connection; so all
//! of it is measured here, before anything is published.

use bytes::Bytes;
use horizon_schemas::MqttPlace;
use rumqttc::v5::mqttbytes::v5::PublishProperties;

use super::options::Version;
use crate::outlets::{Answer, Destination, OutboundMessage};

/// The longest topic, in bytes.
pub(super) const MAX_TOPIC_BYTES: usize = 1_024;

/// The longest text of a property, in bytes: its length has 16 bits.
const MAX_TEXT_BYTES: usize = 65_535;

/// What one PUBLISH is made of.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// None of these over MQTT 3.1.1.
    pub(super) properties: PublishProperties,
}

/// Encodes a message, or answers for it where it cannot be published as it is. `max_packet_bytes` is the smaller of the
/// broker's limit and our own.
pub(super) fn encode(
    message: &OutboundMessage,
    place: &MqttPlace,
    version: Version,
    max_packet_bytes: usize,
) -> Result<Encoded, Answer> {
    let Destination::Mqtt { topic } = message.destination() else {
        return Err(Answer::Refused(
            "the message is addressed to an exchange, and this outlet publishes to topics"
                .to_owned(),
        ));
    };
    check_topic(topic)
        .map_err(|problem| Answer::Refused(format!("topic {:?}: {problem}", beginning(topic))))?;
    let (properties, properties_bytes) = match version {
        Version::V5 => {
            let properties = properties(message, place)?;
            let bytes = measure(&properties);
            (properties, length_bytes(bytes) + bytes)
        }
        Version::V311 if message.is_binary() => {
            return Err(Answer::Refused(
                "the binary content mode is not possible over MQTT 3.1.1".to_owned(),
            ));
        }
        Version::V311 => (PublishProperties::default(), 0),
    };
    let packet_id_bytes = if place.qos == 0 { 0 } else { 2 };
    let payload = message.payload().clone();
    let rest = 2 + topic.len() + packet_id_bytes + properties_bytes + payload.len();
    let bytes = 1 + length_bytes(rest) + rest;
    if bytes > max_packet_bytes {
        return Err(Answer::Refused(format!(
            "the packet has {bytes} bytes and the limit is {max_packet_bytes}"
        )));
    }
    Ok(Encoded {
        topic: topic.clone(),
        payload,
        properties,
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
        .find(|c| matches!(c, '+' | '#') || is_unwelcome(*c))
    {
        Some(c) => Err(format!("holds {c:?}, which no topic may")),
        None => Ok(()),
    }
}

/// The properties of an MQTT 5 message: in binary content mode the attributes, and what the contract adds.
fn properties(message: &OutboundMessage, place: &MqttPlace) -> Result<PublishProperties, Answer> {
    let mut user_properties = Vec::new();
    if message.is_binary() {
        let copied = |name: &str| name != "datacontenttype" || place.datacontenttype_property;
        let attributes = message.attributes().iter();
        user_properties.extend(attributes.filter(|(name, _)| copied(name)).cloned());
    }
    user_properties.extend_from_slice(&place.user_properties);
    let content_type = message.content_type().map(str::to_owned);
    for (name, value) in &user_properties {
        check_text(name, name)?;
        check_text(name, value)?;
    }
    if let Some(content_type) = &content_type {
        check_text("datacontenttype", content_type)?;
    }
    Ok(PublishProperties {
        message_expiry_interval: place.expiry_seconds,
        user_properties,
        content_type,
        ..PublishProperties::default()
    })
}

/// Refuses what no property may say. The text is not repeated: it may be long.
fn check_text(name: &str, text: &str) -> Result<(), Answer> {
    let name = beginning(name);
    if text.len() > MAX_TEXT_BYTES {
        return Err(Answer::Refused(format!(
            "property {name:?}: {} bytes, and the limit is {MAX_TEXT_BYTES}",
            text.len()
        )));
    }
    match text.chars().find(|c| is_unwelcome(*c)) {
        Some(c) => Err(Answer::Refused(format!(
            "property {name:?}: holds {c:?}, which no text of MQTT may"
        ))),
        None => Ok(()),
    }
}

/// As much of a text as a message shows.
fn beginning(text: &str) -> &str {
    match text.char_indices().nth(200) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Whether a broker may close the connection over a character: control characters and what Unicode calls noncharacters
/// (MQTT 5, 1.5.4). Mosquitto does.
fn is_unwelcome(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// The size of properties as they are written, in bytes, without their own length.
fn measure(properties: &PublishProperties) -> usize {
    let text = |text: &str| 2 + text.len();
    let expiry = properties.message_expiry_interval.map_or(0, |_| 1 + 4);
    let content_type = properties.content_type.as_deref();
    let content_type = content_type.map_or(0, |content_type| 1 + text(content_type));
    let user = properties.user_properties.iter();
    let user: usize = user.map(|(name, value)| 1 + text(name) + text(value)).sum();
    expiry + content_type + user
}

/// How many bytes a length takes that is written as a variable byte integer (MQTT 5, 1.5.5).
fn length_bytes(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::outlets::tests::topics;
    use bytes::BytesMut;
    use horizon_schemas::ContentMode;
    use rumqttc::v5::mqttbytes::{QoS, v5};

    const NO_LIMIT: usize = usize::MAX;

    fn message(
        mode: ContentMode,
        topic: &str,
        payload: usize,
        attributes: &[(&str, &str)],
    ) -> OutboundMessage {
        let destination = Destination::Mqtt {
            topic: topic.to_owned(),
        };
        OutboundMessage::made_up(1, mode, vec![b'x'; payload], attributes, destination)
    }

    fn structured(topic: &str, payload: usize) -> OutboundMessage {
        message(ContentMode::Structured, topic, payload, &[])
    }

    /// The bytes that the library makes of it.
    fn written(encoded: &Encoded, version: Version, qos: u8) -> usize {
        let mut bytes = BytesMut::new();
        let (topic, payload) = (encoded.topic.clone(), encoded.payload.clone());
        let packet_id = u16::from(qos > 0);
        let length = match version {
            Version::V5 => {
                let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
                let properties = Some(encoded.properties.clone());
                let mut publish = v5::Publish::new(topic, qos, payload, properties);
                publish.pkid = packet_id;
                publish.write(&mut bytes)
            }
            .map_err(|error| error.to_string()),
            Version::V311 => {
                let qos = rumqttc::mqttbytes::qos(qos).expect("a quality of service");
                let mut publish = rumqttc::Publish::from_bytes(topic, qos, payload);
                publish.pkid = packet_id;
                publish.write(&mut bytes)
            }
            .map_err(|error| error.to_string()),
        };
        assert_eq!(length, Ok(bytes.len()));
        bytes.len()
    }

    #[test]
    fn the_measured_size_is_the_written_size() {
        // Lengths around those at which a length takes a byte more.
        let payloads = [
            0, 1, 50, 127, 128, 300, 16_300, 16_384, 2_097_000, 2_097_152,
        ];
        let long = "v".repeat(20_000);
        let texts = ["", "v", &long[..100], &long[..110], &long[..120], &long];
        for (version, qos) in [(Version::V5, 0), (Version::V5, 1), (Version::V5, 2)]
            .into_iter()
            .chain([(Version::V311, 0), (Version::V311, 1), (Version::V311, 2)])
        {
            for (payload, text) in payloads
                .into_iter()
                .flat_map(|payload| texts.map(|text| (payload, text)))
            {
                let mut place = topics();
                place.qos = qos;
                place.expiry_seconds = (payload % 2 == 0).then_some(60);
                place.user_properties = vec![("X-Name".to_owned(), text.to_owned())];
                let message = match version {
                    Version::V5 => {
                        let attributes = [("id", "1"), ("datacontenttype", text)];
                        message(ContentMode::Binary, "a/b", payload, &attributes)
                    }
                    Version::V311 => structured("a/b", payload),
                };
                let encoded = encode(&message, &place, version, NO_LIMIT).expect("a legal message");
                let size = written(&encoded, version, qos);
                assert!(encode(&message, &place, version, size).is_ok());
                let answer = encode(&message, &place, version, size - 1).expect_err("too large");
                let expected = format!("the packet has {size} bytes and the limit is {}", size - 1);
                assert_eq!(answer, Answer::Refused(expected), "{version:?} at {qos}");
            }
        }
    }

    #[test]
    fn attributes_are_properties_in_binary_content_mode_and_nowhere_else() {
        let attributes = [
            ("specversion", "1.0"),
            ("id", "7"),
            ("datacontenttype", "application/json"),
            ("subject", "ž"),
        ];
        let mut place = topics();
        place.user_properties = vec![("X-Team".to_owned(), "payments".to_owned())];
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |text: &str| text.to_owned();
            pairs.iter().map(|(a, b)| (owned(a), owned(b))).collect()
        };
        let binary = message(ContentMode::Binary, "a", 3, &attributes);
        let properties = |message: &OutboundMessage, place: &MqttPlace| {
            let encoded = encode(message, place, Version::V5, NO_LIMIT);
            encoded.expect("a legal message").properties
        };
        let plain = properties(&binary, &place);
        assert_eq!(plain.content_type.as_deref(), Some("application/json"));
        let expected = [
            ("specversion", "1.0"),
            ("id", "7"),
            ("subject", "ž"),
            ("X-Team", "payments"),
        ];
        assert_eq!(plain.user_properties, pairs(&expected));
        place.datacontenttype_property = true;
        let expected = [&attributes[..], &[("X-Team", "payments")]].concat();
        assert_eq!(
            properties(&binary, &place).user_properties,
            pairs(&expected)
        );
        let structured = message(ContentMode::Structured, "a", 3, &attributes);
        let structured = properties(&structured, &place);
        assert_eq!(structured.user_properties, pairs(&[("X-Team", "payments")]));
        assert_eq!(
            structured.content_type.as_deref(),
            Some("application/cloudevents+json; charset=utf-8")
        );
        let without = message(ContentMode::Binary, "a", 3, &[("id", "7")]);
        assert_eq!(properties(&without, &place).content_type, None);
        let answer = encode(&binary, &place, Version::V311, NO_LIMIT).expect_err("no properties");
        assert!(matches!(answer, Answer::Refused(reason) if reason.contains("3.1.1")));
    }

    #[test]
    fn illegal_topics_are_refused_and_legal_ones_are_not() {
        let long = "t".repeat(MAX_TOPIC_BYTES + 1);
        let smuggler = "t".repeat(70_000);
        for version in [Version::V5, Version::V311] {
            for topic in [
                "",
                "/a",
                "a/",
                "a//b",
                "a/+/b",
                "#",
                "a\0b",
                "a\nb",
                "$SYS/a",
                "a\u{85}",
                "a\u{fdd0}",
                "a\u{1ffff}",
                &long,
                &smuggler,
            ] {
                let answer = encode(&structured(topic, 10), &topics(), version, NO_LIMIT);
                let answer = answer.expect_err(topic);
                assert!(
                    matches!(&answer, Answer::Refused(reason) if reason.len() < 300),
                    "{topic:?}: {answer:?}"
                );
            }
            for topic in ["a", "a/b c/ž", "a/$b", "a\u{fffd}", &long[1..]] {
                let encoded = encode(&structured(topic, 10), &topics(), version, NO_LIMIT);
                assert!(encoded.is_ok(), "{topic:?}");
            }
        }
    }

    #[test]
    fn illegal_properties_are_refused_and_long_ones_are_not() {
        let long = "v".repeat(MAX_TEXT_BYTES + 1);
        for text in ["a\0b", "a\u{7f}", "a\u{fffe}", &long] {
            for name in ["subject", "datacontenttype"] {
                let message = message(ContentMode::Binary, "a", 10, &[(name, text)]);
                let answer = encode(&message, &topics(), Version::V5, NO_LIMIT);
                let answer = answer.expect_err("an illegal property");
                assert!(
                    matches!(&answer, Answer::Refused(reason) if reason.contains(name) && reason.len() < 200),
                    "{answer:?}"
                );
            }
        }
        let message = message(ContentMode::Binary, "a", 10, &[("subject", &long[1..])]);
        assert!(encode(&message, &topics(), Version::V5, NO_LIMIT).is_ok());
    }
}
