//! `horizon export`: everything in a store as JSON lines, through the running daemon or from a stopped store.
//!
//! Through the daemon the file is written on the daemon's machine, by the daemon: an export is as secret as the store, and does not
//! travel over HTTP.

use std::path::{Path, PathBuf};
use std::time::Duration;

use horizon_store::{Exported, Progress};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Failure, Format, How, open_stopped, plural, print, run_to_end};
use crate::http::export::export_made;

/// How often the spinner turns, in milliseconds.
const TICK_MS: u64 = 120;

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The file to write, which must not be there yet; only its owner can read it. With --store, `-` is standard output; else it is on the
    /// daemon's machine
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Export the stopped store in this data folder, without the daemon
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["config", "server"])]
    store: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

impl Export {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match &self.store {
            Some(folder) => self.of_folder(folder),
            None => self.through_daemon(),
        }
    }

    fn through_daemon(&self) -> Result<(), Failure> {
        if self.file.as_os_str() == "-" {
            return Err(Failure::Mend(
                "the daemon writes an export to a file on its own machine\n  = mend: give a file, or stop the daemon and give its data folder with --store"
                    .to_owned(),
            ));
        }
        let file = std::path::absolute(&self.file)
            .ok()
            .and_then(|file| file.to_str().map(str::to_owned))
            .ok_or_else(|| Failure::Mend("the file's name is not UTF-8".to_owned()))?;
        let client = self.how.operator()?.patient();
        let bar = ProgressBar::new_spinner().with_message("exporting");
        bar.enable_steady_tick(Duration::from_millis(TICK_MS));
        let made = client.post("/exports", json!({"file": file}).to_string().as_bytes());
        bar.finish_and_clear();
        let made = made?;
        if self.how.format == Format::Json {
            print(&made.to_string());
            return Ok(());
        }
        let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
        let counts = made.get("counts").unwrap_or(&Value::Null);
        print(&told(
            &file,
            number(counts, "events"),
            number(counts, "publicEvents"),
            number(&made, "bytes"),
            made.get("blake3")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        ));
        Ok(())
    }

    fn of_folder(&self, folder: &Path) -> Result<(), Failure> {
        let bar = progress_bar();
        let shown = bar.clone();
        let exported = run_to_end(export(folder, &self.file, move |progress| {
            show(&shown, progress);
        }))?;
        bar.finish_and_clear();
        let exported = exported?;
        // Standard output is the export's.
        if self.file.as_os_str() != "-" && self.how.format == Format::Json {
            let made = export_made(self.file.clone(), &exported);
            print(&serde_json::to_string(&made).unwrap_or_default());
        } else if self.file.as_os_str() != "-" {
            print(&told(
                &self.file.display().to_string(),
                exported.counts.events,
                exported.counts.public_events,
                exported.bytes,
                &exported.blake3,
            ));
        }
        Ok(())
    }
}

async fn export(
    folder: &Path,
    file: &Path,
    progress: impl FnMut(Progress) + Send,
) -> Result<Exported, Failure> {
    let store = open_stopped(folder).await?;
    let exported = if file.as_os_str() == "-" {
        let exported = store.export(std::io::stdout(), progress).await;
        exported.map(|(_, exported)| exported)
    } else {
        store.export_file(file, progress).await
    };
    let closed = store.close().await;
    let exported = exported.map_err(|error| Failure::Failed(error.to_string()))?;
    closed.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(exported)
}

/// An export that was made, in words.
fn told(file: &str, events: u64, public: u64, bytes: u64, blake3: &str) -> String {
    format!(
        "{file}: {} private event{}, {} public event{}, {} (BLAKE3 {blake3})\nit holds the store's secret and all private events: keep it as you keep the store",
        HumanCount(events),
        plural(events),
        HumanCount(public),
        plural(public),
        HumanBytes(bytes),
    )
}

/// A bar over private and public events together.
pub(super) fn progress_bar() -> ProgressBar {
    let template = "{bar:40} {percent:>3} %  {human_pos} events  {elapsed} passed, {eta} to go";
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}
