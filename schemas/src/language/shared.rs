//! What a contract may say itself or take from `_defaults.yaml`, and what a type may say in its place.

use super::fields::{self, Fields};
use super::raw::{Data, Leaf, Outlet};
use super::yaml::{Kind, Node};
use super::{attributes, outlet, words};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{At, Span};
use std::collections::BTreeSet;

/// What `_defaults.yaml` may say as well.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shared {
    /// The keys that are written, readable or not.
    pub(crate) says: BTreeSet<&'static str>,
    pub(crate) status: Option<At<&'static str>>,
    pub(crate) start: Option<Start>,
    pub(crate) outlets: Option<Vec<Outlet>>,
    pub(crate) source: Option<At<String>>,
    pub(crate) flagged: Option<At<&'static str>>,
    pub(crate) attributes: Attributes,
}

impl Shared {
    /// What stands in for defaults that cannot be read: all may have been said, so nothing is missing.
    pub(crate) fn unreadable() -> Self {
        Self {
            says: words::DEFAULTS.keys.iter().map(|key| key.name).collect(),
            ..Self::default()
        }
    }

    /// Takes, key by key, what is not said here from `above`.
    pub(crate) fn inherit(&mut self, above: &Self) {
        let said = |key| self.says.contains(key);
        if !said("status") {
            self.status.clone_from(&above.status);
        }
        if !said("start") {
            self.start.clone_from(&above.start);
        }
        if !said("outlets") {
            self.outlets.clone_from(&above.outlets);
        }
        if !said("source") {
            self.source.clone_from(&above.source);
        }
        if !said("flagged") {
            self.flagged.clone_from(&above.flagged);
        }
        self.attributes = self.attributes.over(&above.attributes);
        self.says.extend(&above.says);
    }
}

/// `start`.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    Beginning,
    Now,
    Position(u64),
    Time(At<String>),
}

/// The attributes of a contract or a type that are not left to the defaults of the language.
#[derive(Debug, Default, Clone)]
pub(crate) struct Attributes {
    pub(crate) subject: Option<At<Leaf>>,
    pub(crate) time: Option<At<String>>,
    pub(crate) dataschema: Option<At<String>>,
    pub(crate) correlationid: Option<At<Leaf>>,
    pub(crate) causationid: Option<At<Leaf>>,
    pub(crate) traceparent: Option<At<&'static str>>,
    pub(crate) tracestate: Option<At<&'static str>>,
    pub(crate) deprecation: Option<Deprecation>,
    pub(crate) further: Data,
}

/// `deprecation`.
#[derive(Debug, Clone)]
pub(crate) struct Deprecation {
    pub(crate) span: Span,
    pub(crate) from: Option<At<String>>,
    pub(crate) sunset: Option<At<String>>,
    pub(crate) migration: Option<At<String>>,
}

/// Reads what may be inherited.
pub(super) fn shared(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Shared {
    if let Some(node) = fields.get("team")
        && let Some(team) = Fields::read(node, &words::TEAM, diagnostics)
    {
        team.require_text("name", "consumers must know whom to ask", diagnostics);
        team.require_text("contact", "consumers must know whom to ask", diagnostics);
    }
    let outlets = fields.list("outlets", diagnostics).map(|items| {
        items
            .iter()
            .filter_map(|item| outlet::outlet(item, diagnostics))
            .collect()
    });
    // `horizon breaking` reads it, and no crossing does.
    fields.word(
        "compatibility",
        &crate::compatibility::MODE_WORDS,
        diagnostics,
    );
    Shared {
        says: words::CONTRACT
            .keys
            .iter()
            .map(|key| key.name)
            .filter(|key| fields.get(key).is_some())
            .collect(),
        status: fields.word("status", words::STATUSES, diagnostics),
        start: fields
            .get("start")
            .and_then(|node| start(node, diagnostics)),
        outlets,
        source: fields.text("source", diagnostics),
        flagged: fields.word("flagged", words::FLAGGED, diagnostics),
        attributes: attributes::attributes(fields, diagnostics),
    }
}

fn start(node: &Node, diagnostics: &mut Diagnostics) -> Option<Start> {
    let Kind::Map(_) = node.kind else {
        let word = fields::word(node, "`start`", &["beginning", "now"], diagnostics)?;
        return Some(match word.value {
            "now" => Start::Now,
            _ => Start::Beginning,
        });
    };
    let fields = Fields::read(node, &words::START, diagnostics)?;
    match (fields.get("position"), fields.get("time")) {
        (Some(position), None) => {
            if let Kind::Number(number) = &position.kind
                && let Some(position) = number.as_u64().filter(|at| (1..1 << 53).contains(at))
            {
                return Some(Start::Position(position));
            }
            diagnostics.push(
                Diagnostic::new("start", "a position is a whole number from 1, below 2^53")
                    .at(&position.span)
                    .mend("such as `start: { position: 1000 }`"),
            );
            None
        }
        (None, Some(_)) => fields.text("time", diagnostics).map(Start::Time),
        _ => {
            diagnostics.push(
                Diagnostic::new("start", "a contract starts at one `position` or one `time`")
                    .at(&node.span)
                    .mend("write one of `start: { position: 1000 }` and `start: { time: 2024-01-01T00:00:00Z }`"),
            );
            None
        }
    }
}
