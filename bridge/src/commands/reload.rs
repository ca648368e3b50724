//! `horizon reload`: access, contracts and schemas of the running daemon.

use serde_json::Value;

use super::{Failure, Format, How, print};
use crate::client::ClientError;

/// What the daemon answers when contracts, schemas or access have to be mended.
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

/// What has to be mended is told in full, as `horizon check` does, beside what was taken up.
fn failure(error: ClientError) -> Failure {
    let ClientError::Problem { status, problem } = &error else {
        return error.into();
    };
    match problem.get("detail").and_then(Value::as_str) {
        Some(detail) if *status == REFUSED => {
            Failure::Mend(format!("not everything was taken up\n{detail}"))
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
    lines.push(match reloaded["principals"].as_u64() {
        Some(principals) => format!("{principals} principals; certificates are loaded again"),
        None => "certificates are loaded again; no `access` is in use".to_owned(),
    });
    lines.join("\n")
}
