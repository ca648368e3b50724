//! The outlets of a contract: brokers looked up, templates and names checked.

use super::leaves::within;
use crate::catalog::{KnownBrokers, Protocol};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw;
use crate::outlet::{AmqpPlace, MqttPlace, OutletKind, OutletSpec, Unheard};
use crate::source::At;
use crate::template::{self, Fault, PLACEHOLDERS, Template, Use};

/// The length of an outlet's name.
const MAX_NAME_BYTES: usize = 64;
/// The length of an exchange's name.
const MAX_EXCHANGE_BYTES: usize = 255;

/// Checks the outlets; those that are wrong are told and left out.
pub(super) fn resolve(
    raw: &[raw::Outlet],
    brokers: &KnownBrokers,
    named: Option<&(String, String)>,
    diagnostics: &mut Diagnostics,
) -> Vec<OutletSpec> {
    let mut outlets: Vec<OutletSpec> = Vec::new();
    for one in raw {
        let Some(outlet) = outlet(one, brokers, named, diagnostics) else {
            continue;
        };
        if outlets.iter().any(|other| other.name == outlet.name) {
            let span = one.name.as_ref().map_or(&one.span, |name| &name.span);
            diagnostics.push(
                Diagnostic::new(
                    "outlet-twice",
                    format!("two outlets are called `{}`", outlet.name),
                )
                .at(span)
                .mend("give one of them a `name` of its own"),
            );
        } else {
            outlets.push(outlet);
        }
    }
    outlets
}

fn outlet(
    raw: &raw::Outlet,
    brokers: &KnownBrokers,
    named: Option<&(String, String)>,
    diagnostics: &mut Diagnostics,
) -> Option<OutletSpec> {
    let (protocol, word) = match raw.kind {
        raw::OutletKind::Mqtt { .. } => (Protocol::Mqtt, "mqtt"),
        raw::OutletKind::Amqp { .. } => (Protocol::Amqp, "amqp"),
    };
    let known = check_broker(&raw.broker, protocol, word, brokers, diagnostics);
    let kind = match &raw.kind {
        raw::OutletKind::Mqtt { topic } => template(topic, Use::Topic, diagnostics)
            .map(|topic| OutletKind::Mqtt(MqttPlace { topic, qos: 1 })),
        raw::OutletKind::Amqp {
            exchange,
            routing_key,
        } => {
            let exchange = with_names(exchange, named, diagnostics)
                .and_then(|exchange| check_exchange(&exchange, diagnostics));
            let routing_key = template(routing_key, Use::RoutingKey, diagnostics);
            exchange.zip(routing_key).map(|(exchange, routing_key)| {
                OutletKind::Amqp(AmqpPlace {
                    exchange,
                    routing_key,
                })
            })
        }
    };
    let name = match &raw.name {
        Some(name) => check_name(name, diagnostics)?,
        None => format!("{word}:{}", raw.broker.value),
    };
    let unheard = if raw.wait {
        Unheard::Wait
    } else {
        Unheard::Continue
    };
    known.then_some(OutletSpec {
        name,
        broker: raw.broker.value.clone(),
        unheard,
        kind: kind?,
    })
}

fn check_broker(
    broker: &At<String>,
    protocol: Protocol,
    word: &str,
    brokers: &KnownBrokers,
    diagnostics: &mut Diagnostics,
) -> bool {
    let fitting = brokers
        .iter()
        .filter(|(_, own)| **own == protocol)
        .map(|(name, _)| name);
    match brokers.get(&broker.value) {
        Some(own) if *own == protocol => true,
        Some(_) => {
            diagnostics.push(
                Diagnostic::new(
                    "broker-protocol",
                    format!("the broker `{}` does not speak {word}", broker.value),
                )
                .at(&broker.span)
                .known(fitting, &broker.value)
                .mend(format!(
                    "name a broker that the configuration gives as `{word}`"
                )),
            );
            false
        }
        None => {
            diagnostics.push(
                Diagnostic::new(
                    "unknown-broker",
                    format!("no broker is called `{}`", broker.value),
                )
                .at(&broker.span)
                .known(fitting, &broker.value)
                .mend("name a broker of the configuration, or add it there under `brokers`"),
            );
            false
        }
    }
}

fn check_exchange(exchange: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = !exchange.value.is_empty()
        && exchange.value.len() <= MAX_EXCHANGE_BYTES
        && exchange
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    let own = !exchange.value.starts_with("amq.");
    if !legal || !own {
        let message = if own {
            format!("an exchange has 1 to {MAX_EXCHANGE_BYTES} letters, digits and signs of `-_.:`")
        } else {
            "an exchange that begins with `amq.` is the broker's own".to_owned()
        };
        diagnostics.push(
            Diagnostic::new("exchange", message)
                .at(&exchange.span)
                .mend("such as `exchange: bank.accounts.v1`"),
        );
    }
    (legal && own).then(|| exchange.value.clone())
}

fn check_name(name: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = !name.value.is_empty()
        && name.value.len() <= MAX_NAME_BYTES
        && name.value.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_:.".contains(&byte)
        });
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "outlet-name",
                format!("an outlet's name has 1 to {MAX_NAME_BYTES} of a-z, 0-9 and `-_:.`"),
            )
            .at(&name.span)
            .mend("such as `name: mqtt:archive`"),
        );
    }
    legal.then(|| name.value.clone())
}

fn template(text: &At<String>, of: Use, diagnostics: &mut Diagnostics) -> Option<Template> {
    match Template::parse(&text.value, of) {
        Ok(template) => Some(template),
        Err(fault) => {
            diagnostics.push(explain(fault, text, &PLACEHOLDERS));
            None
        }
    }
}

/// A text in which `{contract}` and `{major}` may stand, filled in.
pub(super) fn with_names(
    text: &At<String>,
    named: Option<&(String, String)>,
    diagnostics: &mut Diagnostics,
) -> Option<At<String>> {
    if !text.value.contains(['{', '}']) {
        return Some(text.clone());
    }
    let (contract, major) = named?;
    let values = [("contract", contract.as_str()), ("major", major.as_str())];
    match template::fill(&text.value, &values) {
        Ok(value) => Some(At {
            value,
            span: text.span.clone(),
        }),
        Err(fault) => {
            diagnostics.push(explain(fault, text, &values.map(|(name, _)| name)));
            None
        }
    }
}

/// What is wrong with a template, told where it is written.
pub(super) fn explain(fault: Fault, text: &At<String>, placeholders: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::new("template", fault.message).at(&within(text, fault.at, fault.len));
    let diagnostic = match &fault.placeholder {
        Some(word) => diagnostic.known(placeholders, word),
        None => diagnostic,
    };
    if fault.mend.is_empty() {
        diagnostic
    } else {
        diagnostic.mend(fault.mend)
    }
}
