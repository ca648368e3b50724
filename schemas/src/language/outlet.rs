//! Outlets as they are written.

use super::fields::Fields;
use super::raw::{Outlet, OutletKind};
use super::words;
use super::yaml::{Kind, Node};
use crate::diagnostics::{Diagnostic, Diagnostics};

/// Reads one of `outlets`.
pub(super) fn outlet(node: &Node, diagnostics: &mut Diagnostics) -> Option<Outlet> {
    let fields = Fields::read(node, &words::OUTLET, diagnostics)?;
    match (fields.get("mqtt"), fields.get("amqp")) {
        (Some(place), None) => place_of(place, node, true, diagnostics),
        (None, Some(place)) => place_of(place, node, false, diagnostics),
        _ => {
            diagnostics.push(
                Diagnostic::new("outlet", "an outlet is either `mqtt` or `amqp`")
                    .at(&node.span)
                    .mend("write one entry of the list for each"),
            );
            None
        }
    }
}

fn place_of(
    place: &Node,
    whole: &Node,
    mqtt: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Outlet> {
    let words = if mqtt { &words::MQTT } else { &words::AMQP };
    let fields = Fields::read(place, words, diagnostics)?;
    let mut text = |key, mend: &str| fields.require_text(key, mend, diagnostics);
    let broker = text("broker", "the name of a broker of the configuration");
    let kind = if mqtt {
        let topic = text(
            "topic",
            "such as `topic: \"bank/accounts/v1/{key}/{name}\"`",
        );
        if let Some(qos) = fields.get("qos") {
            quality(qos, diagnostics);
        }
        topic.map(|topic| OutletKind::Mqtt { topic })
    } else {
        let exchange = text("exchange", "such as `exchange: bank.accounts.v1`");
        let routing_key = text("routing_key", "such as `routing_key: \"account.{name}\"`");
        exchange
            .zip(routing_key)
            .map(|(exchange, routing_key)| OutletKind::Amqp {
                exchange,
                routing_key,
            })
    };
    let name = fields.text("name", diagnostics);
    let unheard = fields.word("unheard", words::UNHEARD, diagnostics);
    let wait = unheard.is_some_and(|word| word.value == "wait");
    Some(Outlet {
        broker: broker?,
        name,
        wait,
        kind: kind?,
        span: whole.span.clone(),
    })
}

fn quality(node: &Node, diagnostics: &mut Diagnostics) {
    let Kind::Number(number) = &node.kind else {
        diagnostics.push(
            Diagnostic::new("qos", format!("`qos` is {}, not a number", node.is_a()))
                .at(&node.span),
        );
        return;
    };
    match number.as_u64() {
        Some(1) => {}
        Some(0) => diagnostics.push(
            Diagnostic::new(
                "qos",
                "at quality of service 0 a broker confirms nothing, so events would be lost",
            )
            .at(&node.span)
            .mend("write `qos: 1`, or leave it out"),
        ),
        Some(2) => diagnostics.push(
            Diagnostic::new("not-yet", "quality of service 2 is not built yet")
                .at(&node.span)
                .mend("write `qos: 1`, or leave it out"),
        ),
        _ => diagnostics.push(
            Diagnostic::new("qos", "no such quality of service")
                .at(&node.span)
                .mend("write `qos: 1`"),
        ),
    }
}
