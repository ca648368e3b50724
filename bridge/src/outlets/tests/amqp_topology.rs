//! AMQP: the exchange, queues and bindings that an outlet declares or relies on.

use horizon_schemas::{AmqpArgument, AmqpBinding, AmqpQueue, AmqpQueueKind};
use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::amqp::{bind, channel, consume, consume_with, outlet_of};
use super::amqp_tls::{VIRTUAL_HOST, fortress};
use super::brokers::Rabbit;
use super::*;

/// An exchange of one's own, which is not what an outlet would declare.
async fn fanout(channel: &Channel, name: &str) {
    channel
        .exchange_declare(
            name.into(),
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("an exchange");
}

async fn refusal(outlet: &Outlet) -> String {
    let connected = within("an answer", outlet.connect(IDENTITY)).await;
    connected.expect_err("no session").to_string()
}

#[tokio::test]
async fn an_exchange_that_is_only_checked_must_be_there_and_may_be_anything() {
    let rabbit = Rabbit::shared().await;
    let place = AmqpPlace {
        declare: false,
        ..exchange("checked.v1")
    };
    let outlet = outlet_of(rabbit.port, place, "");
    let reason = refusal(&outlet).await;
    assert!(
        reason.contains("exchange checked.v1: it is not there: declare it"),
        "{reason}"
    );
    let (_connection, channel) = channel(rabbit.port).await;
    fanout(&channel, "checked.v1").await;
    bind(&channel, "checked", "checked.v1", "", FieldTable::default()).await;
    let mut session = connect(&outlet).await;
    let answers = publish(&mut session, vec![amqp_message(1, "any", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Confirmed);
    assert_eq!(
        consume(&channel, "checked", 1).await[0].data,
        payload(1),
        "it went to the exchange that was there"
    );
}

#[tokio::test]
async fn what_only_the_alternate_exchange_takes_is_confirmed() {
    let rabbit = Rabbit::shared().await;
    let place = |alternate: &str| AmqpPlace {
        alternate_exchange: Some(alternate.to_owned()),
        ..exchange("with-alternate.v1")
    };
    let outlet = outlet_of(rabbit.port, place("alternate"), "");
    let reason = refusal(&outlet).await;
    assert!(
        reason.contains("exchange alternate: it is not there") && reason.contains("NOT_FOUND"),
        "{reason}"
    );
    let (_connection, channel) = channel(rabbit.port).await;
    fanout(&channel, "alternate").await;
    let mut session = connect(&outlet).await;
    let unheard = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
    assert_eq!(unheard[&1], Answer::Unheard, "the alternate has no queue");
    bind(
        &channel,
        "leftovers",
        "alternate",
        "",
        FieldTable::default(),
    )
    .await;
    let taken = publish(&mut session, vec![amqp_message(2, "a", payload(2))]).await;
    assert_eq!(taken[&2], Answer::Confirmed);
    let delivery = consume(&channel, "leftovers", 1).await.remove(0);
    assert_eq!(delivery.data, payload(2));
    assert_eq!(delivery.exchange.as_str(), "with-alternate.v1");

    fanout(&channel, "another").await;
    let reason = refusal(&outlet_of(rabbit.port, place("another"), "")).await;
    assert!(reason.contains("the same alternate exchange"), "{reason}");
}

#[tokio::test]
async fn queues_of_each_type_are_declared_bound_and_delivered_to() {
    let rabbit = Rabbit::shared().await;
    let (_connection, channel) = channel(rabbit.port).await;
    let kinds = [
        ("of-classic", AmqpQueueKind::Classic),
        ("of-quorum", AmqpQueueKind::Quorum),
        ("of-stream", AmqpQueueKind::Stream),
    ];
    let queue = |(name, kind): (&str, AmqpQueueKind)| AmqpQueue {
        name: name.to_owned(),
        kind,
        bind: vec!["account.*".to_owned(), "card.*".to_owned()],
        arguments: vec![(
            "x-max-length-bytes".to_owned(),
            AmqpArgument::Integer(20_000_000),
        )],
    };
    let place = AmqpPlace {
        queues: kinds.map(queue).to_vec(),
        ..exchange("queues.v1")
    };
    let outlet = outlet_of(rabbit.port, place, "");
    // The second time everything is there already.
    drop(connect(&outlet).await);
    let mut session = connect(&outlet).await;
    let messages = ["account.opened", "card.issued", "elsewhere"];
    let messages = (1..).zip(messages);
    let messages = messages.map(|(n, key)| amqp_message(n, key, payload(n)));
    let answers = publish(&mut session, messages.collect()).await;
    assert_eq!(answers[&1], Answer::Confirmed);
    assert_eq!(answers[&2], Answer::Confirmed);
    assert_eq!(answers[&3], Answer::Unheard);
    for (name, kind) in kinds {
        let mut arguments = FieldTable::default();
        if kind == AmqpQueueKind::Stream {
            let first = AMQPValue::LongString("first".into());
            arguments.insert("x-stream-offset".into(), first);
        }
        let deliveries = consume_with(&channel, name, arguments, 2).await;
        let data: Vec<_> = deliveries.iter().map(|delivery| &delivery.data).collect();
        assert_eq!(data, [&payload(1), &payload(2)], "{name}");
    }
    let listed = rabbit
        .control(&["list_queues", "name", "type", "durable", "arguments"])
        .await;
    for (name, kind) in kinds {
        let line = listed.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not listed: {listed}"));
        let columns: Vec<_> = line.split('\t').collect();
        assert_eq!(columns[2], "true", "{line}");
        assert!(columns[3].contains("x-max-length-bytes"), "{line}");
        // A queue's type is listed by name or by module.
        let modules = [
            ("quorum", "rabbit_quorum_queue"),
            ("stream", "rabbit_stream_queue"),
        ];
        let module = modules.iter().find(|(name, _)| *name == kind.as_str());
        let module = module.map_or("rabbit_classic_queue", |(_, module)| module);
        assert!(
            columns[1] == kind.as_str() || columns[1] == module,
            "{line}"
        );
    }

    let place = AmqpPlace {
        queues: vec![queue(("of-classic", AmqpQueueKind::Quorum))],
        ..exchange("queues.v1")
    };
    let reason = refusal(&outlet_of(rabbit.port, place, "")).await;
    assert!(
        reason.contains("queue of-classic: it exists with another type"),
        "{reason}"
    );
}

#[tokio::test]
async fn rights_that_are_missing_to_declare_and_to_bind_are_told() {
    let rabbit = Rabbit::shared().await;
    let credentials = ", username: narrow, password: { env: THE_PASSWORD }";
    let queue = AmqpQueue {
        name: "narrow".to_owned(),
        kind: AmqpQueueKind::Classic,
        bind: vec!["#".to_owned()],
        arguments: Vec::new(),
    };
    let place = AmqpPlace {
        queues: vec![queue],
        ..exchange("narrow.v1")
    };
    let outlet = outlet_of(rabbit.port, place, credentials);
    rabbit.add_user("narrow", "/", ["^$", ".*", ".*"]).await;
    let reason = refusal(&outlet).await;
    assert!(
        reason.contains("exchange narrow.v1: the user needs the configure permission"),
        "{reason}"
    );
    let permissions = [r"^narrow\.v1$", ".*", ".*"];
    rabbit.permit("narrow", "/", permissions).await;
    // The exchange is declared now; whoever only checks it needs no right to.
    refusal(&outlet).await;
    rabbit.permit("narrow", "/", ["^$", "^narrow", "^$"]).await;
    let checking = AmqpPlace {
        declare: false,
        ..exchange("narrow.v1")
    };
    let mut session = connect(&outlet_of(rabbit.port, checking, credentials)).await;
    let answers = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Unheard);
    rabbit.permit("narrow", "/", permissions).await;
    let reason = refusal(&outlet).await;
    assert!(
        reason.contains("queue narrow: the user needs the configure permission"),
        "{reason}"
    );
    rabbit.permit("narrow", "/", ["^narrow", ".*", "^$"]).await;
    let reason = refusal(&outlet).await;
    assert!(reason.contains("queue narrow: to bind it"), "{reason}");
    rabbit.permit("narrow", "/", ["^narrow", ".*", ".*"]).await;
    drop(connect(&outlet).await);
}

#[tokio::test]
async fn a_virtual_host_has_exchanges_of_its_own() {
    let rabbit = Rabbit::shared().await;
    rabbit.control(&["add_vhost", "team a/ž"]).await;
    rabbit.permit("guest", "team a/ž", [".*", ".*", ".*"]).await;
    let outlet = outlet_of(
        rabbit.port,
        exchange("own.v1"),
        ", virtual_host: \"team a/ž\"",
    );
    let mut session = connect(&outlet).await;
    let answers = publish(&mut session, vec![amqp_message(1, "a", payload(1))]).await;
    assert_eq!(answers[&1], Answer::Unheard);
    let there = async |virtual_host| {
        let list = [
            "list_exchanges",
            "-p",
            virtual_host,
            "name",
            "type",
            "durable",
        ];
        let listed = rabbit.control(&list).await;
        listed.lines().any(|line| line == "own.v1\ttopic\ttrue")
    };
    assert!(there("team a/ž").await);
    assert!(!there("/").await);
}

fn with_bindings(name: &str, bindings: &[(&str, &str)]) -> AmqpPlace {
    let binding = |(queue, key): &(&str, &str)| AmqpBinding {
        queue: (*queue).to_owned(),
        routing_key: (*key).to_owned(),
    };
    AmqpPlace {
        bindings: bindings.iter().map(binding).collect(),
        ..exchange(name)
    }
}

#[test]
fn bindings_need_the_management_interface() {
    let place = OutletKind::Amqp(with_bindings("any.v1", &[("queue", "#")]));
    let error = broker("amqp: { host: h }")
        .outlet(&place)
        .expect_err("there is nothing to check them with");
    assert!(error.to_string().contains("management: http://"), "{error}");
    let with = "amqp: { host: h, management: 'http://h:15672' }";
    broker(with).outlet(&place).expect("they can be checked");
}

#[tokio::test]
async fn bindings_that_must_be_there_are_checked() {
    let fortress = fortress().await;
    let (_connection, channel) = channel(fortress.rabbit.port).await;
    let options = |port, user: &str| {
        format!(
            ", management: 'http://127.0.0.1:{port}', username: {user}, password: {{ env: THE_PASSWORD }}"
        )
    };
    let outlet = |bindings: &[(&str, &str)], options: &str| {
        let place = with_bindings("bound.v1", bindings);
        outlet_of(fortress.rabbit.port, place, options)
    };
    let both = [("budgets", "account.*"), ("budgets", "card.#")];
    let options = |user| options(fortress.management_port, user);
    let checked = outlet(&both, &options("manager"));

    let reason = refusal(&checked).await;
    assert!(
        reason.contains("queue budgets: it is not there"),
        "{reason}"
    );
    let declare = QueueDeclareOptions::default();
    channel
        .queue_declare("budgets".into(), declare, FieldTable::default())
        .await
        .expect("a queue");
    let reason = refusal(&checked).await;
    assert!(
        reason.contains(
            r#"queue budgets: it is not bound to exchange bound.v1 by "account.*", "card.#""#
        ),
        "{reason}"
    );
    let bound = async |key| {
        let options = lapin::options::QueueBindOptions::default();
        channel
            .queue_bind(
                "budgets".into(),
                "bound.v1".into(),
                key,
                options,
                FieldTable::default(),
            )
            .await
            .expect("bound");
    };
    bound("card.#".into()).await;
    let reason = refusal(&checked).await;
    assert!(reason.contains(r#"by "account.*":"#), "{reason}");
    bound("account.*".into()).await;
    let mut session = connect(&checked).await;
    let messages = vec![amqp_message(1, "account.opened", payload(1))];
    assert_eq!(publish(&mut session, messages).await[&1], Answer::Confirmed);

    let plain = outlet(&both, &options("plain"));
    let reason = refusal(&plain).await;
    assert!(reason.contains("the tag `management`"), "{reason}");
    let nowhere = outlet(
        &both,
        &options("manager").replace(
            &fortress.management_port.to_string(),
            &closed_port().to_string(),
        ),
    );
    let reason = refusal(&nowhere).await;
    assert!(
        reason.contains("bindings of queue budgets: http://127.0.0.1:"),
        "{reason}"
    );
    channel
        .exchange_delete("bound.v1".into(), ExchangeDeleteOptions::default())
        .await
        .expect("deleted");
    let reason = refusal(&checked).await;
    assert!(reason.contains("it is not bound"), "{reason}");
}

#[tokio::test]
async fn bindings_in_a_virtual_host_are_checked_over_https_too() {
    let fortress = fortress().await;
    let credentials = "username: manager, password: { env: THE_PASSWORD }";
    let place = AmqpPlace {
        queues: vec![AmqpQueue {
            name: "a:b".to_owned(),
            kind: AmqpQueueKind::Classic,
            bind: vec!["account.*".to_owned()],
            arguments: Vec::new(),
        }],
        ..with_bindings("of-host.v1", &[("a:b", "account.*")])
    };
    let outlet = |server_name| {
        let port = fortress.tls_port;
        let management = fortress.management_tls_port;
        let tls = fortress.tls(Some("manager"), server_name);
        let yaml = format!(
            "amqp: {{ host: 127.0.0.1, port: {port}, connect_timeout_seconds: 30, virtual_host: '{VIRTUAL_HOST}', management: 'https://localhost:{management}/', {credentials}, {tls} }}"
        );
        super::outlet(&yaml, OutletKind::Amqp(place.clone()))
    };
    drop(connect(&outlet("rabbit.test")).await);
    // Over AMQP this name would do, and the interface shows a certificate for the other one.
    let reason = refusal(&outlet("alias.test")).await;
    assert!(
        reason.contains("https://localhost:") && reason.contains("certificate"),
        "{reason}"
    );
}
