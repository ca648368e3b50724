//! AMQP: how a session ends, and whether a message in flight may have been the cause.

use lapin::options::ExchangeDeleteOptions;
use lapin::types::FieldTable;
use tokio::task::JoinHandle;

use super::amqp::{bind, channel, consume, outlet, outlet_of};
use super::brokers::Rabbit;
use super::proxy::Proxy;
use super::*;

/// Hands over one message, and waits for the end that it leads to.
async fn end_by(mut session: Session, message: OutboundMessage) -> session::Loss {
    session.messages.send(message).await.expect("taken");
    let mut answers = Vec::new();
    within("the end of the answers", async {
        while let Some(batch) = session.answers.recv().await {
            answers.extend(batch);
        }
    })
    .await;
    assert_eq!(answers, [], "what ended the session has no answer");
    within("the end", session.loss()).await
}

/// Hands over messages as long as the session takes them, so that some are in flight whenever it ends.
fn feed(session: &Session) -> JoinHandle<()> {
    let sender = session.messages.clone();
    tokio::spawn(async move {
        let mut n = 0;
        loop {
            n += 1;
            if sender.send(amqp_message(n, "a", payload(n))).await.is_err() {
                return;
            }
        }
    })
}

/// Takes answers until something is done and the session has ended.
async fn end_with(mut session: Session, done: impl Future) -> session::Loss {
    let answers = async { while session.answers.recv().await.is_some() {} };
    within("the end", async { tokio::join!(done, answers) }).await;
    within("the reason", session.loss()).await
}

#[tokio::test]
async fn an_exchange_that_is_deleted_is_no_message_s_fault() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    for _ in 0..5 {
        let mut session = connect(&outlet(rabbit.port, "gone.v1", "")).await;
        let feeding = feed(&session);
        within("answers", session.answers.recv())
            .await
            .expect("some");
        let options = ExchangeDeleteOptions::default();
        let deleted = channel.exchange_delete("gone.v1".into(), options);
        let loss = end_with(session, deleted).await;
        assert!(
            !loss.suspicious && loss.reason.contains("NOT_FOUND"),
            "{loss:?}"
        );
        feeding.await.expect("it stops by itself");
    }
}

#[tokio::test]
async fn a_refused_exchange_is_no_message_s_fault_and_a_refused_routing_key_may_be() {
    let rabbit = Rabbit::shared().await;
    let everything = [".*", ".*", ".*"];
    rabbit.add_user("limited", "/", everything).await;
    let credentials = ", username: limited, password: { env: THE_PASSWORD }";
    let outlet = outlet(rabbit.port, "limited.v1", credentials);
    drop(connect(&outlet).await);
    rabbit
        .control(&[
            "set_topic_permissions",
            "limited",
            "limited.v1",
            "^good",
            ".*",
        ])
        .await;
    let mut session = connect(&outlet).await;
    let answers = publish(&mut session, vec![amqp_message(1, "good", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Unheard);
    let loss = end_by(session, amqp_message(2, "bad", payload(2))).await;
    assert!(
        loss.suspicious && loss.reason.contains("access to topic"),
        "{loss:?}"
    );

    let session = connect(&outlet).await;
    rabbit.permit("limited", "/", [".*", "^$", ".*"]).await;
    let loss = end_by(session, amqp_message(3, "good", payload(3))).await;
    assert!(
        !loss.suspicious && loss.reason.contains("access to exchange"),
        "{loss:?}"
    );
    // Its rights come back, and so does everything else.
    rabbit.permit("limited", "/", everything).await;
    let mut session = connect(&outlet).await;
    let answers = publish(&mut session, vec![amqp_message(3, "good", payload(3))]).await;
    assert_eq!(answers[&3], Answer::Unheard);
}

#[tokio::test]
async fn a_message_over_the_broker_s_limit_may_be_at_fault_and_an_operator_s_end_is_not() {
    let mut rabbit = Rabbit::start().await;
    let limit = "application:set_env(rabbit, max_message_size, 2000).";
    rabbit.control(&["eval", limit]).await;
    let outlet = outlet(rabbit.port, "limits.v1", "");
    let mut session = connect(&outlet).await;
    let largest = vec![amqp_message(1, "a", vec![b'x'; 2_000])];
    assert_eq!(publish(&mut session, largest).await[&1], Answer::Unheard);
    let loss = end_by(session, amqp_message(2, "a", vec![b'x'; 2_001])).await;
    assert!(
        loss.suspicious && loss.reason.contains("PRECONDITION_FAILED"),
        "{loss:?}"
    );

    // Some publishes meet connections that are being closed, and are not told why.
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let session = connect(&outlet).await;
        let feeding = feed(&session);
        let ending = end_with(session, std::future::ready(()));
        sessions.push((feeding, tokio::spawn(ending)));
    }
    rabbit
        .control(&["close_all_connections", "maintenance"])
        .await;
    for (feeding, ending) in sessions {
        let loss = ending.await.expect("an end");
        assert!(
            !loss.suspicious && loss.reason.contains("CONNECTION_FORCED"),
            "{loss:?}"
        );
        feeding.await.expect("it stops by itself");
    }

    let idle = connect(&outlet).await;
    rabbit.kill();
    let loss = within("the end", idle.loss()).await;
    assert!(!loss.suspicious, "nothing was in flight: {loss:?}");
}

#[tokio::test]
async fn a_confirm_that_never_comes_and_a_line_that_breaks_may_be_a_message_s_fault() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let connect_through = async |options: &str| {
        let proxy = Proxy::start(rabbit.port).await;
        let outlet = outlet_of(proxy.port, exchange("line.v1"), options);
        let mut session = connect(&outlet).await;
        bind(&channel, "line", "line.v1", "#", FieldTable::default()).await;
        let answers = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
        assert_eq!(answers[&1], Answer::Confirmed);
        consume(&channel, "line", 1).await;
        (proxy, session)
    };

    let (proxy, session) = connect_through(", confirm_timeout_seconds: 1").await;
    proxy.mute();
    let loss = end_by(session, amqp_message(2, "a", payload(2))).await;
    assert!(
        loss.suspicious && loss.reason.contains("no confirm for"),
        "{loss:?}"
    );
    // Nobody could know that it had arrived.
    assert_eq!(consume(&channel, "line", 1).await[0].data, payload(2));

    let (proxy, session) = connect_through("").await;
    proxy.mute();
    let message = amqp_message(2, "a", payload(2));
    session.messages.send(message).await.expect("taken");
    consume(&channel, "line", 1).await;
    proxy.cut();
    let loss = within("the end", session.loss()).await;
    assert!(loss.suspicious, "{loss:?}");

    let (proxy, session) = connect_through("").await;
    proxy.cut();
    let loss = within("the end", session.loss()).await;
    assert!(!loss.suspicious, "nothing was in flight: {loss:?}");
}

#[tokio::test]
async fn missed_heartbeats_are_no_message_s_fault() {
    let rabbit = Rabbit::shared().await;
    let proxy = Proxy::start(rabbit.port).await;
    let options = ", heartbeat_seconds: 5";
    let session = connect(&outlet_of(proxy.port, exchange("mute.v1"), options)).await;
    proxy.mute();
    let loss = end_by(session, amqp_message(1, "a", payload(1))).await;
    assert!(
        !loss.suspicious && loss.reason.contains("heartbeat"),
        "{loss:?}"
    );
}
