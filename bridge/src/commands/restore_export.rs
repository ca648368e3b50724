//! `horizon restore --export`: a store made of an export, in an empty folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use horizon_store::{ImportError, Imported, KeepError, Options, import};
use indicatif::HumanCount;

use super::export::{progress_bar, show};
use super::{Failure, plural, print, run_to_end};

/// Makes a store of an export; compressed by gzip if the name ends in .gz, `-` is standard input. Tells what arrived.
pub(super) fn restore_export(file: &Path, folder: &Path) -> Result<Imported, Failure> {
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
        "{} private event{} and {} public event{} of store {} are restored into {} (BLAKE3 {})",
        HumanCount(imported.counts.events),
        plural(imported.counts.events),
        HumanCount(imported.counts.public_events),
        plural(imported.counts.public_events),
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
