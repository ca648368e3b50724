//! `horizon why`: what became of one private event.

use serde_json::Value;

use super::{Failure, Format, How, print};
use crate::http::read::path_segment;

#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// The id of the private event, as it was appended
    #[arg(value_name = "EVENT-ID")]
    id: String,
    #[command(flatten)]
    how: How,
}

impl Why {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let told = self
            .how
            .operator()?
            .get(&format!("/why/{}", path_segment(&self.id)))?;
        match self.how.format {
            Format::Json => print(&told.to_string()),
            Format::Text => told
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|event| print(&in_words(event))),
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn in_words(event: &Value) -> String {
    let mut lines = vec![format!(
        "{} {} in stream {} at revision {}, position {}, recorded {}",
        text(event, "type"),
        text(event, "id"),
        text(event, "stream"),
        number(event, "revision"),
        number(event, "position"),
        text(event, "recorded"),
    )];
    lines.extend(flagged(event));
    for contract in event
        .get("contracts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        lines.push(format!(
            "  {}: {}",
            text(contract, "contract"),
            outcome(contract)
        ));
        let violations = contract.get("violations").and_then(Value::as_array);
        lines.extend(violations.into_iter().flatten().map(violation));
        for outlet in contract
            .get("outlets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            lines.push(format!(
                "    {}: {}",
                text(outlet, "outlet"),
                at_outlet(outlet)
            ));
        }
    }
    lines.join("\n")
}

/// That an event was taken although it did not fit, and what its schema says against it now.
fn flagged(event: &Value) -> Vec<String> {
    if event.get("flagged") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let unfit = event.get("unfit").and_then(Value::as_array);
    let unfit = unfit.map_or(&[][..], Vec::as_slice);
    let mut lines = vec![if unfit.is_empty() {
        "  flagged: it did not fit its private schema when it was recorded; nothing speaks against it now"
            .to_owned()
    } else {
        "  flagged: it does not fit its private schema".to_owned()
    }];
    lines.extend(unfit.iter().map(violation));
    lines
}

/// A violation as a line.
fn violation(violation: &Value) -> String {
    let pointer = Some(text(violation, "pointer"))
        .filter(|pointer| !pointer.is_empty())
        .unwrap_or("the data");
    format!("    at {pointer}: {}", text(violation, "reason"))
}

fn outcome(contract: &Value) -> String {
    let reason = text(contract, "reason");
    match text(contract, "outcome") {
        "crossed" => {
            let public = contract.get("public").unwrap_or(&Value::Null);
            format!(
                "crossed as {} {}, sequence {}, key {}, by version {}",
                text(public, "type"),
                text(public, "id"),
                number(public, "sequence"),
                text(public, "key"),
                text(public, "contractVersion"),
            )
        }
        "violated" => {
            format!(
                "violated {}; key {} is parked",
                text(contract, "type"),
                text(contract, "key")
            )
        }
        "parked" => format!("parked with key {}: {reason}", text(contract, "key")),
        outcome if reason.is_empty() => outcome.to_owned(),
        outcome => format!("{outcome}: {reason}"),
    }
}

fn at_outlet(outlet: &Value) -> String {
    match text(outlet, "state") {
        state @ ("confirmed" | "unheard") if !text(outlet, "at").is_empty() => {
            format!("{state} by {}", text(outlet, "at"))
        }
        "paused" => format!(
            "paused since {}: {}",
            text(outlet, "since"),
            text(outlet, "reason")
        ),
        "retrying" => format!(
            "retrying since {}: {}",
            text(outlet, "since"),
            text(outlet, "reason")
        ),
        state if text(outlet, "reason").is_empty() => state.to_owned(),
        state => format!("{state}: {}", text(outlet, "reason")),
    }
}
