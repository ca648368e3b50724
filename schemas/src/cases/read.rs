//! A file of tests as it is written, every name in it looked up.

use super::listed::{Listed, reference};
use crate::catalog::Catalog;
use crate::contract::Contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::fields::{self, Fields};
use crate::language::yaml::{Kind, Node};
use crate::source::At;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// When a given event happened that does not say so.
const DEFAULT_TIME: &str = "2000-01-01T00:00:00Z";

/// The keys of a given event.
const GIVEN: [&str; 9] = [
    "id",
    "stream",
    "source",
    "type",
    "time",
    "traceparent",
    "tracestate",
    "flagged",
    "data",
];

/// One file of tests.
#[derive(Debug)]
pub(super) struct TestFile {
    /// The file, as it was named when it was read.
    pub(super) name: String,
    pub(super) contract: Arc<Contract>,
    pub(super) cases: Vec<Case>,
}

/// One case: private events, and what must come of each of them.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// The line that it begins in.
    pub(super) line: usize,
    pub(super) given: Vec<Given>,
    pub(super) crossed: Vec<ExpectedEvent>,
    pub(super) filtered: Vec<String>,
    pub(super) unmatched: Vec<String>,
    pub(super) violations: Vec<ExpectedViolation>,
}

/// A given private event.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) id: String,
    pub(super) stream: String,
    pub(super) source: Option<String>,
    pub(super) event_type: String,
    pub(super) time: String,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
    /// Whether it was recorded although it does not fit its private schema.
    pub(super) flagged: bool,
    pub(super) data: Value,
}

impl Given {
    /// The category of its stream.
    pub(super) fn category(&self) -> &str {
        self.stream.split('-').next().unwrap_or("")
    }
}

/// A public event that must come.
#[derive(Debug)]
pub(super) struct ExpectedEvent {
    /// The id of the given event that it is made from.
    pub(super) event: Option<String>,
    pub(super) event_type: String,
    pub(super) data: Option<Value>,
    pub(super) attributes: Vec<(String, Value)>,
    /// Where (an attribute, or a pointer into the data) the public id of which given event must stand.
    pub(super) ids: Vec<(String, String)>,
}

/// A violation that must come.
#[derive(Debug)]
pub(super) struct ExpectedViolation {
    pub(super) event: String,
    pub(super) pointer: Option<String>,
    /// A part of the reason.
    pub(super) reason: Option<String>,
}

/// Reads a file; reports what is wrong in it. `stream` is the public stream that its name speaks of.
pub(super) fn file(
    name: &str,
    stream: &str,
    node: &Node,
    catalog: &Catalog,
    diagnostics: &mut Diagnostics,
) -> Option<TestFile> {
    let keys = ["horizon", "contract", "cases"];
    let fields = Fields::of(node, "a file of tests", &keys, &[], diagnostics)?;
    crate::language::raw::language_version(&fields, diagnostics);
    let contract = contract(&fields, node, stream, catalog, diagnostics);
    let cases = fields
        .require(
            "cases",
            "such as `cases: [{ name: …, given: […], crossed: […] }]`",
            diagnostics,
        )
        .and_then(|node| fields::list(node, "`cases`", diagnostics))?;
    let mut names = HashSet::new();
    let mut read = Vec::with_capacity(cases.len());
    for node in cases {
        let Some(case) = case(node, contract.as_deref(), diagnostics) else {
            continue;
        };
        if !names.insert(case.name.clone()) {
            diagnostics.push(
                Diagnostic::new(
                    "case-twice",
                    format!("another case is called `{}` too", case.name),
                )
                .at(&node.span)
                .mend("give each case a name of its own"),
            );
        }
        read.push(case);
    }
    Some(TestFile {
        name: name.to_owned(),
        contract: contract?,
        cases: read,
    })
}

fn contract(
    fields: &Fields<'_>,
    node: &Node,
    stream: &str,
    catalog: &Catalog,
    diagnostics: &mut Diagnostics,
) -> Option<Arc<Contract>> {
    let named = match fields.get("contract") {
        Some(_) => fields.text("contract", diagnostics)?,
        None => At {
            value: stream.to_owned(),
            span: crate::source::Span::new(&node.span.source, 0, 1),
        },
    };
    let found = catalog
        .contracts()
        .iter()
        .find(|contract| contract.public_stream == named.value);
    if found.is_none() {
        let known = catalog.contracts().iter().map(|one| &one.public_stream);
        diagnostics.push(
            Diagnostic::new("unknown-contract", format!("there is no contract {}", named.value))
                .at(&named.span)
                .known(known, &named.value)
                .mend("name the file after the public stream, such as bank.accounts.v1.test.yaml, or write `contract: bank.accounts.v1`"),
        );
    }
    found.cloned()
}

fn case(node: &Node, contract: Option<&Contract>, diagnostics: &mut Diagnostics) -> Option<Case> {
    let keys = [
        "name",
        "given",
        "crossed",
        "filtered",
        "unmatched",
        "violations",
    ];
    let fields = Fields::of(node, "a case", &keys, &[], diagnostics)?;
    let name = fields.require_text("name", "say in a sentence what must hold", diagnostics);
    let given = fields
        .require(
            "given",
            "the private events, such as `given: [{ type: AccountOpened, data: { … } }]`",
            diagnostics,
        )
        .and_then(|node| fields::list(node, "`given`", diagnostics));
    let mut events: Vec<Given> = Vec::new();
    for (nth, node) in given.unwrap_or_default().iter().enumerate() {
        let Some(event) = self::given(node, nth + 1, contract, diagnostics) else {
            continue;
        };
        if events.iter().any(|other| other.id == event.id) {
            diagnostics.push(
                Diagnostic::new("given-twice", format!("another given event has the id `{}` too", event.id))
                    .at(&node.span)
                    .mend("give each an `id` of its own; without one, an event has its place in the list, from 1"),
            );
        }
        events.push(event);
    }
    if given.is_some_and(<[Node]>::is_empty) {
        diagnostics.push(
            Diagnostic::new("empty", "a case without a given event shows nothing").at(&node.span),
        );
    }
    let mut listed = Listed::new(&events);
    let filtered = listed.events_of(&fields, "filtered", diagnostics);
    let unmatched = listed.events_of(&fields, "unmatched", diagnostics);
    let violations = fields
        .list("violations", diagnostics)
        .unwrap_or_default()
        .iter()
        .filter_map(|node| violation(node, &mut listed, diagnostics))
        .collect();
    let crossed = fields
        .list("crossed", diagnostics)
        .unwrap_or_default()
        .iter()
        .filter_map(|node| crossed(node, contract, &mut listed, diagnostics))
        .collect();
    Some(Case {
        name: name?.value,
        line: node.span.locate().0,
        given: events,
        crossed,
        filtered,
        unmatched,
        violations,
    })
}

fn given(
    node: &Node,
    nth: usize,
    contract: Option<&Contract>,
    diagnostics: &mut Diagnostics,
) -> Option<Given> {
    let fields = Fields::of(node, "a given event", &GIVEN, &[], diagnostics)?;
    let event_type = fields.require_text(
        "type",
        "the private event type, such as `type: AccountOpened`",
        diagnostics,
    );
    let mut text = |key| fields.text(key, diagnostics);
    let (stream, source) = (text("stream"), text("source"));
    let (traceparent, tracestate) = (text("traceparent"), text("tracestate"));
    let time = text("time");
    if let Some(time) = &time
        && !crate::timestamp::is_rfc3339(&time.value)
    {
        diagnostics.push(
            Diagnostic::new("time", "`time` is no time of RFC 3339")
                .at(&time.span)
                .mend("such as 1993-01-05T00:00:00Z"),
        );
    }
    let id = match fields.get("id") {
        Some(node) => reference(node, "`id`", diagnostics)?.value,
        None => nth.to_string(),
    };
    Some(Given {
        id,
        stream: stream
            .map(|stream| stream.value)
            .or_else(|| contract.map(|contract| format!("{}-1", contract.category)))
            .unwrap_or_default(),
        source: source.map(|source| source.value),
        event_type: event_type?.value,
        time: time.map_or_else(|| DEFAULT_TIME.to_owned(), |time| time.value),
        traceparent: traceparent.map(|text| text.value),
        tracestate: tracestate.map(|text| text.value),
        flagged: fields
            .get("flagged")
            .is_some_and(|node| flagged(node, diagnostics)),
        data: fields.get("data").map_or(Value::Null, Node::to_json),
    })
}

/// `flagged`: true or false.
fn flagged(node: &Node, diagnostics: &mut Diagnostics) -> bool {
    let Kind::Bool(flagged) = node.kind else {
        diagnostics.push(
            Diagnostic::new("not-a-boolean", format!("`flagged` is true or false, not {}", node.is_a()))
                .at(&node.span)
                .mend("write `flagged: true` for an event that was recorded although it does not fit its private schema"),
        );
        return false;
    };
    flagged
}

fn violation(
    node: &Node,
    listed: &mut Listed<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ExpectedViolation> {
    let fields = Fields::of(
        node,
        "a violation",
        &["event", "pointer", "reason"],
        &[],
        diagnostics,
    )?;
    let event = fields.require("event", "the id of the given event", diagnostics)?;
    let event = listed.outcome(event, diagnostics);
    let mut text = |key| fields.text(key, diagnostics).map(|text| text.value);
    Some(ExpectedViolation {
        pointer: text("pointer"),
        reason: text("reason"),
        event: event?,
    })
}

fn crossed(
    node: &Node,
    contract: Option<&Contract>,
    listed: &mut Listed<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ExpectedEvent> {
    let keys = ["event", "type", "data", "attributes", "ids"];
    let fields = Fields::of(node, "a public event", &keys, &[], diagnostics)?;
    let event = fields
        .get("event")
        .and_then(|node| listed.outcome(node, diagnostics));
    let event_type = fields.require_text("type", "the public type", diagnostics);
    if let (Some(event_type), Some(contract)) = (&event_type, contract) {
        let known: Vec<&str> = contract.public_types().collect();
        if !known.contains(&event_type.value.as_str()) {
            diagnostics.push(
                Diagnostic::new(
                    "unknown-public-type",
                    format!("the contract has no public type `{}`", event_type.value),
                )
                .at(&event_type.span)
                .known(known, &event_type.value),
            );
        }
    }
    let attributes = fields
        .get("attributes")
        .and_then(|node| fields::named(node, "`attributes`", diagnostics))
        .unwrap_or_default()
        .into_iter()
        .map(|(name, node)| (name.value.clone(), node.to_json()))
        .collect();
    let ids = fields
        .get("ids")
        .and_then(|node| fields::named(node, "`ids`", diagnostics))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(place, node)| Some((place.value.clone(), listed.find(node, diagnostics)?)))
        .collect();
    Some(ExpectedEvent {
        event,
        event_type: event_type?.value,
        data: fields.get("data").map(Node::to_json),
        attributes,
        ids,
    })
}
