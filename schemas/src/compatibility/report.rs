//! What a change of contracts means for their consumers: told contract by contract.

use super::compare::{Revision, compare};
use super::mode::Mode;
use super::outline::{Outline, Side};
use super::stream;
use super::{Direction, Finding, Published};
use crate::contract::Waiver;
use crate::diagnostics::Diagnostics;
use serde_json::Value;
use std::cmp::Ordering;

/// One breaking change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The stable code of the rule that is broken.
    pub rule: &'static str,
    /// Who reads what, for a change of a schema.
    pub direction: Option<Direction>,
    /// The public type that changes; none for the contract itself.
    pub public_type: Option<String>,
    /// The file in which `at` leads: a contract or a schema.
    pub file: String,
    /// The JSON pointer of what breaks.
    pub at: String,
    /// What breaks, in one sentence.
    pub message: String,
    /// What would mend it.
    pub mend: String,
    /// A value that is published and refused.
    pub counterexample: Option<Value>,
    /// It could not be decided, and counts as breaking.
    pub undecided: bool,
    /// What it was compared with.
    pub against: String,
    /// The waiver that covers it: it does not count.
    pub waiver: Option<Waiver>,
}

/// Something to know that breaks nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// A stable code.
    pub code: &'static str,
    /// What it is.
    pub message: String,
    /// What to do.
    pub mend: String,
}

/// What is told of one contract.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractReport {
    /// The public stream, such as `bank.accounts.v1`.
    pub contract: String,
    /// The contract's file, in the revision in which it is.
    pub file: String,
    /// The version before; none for a new contract.
    pub from_version: Option<String>,
    /// The version now; none for a contract that is no longer there.
    pub to_version: Option<String>,
    /// What the contract promises.
    pub mode: Mode,
    /// Whether anything at all has changed.
    pub changed: bool,
    /// What breaks, waived changes included.
    pub changes: Vec<Change>,
    /// What else is to be known.
    pub notes: Vec<Note>,
}

impl ContractReport {
    /// The changes that no waiver covers.
    pub fn breaking(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.waiver.is_none())
    }
}

/// What to compare, and how.
#[derive(Debug)]
pub struct Question<'s> {
    /// The contracts as they are to be.
    pub new: &'s Side,
    /// The revisions before, the last one first; at least one.
    pub against: &'s [Side],
    /// The mode in place of the contracts' own.
    pub mode: Option<Mode>,
    /// The day (`YYYY-MM-DD`) on which waivers are looked at.
    pub today: &'s str,
}

/// Tells what breaks, contract by contract.
///
/// # Errors
/// A schema is missing.
pub fn breaking(question: &Question<'_>) -> Result<Vec<ContractReport>, Diagnostics> {
    let mut reports = Vec::new();
    let Some(last) = question.against.first() else {
        return Ok(reports);
    };
    for old in &last.contracts {
        let stream = old.public_stream();
        let mut contracts = question.new.contracts.iter();
        if !contracts.any(|new| new.public_stream() == stream) {
            reports.push(gone(question, old, last));
        }
    }
    for new in &question.new.contracts {
        reports.push(contract(question, new, last)?);
    }
    reports.sort_by(|a, b| a.contract.cmp(&b.contract));
    Ok(reports)
}

fn named<'s>(side: &'s Side, contract: &Outline) -> Option<&'s Outline> {
    let stream = contract.public_stream();
    let mut contracts = side.contracts.iter();
    contracts.find(|own| own.public_stream() == stream)
}

fn gone(question: &Question<'_>, old: &Outline, last: &Side) -> ContractReport {
    let mut changes: Vec<Change> = stream::removed(old).into_iter().collect();
    for change in &mut changes {
        change.against.clone_from(&last.label);
    }
    ContractReport {
        contract: old.public_stream(),
        file: old.file.clone(),
        from_version: Some(old.version.to_string()),
        to_version: None,
        mode: question.mode.or(old.mode).unwrap_or_default(),
        changed: true,
        changes,
        notes: Vec::new(),
    }
}

fn contract(
    question: &Question<'_>,
    new: &Outline,
    last: &Side,
) -> Result<ContractReport, Diagnostics> {
    let mode = question.mode.or(new.mode).unwrap_or_default();
    let old = named(last, new);
    let mut report = ContractReport {
        contract: new.public_stream(),
        file: new.file.clone(),
        from_version: old.map(|old| old.version.to_string()),
        to_version: Some(new.version.to_string()),
        mode,
        changed: old.is_none(),
        changes: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(old) = old {
        report.changed = old.content != new.content || schemas_differ(old, last, new, question.new);
        // A draft promises nothing.
        if old.status != "draft" {
            let ids = |side: &Side, schema: &str| side.schemas.id(schema).map(str::to_owned);
            report.changes = stream::changes(old, new, &|schema| ids(last, schema), &|schema| {
                ids(question.new, schema)
            });
        }
        for change in &mut report.changes {
            change.against.clone_from(&last.label);
        }
        version_notes(old, new, &mut report);
    }
    let all = if mode.transitive {
        question.against
    } else {
        &question.against[..1]
    };
    for side in all {
        schema_changes(question.new, new, side, mode, &mut report)?;
    }
    waive(new, question.today, &mut report);
    Ok(report)
}

/// Whether any schema of the contract's types differs from before.
fn schemas_differ(old: &Outline, before: &Side, new: &Outline, now: &Side) -> bool {
    new.types.iter().any(|(event_type, public)| {
        let was = old.types.get(event_type);
        let was = was.and_then(|public| before.schemas.reached(&public.schema));
        was != now.schemas.reached(&public.schema)
    })
}

fn version_notes(old: &Outline, new: &Outline, report: &mut ContractReport) {
    let (was, now) = (old.version, new.version);
    match now.cmp(&was) {
        Ordering::Equal if report.changed => report.notes.push(Note {
            code: "version-not-raised",
            message: format!("the contract has changed, and its version is {now} as before"),
            mend:
                "raise the minor version for what consumers can see, the patch version for the rest"
                    .to_owned(),
        }),
        Ordering::Less => report.notes.push(Note {
            code: "version-lowered",
            message: format!("the version was {was} and is now {now}"),
            mend: format!("write a version above {was}"),
        }),
        _ => {}
    }
}

/// Measures each type's schema against that of another side, and against the revisions kept beside it.
fn schema_changes(
    now: &Side,
    new: &Outline,
    before: &Side,
    mode: Mode,
    report: &mut ContractReport,
) -> Result<(), Diagnostics> {
    let Some(old) = named(before, new).filter(|old| old.status != "draft") else {
        return Ok(());
    };
    for (event_type, public) in &new.types {
        let Some(was) = old
            .types
            .get(event_type)
            .filter(|was| was.status != "draft")
        else {
            continue;
        };
        let mut paths = vec![was.schema.clone()];
        if mode.transitive {
            paths.extend(before.schemas.kept_beside(&was.schema));
        }
        for path in paths {
            for direction in mode.directions() {
                let found = compare(
                    Revision {
                        schemas: &before.schemas,
                        path: &path,
                    },
                    Revision {
                        schemas: &now.schemas,
                        path: &public.schema,
                    },
                    direction,
                    Published::ClosedOnLeaving,
                )?;
                let against = match path == was.schema {
                    true => before.label.clone(),
                    false => format!("{}: {path}", before.label),
                };
                for finding in found {
                    add(event_type, finding, &against, report);
                }
            }
        }
    }
    Ok(())
}

/// The same change is told once, for the last revision that it breaks with.
fn add(event_type: &str, finding: Finding, against: &str, report: &mut ContractReport) {
    let known = report.changes.iter().any(|change| {
        change.rule == finding.rule
            && change.at == finding.pointer
            && change.direction == Some(finding.direction)
            && change.public_type.as_deref() == Some(event_type)
    });
    if known {
        return;
    }
    report.changes.push(Change {
        rule: finding.rule,
        direction: Some(finding.direction),
        public_type: Some(event_type.to_owned()),
        undecided: finding.is_undecided(),
        file: finding.document,
        at: finding.pointer,
        message: finding.message,
        mend: finding.mend,
        counterexample: finding.counterexample,
        against: against.to_owned(),
        waiver: None,
    });
}

/// Marks what waivers cover; tells of those that cover nothing or have ended.
fn waive(new: &Outline, today: &str, report: &mut ContractReport) {
    for waiver in &new.waivers {
        let mut covered = false;
        for change in report
            .changes
            .iter_mut()
            .filter(|change| waiver.covers(change))
        {
            covered = true;
            if waiver.counts_on(today) {
                change.waiver = Some(waiver.clone());
            }
        }
        let name = format!("the waiver of {} at {}", waiver.change, waiver.at);
        if !covered {
            report.notes.push(Note {
                code: "waiver-unused",
                message: format!("{name} covers nothing"),
                mend: "take it out, or correct its `change`, `at` and `type`".to_owned(),
            });
        } else if !waiver.counts_on(today) {
            report.notes.push(Note {
                code: "waiver-ended",
                message: format!("{name} counted until {}", waiver.until),
                mend: "mend the change, or give the waiver a later `until` and a reason for it"
                    .to_owned(),
            });
        }
    }
}
