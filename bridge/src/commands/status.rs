//! `horizon status`: positions, contracts and relays.

use serde_json::Value;

use super::{Failure, Format, How, plural, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    how: How,
}

impl Status {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let status = self.how.operator()?.get("/status")?;
        match self.how.format {
            Format::Json => print(&status.to_string()),
            Format::Text => print(&in_words(&status)),
        }
        Ok(())
    }
}

fn cell(row: &Value, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn in_words(status: &Value) -> String {
    let log = status.get("log").unwrap_or(&Value::Null);
    let mut parts = vec![format!(
        "log {}: {} private event{}; head at position {} (records of the system have positions too)",
        cell(log, "name"),
        cell(log, "events"),
        plural(log["events"].as_u64().unwrap_or_default()),
        cell(log, "head")
    )];
    let flagged = cell(log, "flaggedSinceStart");
    if !matches!(flagged.as_str(), "0" | "-") {
        parts.push(format!(
            "{flagged} event{} flagged since the daemon was started: recorded although the private schema is against it",
            plural(log["flaggedSinceStart"].as_u64().unwrap_or_default())
        ));
    }
    parts.extend(low_disk(status));
    parts.extend(issuers(status));
    parts.extend(loading(status));
    let contracts = [
        "contract",
        "version",
        "cursor",
        "crossed",
        "filtered",
        "unmatched",
        "violated",
        "parkedKeys",
    ];
    parts.push(table(status.get("contracts"), &contracts));
    parts.extend(halted(status));
    let relays = [
        "relay",
        "state",
        "cursor",
        "lag",
        "inFlight",
        "confirmed",
        "unheard",
        "parked",
        "lastError",
    ];
    parts.push(table(status.get("relays"), &relays));
    parts.extend(paused(status));
    parts.extend(replays(status));
    for failure in status
        .get("failures")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        parts.push(format!(
            "ended until a restart: {}",
            failure.as_str().unwrap_or_default()
        ));
    }
    parts.join("\n\n")
}

/// Which issuers' keys could not be fetched, and why.
fn issuers(status: &Value) -> Option<String> {
    let issuers = status["access"]["issuers"].as_array()?;
    let failed = issuers
        .iter()
        .filter(|issuer| issuer["lastError"].is_string());
    let lines: Vec<String> = failed
        .map(|issuer| {
            format!(
                "the keys of issuer {} could not be fetched, {} are known: {}",
                cell(issuer, "issuer"),
                cell(issuer, "keys"),
                cell(issuer, "lastError")
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Which contracts have halted, why, and what lets them go on.
fn halted(status: &Value) -> Option<String> {
    let contracts = status.get("contracts").and_then(Value::as_array)?;
    let halted = contracts.iter().filter(|one| one["halted"].is_string());
    let lines: Vec<String> = halted
        .map(|one| {
            format!(
                "{} has halted: {}",
                cell(one, "contract"),
                cell(one, "halted")
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Which relays are paused, and why.
fn paused(status: &Value) -> Option<String> {
    let relays = status.get("relays").and_then(Value::as_array)?;
    let paused = relays.iter().filter(|relay| relay["paused"].is_object());
    let lines: Vec<String> = paused
        .map(|relay| {
            let pause = &relay["paused"];
            let (since, reason) = (cell(pause, "since"), cell(pause, "reason"));
            format!("{} is paused since {since}: {reason}", cell(relay, "relay"))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Which replays run.
fn replays(status: &Value) -> Option<String> {
    let replays = status.get("replays").and_then(Value::as_array)?;
    let running = replays.iter().filter(|replay| replay["state"] == "running");
    let lines: Vec<String> = running
        .map(|replay| {
            let (stretch, progress) = (&replay["stretch"], &replay["progress"]);
            format!(
                "replay {} of {} to {} runs: at sequence {} of {} to {}",
                cell(replay, "id"),
                cell(stretch, "contract"),
                cell(stretch, "outlet"),
                cell(progress, "sequence"),
                cell(stretch, "from"),
                cell(stretch, "through"),
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What the last reload did not take up, and what waits for a restart, if anything.
fn loading(status: &Value) -> Option<String> {
    let loading = status.get("loading")?;
    let mut parts = Vec::new();
    let error = &loading["lastError"];
    if error.is_object() {
        parts.push(format!(
            "the reload at {} did not take everything up; contracts of {} and access of {} are in use:\n{}",
            cell(error, "at"),
            cell(loading, "loaded"),
            cell(loading, "accessLoaded"),
            cell(error, "reason").trim_end()
        ));
    }
    let keys: Vec<&str> = loading["restartNeeded"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !keys.is_empty() {
        parts.push(format!(
            "changed, and in use only after a restart: {}",
            keys.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// What is refused because the disk is low, if anything is.
fn low_disk(status: &Value) -> Option<String> {
    let disk = status.get("disk")?;
    let is = |name: &str| disk.get(name) == Some(&Value::Bool(true));
    let refused = match (is("appendsRefused"), is("crossingRefused")) {
        (false, false) => return None,
        (true, false) => "appends are refused",
        (false, true) => "nothing crosses",
        (true, true) => "appends are refused, and nothing crosses",
    };
    Some(format!(
        "the disk is low, {} bytes are free: {refused} until there is room; publishing goes on",
        cell(disk, "freeBytes")
    ))
}

/// Rows of objects as aligned columns; numbers to the right.
pub(super) fn table(rows: Option<&Value>, columns: &[&str]) -> String {
    let rows: Vec<&Value> = rows
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let width = |column: &str| {
        rows.iter()
            .map(|row| cell(row, column).chars().count())
            .max()
            .unwrap_or(0)
            .max(column.len())
    };
    let line = |cells: Vec<(String, bool, usize)>| {
        let cells: Vec<String> = cells
            .into_iter()
            .map(|(text, right, width)| {
                if right {
                    format!("{text:>width$}")
                } else {
                    format!("{text:<width$}")
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let is_number = |column: &str| {
        rows.iter()
            .any(|row| row.get(column).is_some_and(Value::is_number))
    };
    let mut lines = vec![line(
        columns
            .iter()
            .map(|column| ((*column).to_owned(), is_number(column), width(column)))
            .collect(),
    )];
    for row in &rows {
        lines.push(line(
            columns
                .iter()
                .map(|column| (cell(row, column), is_number(column), width(column)))
                .collect(),
        ));
    }
    lines.join("\n")
}
