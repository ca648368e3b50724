//! AMQP outlets as they are written.

use serde_json::Value;

use super::super::fields::{self, Fields};
use super::super::raw::{Amqp, Queue};
use super::super::words;
use super::super::yaml::{Kind, Node};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::At;

/// Reads `amqp`.
pub(super) fn amqp(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Amqp> {
    let mend = "such as `exchange: bank.accounts.v1`";
    let exchange = fields.require_text("exchange", mend, diagnostics);
    let mend = "such as `routing_key: \"account.{name}\"`";
    let routing_key = fields.require_text("routing_key", mend, diagnostics);
    let declare = fields.boolean("declare", diagnostics);
    let prefix = fields.word("header_prefix", words::HEADER_PREFIXES, diagnostics);
    let priority = fields.integer("priority", (0, 255), diagnostics);
    let expiration = fields.integer("expiration_ms", words::EXPIRATION_MS, diagnostics);
    let queues = fields.list("queues", diagnostics).unwrap_or_default();
    let queues = queues.iter().filter_map(|node| queue(node, diagnostics));
    let queues = queues.collect();
    let bindings = fields.list("bindings", diagnostics).unwrap_or_default();
    let bindings = bindings
        .iter()
        .filter_map(|node| binding(node, diagnostics));
    let bindings = bindings.collect();
    Some(Amqp {
        declare: declare.is_none_or(|declare| declare.value),
        alternate_exchange: fields.text("alternate_exchange", diagnostics),
        header_prefix: prefix.map(|prefix| prefix.value),
        priority: priority.map(|priority| priority.value),
        expiration_ms: expiration.map(|expiration| expiration.value),
        headers: fields.texts("headers", diagnostics),
        queues,
        bindings,
        exchange: exchange?,
        routing_key: routing_key?,
    })
}

fn queue(node: &Node, diagnostics: &mut Diagnostics) -> Option<Queue> {
    let fields = Fields::read(node, &words::QUEUE, diagnostics)?;
    let name = fields.require_text("name", "such as `name: budgets`", diagnostics);
    let kind = fields.word("type", words::QUEUE_TYPES, diagnostics);
    let bind = fields.list("bind", diagnostics).unwrap_or_default();
    let bind = bind
        .iter()
        .filter_map(|node| fields::text(node, "a pattern of `bind`", diagnostics));
    let bind = bind.collect();
    let arguments = fields
        .get("arguments")
        .and_then(|node| fields::named(node, "`arguments`", diagnostics));
    let arguments = arguments
        .into_iter()
        .flatten()
        .filter_map(|(name, node)| Some((name.clone(), scalar(name, node, diagnostics)?)));
    let arguments = arguments.collect();
    Some(Queue {
        name: name?,
        kind: kind.map(|kind| kind.value),
        bind,
        arguments,
    })
}

/// Text, a whole number or a boolean.
fn scalar(name: &At<String>, node: &Node, diagnostics: &mut Diagnostics) -> Option<At<Value>> {
    let value = match &node.kind {
        Kind::Text(text) => Some(Value::from(text.as_str())),
        Kind::Bool(truth) => Some(Value::from(*truth)),
        Kind::Number(number) => number.as_i64().map(Value::from),
        _ => None,
    };
    if value.is_none() {
        let message = format!(
            "the argument `{}` is neither text, a whole number nor true or false",
            name.value
        );
        diagnostics.push(Diagnostic::new("argument", message).at(&node.span));
    }
    Some(At {
        value: value?,
        span: node.span.clone(),
    })
}

fn binding(node: &Node, diagnostics: &mut Diagnostics) -> Option<(At<String>, At<String>)> {
    let fields = Fields::read(node, &words::BINDING, diagnostics)?;
    let queue = fields.require_text("queue", "such as `queue: budgets`", diagnostics);
    let mend = "such as `routing_key: \"account.*\"`";
    let routing_key = fields.require_text("routing_key", mend, diagnostics);
    queue.zip(routing_key)
}
