//! Outlets as they are written.

mod amqp;

use super::fields::{self, Fields};
use super::raw::{Mqtt, Outlet, OutletKind, OutletStart};
use super::words;
use super::yaml::{Kind, Node};
use crate::diagnostics::{Diagnostic, Diagnostics};

/// Reads one of `outlets`.
pub(super) fn outlet(node: &Node, diagnostics: &mut Diagnostics) -> Option<Outlet> {
    let fields = Fields::read(node, &words::OUTLET, diagnostics)?;
    match (fields.get("mqtt"), fields.get("amqp")) {
        (Some(place), None) => {
            let fields = Fields::read(place, &words::MQTT, diagnostics)?;
            let kind = mqtt(&fields, diagnostics).map(OutletKind::Mqtt);
            place_of(&fields, kind, node, diagnostics)
        }
        (None, Some(place)) => {
            let fields = Fields::read(place, &words::AMQP, diagnostics)?;
            let kind = amqp::amqp(&fields, diagnostics).map(OutletKind::Amqp);
            place_of(&fields, kind, node, diagnostics)
        }
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

/// What outlets of both protocols say.
fn place_of(
    fields: &Fields<'_>,
    kind: Option<OutletKind>,
    whole: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<Outlet> {
    let mend = "the name of a broker of the configuration";
    let broker = fields.require_text("broker", mend, diagnostics);
    let name = fields.text("name", diagnostics);
    let unheard = fields.word("unheard", words::UNHEARD, diagnostics);
    let mode = fields.word("content_mode", words::CONTENT_MODES, diagnostics);
    let per_key = fields.integer("max_in_flight_per_key", words::PER_KEY, diagnostics);
    let start = fields
        .get("start")
        .and_then(|node| start(node, diagnostics));
    Some(Outlet {
        broker: broker?,
        name,
        wait: unheard.is_some_and(|word| word.value == "wait"),
        start,
        binary: mode.map(|mode| mode.map(|word| word == "binary")),
        max_in_flight_per_key: per_key.map(|number| number.value),
        kind: kind?,
        span: whole.span.clone(),
    })
}

fn mqtt(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Mqtt> {
    let mend = "such as `topic: \"bank/accounts/v1/{key}/{name}\"`";
    let topic = fields.require_text("topic", mend, diagnostics);
    let qos = fields.integer("qos", (0, 2), diagnostics);
    let retain = fields.boolean("retain", diagnostics);
    Some(Mqtt {
        qos: qos.map(|qos| qos.value),
        retain: retain.is_some_and(|retain| retain.value),
        expiry_seconds: fields.integer("expiry_seconds", words::EXPIRY_SECONDS, diagnostics),
        user_properties: fields.texts("user_properties", diagnostics),
        datacontenttype_property: fields.boolean("datacontenttype_property", diagnostics),
        topic: topic?,
    })
}

fn start(node: &Node, diagnostics: &mut Diagnostics) -> Option<OutletStart> {
    let Kind::Map(_) = node.kind else {
        let word = fields::word(node, "`start`", &["beginning", "now"], diagnostics)?;
        return Some(match word.value {
            "now" => OutletStart::Now,
            _ => OutletStart::Beginning,
        });
    };
    let fields = Fields::read(node, &words::OUTLET_START, diagnostics)?;
    match (fields.get("sequence"), fields.get("time")) {
        (Some(_), None) => fields
            .integer("sequence", (1, (1 << 53) - 1), diagnostics)
            .map(|sequence| OutletStart::Sequence(sequence.value)),
        (None, Some(_)) => fields.text("time", diagnostics).map(OutletStart::Time),
        _ => {
            diagnostics.push(
                Diagnostic::new("start", "an outlet starts at one `sequence` or one `time`")
                    .at(&node.span)
                    .mend("write one of `start: { sequence: 1000 }` and `start: { time: 2024-01-01T00:00:00Z }`"),
            );
            None
        }
    }
}
