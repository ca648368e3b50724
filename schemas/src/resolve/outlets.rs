//! The outlets of a contract: brokers looked up, templates and names checked.

mod amqp;
mod mqtt;

use super::leaves::within;
use super::life;
use crate::catalog::{KnownBrokers, Protocol};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw;
use crate::outlet::{ContentMode, OutletKind, OutletSpec, OutletStart, Unheard};
use crate::source::{At, Span};
use crate::template::{self, Fault, PLACEHOLDERS, Template, Use};

/// The length of an outlet's name.
const MAX_NAME_BYTES: usize = 64;
/// How many fixed user properties or headers a message may carry.
const MAX_FIXED: usize = 32;
/// The length of the name or the value of one of those.
const MAX_FIXED_BYTES: usize = 255;

/// What outlets are looked up in.
pub(super) struct Ground<'r> {
    pub(super) brokers: &'r KnownBrokers,
    /// The contract's name and major version.
    pub(super) named: Option<&'r (String, String)>,
    pub(super) types: &'r [raw::PublicType],
    pub(super) attributes: &'r raw::Attributes,
}

/// Checks the outlets; those that are wrong are told and left out.
pub(super) fn resolve(
    raw: &[raw::Outlet],
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<OutletSpec> {
    let mut outlets: Vec<OutletSpec> = Vec::new();
    for one in raw {
        let Some(outlet) = outlet(one, ground, diagnostics) else {
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
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<OutletSpec> {
    let (mqtt, word) = match raw.kind {
        raw::OutletKind::Mqtt(_) => (true, "mqtt"),
        raw::OutletKind::Amqp(_) => (false, "amqp"),
    };
    let protocol = check_broker(&raw.broker, mqtt, word, ground.brokers, diagnostics);
    let kind = match &raw.kind {
        raw::OutletKind::Mqtt(place) => {
            mqtt::place(raw, place, protocol, ground, diagnostics).map(OutletKind::Mqtt)
        }
        raw::OutletKind::Amqp(place) => {
            amqp::place(place, ground, diagnostics).map(OutletKind::Amqp)
        }
    };
    let name = match &raw.name {
        Some(name) => check_name(name, diagnostics)?,
        None => format!("{word}:{}", raw.broker.value),
    };
    let start = match &raw.start {
        None | Some(raw::OutletStart::Beginning) => OutletStart::Beginning,
        Some(raw::OutletStart::Now) => OutletStart::Now,
        Some(raw::OutletStart::Sequence(sequence)) => OutletStart::Sequence(*sequence),
        Some(raw::OutletStart::Time(text)) => OutletStart::Time(life::time(text, diagnostics)?),
    };
    protocol?;
    Some(OutletSpec {
        name,
        broker: raw.broker.value.clone(),
        unheard: match raw.wait {
            true => Unheard::Wait,
            false => Unheard::Continue,
        },
        start,
        content_mode: match is_binary(raw) {
            true => ContentMode::Binary,
            false => ContentMode::Structured,
        },
        max_in_flight_per_key: raw
            .max_in_flight_per_key
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(1),
        kind: kind?,
    })
}

fn is_binary(raw: &raw::Outlet) -> bool {
    raw.binary.as_ref().is_some_and(|binary| binary.value)
}

/// What the broker speaks, if it is known and speaks the outlet's protocol.
fn check_broker(
    broker: &At<String>,
    mqtt: bool,
    word: &str,
    brokers: &KnownBrokers,
    diagnostics: &mut Diagnostics,
) -> Option<Protocol> {
    let speaks = |own: Protocol| (own != Protocol::Amqp) == mqtt;
    let fitting = brokers
        .iter()
        .filter(|(_, own)| speaks(**own))
        .map(|(name, _)| name);
    match brokers.get(&broker.value) {
        Some(own) if speaks(*own) => return Some(*own),
        Some(_) => diagnostics.push(
            Diagnostic::new(
                "broker-protocol",
                format!("the broker `{}` does not speak {word}", broker.value),
            )
            .at(&broker.span)
            .known(fitting, &broker.value)
            .mend(format!(
                "name a broker that the configuration gives as `{word}`"
            )),
        ),
        None => diagnostics.push(
            Diagnostic::new(
                "unknown-broker",
                format!("no broker is called `{}`", broker.value),
            )
            .at(&broker.span)
            .known(fitting, &broker.value)
            .mend("name a broker of the configuration, or add it there under `brokers`"),
        ),
    }
    None
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

/// A template, all of whose placeholders the contract's public events have.
fn template(
    text: &At<String>,
    of: Use,
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    let template = match Template::parse(&text.value, of) {
        Ok(template) => template,
        Err(fault) => {
            diagnostics.push(explain(fault, text, &PLACEHOLDERS));
            return None;
        }
    };
    let of_contract = ground.attributes.subject.is_some();
    let without_subject = |public: &&raw::PublicType| {
        !of_contract && template.reads_subject() && public.attributes.subject.is_none()
    };
    let mut sound = true;
    for public in ground.types.iter().filter(without_subject) {
        let public = &public.event_type.value;
        diagnostics.push(
            Diagnostic::new("template", format!("events of {public} have no subject"))
                .at(&text.span)
                .mend("give the contract or the type a `subject`, or take {subject} out"),
        );
        sound = false;
    }
    for path in template.fields() {
        for public in ground.types.iter().filter(|public| !maps(public, path)) {
            let (field, public) = (path.join("."), &public.event_type.value);
            diagnostics.push(
                Diagnostic::new(
                    "template",
                    format!("not every event of {public} has the one value `{field}` in its data"),
                )
                .at(&text.span)
                .mend("name a field that the `data` of every type has, and that is no list"),
            );
            sound = false;
        }
    }
    sound.then_some(template)
}

/// Whether a public type's data has a field that can be one value, whichever private event it is made of.
fn maps(public: &raw::PublicType, path: &[String]) -> bool {
    let has = |data: &Option<raw::Data>| data.as_ref().is_some_and(|data| leads(data, path));
    has(&public.data)
        || (!public.from.is_empty() && public.from.iter().all(|entry| has(&entry.data)))
}

fn leads(data: &raw::Data, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    let found = data.iter().find(|(name, _)| name.value == *first);
    found.is_some_and(|(_, leaf)| match &leaf.value {
        raw::Leaf::Data(inner) => leads(inner, rest),
        raw::Leaf::Each { .. } => false,
        // What a path or an expression gives is only known when it does.
        _ => true,
    })
}

/// Texts that every message carries; `refused` says what is wrong with a name.
fn fixed(
    what: &str,
    texts: &[(At<String>, At<String>)],
    refused: impl Fn(&str) -> Option<String>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<(String, String)>> {
    let before = diagnostics.len();
    let mut wrong = |message: String, span: &Span| {
        diagnostics.push(Diagnostic::new("fixed-text", message).at(span));
    };
    if let Some((name, _)) = texts.get(MAX_FIXED) {
        wrong(format!("at most {MAX_FIXED} {what}"), &name.span);
    }
    for (name, value) in texts {
        for text in [name, value] {
            let control = text.value.chars().any(char::is_control);
            if text.value.is_empty() || text.value.len() > MAX_FIXED_BYTES || control {
                let message = format!(
                    "names and values of {what} have 1 to {MAX_FIXED_BYTES} bytes and no control characters"
                );
                wrong(message, &text.span);
            }
        }
        if let Some(message) = refused(&name.value) {
            wrong(message, &name.span);
        }
    }
    (diagnostics.len() == before).then(|| {
        let plain =
            |(name, value): &(At<String>, At<String>)| (name.value.clone(), value.value.clone());
        texts.iter().map(plain).collect()
    })
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
