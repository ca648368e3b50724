//! Places at AMQP brokers.

use serde_json::Value;

use super::{Ground, fixed, template, with_names};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::{raw, words};
use crate::outlet::{AmqpArgument, AmqpBinding, AmqpPlace, AmqpQueue, AmqpQueueKind};
use crate::source::At;
use crate::template::Use;

/// The length of the name of an exchange or a queue, and of a routing key (AMQP 0-9-1's short string).
const MAX_NAME_BYTES: usize = 255;

/// Checks what an `amqp` outlet says.
pub(super) fn place(
    raw: &raw::Amqp,
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<AmqpPlace> {
    let before = diagnostics.len();
    let exchange = exchange(&raw.exchange, ground, diagnostics);
    let alternate = raw.alternate_exchange.as_ref();
    let alternate_exchange = alternate.map(|name| self::exchange(name, ground, diagnostics));
    if let Some(alternate) = alternate.filter(|_| !raw.declare) {
        diagnostics.push(
            Diagnostic::new(
                "alternate-exchange",
                "the alternate exchange is part of the exchange's declaration, and this exchange is not declared here",
            )
            .at(&alternate.span)
            .mend("take it out, or write `declare: true`"),
        );
    }
    let routing_key = template(&raw.routing_key, Use::RoutingKey, ground, diagnostics);
    let header_prefix = raw.header_prefix.unwrap_or(words::HEADER_PREFIXES[0]);
    let refused = |name: &str| {
        let own = name.starts_with("x-")
            || name.eq_ignore_ascii_case("cc")
            || name.eq_ignore_ascii_case("bcc")
            || words::HEADER_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix));
        own.then(|| {
            format!(
                "a header `{name}` could be taken for the broker's or for an attribute of the event"
            )
        })
    };
    let headers = fixed("headers", &raw.headers, refused, diagnostics);
    let queues = raw.queues.iter().filter_map(|one| queue(one, diagnostics));
    let queues = queues.collect();
    let bindings = raw.bindings.iter().filter_map(|(queue, routing_key)| {
        Some(AmqpBinding {
            queue: name("queue", queue, diagnostics)?,
            routing_key: pattern(routing_key, diagnostics)?,
        })
    });
    let bindings = bindings.collect();
    if diagnostics.len() > before {
        return None;
    }
    Some(AmqpPlace {
        exchange: exchange?,
        declare: raw.declare,
        alternate_exchange: alternate_exchange.flatten(),
        routing_key: routing_key?,
        header_prefix: header_prefix.to_owned(),
        priority: raw
            .priority
            .and_then(|priority| u8::try_from(priority).ok()),
        expiration_ms: raw.expiration_ms,
        headers: headers?,
        queues,
        bindings,
    })
}

fn exchange(
    text: &At<String>,
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let filled = with_names(text, ground.named, diagnostics)?;
    name("exchange", &filled, diagnostics)
}

/// The name of an exchange or a queue of one's own.
fn name(what: &'static str, text: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = !text.value.is_empty()
        && text.value.len() <= MAX_NAME_BYTES
        && text
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    let own = !text.value.starts_with("amq.");
    if !legal || !own {
        let message = if own {
            format!("an {what} has 1 to {MAX_NAME_BYTES} letters, digits and signs of `-_.:`")
        } else {
            format!("an {what} that begins with `amq.` is the broker's own")
        };
        let message = message.replace("an queue", "a queue");
        diagnostics.push(Diagnostic::new(what, message).at(&text.span).mend(format!(
            "such as `{}`",
            if what == "queue" {
                "name: budgets"
            } else {
                "exchange: bank.accounts.v1"
            }
        )));
    }
    (legal && own).then(|| text.value.clone())
}

fn queue(raw: &raw::Queue, diagnostics: &mut Diagnostics) -> Option<AmqpQueue> {
    let name = name("queue", &raw.name, diagnostics);
    let bind = raw
        .bind
        .iter()
        .filter_map(|text| pattern(text, diagnostics));
    let bind = bind.collect();
    let arguments = raw
        .arguments
        .iter()
        .filter_map(|(name, value)| argument(name, value, diagnostics));
    let arguments = arguments.collect();
    Some(AmqpQueue {
        name: name?,
        kind: match raw.kind {
            Some("quorum") => AmqpQueueKind::Quorum,
            Some("stream") => AmqpQueueKind::Stream,
            _ => AmqpQueueKind::Classic,
        },
        bind,
        arguments,
    })
}

/// A routing key to bind by.
fn pattern(text: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = text.value.len() <= MAX_NAME_BYTES && !text.value.chars().any(char::is_control);
    if !legal {
        let message =
            format!("a routing key has at most {MAX_NAME_BYTES} bytes and no control characters");
        diagnostics.push(Diagnostic::new("routing-key", message).at(&text.span));
    }
    legal.then(|| text.value.clone())
}

fn argument(
    name: &At<String>,
    value: &At<Value>,
    diagnostics: &mut Diagnostics,
) -> Option<(String, AmqpArgument)> {
    if name.value == "x-queue-type" || name.value.is_empty() || name.value.len() > 128 {
        diagnostics.push(
            Diagnostic::new(
                "argument",
                format!("`{}` cannot be an argument here", name.value),
            )
            .at(&name.span)
            .mend("an argument has 1 to 128 bytes; the queue's type is written as `type`"),
        );
        return None;
    }
    let value = match &value.value {
        Value::Bool(truth) => AmqpArgument::Boolean(*truth),
        Value::Number(number) => AmqpArgument::Integer(number.as_i64()?),
        text => AmqpArgument::Text(text.as_str()?.to_owned()),
    };
    Some((name.value.clone(), value))
}
