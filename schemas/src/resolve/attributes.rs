//! The CloudEvents attributes that a contract sets, measured against the rules of CloudEvents 1.0 and against the private schema.

use super::leaves::{self, Context};
use super::{Frame, outlets};
use crate::attributes::{Attribute, Attributes, Kind, MAX_TEXT_BYTES, Made, Time, is_absolute};
use crate::contract::{Deprecation, Status};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw::{self, Leaf as RawLeaf};
use crate::language::words;
use crate::mapping::Leaf;
use crate::public_event::quoted;
use crate::schema::shape::Declared;
use crate::source::{At, Span};
use crate::template;
use crate::timestamp;

/// The length of an extension's name (CloudEvents 1.0, 3.1).
const MAX_NAME_BYTES: usize = 20;

/// Checks the attributes of one way. `deprecation` is there when its public type is deprecated.
pub(super) fn attributes(
    raw: &raw::Attributes,
    deprecation: Option<&Deprecation>,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Attributes> {
    let before = diagnostics.len();
    let made = |name: &str, raw: &At<RawLeaf>, kind, diagnostics: &mut Diagnostics| {
        leaf(name, raw, kind, private, context, diagnostics).map(|made| Attribute {
            name: name.to_owned(),
            made,
        })
    };
    let subject = raw
        .subject
        .as_ref()
        .and_then(|raw| made("subject", raw, Kind::Text, diagnostics));
    let mut more = Vec::new();
    for (name, id) in [
        ("correlationid", &raw.correlationid),
        ("causationid", &raw.causationid),
    ] {
        let Some(id) = id else { continue };
        if check_public_id(name, id, diagnostics) {
            more.extend(made(name, id, Kind::Text, diagnostics));
        }
    }
    more.extend(trace(raw, diagnostics));
    more.extend(deprecation.into_iter().flat_map(fixed));
    let mut further: Vec<Attribute> = Vec::new();
    for (name, raw) in &raw.further {
        if check_name(name, diagnostics) {
            further.extend(made(&name.value, raw, Kind::of(&name.value), diagnostics));
        }
    }
    further.sort_by(|a, b| a.name.cmp(&b.name));
    more.extend(further);
    let time = time(raw.time.as_ref(), private, context, diagnostics);
    (diagnostics.len() == before).then_some(Attributes {
        time: time?,
        subject,
        more,
    })
}

fn leaf(
    name: &str,
    raw: &At<RawLeaf>,
    kind: Kind,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Made> {
    let mut refuse = |message: String, mend: &str| {
        diagnostics.push(
            Diagnostic::new("attribute", message)
                .at(&raw.span)
                .mend(mend),
        );
        None
    };
    match &raw.value {
        RawLeaf::Each { .. } | RawLeaf::Data(_) => refuse(
            format!("the attribute `{name}` is one value, neither an object nor an array"),
            "write a path, { const: … }, { jq: … } or { public_id: … }",
        ),
        RawLeaf::Reveal { .. } => refuse(
            format!("a personal field cannot be the attribute `{name}`: brokers log attributes"),
            "put it into `data`, or leave it out",
        ),
        RawLeaf::Const(value) => match kind.written(value) {
            Ok(json) => Some(Made::Fixed(json)),
            Err(what) => refuse(
                format!("the attribute `{name}` {what}"),
                "a boolean, a 32-bit integer, or text without control characters",
            ),
        },
        _ => {
            let leaf: Leaf = leaves::leaf(raw, private, None, context, diagnostics)?;
            Some(Made::Leaf(kind, leaf))
        }
    }
}

fn check_public_id(name: &str, raw: &At<RawLeaf>, diagnostics: &mut Diagnostics) -> bool {
    let legal = matches!(raw.value, RawLeaf::PublicId { .. } | RawLeaf::Unreadable);
    if !legal {
        diagnostics.push(
            Diagnostic::new("attribute", format!("`{name}` must be a public id: a private one would be told"))
                .at(&raw.span)
                .mend("write { public_id: { type: …, of: .path } }: the public id of the event that is referred to"),
        );
    }
    legal
}

fn trace(raw: &raw::Attributes, diagnostics: &mut Diagnostics) -> Vec<Attribute> {
    let attribute = |name: &str, made| Attribute {
        name: name.to_owned(),
        made,
    };
    match (&raw.traceparent, &raw.tracestate) {
        (None, Some(state)) => {
            diagnostics.push(
                Diagnostic::new("attribute", "a trace state means nothing without its trace")
                    .at(&state.span)
                    .mend("write `traceparent: pass` as well, or leave it out"),
            );
            Vec::new()
        }
        (None, None) => Vec::new(),
        (Some(_), None) => vec![attribute("traceparent", Made::Traceparent)],
        (Some(_), Some(_)) => vec![
            attribute("traceparent", Made::Traceparent),
            attribute("tracestate", Made::Tracestate),
        ],
    }
}

/// The attributes of something deprecated (CloudEvents extension Deprecation).
fn fixed(deprecation: &Deprecation) -> Vec<Attribute> {
    let text = |name: &str, text: &Option<String>| {
        text.as_ref().map(|text| Attribute {
            name: name.to_owned(),
            made: Made::Fixed(quoted(text)),
        })
    };
    let deprecated = Attribute {
        name: "deprecated".to_owned(),
        made: Made::Fixed("true".to_owned()),
    };
    [
        Some(deprecated),
        text("deprecationfrom", &deprecation.from),
        text("deprecationsunset", &deprecation.sunset),
        text("deprecationmigration", &deprecation.migration),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check_name(name: &At<String>, diagnostics: &mut Diagnostics) -> bool {
    let word = name.value.as_str();
    let legal = (1..=MAX_NAME_BYTES).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let (message, mend) = if !legal {
        (
            format!("an attribute's name has 1 to {MAX_NAME_BYTES} of a-z and 0-9"),
            "such as `region`",
        )
    } else if words::TAKEN.contains(&word) {
        (
            format!("`{word}` is not set under `attributes`"),
            "leave it out: it is the envelope's own, or has a key of its own",
        )
    } else if word.starts_with("auth") {
        (
            format!("`{word}` would tell on whose behalf an event was recorded"),
            "leave it out: attributes that begin with `auth` carry personal data",
        )
    } else {
        return true;
    };
    diagnostics.push(
        Diagnostic::new("attribute-name", message)
            .at(&name.span)
            .mend(mend),
    );
    false
}

fn time(
    raw: Option<&At<String>>,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Time> {
    match raw {
        None => Some(Time::Own),
        Some(word) if word.value == "recorded" => Some(Time::Recorded),
        Some(text) if !text.value.trim_start().starts_with('.') => {
            diagnostics.push(
                Diagnostic::new("attribute", format!("`time` cannot be `{}`", text.value))
                    .at(&text.span)
                    .known(["recorded"], &text.value)
                    .mend("write the path of an RFC 3339 time, such as `time: .placedAt`, or `time: recorded`"),
            );
            None
        }
        Some(text) => {
            let (path, _) = leaves::open_path(text, private, context, diagnostics)?;
            Some(Time::At(path))
        }
    }
}

/// The `dataschema` of a public type that does not leave it to its schema's `$id`.
pub(super) fn dataschema(
    text: &At<String>,
    name: &str,
    event_type: &str,
    frame: &Frame<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let (contract, major) = frame.named.as_ref()?;
    let values = [
        ("contract", contract.as_str()),
        ("major", major.as_str()),
        ("name", name),
        ("type", event_type),
    ];
    let filled = match template::fill(&text.value, &values) {
        Ok(filled) => filled,
        Err(fault) => {
            let known = values.map(|(name, _)| name);
            diagnostics.push(outlets::explain(fault, text, &known));
            return None;
        }
    };
    let legal = is_absolute(&filled) && filled.len() <= MAX_TEXT_BYTES;
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "attribute",
                format!("`{filled}` is no absolute URI of at most {MAX_TEXT_BYTES} bytes"),
            )
            .at(&text.span)
            .mend("such as `dataschema: https://schemas.shop.example/{contract}/{name}.v{major}.json`"),
        );
    }
    legal.then_some(filled)
}

/// What is said about the end of a type, which is of the given status. None when nothing is, or when it is wrong.
pub(super) fn deprecation(
    raw: Option<&raw::Deprecation>,
    status: Status,
    diagnostics: &mut Diagnostics,
) -> Option<Deprecation> {
    let deprecated = status == Status::Deprecated;
    let Some(raw) = raw else {
        return deprecated.then(Deprecation::default);
    };
    let mut moment = |text: &Option<At<String>>| {
        let text = text.as_ref()?;
        let at = timestamp::milliseconds(&text.value);
        if at.is_none() {
            refuse(
                "is no time in RFC 3339",
                "such as 2025-01-01T00:00:00Z",
                text,
                diagnostics,
            );
        }
        at
    };
    let (from, sunset) = (moment(&raw.from), moment(&raw.sunset));
    if let (Some(from), Some(sunset), Some(text)) = (from, sunset, &raw.sunset)
        && sunset < from
    {
        refuse(
            "lies before `from`",
            "the end comes after the beginning",
            text,
            diagnostics,
        );
    }
    if let Some(text) = &raw.migration
        && !is_absolute(&text.value)
    {
        refuse(
            "is no absolute URI",
            "such as https://shop.example/docs/orders-v2",
            text,
            diagnostics,
        );
    }
    let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
    Some(Deprecation {
        from: text(&raw.from),
        sunset: text(&raw.sunset),
        migration: text(&raw.migration),
    })
}

fn refuse(what: &str, mend: &str, text: &At<String>, diagnostics: &mut Diagnostics) {
    diagnostics.push(
        Diagnostic::new("deprecation", format!("`{}` {what}", text.value))
            .at(&text.span)
            .mend(mend),
    );
}

/// Reports a `deprecation` that says something about nothing.
pub(super) fn check_deprecation_used(span: &Span, used: bool, diagnostics: &mut Diagnostics) {
    if !used {
        diagnostics.push(
            Diagnostic::new("deprecation", "nothing here is deprecated or retired")
                .at(span)
                .mend("write `status: deprecated`, or leave `deprecation` out"),
        );
    }
}
