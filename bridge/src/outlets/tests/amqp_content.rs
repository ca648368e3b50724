//! AMQP: what is in a message, in both content modes.

use std::collections::BTreeMap;

use horizon_schemas::{AmqpArgument, AmqpQueue, AmqpQueueKind};
use lapin::types::{AMQPValue, ShortString};

use super::amqp::{channel, consume, outlet_of};
use super::brokers::Rabbit;
use super::*;

/// The attributes of an event, with characters that HTTP would have to encode.
const ATTRIBUTES: [(&str, &str); 8] = [
    ("specversion", "1.0"),
    ("id", "id-1"),
    ("source", "//bank.example/accounts/v1"),
    ("type", "example.type.v1"),
    ("time", "1998-02-01T12:00:00.5+01:00"),
    ("datacontenttype", "application/json"),
    ("sequence", "00000000000000000001"),
    ("subject", "žluť \"quoted\" 100% %20"),
];

/// A classic queue that takes everything, with arguments.
fn queue(name: &str, arguments: &[(&str, AmqpArgument)]) -> AmqpQueue {
    let arguments = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    AmqpQueue {
        name: name.to_owned(),
        kind: AmqpQueueKind::Classic,
        bind: vec!["#".to_owned()],
        arguments: arguments.collect(),
    }
}

fn message(sequence: u64, mode: ContentMode, attributes: &[(&str, &str)]) -> OutboundMessage {
    let destination = Destination::Amqp {
        routing_key: "account.opened".to_owned(),
    };
    let payload = br#"{"amount": 1.50,  "text": "\u017e"}"#.to_vec();
    OutboundMessage::made_up(sequence, mode, payload, attributes, destination)
}

#[tokio::test]
async fn bytes_headers_and_properties_are_as_the_content_mode_and_the_prefix_say() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    for (mode, content_type) in [
        (
            ContentMode::Structured,
            "application/cloudevents+json; charset=utf-8",
        ),
        (ContentMode::Binary, "application/json"),
    ] {
        for (n, prefix) in ["cloudEvents:", "cloudEvents_", "ce-"].iter().enumerate() {
            let name = format!("content.{mode:?}.{n}");
            let place = AmqpPlace {
                header_prefix: (*prefix).to_owned(),
                priority: Some(7),
                expiration_ms: Some(3_600_000),
                headers: vec![("team".to_owned(), "payments".to_owned())],
                queues: vec![queue(&name, &[])],
                ..exchange(&name)
            };
            let mut session = connect(&outlet_of(rabbit.port, place, "")).await;
            let answers = publish(&mut session, vec![message(1, mode, &ATTRIBUTES)]).await;
            assert_eq!(answers[&1], Answer::Confirmed);

            let delivery = consume(&channel, &name, 1).await.remove(0);
            assert_eq!(delivery.data, br#"{"amount": 1.50,  "text": "\u017e"}"#);
            assert_eq!(delivery.exchange.as_str(), name);
            let mut expected: BTreeMap<ShortString, AMQPValue> = ATTRIBUTES
                .iter()
                .filter(|(name, _)| mode == ContentMode::Structured || *name != "datacontenttype")
                .map(|(name, value)| (format!("{prefix}{name}"), *value))
                .chain([("team".to_owned(), "payments")])
                .map(|(name, value)| (name.into(), AMQPValue::LongString(value.into())))
                .collect();
            let headers = delivery.properties.headers().clone().expect("headers");
            assert_eq!(headers.inner(), &std::mem::take(&mut expected), "{name}");
            let properties = lapin::BasicProperties::default()
                .with_content_type(content_type.into())
                .with_headers(headers)
                .with_delivery_mode(2)
                .with_priority(7)
                .with_expiration("3600000".into())
                .with_message_id("id-1".into())
                .with_timestamp(886_330_800)
                .with_type("example.type.v1".into());
            assert_eq!(delivery.properties, properties, "{name}");
        }
    }
}

#[tokio::test]
async fn without_options_a_message_has_no_priority_and_no_expiration() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let place = AmqpPlace {
        queues: vec![queue("plain", &[])],
        ..exchange("plain.v1")
    };
    let mut session = connect(&outlet_of(rabbit.port, place, "")).await;
    let binary =
        |sequence, attributes: &[(&str, &str)]| message(sequence, ContentMode::Binary, attributes);
    let messages = vec![binary(1, &[("id", "id-1")])];
    publish(&mut session, messages).await;
    let properties = consume(&channel, "plain", 1).await.remove(0).properties;
    assert_eq!(*properties.priority(), None);
    assert_eq!(*properties.expiration(), None);
    assert_eq!(*properties.content_type(), None);
    assert_eq!(*properties.timestamp(), None);
}

#[tokio::test]
async fn a_higher_priority_is_delivered_first() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let place = |priority| AmqpPlace {
        priority,
        queues: vec![queue(
            "priority",
            &[("x-max-priority", AmqpArgument::Integer(9))],
        )],
        ..exchange("priority.v1")
    };
    for (sequence, priority) in [(1, None), (2, Some(1)), (3, Some(9))] {
        let mut session = connect(&outlet_of(rabbit.port, place(priority), "")).await;
        let message = message(sequence, ContentMode::Structured, &ATTRIBUTES);
        let answers = publish(&mut session, vec![message]).await;
        assert_eq!(answers[&sequence], Answer::Confirmed);
    }
    let deliveries = consume(&channel, "priority", 3).await;
    let ids: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.properties.message_id().clone())
        .collect();
    assert_eq!(
        ids,
        ["id-3", "id-2", "id-1"].map(|id| Some(ShortString::from(id)))
    );
}

#[tokio::test]
async fn a_message_that_nobody_takes_expires() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let text = |value: &str| AmqpArgument::Text(value.to_owned());
    let place = AmqpPlace {
        expiration_ms: Some(50),
        queues: vec![
            AmqpQueue {
                bind: Vec::new(),
                ..queue("expired", &[])
            },
            queue(
                "expiring",
                &[
                    ("x-dead-letter-exchange", text("")),
                    ("x-dead-letter-routing-key", text("expired")),
                ],
            ),
        ],
        ..exchange("expiring.v1")
    };
    let mut session = connect(&outlet_of(rabbit.port, place, "")).await;
    let messages = vec![message(1, ContentMode::Structured, &ATTRIBUTES)];
    assert_eq!(publish(&mut session, messages).await[&1], Answer::Confirmed);
    let dead = consume(&channel, "expired", 1).await.remove(0);
    let headers = dead.properties.headers().clone().expect("headers");
    assert_eq!(
        headers.inner().get("x-first-death-reason"),
        Some(&AMQPValue::LongString("expired".into()))
    );
}

/// The largest content header that the outlet lets pass is one that RabbitMQ takes, and no smaller one is refused.
#[tokio::test]
async fn attributes_may_fill_one_frame_and_no_more() {
    const FRAME_BYTES: usize = 8_192;
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let place = AmqpPlace {
        priority: Some(1),
        expiration_ms: Some(3_600_000),
        headers: vec![("team".to_owned(), "payments".to_owned())],
        queues: vec![queue("frame", &[])],
        ..exchange("frame.v1")
    };
    let mut session = connect(&outlet_of(rabbit.port, place, "")).await;
    let attributes = |filler| {
        let mut attributes = ATTRIBUTES.to_vec();
        attributes.push(("filler", filler));
        attributes
    };
    let large = "x".repeat(FRAME_BYTES);
    let attributes_of = |bytes: usize| attributes(&large[..bytes]);
    let refused = message(1, ContentMode::Binary, &attributes_of(FRAME_BYTES));
    let answer = publish(&mut session, vec![refused]).await.remove(&1);
    let Some(Answer::Refused(reason)) = answer else {
        panic!("{answer:?}");
    };
    let numbers = reason
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect::<Vec<usize>>();
    let [needed, FRAME_BYTES] = numbers[..] else {
        panic!("{reason}");
    };
    let fits = FRAME_BYTES - (needed - FRAME_BYTES);
    let messages = vec![
        message(2, ContentMode::Binary, &attributes_of(fits)),
        message(3, ContentMode::Binary, &attributes_of(fits + 1)),
    ];
    let answers = publish(&mut session, messages).await;
    assert_eq!(answers[&2], Answer::Confirmed);
    assert!(matches!(answers[&3], Answer::Refused(_)), "{answers:?}");
    let delivery = consume(&channel, "frame", 1).await.remove(0);
    let headers = delivery.properties.headers().clone().expect("headers");
    assert_eq!(
        headers.inner().get("cloudEvents:filler"),
        Some(&AMQPValue::LongString(large[..fits].into()))
    );
}
