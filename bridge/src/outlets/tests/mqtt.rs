//! MQTT: what every session promises while nothing fails, for each version and each quality of service.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};

use super::brokers::Mosquitto;
use super::*;

/// One way to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) version: &'static str,
    pub(super) qos: u8,
}

/// Each way to publish.
pub(super) const KINDS: [Kind; 6] = [
    kind("5.0", 0),
    kind("5.0", 1),
    kind("5.0", 2),
    kind("3.1.1", 0),
    kind("3.1.1", 1),
    kind("3.1.1", 2),
];

pub(super) const fn kind(version: &'static str, qos: u8) -> Kind {
    Kind { version, qos }
}

impl Kind {
    /// An outlet of this kind, with further options of its broker.
    pub(super) fn outlet(self, port: u16, more: &str) -> Outlet {
        self.outlet_at(port, more, topics())
    }

    /// An outlet of this kind that publishes as `place` says otherwise.
    pub(super) fn outlet_at(self, port: u16, more: &str, place: MqttPlace) -> Outlet {
        let version = self.version;
        let broker =
            format!("mqtt: {{ host: 127.0.0.1, port: {port}, version: \"{version}\"{more} }}");
        let place = MqttPlace {
            qos: self.qos,
            ..place
        };
        super::outlet(&broker, OutletKind::Mqtt(place))
    }

    /// Whether a broker can refuse a message and say so.
    pub(super) fn tells(self) -> bool {
        self.version == "5.0" && self.qos > 0
    }

    /// Whether Mosquitto says that nobody listens. At QoS 2 it looks for subscribers only after its PUBREC.
    pub(super) fn tells_unheard(self) -> bool {
        self.version == "5.0" && self.qos == 1
    }

    /// The packet that confirms or refuses a message.
    pub(super) fn packet(self) -> &'static str {
        if self.qos == 2 { "PUBREC" } else { "PUBACK" }
    }
}

/// The usual kind.
pub(super) fn outlet(port: u16, more: &str) -> Outlet {
    kind("5.0", 1).outlet(port, more)
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
            .subscribe(filter, QoS::ExactlyOnce)
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
async fn thousands_of_messages_are_confirmed_and_arrive_once_as_sent_and_in_order() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0").await;
    for kind in KINDS {
        let filter = format!("bank/{}/{}/#", kind.version, kind.qos);
        let topic = format!("bank/{}/{}/opened", kind.version, kind.qos);
        let mut subscriber = Subscriber::start(mosquitto.port, &filter).await;
        let mut session = connect(&kind.outlet(mosquitto.port, "")).await;
        // More than there are packet ids.
        let messages = (1..=3_000)
            .map(|n| mqtt_message(n, &topic, payload(n)))
            .collect();
        let (answers, received) =
            tokio::join!(publish(&mut session, messages), subscriber.receive(3_000));
        assert_eq!(count(&answers, &Answer::Confirmed), 3_000, "{kind:?}");
        for (sequence, publish) in (1..).zip(received) {
            assert_eq!(publish.payload, payload(sequence), "{kind:?}");
            assert_eq!(publish.topic, topic);
            assert_eq!(publish.qos as u8, kind.qos);
            assert!(!publish.retain && !publish.dup);
            let content_type = publish.properties.and_then(|found| found.content_type);
            let expected = "application/cloudevents+json; charset=utf-8".to_owned();
            assert_eq!(content_type, (kind.version == "5.0").then_some(expected));
        }
    }
}

#[tokio::test]
async fn messages_that_nobody_subscribes_to_are_unheard_where_a_broker_can_tell() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0").await;
    let _subscriber = Subscriber::start(mosquitto.port, "heard/#").await;
    for kind in KINDS {
        let mut session = connect(&kind.outlet(mosquitto.port, "")).await;
        let topic = |n| if n % 2 == 0 { "heard/a" } else { "nobody/a" };
        let messages = (1..=1_000).map(|n| mqtt_message(n, topic(n), payload(n)));
        let answers = publish(&mut session, messages.collect()).await;
        for (sequence, answer) in answers {
            let expected = if sequence % 2 == 1 && kind.tells_unheard() {
                Answer::Unheard
            } else {
                Answer::Confirmed
            };
            assert_eq!(answer, expected, "{sequence} over {kind:?}");
        }
    }
}

/// What MQTT 5 tells at QoS 1 and 2, and what is silently lost without it: `outlets.md` says so.
#[tokio::test]
async fn a_publish_that_the_broker_denies_is_to_be_tried_again_where_a_broker_can_tell() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let rules = folder.path().join("acl");
    std::fs::write(&rules, "topic readwrite open/#\n").expect("rules");
    let configuration = format!("allow_anonymous true\nacl_file {}", rules.display());
    let mosquitto = Mosquitto::start(&configuration).await;
    for kind in KINDS {
        let mut subscriber = Subscriber::start(mosquitto.port, "#").await;
        let mut session = connect(&kind.outlet(mosquitto.port, "")).await;
        // More denied ones than may be in flight, in rows and alternating.
        let denied = |n: u64| (100..200).contains(&n) || n.is_multiple_of(2);
        let topic = |n| if denied(n) { "closed/a" } else { "open/a" };
        let messages = (1..=500).map(|n| mqtt_message(n, topic(n), payload(n)));
        let answers = publish(&mut session, messages.collect()).await;
        for (sequence, answer) in &answers {
            if denied(*sequence) && kind.tells() {
                let expected = format!("{} 0x87", kind.packet());
                assert!(
                    matches!(answer, Answer::TryAgain(reason) if reason.starts_with(&expected)),
                    "{sequence} over {kind:?}: {answer:?}"
                );
            } else {
                assert_eq!(*answer, Answer::Confirmed, "{sequence} over {kind:?}");
            }
        }
        let allowed: Vec<u64> = (1..=500).filter(|n| !denied(*n)).collect();
        let received = subscriber.receive(allowed.len()).await;
        for (sequence, publish) in allowed.into_iter().zip(received) {
            assert_eq!(publish.payload, payload(sequence), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn what_no_broker_takes_is_refused_before_it_is_published() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_packet_size 5000").await;
    let _subscriber = Subscriber::start(mosquitto.port, "a").await;
    for kind in KINDS {
        // Only MQTT 5 tells the broker's limit.
        let ours = if kind.version == "5.0" {
            ""
        } else {
            ", max_packet_bytes: 5000"
        };
        let mut session = connect(&kind.outlet(mosquitto.port, ours)).await;
        let messages = vec![
            mqtt_message(1, "a", payload(1)),
            mqtt_message(2, "a", vec![b'x'; 5_000]),
            mqtt_message(3, "a", payload(3)),
            mqtt_message(4, "a/#", payload(4)),
            mqtt_message(5, &"t".repeat(70_000), payload(5)),
            mqtt_message(6, "a/\u{1}", payload(5)),
            mqtt_message(7, "a/\u{ffff}", payload(5)),
            amqp_message(8, "a", payload(6)),
            mqtt_message(9, "a", payload(3)),
        ];
        let answers = publish(&mut session, messages).await;
        for sequence in [2, 4, 5, 6, 7, 8] {
            assert!(
                matches!(answers[&sequence], Answer::Refused(_)),
                "{sequence} over {kind:?}: {answers:?}"
            );
        }
        assert_eq!(count(&answers, &Answer::Confirmed), 3, "{kind:?}");
    }
}

/// The largest packet that is let through is one that the broker takes, to the byte.
#[tokio::test]
async fn a_packet_of_exactly_the_brokers_limit_passes_and_one_byte_more_does_not() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_packet_size 5000").await;
    let mut subscriber = Subscriber::start(mosquitto.port, "#").await;
    let mut at_qos_0 = 0;
    for qos in [0, 1, 2] {
        let mut place = topics();
        place.expiry_seconds = Some(600);
        place.user_properties = vec![("X-Long".to_owned(), "v".repeat(200))];
        let outlet = kind("5.0", qos).outlet_at(mosquitto.port, "", place);
        let mut session = connect(&outlet).await;
        let messages = (4_600..5_000).map(|n| mqtt_message(n, "a", vec![b'x'; n as usize]));
        let answers = publish(&mut session, messages.collect()).await;
        let confirmed = count(&answers, &Answer::Confirmed);
        assert!((1..400).contains(&confirmed), "{confirmed} at {qos}");
        let largest = 4_599 + confirmed as u64;
        for (sequence, answer) in &answers {
            assert_eq!(*answer == Answer::Confirmed, *sequence <= largest);
        }
        let refused = &answers[&(largest + 1)];
        let expected = "the packet has 5001 bytes and the limit is 5000";
        assert_eq!(*refused, Answer::Refused(expected.to_owned()));
        subscriber.receive(confirmed).await;
        // Only at QoS 0 there is no packet id, which has two bytes.
        match qos {
            0 => at_qos_0 = confirmed,
            _ => assert_eq!(confirmed + 2, at_qos_0, "at {qos}"),
        }
    }
}

#[tokio::test]
async fn letting_go_of_messages_answers_what_is_in_flight() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    for kind in KINDS {
        let Session {
            messages,
            mut answers,
            state: _state,
        } = connect(&kind.outlet(mosquitto.port, "")).await;
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
        assert_eq!(answered, 500, "{kind:?}");
    }
}
