//! `horizon restore --export`: a store made of an export, in an empty folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use horizon_store::{Epoch, ImportError, Imported, KeepError, Options, import};
use indicatif::HumanCount;

use super::export::{progress_bar, show};
use super::{Failure, print, run_to_end};

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The export; compressed by gzip if its name ends in .gz; `-` is standard input
    #[arg(long, value_name = "FILE")]
    export: PathBuf,
    /// The folder to restore into: empty or absent
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let imported = restore_export(&self.export, &self.folder)?;
        tell_epochs(&imported.epochs);
        Ok(())
    }
}

fn tell_epochs(epochs: &[Epoch]) {
    for epoch in epochs {
        print(&format!(
            "log {}: it ended at position {} and goes on after {}, in epoch {}",
            epoch.log,
            epoch.after,
            epoch.first,
            epoch.first.epoch()
        ));
    }
}

/// Makes a store of an export; compressed by gzip if the name ends in .gz, `-` is standard input. Tells what arrived.
fn restore_export(file: &Path, folder: &Path) -> Result<Imported, Failure> {
    let from: Box<dyn Read + Send> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        let opened = File::open(file)
            .map_err(|error| Failure::Mend(format!("cannot open {}: {error}", file.display())))?;
        match file.extension() {
            Some(extension) if extension == "gz" => {
                Box::new(flate2::read::MultiGzDecoder::new(opened))
            }
            _ => Box::new(opened),
        }
    };
    let bar = progress_bar();
    let shown = bar.clone();
    let imported = run_to_end(import(from, folder, Options::default(), move |progress| {
        show(&shown, progress);
    }))?;
    bar.finish_and_clear();
    let imported = imported.map_err(|error| failure(file, &error))?;
    print(&format!(
        "{} private events and {} public events of store {} are restored into {} (BLAKE3 {})",
        HumanCount(imported.counts.events),
        HumanCount(imported.counts.public_events),
        imported.store,
        folder.display(),
        imported.blake3,
    ));
    Ok(imported)
}

fn failure(file: &Path, error: &ImportError) -> Failure {
    match error {
        ImportError::Line { .. } => Failure::Mend(format!(
            "{}: {error}\n  = mend: export again; nothing was restored",
            file.display()
        )),
        ImportError::Keep(KeepError::Refused { .. }) => Failure::Mend(error.to_string()),
        error => Failure::Failed(error.to_string()),
    }
}
