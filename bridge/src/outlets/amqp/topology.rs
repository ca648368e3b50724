//! What an outlet needs at the broker: its exchange, the queues that it declares, the bindings that it relies on.
//!
//! Invariant: a session publishes only after all of it was there. What is missing is said with what would mend it, and the
//! relay tries again. What changes later ends the session, or is not seen before the next one.

use horizon_schemas::{AmqpArgument, AmqpPlace, AmqpQueue};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};

use super::endings::soft_error;
use super::options::Resolved;
use super::{encode, management};
use crate::outlets::ConnectError;

/// Declares what the place declares, and checks what it relies on.
pub(super) async fn prepare(
    channel: &Channel,
    place: &AmqpPlace,
    resolved: &Resolved,
) -> Result<(), ConnectError> {
    exchange(channel, place).await?;
    for queue in &place.queues {
        declare_queue(channel, queue, &place.exchange).await?;
    }
    for binding in &place.bindings {
        look_for_queue(channel, &binding.queue).await?;
    }
    management::check(place, resolved).await
}

async fn exchange(channel: &Channel, place: &AmqpPlace) -> Result<(), ConnectError> {
    let name = &place.exchange;
    if name.is_empty() {
        // The default exchange is always there, and nobody may declare it.
        return Ok(());
    }
    if !place.declare {
        return look_for_exchange(channel, name, "let the contract declare it").await;
    }
    let mut arguments = FieldTable::default();
    if let Some(alternate) = &place.alternate_exchange {
        look_for_exchange(channel, alternate, "take `alternate_exchange` out").await?;
        arguments.insert(short("argument", "alternate-exchange")?, text(alternate));
    }
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let exchange = short("exchange's name", name)?;
    let declared = channel.exchange_declare(exchange, ExchangeKind::Topic, options, arguments);
    declared.await.map_err(|error| {
        let mend = match soft_error(&error) {
            Some(AMQPSoftError::PRECONDITIONFAILED) => {
                "it exists, but not as a durable topic exchange with the same alternate exchange: delete it, let the contract name another, or write `declare: false`"
            }
            Some(AMQPSoftError::ACCESSREFUSED) => {
                "the user needs the configure permission for it, and for an alternate exchange the read permission for it and the write permission for the other; or write `declare: false`"
            }
            _ => "it could not be declared",
        };
        failed_on("exchange", name, mend, &error)
    })
}

/// Whether there is an exchange of that name. AMQP tells nothing else about it.
async fn look_for_exchange(
    channel: &Channel,
    name: &str,
    otherwise: &str,
) -> Result<(), ConnectError> {
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let arguments = FieldTable::default();
    let exchange = short("exchange's name", name)?;
    let found = channel.exchange_declare(exchange, ExchangeKind::Topic, options, arguments);
    found.await.map_err(|error| {
        let mend = match soft_error(&error) {
            Some(AMQPSoftError::NOTFOUND) => format!("it is not there: declare it, or {otherwise}"),
            _ => "whether it is there could not be found out".to_owned(),
        };
        failed_on("exchange", name, &mend, &error)
    })
}

async fn declare_queue(
    channel: &Channel,
    queue: &AmqpQueue,
    exchange: &str,
) -> Result<(), ConnectError> {
    let mut arguments = FieldTable::default();
    arguments.insert(
        short("argument", "x-queue-type")?,
        text(queue.kind.as_str()),
    );
    for (name, value) in &queue.arguments {
        arguments.insert(short("argument", name)?, argument(value));
    }
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let name = short("queue's name", &queue.name)?;
    let declared = channel
        .queue_declare(name.clone(), options, arguments)
        .await;
    declared.map_err(|error| {
        let mend = match soft_error(&error) {
            Some(AMQPSoftError::PRECONDITIONFAILED) => {
                "it exists with another type or other arguments, or the broker does not know one of them: delete it, or let the contract say what it is"
            }
            Some(AMQPSoftError::ACCESSREFUSED) => {
                "the user needs the configure permission for it"
            }
            _ => "it could not be declared",
        };
        failed_on("queue", &queue.name, mend, &error)
    })?;
    for pattern in &queue.bind {
        let options = QueueBindOptions::default();
        let arguments = FieldTable::default();
        let (exchange, pattern) = (
            short("exchange's name", exchange)?,
            short("routing key", pattern)?,
        );
        let bound = channel.queue_bind(name.clone(), exchange, pattern, options, arguments);
        bound.await.map_err(|error| {
            let mend = match soft_error(&error) {
                Some(AMQPSoftError::ACCESSREFUSED) => {
                    "to bind it, the user needs the write permission for it and the read permission for the exchange"
                }
                _ => "it could not be bound",
            };
            failed_on("queue", &queue.name, mend, &error)
        })?;
    }
    Ok(())
}

/// Whether there is a queue of that name.
async fn look_for_queue(channel: &Channel, name: &str) -> Result<(), ConnectError> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = short("queue's name", name)?;
    let found = channel.queue_declare(queue, options, FieldTable::default());
    let found = found.await.map(|_| ());
    found.map_err(|error| {
        let mend = match soft_error(&error) {
            Some(AMQPSoftError::NOTFOUND) => {
                "it is not there: its consumer declares it, or the contract does under `queues`"
            }
            _ => "whether it is there could not be found out",
        };
        failed_on("queue", name, mend, &error)
    })
}

fn argument(value: &AmqpArgument) -> AMQPValue {
    match value {
        AmqpArgument::Text(value) => text(value),
        AmqpArgument::Integer(value) => AMQPValue::LongLongInt(*value),
        AmqpArgument::Boolean(value) => AMQPValue::Boolean(*value),
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn failed_on(what: &str, name: &str, mend: &str, error: &lapin::Error) -> ConnectError {
    ConnectError(format!("{what} {name}: {mend} ({error})"))
}

/// A short string; what the contract says was measured when it was loaded.
fn short(what: &str, text: &str) -> Result<ShortString, ConnectError> {
    encode::short(what, text).map_err(ConnectError)
}
