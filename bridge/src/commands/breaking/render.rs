//! The report in its forms.

use std::fmt::Write as _;
use std::path::Path;

use horizon_schemas::compatibility::{Change, ContractReport};
use serde_json::{Value, json};

use crate::commands::junit::{self, Case};

/// Where files of a report are, for annotations.
pub(super) struct Place<'a> {
    pub(super) contracts: &'a Path,
    pub(super) schemas: &'a Path,
}

/// For people.
pub(super) fn text(reports: &[ContractReport], notes: &[String]) -> String {
    let mut text = String::new();
    for report in reports {
        let count = report.breaking().count();
        let verdict = match count {
            _ if report.from_version.is_none() => "new".to_owned(),
            0 if !report.changed => "unchanged".to_owned(),
            0 => "compatible".to_owned(),
            1 => "1 breaking change".to_owned(),
            _ => format!("{count} breaking changes"),
        };
        let _ = writeln!(
            text,
            "{} {} ({}): {verdict}",
            report.contract,
            versions(report),
            report.mode.word()
        );
        for change in &report.changes {
            write_change(&mut text, change);
        }
        for note in &report.notes {
            let _ = writeln!(
                text,
                "  note[{}]: {}\n    = mend: {}",
                note.code, note.message, note.mend
            );
        }
    }
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    let count: usize = reports.iter().map(|report| report.breaking().count()).sum();
    let waived: usize = reports
        .iter()
        .map(|report| report.changes.len())
        .sum::<usize>()
        - count;
    let _ = write!(
        text,
        "{} contracts, {count} breaking changes, {waived} waived",
        reports.len()
    );
    text
}

fn versions(report: &ContractReport) -> String {
    match (&report.from_version, &report.to_version) {
        (Some(from), Some(to)) if from == to => to.clone(),
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(from), None) => format!("{from} -> gone"),
        (None, Some(to)) => to.clone(),
        (None, None) => String::new(),
    }
}

/// What a change is called: its direction, or that it is one of the contract itself.
fn kind(change: &Change) -> &'static str {
    change
        .direction
        .map_or("contract", |direction| direction.word())
}

fn write_change(text: &mut String, change: &Change) {
    let waived = if change.waiver.is_some() {
        "waived"
    } else {
        "breaking"
    };
    let _ = writeln!(
        text,
        "  {waived}[{}] {}: {}",
        change.rule,
        kind(change),
        change.message
    );
    if let Some(public_type) = &change.public_type {
        let _ = writeln!(text, "    type: {public_type}");
    }
    let _ = writeln!(text, "    at: {} {}", change.file, shown_at(change));
    let _ = writeln!(text, "    against: {}", change.against);
    match (&change.counterexample, change.undecided) {
        (Some(value), _) => {
            let _ = writeln!(text, "    counterexample: {value}");
        }
        (None, true) => {
            let _ = writeln!(text, "    undecided: no value was found that shows it");
        }
        (None, false) => {}
    }
    match &change.waiver {
        Some(waiver) => {
            let _ = writeln!(
                text,
                "    = waived until {}: {}",
                waiver.until, waiver.reason
            );
        }
        None => {
            let _ = writeln!(text, "    = mend: {}", change.mend);
        }
    }
}

fn shown_at(change: &Change) -> &str {
    if change.at.is_empty() {
        "(the whole)"
    } else {
        &change.at
    }
}

/// For programs.
pub(super) fn json(reports: &[ContractReport], notes: &[String]) -> Value {
    let breaking = reports
        .iter()
        .any(|report| report.breaking().next().is_some());
    let contracts: Vec<Value> = reports
        .iter()
        .map(|report| {
            json!({
                "contract": report.contract,
                "file": report.file,
                "from": report.from_version,
                "to": report.to_version,
                "mode": report.mode.word(),
                "changed": report.changed,
                "breaking": report.breaking().next().is_some(),
                "changes": report.changes.iter().map(json_change).collect::<Vec<_>>(),
                "notes": report.notes.iter().map(|note| json!({
                    "code": note.code,
                    "message": note.message,
                    "mend": note.mend,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "breaking": breaking, "contracts": contracts, "notes": notes })
}

fn json_change(change: &Change) -> Value {
    json!({
        "rule": change.rule,
        "kind": kind(change),
        "type": change.public_type,
        "file": change.file,
        "at": change.at,
        "message": change.message,
        "counterexample": change.counterexample,
        "undecided": change.undecided,
        "against": change.against,
        "mend": change.mend,
        "waiver": change.waiver.as_ref().map(|waiver| json!({
            "reason": waiver.reason,
            "until": waiver.until,
        })),
    })
}

/// One case for each contract and public type that breaks, and one for each contract that does not.
pub(super) fn junit(reports: &[ContractReport]) -> String {
    let mut cases = Vec::new();
    for report in reports {
        let mut broken: Vec<(String, String)> = Vec::new();
        for change in report.breaking() {
            let name = change
                .public_type
                .clone()
                .unwrap_or_else(|| "the contract".to_owned());
            let mut told = String::new();
            write_change(&mut told, change);
            let told = told.trim().to_owned();
            match broken.iter_mut().find(|(own, _)| *own == name) {
                Some((_, failure)) => {
                    let _ = write!(failure, "\n{told}");
                }
                None => broken.push((name, told)),
            }
        }
        let case = |name: String, failure: Option<String>| Case {
            class: report.contract.clone(),
            name,
            place: None,
            failure,
        };
        if broken.is_empty() {
            cases.push(case("compatible".to_owned(), None));
        }
        cases.extend(
            broken
                .into_iter()
                .map(|(name, failure)| case(name, Some(failure))),
        );
    }
    junit::junit("horizon breaking", &cases)
}

/// Annotations of GitHub Actions, and the summary.
pub(super) fn github(reports: &[ContractReport], notes: &[String], place: &Place<'_>) -> String {
    let mut text = String::new();
    for report in reports {
        for change in &report.changes {
            let level = if change.waiver.is_some() {
                "notice"
            } else {
                "error"
            };
            let folder = match change.file.starts_with("public/") {
                true => place.schemas,
                false => place.contracts,
            };
            let mut message = format!("{} ({})", change.message, shown_at(change));
            if let Some(value) = &change.counterexample {
                let _ = write!(message, "\ncounterexample: {value}");
            }
            match &change.waiver {
                Some(waiver) => {
                    let _ = write!(
                        message,
                        "\nwaived until {}: {}",
                        waiver.until, waiver.reason
                    );
                }
                None => {
                    let _ = write!(message, "\nmend: {}", change.mend);
                }
            }
            let _ = writeln!(
                text,
                "::{level} file={},title={}::{}",
                property(&relative(&folder.join(&change.file))),
                property(&format!("{} {}", change.rule, report.contract)),
                data(&message)
            );
        }
        for note in &report.notes {
            let _ = writeln!(
                text,
                "::warning file={},title={}::{}",
                property(&relative(&place.contracts.join(&report.file))),
                property(&format!("{} {}", note.code, report.contract)),
                data(&format!("{}; {}", note.message, note.mend))
            );
        }
    }
    for note in notes {
        let _ = writeln!(text, "::notice::{}", data(note));
    }
    let count: usize = reports.iter().map(|report| report.breaking().count()).sum();
    let _ = write!(
        text,
        "{} contracts, {count} breaking changes",
        reports.len()
    );
    text
}

/// The path as seen from where the command runs, which in CI is the repository.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
