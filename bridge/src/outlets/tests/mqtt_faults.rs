//! MQTT: brokers that die, hang, refuse, or keep to unusual limits.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::brokers::Mosquitto;
use super::mqtt::outlet;
use super::*;

/// CONNACK of MQTT 5: accepted, no properties.
const ACCEPTED: [u8; 5] = [0x20, 3, 0, 0, 0];

/// CONNACK of MQTT 5: accepted, receive maximum 5.
const ACCEPTED_FIVE: [u8; 8] = [0x20, 6, 0, 0, 3, 0x21, 0, 5];

#[tokio::test]
async fn a_killed_broker_ends_the_answers_and_a_new_session_goes_on() {
    let mut mosquitto = Mosquitto::start("allow_anonymous true").await;
    let outlet = outlet(mosquitto.port, "");
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
    let reason = within("the reason", session.loss()).await.reason;
    assert!(!reason.is_empty());
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
    assert_eq!(answers[&1], Answer::Unheard);
}

#[tokio::test]
async fn an_acknowledgement_that_does_not_come_ends_the_session() {
    let mosquitto = Mosquitto::start("allow_anonymous true").await;
    let session = connect(&outlet(
        mosquitto.port,
        ", acknowledgement_timeout_seconds: 1",
    ))
    .await;
    mosquitto.pause();
    session
        .messages
        .send(mqtt_message(1, "a", payload(1)))
        .await
        .expect("taken");
    let reason = within("the end", session.loss()).await.reason;
    assert!(reason.contains("no acknowledgement"), "{reason}");
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
async fn a_peer_that_accepts_and_says_nothing_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let started = Instant::now();
    let error = outlet(port, ", connect_timeout_seconds: 1")
        .connect(IDENTITY)
        .await
        .expect_err("silence");
    assert!(started.elapsed() < Duration::from_secs(5), "{error}");
}

#[tokio::test]
async fn the_receive_maximum_of_the_broker_is_kept_and_late_acknowledgements_find_their_messages() {
    let (mut session, mut peer) = with_peer(&ACCEPTED_FIVE).await;
    for n in 1..=50 {
        session
            .messages
            .send(mqtt_message(n, "a", payload(n)))
            .await
            .expect("taken");
    }
    let mut received = 0;
    let mut unread = Vec::new();
    while received < 50 {
        let mut ids = Vec::new();
        let most = (50 - received).min(5);
        within("the window", async {
            while ids.len() < most {
                ids.extend(next_packet_ids(&mut peer, &mut unread).await);
            }
        })
        .await;
        assert_eq!(
            ids.len(),
            most,
            "no more than the receive maximum without an acknowledgement"
        );
        received += ids.len();
        // The newest first: the window opens only with the oldest.
        for id in ids.iter().rev() {
            let [high, low] = id.to_be_bytes();
            peer.write_all(&[0x40, 2, high, low])
                .await
                .expect("written");
        }
    }
    let mut sequences = Vec::new();
    within("answers", async {
        while sequences.len() < 50 {
            let batch = session.answers.recv().await.expect("answers go on");
            sequences.extend(batch.into_iter().map(|(sequence, answer)| {
                assert_eq!(answer, Answer::Confirmed);
                sequence
            }));
        }
    })
    .await;
    assert_eq!(sequences[..5], [5, 4, 3, 2, 1]);
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_acknowledgement_that_nobody_asked_for_ends_the_session() {
    let (session, mut peer) = with_peer(&ACCEPTED).await;
    peer.write_all(&[0x40, 2, 0, 9]).await.expect("written");
    within("the end", session.loss()).await;
}

#[tokio::test]
async fn dropping_a_session_says_goodbye_and_closes_the_connection() {
    let (session, mut peer) = with_peer(&ACCEPTED).await;
    drop(session);
    let mut rest = Vec::new();
    within("the end of the connection", peer.read_to_end(&mut rest))
        .await
        .expect("an orderly end");
    assert_eq!(rest.first(), Some(&0xe0), "DISCONNECT");
}

/// A session with a scripted peer that has answered CONNECT.
async fn with_peer(connack: &'static [u8]) -> (Session, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let accept = async {
        let (mut peer, _) = listener.accept().await.expect("a connection");
        let mut connect = [0; 1_024];
        let read = peer.read(&mut connect).await.expect("CONNECT");
        assert!(read > 0 && connect[0] == 0x10, "CONNECT comes first");
        peer.write_all(connack).await.expect("written");
        peer
    };
    let outlet = outlet(port, "");
    tokio::join!(connect(&outlet), accept)
}

/// The packet ids of the PUBLISH packets that are complete in what the peer has received.
async fn next_packet_ids(peer: &mut TcpStream, unread: &mut Vec<u8>) -> Vec<u16> {
    peer.read_buf(unread).await.expect("packets");
    let mut ids = Vec::new();
    // Fixed header, two bytes of length as all packets here have, topic of one byte, packet id.
    while unread.len() >= 8 {
        assert_eq!(
            unread[0], 0x32,
            "PUBLISH at QoS 1, not a duplicate, not retained"
        );
        let length = usize::from(unread[1] & 0x7f) | usize::from(unread[2]) << 7;
        if unread.len() < 3 + length {
            break;
        }
        ids.push(u16::from_be_bytes([unread[6], unread[7]]));
        unread.drain(..3 + length);
    }
    ids
}
