//! `horizon preview`: what a contract would make of events of a file, or of stored history. It writes nothing.
//!
//! Ids are made under a fixed secret: what is shown is not the public event that a daemon would make.

mod source;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;

use horizon_schemas::{Catalog, Contract};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Daemon, Failure, Format, print};
use crate::address::Which;
use crate::client::Client;
use crate::config::{Config, Flags};
use crate::daemon;
use source::Previewed;
use tally::Tally;

#[derive(Debug, clap::Args)]
pub(crate) struct Preview {
    /// The contract: its public stream (`bank.accounts.v1`), its name, or its file
    #[arg(value_name = "CONTRACT")]
    contract: String,
    /// Events as `horizon import` takes them (.gz too; `-` is standard input), instead of the running daemon's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "server"])]
    events: Option<PathBuf>,
    /// The data folder of a stopped store, instead of the running daemon's
    #[arg(long, value_name = "FOLDER", conflicts_with = "server")]
    store: Option<PathBuf>,
    /// Print the first so many public events as JSON lines; the counts go to standard error then
    #[arg(long, value_name = "NUMBER", conflicts_with = "show_all")]
    show: Option<u64>,
    /// Print all public events as JSON lines
    #[arg(long)]
    show_all: bool,
    #[command(flatten)]
    daemon: Daemon,
    /// How to print the counts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Preview {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.daemon.config, &Flags::default())?;
        let catalog = daemon::load_catalog(&config)?;
        let contract = find(&catalog, &self.contract)?;
        let mut tally = Tally::new(&contract);
        let mut to_show = match (self.show_all, self.show) {
            (true, _) => u64::MAX,
            (false, show) => show.unwrap_or(0),
        };
        let bar = progress_bar();
        let mut each = |place: &str, previewed: Previewed<'_>| {
            let crossed = match previewed {
                Previewed::Event(event) => tally.add(place, event),
                Previewed::Refused(event, refusal) => {
                    tally.refuse(place, event, refusal);
                    None
                }
            };
            if let Some(bytes) = crossed
                && to_show > 0
            {
                to_show -= 1;
                bar.suspend(|| print(&String::from_utf8_lossy(&bytes)));
            }
        };
        let mut progress = |done: u64, total: Option<u64>| {
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
        };
        let category = contract.category();
        let done = match (&self.events, &self.store) {
            (Some(file), _) => source::file(file, catalog.private(), &mut each, &mut progress),
            (None, Some(folder)) => source::store(folder, category, &mut each, &mut progress),
            (None, None) => {
                let client: Client = self.daemon.client(Which::Http)?;
                source::daemon(&client, category, &mut each, &mut progress)
            }
        };
        bar.finish_and_clear();
        done?;
        let told = match self.format {
            Format::Json => tally.to_json().to_string(),
            Format::Text => tally.in_words(),
        };
        if self.show_all || self.show.is_some() {
            super::tell(&told);
        } else {
            print(&told);
        }
        Ok(())
    }
}

/// The contract that is meant: by public stream, by name where that is one contract, or by file.
fn find(catalog: &Catalog, named: &str) -> Result<Arc<Contract>, Failure> {
    let all = catalog.contracts();
    let file = std::path::Path::new(named).canonicalize().ok();
    let by_stream = all.iter().find(|one| one.public_stream() == named);
    let by_file = || {
        let is = |one: &&Arc<Contract>| file.is_some() && one.file().canonicalize().ok() == file;
        all.iter().find(is)
    };
    let mut by_name = all.iter().filter(|one| one.name() == named);
    let found = by_stream
        .or_else(by_file)
        .or_else(|| match (by_name.next(), by_name.next()) {
            (only, None) => only,
            _ => None,
        });
    found.cloned().ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|one| one.public_stream()).collect();
        Failure::Mend(format!(
            "there is no contract {named}, or more than one\n  = known: {}\n  = mend: name its public stream, or its file in the folder of contracts",
            known.join(", ")
        ))
    })
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} passed, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
