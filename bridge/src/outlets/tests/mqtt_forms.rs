//! MQTT: how a message looks to a subscriber, by what the contract says.

use rumqttc::v5::mqttbytes::v5::PublishProperties;

use super::brokers::Mosquitto;
use super::mqtt::{KINDS, Subscriber, kind};
use super::*;

const ATTRIBUTES: [(&str, &str); 6] = [
    ("specversion", "1.0"),
    ("id", "5cf1d7a6"),
    ("source", "//bank.example/accounts/v1"),
    ("datacontenttype", "application/json"),
    ("subject", "účet/576"),
    ("sequence", "00000000000000000007"),
];

const DATA: &[u8] = br#"{"amount":"12.50","note":"\u00e1"}"#;

fn message(sequence: u64, mode: ContentMode, topic: &str) -> OutboundMessage {
    let destination = Destination::Mqtt {
        topic: topic.to_owned(),
    };
    OutboundMessage::made_up(sequence, mode, DATA.to_vec(), &ATTRIBUTES, destination)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

/// `datacontenttype` is the content type, and all others are user properties.
#[tokio::test]
async fn a_binary_event_is_its_data_with_its_attributes_beside_it() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let mut subscriber = Subscriber::start(mosquitto.port, "#").await;
    for (qos, copied) in [(0, false), (1, true), (2, false)] {
        let mut place = topics();
        place.user_properties = pairs(&[("X-Team", "payments")]);
        place.datacontenttype_property = copied;
        let outlet = kind("5.0", qos).outlet_at(mosquitto.port, "", place);
        let mut session = connect(&outlet).await;
        publish(&mut session, vec![message(1, ContentMode::Binary, "a/b")]).await;
        let received = subscriber.receive(1).await.remove(0);
        assert_eq!(received.payload, DATA);
        let kept = ATTRIBUTES
            .into_iter()
            .filter(|(name, _)| copied || *name != "datacontenttype");
        let expected: Vec<_> = kept.chain([("X-Team", "payments")]).collect();
        let expected = PublishProperties {
            content_type: Some("application/json".to_owned()),
            user_properties: pairs(&expected),
            ..PublishProperties::default()
        };
        assert_eq!(received.properties, Some(expected), "at {qos}");
    }
}

#[tokio::test]
async fn a_structured_event_carries_what_the_contract_adds_and_none_of_its_attributes() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let mut subscriber = Subscriber::start(mosquitto.port, "#").await;
    let mut place = topics();
    place.user_properties = pairs(&[("team", "payments"), ("team", "ledger")]);
    place.expiry_seconds = Some(600);
    let outlet = kind("5.0", 1).outlet_at(mosquitto.port, "", place);
    let mut session = connect(&outlet).await;
    publish(&mut session, vec![message(1, ContentMode::Structured, "a")]).await;
    let received = subscriber.receive(1).await.remove(0);
    assert_eq!(received.payload, DATA);
    let mut properties = received.properties.expect("properties");
    let expiry = properties.message_expiry_interval.take();
    assert!(
        expiry.is_some_and(|seconds| (590..=600).contains(&seconds)),
        "{expiry:?}"
    );
    let expected = PublishProperties {
        content_type: Some("application/cloudevents+json; charset=utf-8".to_owned()),
        user_properties: pairs(&[("team", "payments"), ("team", "ledger")]),
        ..PublishProperties::default()
    };
    assert_eq!(properties, expected);
}

#[tokio::test]
async fn a_binary_event_is_refused_over_a_version_without_properties() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let mut session = connect(&kind("3.1.1", 1).outlet(mosquitto.port, "")).await;
    let answers = publish(&mut session, vec![message(1, ContentMode::Binary, "a")]).await;
    assert!(
        matches!(&answers[&1], Answer::Refused(reason) if reason.contains("3.1.1")),
        "{answers:?}"
    );
}

/// Of each topic a later subscriber gets the last event, and only if it was to be retained.
#[tokio::test]
async fn retained_events_reach_later_subscribers_and_others_do_not() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    for kind in KINDS {
        let retaining = MqttPlace {
            retain: true,
            ..topics()
        };
        let retaining = kind.outlet_at(mosquitto.port, "", retaining);
        let topic = |name: &str| format!("{}/{}/{name}", kind.version, kind.qos);
        let filter = topic("#");
        let plain = mqtt_message(1, &topic("plain"), payload(1));
        publish(
            &mut connect(&kind.outlet(mosquitto.port, "")).await,
            vec![plain],
        )
        .await;
        let mut session = connect(&retaining).await;
        let kept = [2, 3].map(|n| mqtt_message(n, &topic("kept"), payload(n)));
        publish(&mut session, kept.into()).await;
        if kind.qos == 0 {
            // Nothing tells that the broker has read it: a message that comes back does.
            let mut witness = Subscriber::start(mosquitto.port, &topic("witness")).await;
            let message = mqtt_message(4, &topic("witness"), payload(4));
            publish(&mut session, vec![message]).await;
            witness.receive(1).await;
        }
        let mut late = Subscriber::start(mosquitto.port, &filter).await;
        let last = mqtt_message(5, &topic("last"), payload(5));
        publish(&mut session, vec![last]).await;
        let expected = if kind.qos == 0 { 3 } else { 2 };
        let mut received = late.receive(expected).await;
        received.retain(|publish| publish.payload != payload(4));
        let payloads: Vec<_> = received.iter().map(|publish| &publish.payload).collect();
        assert_eq!(payloads, [&payload(3), &payload(5)], "{kind:?}");
        assert!(received[0].retain && !received[1].retain, "{kind:?}");
    }
}

#[tokio::test]
async fn an_expired_event_is_not_handed_on() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let retaining = |expiry_seconds| {
        let place = MqttPlace {
            retain: true,
            expiry_seconds,
            ..topics()
        };
        kind("5.0", 1).outlet_at(mosquitto.port, "", place)
    };
    let mut brief = connect(&retaining(Some(1))).await;
    publish(&mut brief, vec![mqtt_message(1, "a/brief", payload(1))]).await;
    // It has the same name, and takes the other's place.
    let mut lasting = connect(&retaining(None)).await;
    publish(&mut lasting, vec![mqtt_message(2, "a/last", payload(2))]).await;
    within("the expiry", async {
        loop {
            let mut late = Subscriber::start(mosquitto.port, "a/#").await;
            publish(&mut lasting, vec![mqtt_message(3, "a/end", payload(3))]).await;
            let mut received = Vec::new();
            while received.last() != Some(&payload(3)) {
                let next = late.receive(1).await.remove(0);
                if !(next.retain && next.payload == payload(3)) {
                    received.push(next.payload.to_vec());
                }
            }
            assert!(received.contains(&payload(2)), "it does not expire");
            if !received.contains(&payload(1)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
