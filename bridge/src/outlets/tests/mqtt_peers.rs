//! MQTT: what a session makes of each thing that a broker can say, said by a scripted peer.

use tokio::io::AsyncReadExt;

use super::mqtt::{Kind, kind};
use super::mqtt_peer::{ACCEPTED_FIVE, accepted, start, start_at};
use super::*;

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

async fn send(session: &Session, sequences: std::ops::RangeInclusive<u64>) {
    for n in sequences {
        let message = mqtt_message(n, "a", payload(n));
        session.messages.send(message).await.expect("taken");
    }
}

/// The next answers, as many as asked for.
async fn answers(session: &mut Session, count: usize) -> Vec<(u64, Answer)> {
    let mut answers = Vec::new();
    within("answers", async {
        while answers.len() < count {
            answers.extend(session.answers.recv().await.expect("answers go on"));
        }
    })
    .await;
    answers
}

#[tokio::test]
async fn the_receive_maximum_of_the_broker_is_kept_and_late_acknowledgements_find_their_messages() {
    for qos in [1, 2] {
        let (session, mut peer) = start(kind("5.0", qos), "", ACCEPTED_FIVE).await;
        let mut session = session.expect("the peer accepts");
        send(&session, 1..=50).await;
        for _ in 0..10 {
            for id in 1..=5 {
                assert_eq!(peer.published(qos).await, id);
            }
            if qos == 2 {
                for id in (1..=5).rev() {
                    peer.acknowledge(PUBREC, id, None).await;
                }
                // A message counts until PUBCOMP: no PUBLISH comes between these.
                for id in (1_u16..=5).rev() {
                    assert_eq!(peer.next().await, (PUBREL, id.to_be_bytes().to_vec()));
                }
            }
            // The newest first: the window opens only with the oldest.
            let settling = if qos == 2 { PUBCOMP } else { PUBACK };
            for id in (1..=5).rev() {
                peer.acknowledge(settling, id, None).await;
            }
        }
        let answers = answers(&mut session, 50).await;
        assert!(
            answers
                .iter()
                .all(|(_, answer)| *answer == Answer::Confirmed)
        );
        let mut sequences: Vec<_> = answers.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences[..5], [5, 4, 3, 2, 1]);
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=50).collect::<Vec<_>>());
    }
}

/// Over MQTT 3.1.1 a broker tells no receive maximum, and some drop what is over theirs.
#[tokio::test]
async fn at_qos_2_over_3_1_1_twenty_messages_are_in_flight_at_most() {
    let (mut session, mut peer) = accepted(kind("3.1.1", 2), "").await;
    send(&session, 1..=60).await;
    for _ in 0..3 {
        for id in 1..=20 {
            assert_eq!(peer.published(2).await, id);
        }
        for id in 1_u16..=20 {
            peer.acknowledge(PUBREC, id, None).await;
            assert_eq!(peer.next().await, (PUBREL, id.to_be_bytes().to_vec()));
        }
        for id in 1..=20 {
            peer.acknowledge(PUBCOMP, id, None).await;
        }
    }
    assert_eq!(answers(&mut session, 60).await.len(), 60);
}

/// The table in `outlets.md`, for PUBACK and for PUBREC.
#[tokio::test]
async fn each_reason_has_its_answer() {
    for qos in [1, 2] {
        let (mut session, mut peer) = accepted(kind("5.0", qos), "").await;
        let packet = if qos == 2 { PUBREC } else { PUBACK };
        let reasons = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
        for (sequence, reason) in (1..).zip(reasons) {
            send(&session, sequence..=sequence).await;
            let id = peer.published(qos).await;
            peer.acknowledge(packet, id, Some(reason)).await;
            if qos == 2 && reason < 0x80 {
                assert_eq!(peer.next().await, (PUBREL, id.to_be_bytes().to_vec()));
                peer.acknowledge(PUBCOMP, id, None).await;
            }
            let (answered, answer) = answers(&mut session, 1).await.remove(0);
            assert_eq!(answered, sequence);
            let says = |text: &str| text.contains(&format!("0x{reason:02x}"));
            let fits = match &answer {
                Answer::Confirmed => reason == 0x00,
                Answer::Unheard => reason == 0x10,
                Answer::TryAgain(text) => (0x80..0x99).contains(&reason) && says(text),
                Answer::Refused(text) => reason == 0x99 && says(text),
            };
            assert!(fits, "0x{reason:02x} at {qos}: {answer:?}");
        }
    }
}

/// The library goes on counting what a PUBREC refused as in flight: unmended, it would stop after five.
#[tokio::test]
async fn refusals_at_qos_2_do_not_use_up_the_window() {
    for refuses in [|_| true, |n: u64| !n.is_multiple_of(3)] {
        let (session, mut peer) = start(kind("5.0", 2), "", ACCEPTED_FIVE).await;
        let mut session = session.expect("the peer accepts");
        send(&session, 1..=100).await;
        let mut published = 0;
        let mut settled = 0;
        while settled < 100 {
            let (first, body) = peer.next().await;
            if first == PUBREL {
                let id = u16::from_be_bytes([body[0], body[1]]);
                peer.acknowledge(PUBCOMP, id, None).await;
                settled += 1;
                continue;
            }
            published += 1;
            let id = u16::from_be_bytes([body[3], body[4]]);
            let refused = refuses(published);
            settled += u64::from(refused);
            let reason = if refused { 0x97 } else { 0 };
            peer.acknowledge(PUBREC, id, Some(reason)).await;
        }
        for (sequence, answer) in answers(&mut session, 100).await {
            let refused = matches!(answer, Answer::TryAgain(_));
            assert_eq!(refused, refuses(sequence), "{sequence}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_acknowledgement_that_nobody_asked_for_ends_the_session_and_blames_no_message() {
    for version in ["5.0", "3.1.1"] {
        for (qos, packet, id) in [
            (0, PUBACK, 1),
            (1, PUBACK, 9),
            (1, PUBACK, 0),
            (1, PUBACK, u16::MAX),
            (1, PUBREC, 1),
            (1, PUBCOMP, 1),
            (2, PUBACK, 1),
            (2, PUBREC, 9),
            (2, PUBREC, 0),
            (2, PUBCOMP, 1),
        ] {
            let (session, mut peer) = accepted(kind(version, qos), "").await;
            send(&session, 1..=1).await;
            peer.next().await;
            peer.acknowledge(packet, id, None).await;
            let loss = within("the end", session.loss()).await;
            assert!(
                !loss.suspicious && loss.reason.contains("acknowledge"),
                "0x{packet:02x} for {id} at {qos}: {loss:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_message_that_the_broker_forgets_between_pubrec_and_pubcomp_ends_the_session() {
    let (session, mut peer) = accepted(kind("5.0", 2), "").await;
    send(&session, 1..=1).await;
    let id = peer.published(2).await;
    peer.acknowledge(PUBREC, id, None).await;
    assert_eq!(peer.next().await.0, PUBREL);
    peer.acknowledge(PUBCOMP, id, Some(0x92)).await;
    let loss = within("the end", session.loss()).await;
    assert!(loss.reason.contains("0x92"), "{loss:?}");
}

/// With a message in flight, what cannot be read may be about it.
#[tokio::test]
async fn garbage_ends_the_session() {
    for kind in [kind("5.0", 1), kind("5.0", 2), kind("3.1.1", 1)] {
        for garbage in [
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
            &[0x00, 0x00],
            // A packet over the limit that we tell, and a PUBACK with a reason that MQTT 5 does not know.
            &[0x30, 0xff, 0xff, 0xff, 0x7f],
            &[0x40, 3, 0, 1, 0x55],
        ] {
            if garbage[0] == 0x40 && kind.version != "5.0" {
                continue;
            }
            let (session, mut peer) = accepted(kind, "").await;
            send(&session, 1..=1).await;
            peer.next().await;
            peer.say(garbage).await;
            let loss = within("the end", session.loss()).await;
            assert!(loss.suspicious, "{kind:?}, {garbage:?}: {loss:?}");
        }
    }
}

/// Which ends a message may have caused: only with one in flight, and not if the broker says that it was something else.
#[tokio::test]
async fn a_disconnect_is_suspicious_only_by_its_reason_and_only_with_a_message_in_flight() {
    let suspicious = [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x95, 0x99, 0x9a, 0x9b];
    let innocent = [0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x96, 0x97, 0x98, 0x9c];
    for in_flight in [true, false] {
        for reason in suspicious.into_iter().chain(innocent) {
            let (session, mut peer) = accepted(kind("5.0", 1), "").await;
            if in_flight {
                send(&session, 1..=1).await;
                peer.next().await;
            }
            peer.say(&[0xe0, 2, reason, 0]).await;
            let loss = within("the end", session.loss()).await;
            let number = format!("0x{reason:02x}");
            assert!(loss.reason.contains(&number), "{loss:?}");
            let expected = in_flight && suspicious.contains(&reason);
            assert_eq!(loss.suspicious, expected, "{loss:?}");
        }
    }
}

#[tokio::test]
async fn a_closed_connection_is_suspicious_only_with_a_message_in_flight() {
    for version in ["5.0", "3.1.1"] {
        for in_flight in [true, false] {
            for reset in [true, false] {
                let (session, mut peer) = accepted(kind(version, 1), "").await;
                if in_flight {
                    send(&session, 1..=1).await;
                    peer.next().await;
                }
                if reset {
                    peer.stream.set_zero_linger().expect("the option is set");
                }
                drop(peer);
                let loss = within("the end", session.loss()).await;
                assert!(loss.reason.contains("closed the connection"), "{loss:?}");
                assert_eq!(loss.suspicious, in_flight, "{version}: {loss:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_ping_that_is_not_answered_ends_the_session_and_blames_no_message() {
    let unanswered = async |kind: Kind| {
        let (session, mut peer) = accepted(kind, ", keep_alive_seconds: 5").await;
        send(&session, 1..=1).await;
        assert_eq!(peer.next().await.0, 0x32);
        assert_eq!(peer.next().await.0, 0xc0, "PINGREQ");
        let loss = within("the end", session.loss()).await;
        assert!(loss.reason.contains("ping"), "{loss:?}");
        assert!(!loss.suspicious);
    };
    tokio::join!(unanswered(kind("5.0", 1)), unanswered(kind("3.1.1", 1)));
}

#[tokio::test]
async fn a_broker_that_cannot_do_what_the_outlet_asks_for_gets_no_session() {
    // Maximum QoS 0 and 1, no retained messages, receive maximum 0.
    let limited = |property: &[u8]| {
        let mut connack = vec![0x20, 0, 0, 0, 0];
        connack[1] = 3 + property.len() as u8;
        connack[4] = property.len() as u8;
        connack.extend_from_slice(property);
        connack
    };
    for (property, qos, wrong) in [
        (&[0x24, 0][..], 1, "quality of service 0"),
        (&[0x24, 0], 0, ""),
        (&[0x24, 1], 2, "quality of service 1"),
        (&[0x24, 1], 1, ""),
        (&[0x25, 0], 1, ""),
        (&[0x21, 0, 0], 1, "receive maximum"),
    ] {
        let (session, _peer) = start(kind("5.0", qos), "", &limited(property)).await;
        match session {
            Ok(_) => assert_eq!(wrong, "", "{property:?}"),
            Err(error) => assert!(
                !wrong.is_empty() && error.to_string().contains(wrong),
                "{property:?}: {error}"
            ),
        }
    }
    let retaining = MqttPlace {
        retain: true,
        ..topics()
    };
    let (session, _peer) = start_at(kind("5.0", 1), "", retaining, &limited(&[0x25, 0])).await;
    let error = session.expect_err("no retained messages").to_string();
    assert!(error.contains("`retain: true`"), "{error}");
}

#[tokio::test]
async fn dropping_a_session_says_goodbye_and_closes_the_connection() {
    for kind in [kind("5.0", 1), kind("3.1.1", 1)] {
        let (session, mut peer) = accepted(kind, "").await;
        drop(session);
        assert_eq!(peer.next().await.0, 0xe0, "DISCONNECT");
        let mut rest = Vec::new();
        within(
            "the end of the connection",
            peer.stream.read_to_end(&mut rest),
        )
        .await
        .expect("an orderly end");
        assert!(rest.is_empty(), "nothing comes after DISCONNECT");
    }
}
