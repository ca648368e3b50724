//! What came of a run of all cases.

use crate::contract::EntryOfFrom;
use serde_json::{Value, json};

/// What came of all cases.
#[derive(Debug, Default)]
pub struct TestReport {
    pub(super) cases: Vec<CaseReport>,
    pub(super) untouched: Vec<Untouched>,
}

/// What came of one case.
#[derive(Debug)]
pub struct CaseReport {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) contract: String,
    pub(super) name: String,
    pub(super) failures: Vec<String>,
    /// Public type and bytes of each public event.
    pub(super) public_events: Vec<(String, Vec<u8>)>,
}

/// An entry of `from` that no case touches.
#[derive(Debug)]
pub struct Untouched {
    pub(super) contract: String,
    pub(super) entry: EntryOfFrom,
}

impl TestReport {
    /// Each case, by file and in the order of its file.
    pub fn cases(&self) -> &[CaseReport] {
        &self.cases
    }

    /// The entries of `from` that no case touches, of all contracts.
    pub fn untouched(&self) -> &[Untouched] {
        &self.untouched
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed()).count()
    }

    /// The report as a JSON document.
    pub fn to_json(&self) -> Value {
        let cases: Vec<Value> = self
            .cases
            .iter()
            .map(|case| {
                json!({
                    "file": case.file, "line": case.line, "contract": case.contract, "name": case.name,
                    "passed": case.passed(), "failures": case.failures,
                })
            })
            .collect();
        let untouched: Vec<Value> = self
            .untouched
            .iter()
            .map(|one| {
                json!({
                    "contract": one.contract, "type": one.entry.public_type,
                    "event": one.entry.event, "nth": one.entry.nth,
                })
            })
            .collect();
        json!({
            "passed": self.cases.len() - self.failed(), "failed": self.failed(),
            "cases": cases, "untouched": untouched,
        })
    }
}

impl CaseReport {
    /// The file, as it was named when it was read.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line that the case begins in, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The public stream of its contract.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// The case's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether everything was as the case has it.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// What was not; each may have several lines.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Public type and bytes of each public event that came.
    pub(crate) fn public_events(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.public_events
            .iter()
            .map(|(event_type, bytes)| (event_type.as_str(), bytes.as_slice()))
    }
}

impl std::fmt::Display for Untouched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let EntryOfFrom {
            public_type,
            event,
            nth,
        } = &self.entry;
        write!(f, "{}: {public_type} from {event}", self.contract)?;
        if *nth > 1 {
            write!(f, " (entry {nth} of that event)")?;
        }
        Ok(())
    }
}
