//! `horizon verify`: whether everything that is stored is as it must be. Of a stopped store, of a backup, or, with less to
//! look at, of the running daemon's store.

use std::path::PathBuf;

use horizon_store::{Options, verify, verify_backup};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::restore::failure;
use super::{Failure, Format, How, plural, print, run_to_end};
use crate::http::keep::verification_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The data folder of a daemon that is stopped; without it, the store of the running daemon
    #[arg(value_name = "FOLDER", conflicts_with = "backup")]
    folder: Option<PathBuf>,
    /// A folder of backups instead: one is restored into a folder beside it, verified there, and removed
    #[arg(long, value_name = "FOLDER")]
    backup: Option<PathBuf>,
    /// The number of the backup; the newest if none is given
    #[arg(long, value_name = "NUMBER", requires = "backup")]
    which: Option<u32>,
    #[command(flatten)]
    how: How,
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let bar = progress_bar();
        let told = {
            let bar = bar.clone();
            move |done: u64, total: u64| {
                bar.set_length(total);
                bar.set_position(done);
            }
        };
        let options = Options::default();
        let verified = match (&self.folder, &self.backup) {
            (Some(folder), _) => run_to_end(verify(folder, options, told)),
            (None, Some(backups)) => run_to_end(verify_backup(backups, self.which, options, told)),
            (None, None) => return self.through_the_daemon(),
        };
        bar.finish_and_clear();
        let verification = verification_of(&verified?.map_err(failure)?);
        self.tell(&serde_json::to_value(verification).unwrap_or_default())
    }

    fn through_the_daemon(&self) -> Result<(), Failure> {
        let client = self.how.operator()?;
        self.tell(&client.patient().post("/verifications", b"{}")?)
    }

    fn tell(&self, verified: &Value) -> Result<(), Failure> {
        let findings = verified.get("findings").and_then(Value::as_array);
        let findings: Vec<_> = findings.into_iter().flatten().collect();
        match self.how.format {
            Format::Json => print(&verified.to_string()),
            Format::Text => print(&in_words(verified, &findings)),
        }
        let number = |name: &str| verified.get(name).and_then(Value::as_u64).unwrap_or(0);
        match findings.len() as u64 + number("moreFindings") {
            0 => Ok(()),
            count => Err(Failure::Failed(format!("{count} findings"))),
        }
    }
}

fn in_words(verified: &Value, findings: &[&Value]) -> String {
    let number = |name: &str| verified.get(name).and_then(Value::as_u64).unwrap_or(0);
    let counted =
        |name: &str, word: &str| format!("{} {word}{}", number(name), plural(number(name)));
    let mut lines = Vec::new();
    for finding in findings {
        let text = |name: &str| {
            finding
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        lines.push(format!(
            "{}: {}\n  = mend: {}",
            text("place"),
            text("problem"),
            text("mend")
        ));
    }
    if number("moreFindings") > 0 {
        lines.push(format!("and {} more", number("moreFindings")));
    }
    lines.push(format!(
        "{}, {}, {}, {} entries read: {}",
        counted("logs", "log"),
        counted("events", "private event"),
        counted("publicEvents", "public event"),
        number("entries"),
        if findings.is_empty() {
            "everything is as it must be"
        } else {
            "not everything is as it must be"
        }
    ));
    lines.join("\n")
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {human_pos} entries  {elapsed} passed, {eta} to go",
    ) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
