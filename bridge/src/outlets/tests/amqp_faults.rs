//! AMQP: brokers that die, run short, refuse, or say nothing.

use lapin::options::ExchangeDeleteOptions;
use lapin::types::FieldTable;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::amqp::{bind, channel, outlet};
use super::brokers::Rabbit;
use super::*;

#[tokio::test]
async fn a_starved_broker_blocks_and_a_killed_one_ends_the_answers_and_both_go_on() {
    let mut rabbit = Rabbit::start().await;
    let outlet = outlet(rabbit.port, "faults.v1", ", confirm_timeout_seconds: 1");
    let mut session = connect(&outlet).await;
    {
        let (_connection, channel) = channel(rabbit.port).await;
        bind(&channel, "faults", "faults.v1", "#", FieldTable::default()).await;
    }

    rabbit.starve(true).await;
    session
        .messages
        .send(amqp_message(1, "a", payload(1)))
        .await
        .expect("taken");
    let blocked = session
        .state
        .wait_for(|state| matches!(state, SessionState::Blocked(_)));
    within("the block", blocked)
        .await
        .expect("the session lives");
    session
        .messages
        .send(amqp_message(2, "a", payload(2)))
        .await
        .expect("taken");
    // Longer than the confirm timeout: a blocked connection is not a lost one.
    let silent = timeout(Duration::from_millis(2_500), async {
        let mut answered = Vec::new();
        while answered.len() < 2 {
            answered.extend(session.answers.recv().await.expect("the session lives"));
        }
    });
    assert!(
        silent.await.is_err(),
        "a starved broker does not confirm everything"
    );
    let mut other = connect(&outlet).await;
    other
        .messages
        .send(amqp_message(1, "a", payload(1)))
        .await
        .expect("taken");
    let blocked = other
        .state
        .wait_for(|state| matches!(state, SessionState::Blocked(_)));
    within("the block", blocked)
        .await
        .expect("the session lives");
    let mut state = other.state.clone();
    drop(other);
    // The library could not say goodbye before the block ends.
    let ended = state.wait_for(|state| matches!(state, SessionState::Ended(_)));
    within("the end", ended).await.expect("a reason is given");
    rabbit.starve(false).await;
    let open = session.state.wait_for(|state| *state == SessionState::Open);
    within("the end of the block", open)
        .await
        .expect("the session lives");
    let answers = publish_beside(&mut session, 3).await;
    assert_eq!(answers[&3], Answer::Confirmed);

    let sender = session.messages.clone();
    let feeding = tokio::spawn(async move {
        let mut n = 3;
        loop {
            n += 1;
            if sender.send(amqp_message(n, "a", payload(n))).await.is_err() {
                return;
            }
        }
    });
    within("answers", session.answers.recv())
        .await
        .expect("answers");
    rabbit.kill();
    within("the end of the answers", async {
        while session.answers.recv().await.is_some() {}
    })
    .await;
    assert!(!within("the reason", session.loss()).await.reason.is_empty());
    within("the end of the feeding", feeding)
        .await
        .expect("it stops by itself");
    outlet.connect(IDENTITY).await.expect_err("nobody listens");
    rabbit.restart().await;
    let mut session = within("a session", async {
        loop {
            // The port is open a moment before the broker is ready.
            match outlet.connect(IDENTITY).await {
                Ok(session) => return session,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    })
    .await;
    let answers = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Confirmed);
}

/// Publishes one more message, and collects answers until it has its own.
async fn publish_beside(session: &mut Session, sequence: u64) -> HashMap<u64, Answer> {
    let message = amqp_message(sequence, "a", payload(sequence));
    session.messages.send(message).await.expect("taken");
    let mut answers = HashMap::new();
    within("its answer", async {
        while !answers.contains_key(&sequence) {
            answers.extend(session.answers.recv().await.expect("the session lives"));
        }
    })
    .await;
    answers
}

#[tokio::test]
async fn an_exchange_that_is_deleted_ends_the_session_and_the_next_one_declares_it() {
    let rabbit = Rabbit::shared().await;
    let outlet = outlet(rabbit.port, "deleted.v1", "");
    let session = connect(&outlet).await;
    let (_connection, channel) = channel(rabbit.port).await;
    channel
        .exchange_delete("deleted.v1".into(), ExchangeDeleteOptions::default())
        .await
        .expect("deleted");
    session
        .messages
        .send(amqp_message(1, "a", payload(1)))
        .await
        .expect("taken");
    let reason = within("the end", session.loss()).await.reason;
    assert!(reason.contains("404") || reason.contains("NOT"), "{reason}");
    let mut session = connect(&outlet).await;
    let answers = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Unheard);
}

#[tokio::test]
async fn a_refused_connection_and_refused_credentials_are_errors() {
    let error = outlet(closed_port(), "any.v1", "")
        .connect(IDENTITY)
        .await
        .expect_err("nobody listens");
    assert!(
        error.to_string().starts_with("amqp://127.0.0.1:"),
        "{error}"
    );
    let rabbit = Rabbit::shared().await;
    let credentials = ", username: someone, password: { env: THE_PASSWORD }";
    let refused = outlet(rabbit.port, "any.v1", credentials);
    let error = refused.connect(IDENTITY).await.expect_err("no such user");
    assert!(error.to_string().contains("ACCESS"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let elsewhere = outlet(rabbit.port, "any.v1", ", virtual_host: no-such-host");
    let error = elsewhere
        .connect(IDENTITY)
        .await
        .expect_err("no such virtual host");
    assert!(error.to_string().contains("no-such-host"), "{error}");
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_an_error_in_time_and_is_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let broker = format!("amqp: {{ host: 127.0.0.1, port: {port}, connect_timeout_seconds: 1 }}");
    let outlet = super::outlet(&broker, OutletKind::Amqp(exchange("any.v1")));
    let silent_peer = async {
        let (mut peer, _) = listener.accept().await.expect("a connection");
        let mut received = Vec::new();
        // Ends only when the other side has closed, or was cut.
        let _ = peer.read_to_end(&mut received).await;
    };
    let connect = async {
        let error = outlet.connect(IDENTITY).await.expect_err("silence");
        assert!(error.to_string().contains("1 s"), "{error}");
    };
    within("the cut", async { tokio::join!(silent_peer, connect) }).await;
}

#[tokio::test]
async fn dropping_a_session_closes_its_connection() {
    let rabbit = Rabbit::shared().await;
    let session = connect(&outlet(rabbit.port, "dropped.v1", "")).await;
    let mut state = session.state.clone();
    drop(session);
    let ended = state.wait_for(|state| matches!(state, SessionState::Ended(_)));
    within("the end", ended).await.expect("a reason is given");
}
