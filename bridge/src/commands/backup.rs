//! `horizon backup` and `horizon backups`: make a backup through the running daemon, and list what is in a folder of backups.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use horizon_store::{Backup as Made, FoundBackup, list_backups};
use serde_json::{Value, json};

use super::{Failure, Format, How, plural, print, run_to_end};
use crate::clock;
use crate::http::keep::backup_made;

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The folder of backups on the daemon's machine: absent, empty, or with earlier backups of this store
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Remove the oldest, so that this many backups stay
    #[arg(long, value_name = "NUMBER")]
    keep: Option<NonZeroUsize>,
    #[command(flatten)]
    how: How,
}

impl Backup {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let folder = std::path::absolute(&self.folder)
            .ok()
            .and_then(|folder| folder.to_str().map(str::to_owned))
            .ok_or_else(|| Failure::Mend("the folder's name is not UTF-8".to_owned()))?;
        let body = json!({"folder": folder, "keep": self.keep}).to_string();
        let made = self
            .how
            .operator()?
            .patient()
            .post("/backups", body.as_bytes())?;
        match self.how.format {
            Format::Json => print(&made.to_string()),
            Format::Text => print(&in_words(&made)),
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Backups {
    /// The folder of backups
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Backups {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let found = run_to_end(list_backups(&self.folder))?
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let body = |FoundBackup { id, backup }: &FoundBackup| match backup {
            Ok(made) => serde_json::to_value(backup_made(made)).unwrap_or_default(),
            Err(damage) => json!({"backup": id, "damage": damage}),
        };
        let bodies: Vec<Value> = found.iter().map(body).collect();
        match self.format {
            Format::Json => print(&Value::from(bodies).to_string()),
            Format::Text if bodies.is_empty() => print("no backup in it was finished"),
            Format::Text => {
                for body in &bodies {
                    print(&in_words(body));
                }
            }
        }
        let damaged = found.iter().filter(|found| found.backup.is_err()).count();
        match damaged {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!(
                "{damaged} of {} backups are damaged\n  = mend: make a new one",
                found.len()
            ))),
        }
    }
}

/// A backup in one line, and a line for each log.
pub(super) fn in_words(backup: &Value) -> String {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let id = number(backup, "backup");
    if backup.get("damage").is_some() {
        return format!("backup {id}: {}", text(backup, "damage"));
    }
    let mut lines = vec![format!(
        "backup {id} of {}: {} files, {} bytes, {} of them copied for it; epoch {}",
        text(backup, "made"),
        number(backup, "files"),
        number(backup, "bytes"),
        number(backup, "newBytes"),
        number(backup, "epoch"),
    )];
    for log in backup
        .get("logs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        lines.push(format!(
            "  log {}: {} private event{}, up to position {}",
            text(log, "name"),
            number(log, "events"),
            plural(number(log, "events")),
            number(log, "head")
        ));
    }
    lines.join("\n")
}

/// A backup that was just restored or made, in words.
pub(super) fn told(backup: &Made) -> String {
    format!("backup {} of {}", backup.id, clock::rfc3339(backup.made_ms))
}
