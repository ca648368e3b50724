//! Running cases: each given event goes through the crossing alone, and its outcome is held against what the case lists.

use super::diff::{self, Difference};
use super::read::{Case, ExpectedEvent, Given, TestFile};
use super::rehearsal_secret;
use super::report::{CaseReport, TestReport, Untouched};
use crate::catalog::Catalog;
use crate::contract::{Contract, EntryOfFrom};
use crate::crossing::{Outcome, PrivateEvent, Violation};
use crate::public_event::PublicEvent;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Runs all cases of all files.
pub(super) fn suite(files: &[TestFile], catalog: &Catalog) -> TestReport {
    let mut cases = Vec::new();
    let mut touched: HashSet<(String, EntryOfFrom)> = HashSet::new();
    for file in files {
        for case in &file.cases {
            let mut run = Run::of(case, &file.contract, catalog);
            run.judge();
            let stream = &file.contract.public_stream;
            touched.extend(
                run.entries
                    .iter()
                    .map(|entry| (stream.clone(), entry.clone())),
            );
            cases.push(CaseReport {
                file: file.name.clone(),
                line: case.line,
                contract: stream.clone(),
                name: case.name.clone(),
                failures: run.failures,
                public_events: run
                    .came
                    .iter()
                    .map(|came| {
                        (
                            came.event.event_type().to_owned(),
                            came.event.bytes().to_vec(),
                        )
                    })
                    .collect(),
            });
        }
    }
    let untouched = catalog
        .contracts()
        .iter()
        .flat_map(|contract| untouched(contract, &touched))
        .collect();
    TestReport { cases, untouched }
}

fn untouched(contract: &Contract, touched: &HashSet<(String, EntryOfFrom)>) -> Vec<Untouched> {
    contract
        .entries()
        .into_iter()
        .filter(|entry| !touched.contains(&(contract.public_stream.clone(), entry.clone())))
        .map(|entry| Untouched {
            contract: contract.public_stream.clone(),
            entry,
        })
        .collect()
}

/// A public event that came.
struct Came<'c> {
    given: &'c Given,
    event: PublicEvent,
    /// The envelope with the data.
    json: Map<String, Value>,
}

/// What came of a given event.
enum Became {
    Unmatched,
    Filtered,
    Crossed(String),
    Violation(Vec<Violation>),
}

impl Became {
    fn in_words(&self) -> String {
        match self {
            Self::Unmatched => "it is unmatched".to_owned(),
            Self::Filtered => "it is filtered".to_owned(),
            Self::Crossed(event_type) => format!("it crosses as {event_type}"),
            Self::Violation(violations) => format!("it is a violation: {}", all(violations)),
        }
    }
}

/// Why a given event could not have been recorded. One that does not fit its schema could be, flagged; one without a
/// schema is never flagged.
fn not_recorded(given: &Given, catalog: &Catalog) -> Option<String> {
    let private = catalog.private();
    let data = Some(&given.data);
    let refusal = private
        .check(given.category(), &given.event_type, data)
        .err()?;
    let why = match refusal.violations.as_slice() {
        [] => refusal.help,
        _ if given.flagged => return None,
        violations => format!(
            "{}; if it was recorded all the same, say `flagged: true`",
            all(violations)
        ),
    };
    Some(format!(
        "event `{}` ({}) could not have been recorded: {why}",
        given.id, given.event_type
    ))
}

/// A case that has been run.
struct Run<'c> {
    case: &'c Case,
    came: Vec<Came<'c>>,
    results: Vec<Became>,
    entries: Vec<EntryOfFrom>,
    failures: Vec<String>,
}

impl<'c> Run<'c> {
    fn of(case: &'c Case, contract: &Contract, catalog: &Catalog) -> Self {
        let mut run = Self {
            case,
            came: Vec::new(),
            results: Vec::new(),
            entries: Vec::new(),
            failures: Vec::new(),
        };
        let secret = rehearsal_secret();
        let mut sequence = 0;
        let mut previous: HashMap<(String, String), u64> = HashMap::new();
        for given in &case.given {
            run.failures.extend(not_recorded(given, catalog));
            let event = PrivateEvent {
                source: given.source.as_deref().unwrap_or(&given.stream),
                id: &given.id,
                stream: &given.stream,
                category: given.category(),
                event_type: &given.event_type,
                time: Some(&given.time),
                traceparent: given.traceparent.as_deref(),
                tracestate: given.tracestate.as_deref(),
                recorded_ms: 0,
                flagged: given.flagged,
                data: &given.data,
            };
            let rehearsed = contract.rehearse(&event, &secret);
            run.entries.extend(rehearsed.entry);
            run.results.push(match rehearsed.outcome {
                Outcome::Unmatched => Became::Unmatched,
                Outcome::Filtered => Became::Filtered,
                Outcome::Violation { violations, .. } => Became::Violation(violations),
                Outcome::Crossed(crossed) => {
                    sequence += 1;
                    let key = (crossed.key().to_owned(), crossed.event_type().to_owned());
                    let before = previous.insert(key, sequence).unwrap_or(0);
                    let event = crossed.seal(sequence, before);
                    let event_type = event.event_type().to_owned();
                    let json = serde_json::from_slice(event.bytes()).unwrap_or_default();
                    run.came.push(Came { given, event, json });
                    Became::Crossed(event_type)
                }
            });
        }
        run
    }

    /// Holds what came against what the case lists.
    fn judge(&mut self) {
        let mut failures = self.outcomes();
        let mut open: Vec<&Came<'_>> = self.came.iter().collect();
        for (nth, expected) in self.case.crossed.iter().enumerate() {
            let at = open.iter().position(|came| match &expected.event {
                Some(id) => came.given.id == *id,
                None => !self
                    .case
                    .crossed
                    .iter()
                    .any(|other| other.event.as_ref() == Some(&came.given.id)),
            });
            match at {
                Some(at) => {
                    let came = open.remove(at);
                    let told = self.compare(expected, came);
                    if !told.is_empty() {
                        let id = &came.given.id;
                        failures.push(format!(
                            "public event {} ({}), of event `{id}`, is another:\n{}",
                            nth + 1,
                            expected.event_type,
                            told.join("\n")
                        ));
                    }
                }
                // Where the event is named, its outcome has been told.
                None if expected.event.is_none() => failures.push(format!(
                    "public event {} ({}) did not come",
                    nth + 1,
                    expected.event_type
                )),
                None => {}
            }
        }
        for came in open {
            failures.push(format!(
                "event `{}` ({}) crosses as {}, and the case does not expect it; its data: {}",
                came.given.id,
                came.given.event_type,
                came.event.event_type(),
                diff::shown(came.json.get("data").unwrap_or(&Value::Null))
            ));
        }
        self.failures.append(&mut failures);
    }

    /// What is wrong with the kinds of outcomes.
    fn outcomes(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (given, result) in self.case.given.iter().zip(&self.results) {
            let id = &given.id;
            let violation = self.case.violations.iter().find(|one| one.event == *id);
            let expected = if self.case.filtered.contains(id) {
                "be filtered"
            } else if self.case.unmatched.contains(id) {
                "be unmatched"
            } else if violation.is_some() {
                "be a violation"
            } else {
                "cross"
            };
            let as_expected = match result {
                Became::Filtered => expected == "be filtered",
                Became::Unmatched => expected == "be unmatched",
                Became::Violation(_) => expected == "be a violation",
                Became::Crossed(_) => expected == "cross",
            };
            if !as_expected {
                failures.push(format!(
                    "event `{id}` ({}) must {expected}, and {}",
                    given.event_type,
                    result.in_words()
                ));
            } else if let (Became::Violation(came), Some(expected)) = (result, violation) {
                let fits = |one: &Violation| {
                    expected
                        .pointer
                        .as_ref()
                        .is_none_or(|pointer| one.pointer == *pointer)
                        && expected
                            .reason
                            .as_ref()
                            .is_none_or(|part| one.reason.contains(part.as_str()))
                };
                if !came.iter().any(fits) {
                    failures.push(format!(
                        "event `{id}` ({}) is another violation:\n    expected: {}\n    got: {}",
                        given.event_type,
                        expected_in_words(expected.pointer.as_deref(), expected.reason.as_deref()),
                        all(came)
                    ));
                }
            }
        }
        failures
    }

    /// The lines of a difference between a public event that was expected and one that came.
    fn compare(&self, expected: &ExpectedEvent, came: &Came<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut tell = |place: &str, expected: Option<String>, got: Option<String>| {
            let absent = || "nothing".to_owned();
            lines.push(format!("    {place}"));
            lines.push(format!(
                "      expected: {}",
                expected.unwrap_or_else(absent)
            ));
            lines.push(format!("      got:      {}", got.unwrap_or_else(absent)));
        };
        if came.event.event_type() != expected.event_type {
            tell(
                "type",
                Some(expected.event_type.clone()),
                Some(came.event.event_type().to_owned()),
            );
        }
        let mut json = came.json.clone();
        for (place, id) in &expected.ids {
            let wanted = self.came.iter().find(|other| other.given.id == *id);
            let wanted = wanted.map(|other| Value::from(other.event.id()));
            let got = if place.starts_with('/') {
                json.get("data")
                    .and_then(|data| data.pointer(place))
                    .cloned()
            } else {
                json.get(place).cloned()
            };
            if wanted.is_none() || wanted != got {
                let wanted = wanted.as_ref().map_or_else(
                    || format!("the public id of event `{id}`, which did not cross"),
                    |wanted| format!("{}, the public id of event `{id}`", diff::shown(wanted)),
                );
                tell(place, Some(wanted), got.as_ref().map(diff::shown));
            }
            // What was compared as an id need not be listed in `data`.
            if let Some(data) = json.get_mut("data") {
                remove(data, place);
            }
        }
        for (name, wanted) in &expected.attributes {
            let got = json.get(name).filter(|_| name != "data");
            if got != Some(wanted) {
                tell(name, Some(diff::shown(wanted)), got.map(diff::shown));
            }
        }
        if let Some(wanted) = &expected.data {
            let mut wanted = wanted.clone();
            for (place, _) in &expected.ids {
                remove(&mut wanted, place);
            }
            let got = json.get("data").unwrap_or(&Value::Null);
            for Difference {
                pointer,
                expected,
                got,
            } in diff::differences(&wanted, got)
            {
                tell(&format!("data{pointer}"), expected, got);
            }
        }
        lines
    }
}

/// Takes a field away that a JSON pointer leads to.
fn remove(data: &mut Value, pointer: &str) {
    let Some((above, name)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(Value::Object(fields)) = data.pointer_mut(above) {
        fields.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}

fn all(violations: &[Violation]) -> String {
    let told: Vec<String> = violations
        .iter()
        .map(|one| expected_in_words(Some(&one.pointer), Some(&one.reason)))
        .collect();
    told.join("; ")
}

fn expected_in_words(pointer: Option<&str>, reason: Option<&str>) -> String {
    match (pointer.filter(|pointer| !pointer.is_empty()), reason) {
        (Some(pointer), Some(reason)) => format!("{pointer} {reason}"),
        (Some(pointer), None) => pointer.to_owned(),
        (None, Some(reason)) => reason.to_owned(),
        (None, None) => "any".to_owned(),
    }
}
