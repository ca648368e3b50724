//! AMQP: what a session promises while nothing fails.

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use futures_util::StreamExt;

use super::brokers::Rabbit;
use super::*;

pub(super) fn outlet(port: u16, name: &str, more: &str) -> Outlet {
    outlet_of(port, exchange(name), more)
}

/// The outlet that a contract describes so, at the RabbitMQ on this port.
pub(super) fn outlet_of(port: u16, place: AmqpPlace, more: &str) -> Outlet {
    let broker =
        format!("amqp: {{ host: 127.0.0.1, port: {port}, connect_timeout_seconds: 30{more} }}");
    super::outlet(&broker, OutletKind::Amqp(place))
}

/// A channel beside the outlet's, for what consumers and operators do.
pub(super) async fn channel(port: u16) -> (Connection, Channel) {
    let uri = format!("amqp://127.0.0.1:{port}");
    let connection = Connection::connect(&uri, ConnectionProperties::default())
        .await
        .expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

/// A durable queue that is bound to an exchange, which is there already.
pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    pattern: &str,
    arguments: FieldTable,
) {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.into(), options, arguments)
        .await
        .expect("a queue");
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            pattern.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("a binding");
}

/// What comes out of a queue: so many deliveries.
pub(super) async fn consume(channel: &Channel, queue: &str, count: usize) -> Vec<Delivery> {
    consume_with(channel, queue, FieldTable::default(), count).await
}

/// The same with arguments of the consumer, as a stream asks for them. A stream is read with a prefetch count and with
/// acknowledgements, too; the other queues do not mind.
pub(super) async fn consume_with(
    channel: &Channel,
    queue: &str,
    arguments: FieldTable,
    count: usize,
) -> Vec<Delivery> {
    channel
        .basic_qos(100, BasicQosOptions::default())
        .await
        .expect("a prefetch count");
    let options = BasicConsumeOptions::default();
    let mut consumer = channel
        .basic_consume(queue.into(), "".into(), options, arguments)
        .await
        .expect("a consumer");
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let delivery = within("a delivery", consumer.next()).await;
        let delivery = delivery.expect("one").expect("a good one");
        delivery
            .ack(BasicAckOptions::default())
            .await
            .expect("acknowledged");
        deliveries.push(delivery);
    }
    let tag = consumer.tag();
    channel
        .basic_cancel(tag, BasicCancelOptions::default())
        .await
        .expect("cancelled");
    deliveries
}

#[tokio::test]
async fn thousands_of_messages_are_confirmed_and_arrive_as_sent_and_in_order() {
    let rabbit = Rabbit::shared().await;
    let mut session = connect(&outlet(rabbit.port, "thousands.v1", "")).await;
    let (_connection, channel) = channel(rabbit.port).await;
    bind(
        &channel,
        "thousands",
        "thousands.v1",
        "account.*",
        FieldTable::default(),
    )
    .await;
    let messages = (1..=5_000)
        .map(|n| amqp_message(n, "account.opened", payload(n)))
        .collect();
    let answers = publish(&mut session, messages).await;
    assert_eq!(count(&answers, &Answer::Confirmed), 5_000);

    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel.basic_consume(
        "thousands".into(),
        "judge".into(),
        options,
        FieldTable::default(),
    );
    let mut consumer = consumer.await.expect("a consumer");
    for sequence in 1..=5_000 {
        let delivery = within("a delivery", consumer.next())
            .await
            .expect("one")
            .expect("a good one");
        assert_eq!(delivery.data, payload(sequence));
        assert_eq!(delivery.routing_key.as_str(), "account.opened");
        let properties = delivery.properties;
        let id = format!("id-{sequence}");
        assert_eq!(
            properties.message_id().as_ref().map(|id| id.as_str()),
            Some(id.as_str())
        );
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(*properties.timestamp(), Some(886_291_200));
        let headers = properties.headers().clone().expect("headers");
        let header = headers.inner().get("cloudEvents:id");
        assert_eq!(header, Some(&AMQPValue::LongString(id.as_str().into())));
    }
}

#[tokio::test]
async fn unroutable_messages_among_others_are_unheard_and_no_others_are() {
    let rabbit = Rabbit::shared().await;
    let mut session = connect(&outlet(rabbit.port, "unroutable.v1", "")).await;
    let (_connection, channel) = channel(rabbit.port).await;
    bind(
        &channel,
        "unroutable",
        "unroutable.v1",
        "heard",
        FieldTable::default(),
    )
    .await;
    // Runs of different lengths, so that confirms of several messages at once hold both kinds.
    let heard = |n: u64| (n * n + n / 7).is_multiple_of(3);
    let messages = (1..=5_000)
        .map(|n| amqp_message(n, if heard(n) { "heard" } else { "nobody" }, payload(n)))
        .collect();
    let answers = publish(&mut session, messages).await;
    for (sequence, answer) in answers {
        let expected = if heard(sequence) {
            Answer::Confirmed
        } else {
            Answer::Unheard
        };
        assert_eq!(answer, expected, "{sequence}");
    }
}

#[tokio::test]
async fn a_full_queue_that_rejects_is_a_reason_to_try_again() {
    let rabbit = Rabbit::shared().await;
    let mut session = connect(&outlet(rabbit.port, "full.v1", "")).await;
    let (_connection, channel) = channel(rabbit.port).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(10));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    bind(&channel, "full", "full.v1", "#", arguments).await;
    let mut confirmed = 0;
    let mut rejected = 0;
    // One at a time, as the queue lets a burst pass its length.
    for n in 1..=30 {
        match publish(&mut session, vec![amqp_message(n, "a", payload(n))])
            .await
            .remove(&n)
        {
            Some(Answer::Confirmed) => confirmed += 1,
            Some(Answer::TryAgain(reason)) => {
                assert!(reason.contains("nack"), "{reason}");
                rejected += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        confirmed >= 10 && rejected >= 10,
        "{confirmed} confirmed, {rejected} rejected"
    );
}

#[tokio::test]
async fn what_does_not_fit_amqp_is_refused_before_it_is_published() {
    let rabbit = Rabbit::shared().await;
    let mut session = connect(&outlet(rabbit.port, "fit.v1", ", max_payload_bytes: 2000")).await;
    let messages = vec![
        amqp_message(1, "a", payload(1)),
        amqp_message(2, &"r".repeat(256), payload(2)),
        amqp_message(3, "a", vec![b'x'; 2_001]),
        mqtt_message(4, "a", payload(4)),
        amqp_message(5, "a", payload(5)),
    ];
    let answers = publish(&mut session, messages).await;
    for sequence in [2, 3, 4] {
        assert!(
            matches!(answers[&sequence], Answer::Refused(_)),
            "{sequence}: {answers:?}"
        );
    }
    assert_eq!(count(&answers, &Answer::Unheard), 2);
}

#[tokio::test]
async fn an_exchange_of_another_kind_is_an_error_that_says_so() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    channel
        .exchange_declare(
            "fanout.v1".into(),
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("an exchange");
    let error = outlet(rabbit.port, "fanout.v1", "")
        .connect(IDENTITY)
        .await
        .expect_err("another kind");
    assert!(
        error
            .to_string()
            .contains("not as a durable topic exchange"),
        "{error}"
    );
}
