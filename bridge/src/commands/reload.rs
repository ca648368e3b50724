//! `horizon reload`: contracts and schemas of the running daemon.

use serde_json::Value;

use super::{Failure, Format, How, print};
use crate::client::ClientError;

/// What the daemon answers when contracts, schemas or configuration have to be mended.
const REFUSED: u16 = 422;

#[derive(Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    how: How,
}

impl Reload {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.how.operator()?.patient();
        let reloaded = client.post("/reload", b"{}").map_err(failure)?;
        match self.how.format {
            Format::Json => print(&reloaded.to_string()),
            Format::Text => print(&in_words(&reloaded)),
        }
        Ok(())
    }
}

/// What has to be mended is told in full, as `horizon check` does.
fn failure(error: ClientError) -> Failure {
    match &error {
        ClientError::Problem { status, problem } if *status == REFUSED => {
            let detail = problem.get("detail").and_then(Value::as_str);
            Failure::Mend(format!(
                "nothing was loaded; the old contracts stay\n{}",
                detail.unwrap_or_default()
            ))
        }
        _ => error.into(),
    }
}

fn in_words(reloaded: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let words = |value: &Value| {
        let words = list(value);
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        words.join(", ")
    };
    let contracts = list(&reloaded["contracts"]);
    let mut lines: Vec<String> = contracts
        .iter()
        .map(|contract| {
            let text = |name: &str| contract[name].as_str().unwrap_or_default();
            let changed = contract["changed"] == Value::Bool(true);
            let state = if changed { "loaded" } else { "as before" };
            format!("{} {}: {state}", text("contract"), text("version"))
        })
        .collect();
    for (name, what) in [("stopped", "relays stopped"), ("started", "relays started")] {
        let relays = words(&reloaded["relays"][name]);
        if !relays.is_empty() {
            lines.push(format!("{what}: {relays}"));
        }
    }
    let restart = words(&reloaded["restartNeeded"]);
    if !restart.is_empty() {
        lines.push(format!(
            "changed, and in use only after a restart of the daemon: {restart}"
        ));
    }
    lines.push(format!(
        "{} contracts; schemas are loaded again",
        contracts.len()
    ));
    lines.join("\n")
}
