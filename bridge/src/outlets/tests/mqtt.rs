//! MQTT: what a session promises while nothing fails.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};

use super::brokers::Mosquitto;
use super::*;

pub(super) fn outlet(port: u16, more: &str) -> Outlet {
    let broker = format!("mqtt: {{ host: 127.0.0.1, port: {port}{more} }}");
    super::outlet(&broker, OutletKind::Mqtt(topics()))
}

/// A subscriber with its subscription acknowledged.
pub(super) struct Subscriber {
    events: EventLoop,
    _client: AsyncClient,
}

impl Subscriber {
    pub(super) async fn start(port: u16, filter: &str) -> Self {
        let options = MqttOptions::new("subscriber", "127.0.0.1", port);
        let (client, events) = AsyncClient::new(options, 10);
        client
            .subscribe(filter, QoS::AtLeastOnce)
            .await
            .expect("it can be asked for");
        let mut subscriber = Self {
            events,
            _client: client,
        };
        let subscribed = async { while !matches!(subscriber.next().await, Incoming::SubAck(_)) {} };
        within("a subscription", subscribed).await;
        subscriber
    }

    async fn next(&mut self) -> Incoming {
        loop {
            if let Event::Incoming(incoming) = self
                .events
                .poll()
                .await
                .expect("the subscriber stays connected")
            {
                return incoming;
            }
        }
    }

    /// The next `count` messages.
    pub(super) async fn receive(&mut self, count: usize) -> Vec<Publish> {
        let mut received = Vec::new();
        let all = async {
            while received.len() < count {
                if let Incoming::Publish(publish) = self.next().await {
                    received.push(publish);
                }
            }
        };
        within("what was published", all).await;
        received
    }
}

#[tokio::test]
async fn thousands_of_messages_are_confirmed_and_arrive_as_sent_and_in_order() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0").await;
    let mut subscriber = Subscriber::start(mosquitto.port, "bank/#").await;
    let mut session = connect(&outlet(mosquitto.port, "")).await;
    let messages = (1..=5_000)
        .map(|n| mqtt_message(n, "bank/accounts/v1/7/opened", payload(n)))
        .collect();
    let (answers, received) =
        tokio::join!(publish(&mut session, messages), subscriber.receive(5_000));
    assert_eq!(count(&answers, &Answer::Confirmed), 5_000);
    for (sequence, publish) in (1..).zip(received) {
        assert_eq!(publish.payload, payload(sequence));
        assert_eq!(publish.topic, "bank/accounts/v1/7/opened");
        assert!(!publish.retain);
        let properties = publish.properties.expect("properties");
        let content_type = properties.content_type.expect("a content type");
        assert_eq!(content_type, "application/cloudevents+json; charset=utf-8");
    }
}

#[tokio::test]
async fn messages_that_nobody_subscribes_to_are_unheard() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0").await;
    let _subscriber = Subscriber::start(mosquitto.port, "heard/#").await;
    let mut session = connect(&outlet(mosquitto.port, "")).await;
    let messages = (1..=1_000)
        .map(|n| {
            mqtt_message(
                n,
                if n % 2 == 0 { "heard/a" } else { "nobody/a" },
                payload(n),
            )
        })
        .collect();
    let answers = publish(&mut session, messages).await;
    for (sequence, answer) in answers {
        let expected = if sequence % 2 == 0 {
            Answer::Confirmed
        } else {
            Answer::Unheard
        };
        assert_eq!(answer, expected, "{sequence}");
    }
}

#[tokio::test]
async fn a_publish_that_the_broker_denies_is_to_be_tried_again_and_the_rest_goes_on() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let rules = folder.path().join("acl");
    std::fs::write(&rules, "topic readwrite open/#\n").expect("rules");
    let configuration = format!("allow_anonymous true\nacl_file {}", rules.display());
    let mosquitto = Mosquitto::start(&configuration).await;
    let mut session = connect(&outlet(mosquitto.port, "")).await;
    let messages = vec![
        mqtt_message(1, "open/a", payload(1)),
        mqtt_message(2, "closed/a", payload(2)),
        mqtt_message(3, "open/a", payload(3)),
    ];
    let answers = publish(&mut session, messages).await;
    assert_eq!(answers[&1], Answer::Unheard);
    assert!(
        matches!(&answers[&2], Answer::TryAgain(reason) if reason.contains("0x87")),
        "{answers:?}"
    );
    assert_eq!(answers[&3], Answer::Unheard);
}

#[tokio::test]
async fn a_message_over_the_brokers_limit_is_refused_before_it_is_published() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_packet_size 5000").await;
    let mut session = connect(&outlet(mosquitto.port, "")).await;
    let messages = vec![
        mqtt_message(1, "a", payload(1)),
        mqtt_message(2, "a", vec![b'x'; 5_000]),
        mqtt_message(3, "a", payload(3)),
        mqtt_message(4, "a/#", payload(4)),
        mqtt_message(5, &"t".repeat(70_000), payload(5)),
        amqp_message(6, "a", payload(6)),
    ];
    let answers = publish(&mut session, messages).await;
    for sequence in [2, 4, 5, 6] {
        assert!(
            matches!(answers[&sequence], Answer::Refused(_)),
            "{sequence}: {answers:?}"
        );
    }
    assert_eq!(count(&answers, &Answer::Unheard), 2);
}

#[tokio::test]
async fn letting_go_of_messages_answers_what_is_in_flight() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let Session {
        messages,
        mut answers,
        state: _state,
    } = connect(&outlet(mosquitto.port, "")).await;
    for n in 1..=500 {
        messages
            .send(mqtt_message(n, "a", payload(n)))
            .await
            .expect("taken");
    }
    drop(messages);
    let mut answered = 0;
    within("the end of the answers", async {
        while let Some(batch) = answers.recv().await {
            answered += batch.len();
        }
    })
    .await;
    assert_eq!(answered, 500);
}
