//! The outlets against real brokers and scripted peers, all started here, on loopback and on ports that the system chose.
//! A broker that is not installed fails the tests that need it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod amqp;
mod amqp_content;
mod amqp_endings;
mod amqp_faults;
mod amqp_tls;
mod amqp_topology;
mod brokers;
mod certificates;
mod mqtt;
mod mqtt_faults;
mod mqtt_forms;
mod mqtt_peer;
mod mqtt_peers;
mod mqtt_tls;
mod proxy;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use horizon_schemas::{AmqpPlace, ContentMode, MqttPlace, Template};
use tokio::time::timeout;

use super::*;

/// How long a test waits for what must happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(40);

const IDENTITY: Identity<'static> = Identity {
    store_id: "00112233445566778899aabbccddeeff",
    relay: "bank.accounts.v1/main",
};

/// A broker from a piece of configuration as it stands in `horizon.yaml`.
fn broker(yaml: &str) -> Broker {
    let options: BrokerOptions = serde_saphyr::from_str(yaml).expect("the options can be read");
    let surroundings = Surroundings {
        folder: Path::new("/"),
        environment: &|name| (name == "THE_PASSWORD").then(|| "secret".to_owned()),
        unset: None,
    };
    options
        .resolve("main", &surroundings)
        .expect("the options are right")
}

/// The outlet that a contract describes so, at a broker as it stands in `horizon.yaml`.
fn outlet(broker_yaml: &str, place: OutletKind) -> Outlet {
    let outlet = broker(broker_yaml).outlet(&place);
    outlet.expect("the broker speaks the protocol")
}

/// Topics, with what a contract says unless it says otherwise.
pub(super) fn topics() -> MqttPlace {
    MqttPlace {
        topic: Template::topic("{key}").expect("a topic"),
        qos: 1,
        retain: false,
        expiry_seconds: None,
        user_properties: Vec::new(),
        datacontenttype_property: false,
    }
}

/// An exchange, with what a contract says unless it says otherwise.
fn exchange(name: &str) -> AmqpPlace {
    AmqpPlace {
        exchange: name.to_owned(),
        declare: true,
        alternate_exchange: None,
        routing_key: Template::routing_key("{key}").expect("a routing key"),
        header_prefix: "cloudEvents:".to_owned(),
        priority: None,
        expiration_ms: None,
        headers: Vec::new(),
        queues: Vec::new(),
        bindings: Vec::new(),
    }
}

fn mqtt_message(sequence: u64, topic: &str, payload: Vec<u8>) -> OutboundMessage {
    let destination = Destination::Mqtt {
        topic: topic.to_owned(),
    };
    OutboundMessage::made_up(sequence, ContentMode::Structured, payload, &[], destination)
}

fn amqp_message(sequence: u64, routing_key: &str, payload: Vec<u8>) -> OutboundMessage {
    let destination = Destination::Amqp {
        routing_key: routing_key.to_owned(),
    };
    let id = format!("id-{sequence}");
    let attributes = [("id", id.as_str()), ("time", "1998-02-01T00:00:00Z")];
    OutboundMessage::made_up(
        sequence,
        ContentMode::Structured,
        payload,
        &attributes,
        destination,
    )
}

/// A structured event of a usual size whose text tells its sequence.
fn payload(sequence: u64) -> Vec<u8> {
    format!(
        r#"{{"specversion":"1.0","id":"id-{sequence}","filler":"{}"}}"#,
        "x".repeat(300)
    )
    .into_bytes()
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited for {PATIENCE:?} in vain: {what}"),
    }
}

async fn connect(outlet: &Outlet) -> Session {
    within("a session", outlet.connect(IDENTITY))
        .await
        .expect("the broker accepts")
}

/// Publishes messages while it collects answers, until each has one.
async fn publish(session: &mut Session, messages: Vec<OutboundMessage>) -> HashMap<u64, Answer> {
    let mut answers = HashMap::new();
    let expected = messages.len();
    let sender = session.messages.clone();
    let hand_over = async {
        for message in messages {
            sender
                .send(message)
                .await
                .expect("the session takes messages");
        }
    };
    let collect = async {
        while answers.len() < expected {
            let batch = session.answers.recv().await.expect("answers go on");
            for (sequence, answer) in batch {
                assert_eq!(
                    answers.insert(sequence, answer),
                    None,
                    "{sequence} was answered twice"
                );
            }
        }
    };
    within("all answers", async { tokio::join!(hand_over, collect) }).await;
    answers
}

fn count(answers: &HashMap<u64, Answer>, wanted: &Answer) -> usize {
    answers.values().filter(|answer| *answer == wanted).count()
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[test]
fn options_are_bounded_and_secrets_are_not_shown() {
    let resolve = |yaml: &str| {
        let options: BrokerOptions = serde_saphyr::from_str(yaml).expect("readable");
        let surroundings = Surroundings {
            folder: Path::new("/"),
            environment: &|name| (name == "THE_PASSWORD").then(|| "open sesame".to_owned()),
            unset: None,
        };
        options.resolve("main", &surroundings)
    };
    for (yaml, field) in [
        ("mqtt: { host: '' }", "mqtt.host"),
        (
            "mqtt: { host: h, keep_alive_seconds: 1 }",
            "mqtt.keep_alive_seconds",
        ),
        (
            "mqtt: { host: h, in_flight_messages: 0 }",
            "mqtt.in_flight_messages",
        ),
        ("mqtt: { host: h, username: u }", "mqtt.password"),
        (
            "amqp: { host: h, password: { env: THE_PASSWORD } }",
            "amqp.username",
        ),
        (
            "amqp: { host: h, username: u, password: { env: OTHER } }",
            "amqp.password",
        ),
        (
            "amqp: { host: h, username: u, password: { file: no/such/file } }",
            "amqp.password",
        ),
        (
            "mqtt: { host: h, tls: { ca: no/such/file } }",
            "mqtt.tls.ca",
        ),
        (
            "amqp: { host: h, tls: { certificate: c.pem } }",
            "amqp.tls.key",
        ),
        (
            "amqp: { host: h, heartbeat_seconds: 4000 }",
            "amqp.heartbeat_seconds",
        ),
    ] {
        assert_eq!(resolve(yaml).expect_err(yaml).field, field);
    }
    let broker =
        resolve("amqp: { host: h, username: u, password: { env: THE_PASSWORD } }").expect("right");
    assert!(!format!("{broker:?}").contains("sesame"));
    for yaml in [
        "mqtt: { host: h, prot: 1 }",
        "kafka: { host: h }",
        "mqtt: { port: 1883 }",
    ] {
        assert!(
            serde_saphyr::from_str::<BrokerOptions>(yaml).is_err(),
            "{yaml}"
        );
    }
}

#[test]
fn connection_names_are_plain_and_distinct() {
    let name = |store_id, relay| Identity { store_id, relay }.connection_name();
    let plain = name("0011223344556677", "bank.accounts.v1/mqtt:main");
    assert!(
        plain.starts_with("horizon-001122334455-bank.accounts.v1-mqtt-main-"),
        "{plain}"
    );
    assert_ne!(
        plain,
        name("0011223344556677", "bank.accounts.v1-mqtt:main")
    );
    assert_ne!(
        plain,
        name("0011223344556678", "bank.accounts.v1/mqtt:main")
    );
    assert!(name("s", &"ž".repeat(500)).len() <= 120);
}
