//! MQTT: brokers that die, hang or refuse.

use std::time::Instant;

use tokio::net::TcpListener;

use super::brokers::Mosquitto;
use super::mqtt::{KINDS, Subscriber, outlet};
use super::*;

#[tokio::test]
async fn a_killed_broker_ends_the_answers_and_a_new_session_goes_on() {
    let mut mosquitto = Mosquitto::start("allow_anonymous true").await;
    for kind in KINDS {
        let outlet = kind.outlet(mosquitto.port, "");
        let mut session = connect(&outlet).await;
        let sender = session.messages.clone();
        let feeding = tokio::spawn(async move {
            let mut n = 0;
            loop {
                n += 1;
                if sender.send(mqtt_message(n, "a", payload(n))).await.is_err() {
                    return n;
                }
            }
        });
        within("first answers", session.answers.recv())
            .await
            .expect("answers");
        mosquitto.kill();
        within("the end of the answers", async {
            while session.answers.recv().await.is_some() {}
        })
        .await;
        let loss = within("the reason", session.loss()).await;
        assert!(loss.reason.contains("closed"), "{kind:?}: {loss:?}");
        // Something is always in flight here.
        assert!(loss.suspicious, "{kind:?}: {loss:?}");
        within("the end of the feeding", feeding)
            .await
            .expect("it stops by itself");
        let error = outlet.connect(IDENTITY).await.expect_err("nobody listens");
        assert!(
            error.to_string().contains(&mosquitto.port.to_string()),
            "{error}"
        );
        mosquitto.restart().await;
        let mut session = connect(&outlet).await;
        let answers = publish(&mut session, vec![mqtt_message(1, "a", payload(1))]).await;
        let expected = if kind.tells_unheard() {
            Answer::Unheard
        } else {
            Answer::Confirmed
        };
        assert_eq!(answers[&1], expected);
    }
}

#[tokio::test]
async fn an_acknowledgement_that_does_not_come_ends_the_session() {
    for kind in KINDS.into_iter().filter(|kind| kind.qos > 0) {
        let mosquitto = Mosquitto::start("allow_anonymous true").await;
        let session =
            connect(&kind.outlet(mosquitto.port, ", acknowledgement_timeout_seconds: 1")).await;
        mosquitto.pause();
        session
            .messages
            .send(mqtt_message(1, "a", payload(1)))
            .await
            .expect("taken");
        let loss = within("the end", session.loss()).await;
        assert!(loss.reason.contains("no acknowledgement"), "{loss:?}");
        assert!(loss.suspicious, "{kind:?}");
    }
}

/// At QoS 0 nothing is acknowledged: what fits between here and the broker is all that goes ahead of it.
#[tokio::test]
async fn a_broker_that_reads_nothing_holds_up_qos_0_and_ends_the_session() {
    for kind in KINDS.into_iter().filter(|kind| kind.qos == 0) {
        let mosquitto = Mosquitto::start("allow_anonymous true").await;
        let mut session =
            connect(&kind.outlet(mosquitto.port, ", acknowledgement_timeout_seconds: 1")).await;
        mosquitto.pause();
        let sender = session.messages.clone();
        let feeding = tokio::spawn(async move {
            let mut n = 0;
            let large = |n| mqtt_message(n as u64, "a", vec![b'x'; 64 * 1024]);
            while sender.send(large(n + 1)).await.is_ok() {
                n += 1;
            }
            n
        });
        let mut answered = 0;
        within("the end of the answers", async {
            while let Some(answers) = session.answers.recv().await {
                assert!(
                    answers
                        .iter()
                        .all(|(_, answer)| *answer == Answer::Confirmed)
                );
                answered += answers.len();
            }
        })
        .await;
        let loss = within("the reason", session.loss()).await;
        assert!(loss.reason.contains("has read nothing"), "{loss:?}");
        let handed_over: usize = within("the end of the feeding", feeding)
            .await
            .expect("it stops by itself");
        // The window's bytes with one round of messages more, and what waits for it.
        let most = window::MAX_IN_FLIGHT_BYTES / (64 * 1024) + 64 + HAND_OVER_MESSAGES + 1;
        let waiting = handed_over - answered;
        assert!(
            (1..=most).contains(&waiting),
            "{waiting} of {handed_over} over {kind:?}"
        );
    }
}

/// MQTT 3.1.1 brokers do not tell their limit; what is over it costs the connection, and the relay is to look for it. At
/// QoS 0 it counts as sent.
#[tokio::test]
async fn a_packet_over_a_limit_that_is_not_told_is_suspected() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_packet_size 5000").await;
    for kind in KINDS.into_iter().filter(|kind| kind.version == "3.1.1") {
        let mut session = connect(&kind.outlet(mosquitto.port, "")).await;
        session
            .messages
            .send(mqtt_message(1, "a", vec![b'x'; 6_000]))
            .await
            .expect("taken");
        let loss = within("the end", session.loss()).await;
        let mut answers = Vec::new();
        while let Some(batch) = session.answers.recv().await {
            answers.extend(batch);
        }
        if kind.qos == 0 {
            assert_eq!(answers, [(1, Answer::Confirmed)]);
        } else {
            assert_eq!(answers, []);
            assert!(loss.suspicious, "{kind:?}: {loss:?}");
        }
    }
}

/// A new session neither repeats nor skips, and what the old one left behind is not in its way.
#[tokio::test]
async fn a_session_that_is_dropped_midway_leaves_nothing_behind() {
    let mosquitto = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0").await;
    for kind in KINDS {
        let topic = format!("{}/{}", kind.version, kind.qos);
        let outlet = kind.outlet(mosquitto.port, "");
        let dropped = connect(&outlet).await;
        for n in 1..=500 {
            let message = mqtt_message(n, &topic, payload(n));
            dropped.messages.send(message).await.expect("taken");
        }
        drop(dropped);
        let mut session = connect(&outlet).await;
        let mut subscriber = Subscriber::start(mosquitto.port, &topic).await;
        let messages = (1_001..=2_000).map(|n| mqtt_message(n, &topic, payload(n)));
        let answers = publish(&mut session, messages.collect()).await;
        assert_eq!(count(&answers, &Answer::Confirmed), 1_000, "{kind:?}");
        let mut received = Vec::new();
        while received.last() != Some(&payload(2_000)) {
            received.push(subscriber.receive(1).await.remove(0).payload.to_vec());
        }
        let own = received
            .iter()
            .skip_while(|found| **found != payload(1_001));
        assert!(own.eq((1_001..=2_000).map(payload).collect::<Vec<_>>().iter()));
    }
}

#[tokio::test]
async fn a_refused_connection_and_refused_credentials_are_errors() {
    let error = outlet(closed_port(), "")
        .connect(IDENTITY)
        .await
        .expect_err("nobody listens");
    assert!(
        error.to_string().starts_with("mqtt://127.0.0.1:"),
        "{error}"
    );
    let mosquitto = Mosquitto::start("allow_anonymous false").await;
    let credentials = ", username: someone, password: { env: THE_PASSWORD }";
    let error = outlet(mosquitto.port, credentials)
        .connect(IDENTITY)
        .await
        .expect_err("no such user");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_host_that_has_no_address_is_an_error() {
    let outlet = super::outlet(
        "mqtt: { host: no-such-host.invalid }",
        OutletKind::Mqtt(topics()),
    );
    let error = within("an answer", outlet.connect(IDENTITY))
        .await
        .expect_err("no address");
    let text = error.to_string();
    assert!(
        text.starts_with("mqtt://no-such-host.invalid:1883: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_an_error_in_time() {
    for kind in KINDS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let started = Instant::now();
        let error = kind
            .outlet(port, ", connect_timeout_seconds: 1")
            .connect(IDENTITY)
            .await
            .expect_err("silence");
        assert!(started.elapsed() < Duration::from_secs(5), "{error}");
    }
}
