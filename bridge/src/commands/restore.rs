//! `horizon restore` and `horizon new-epoch`: work on a stopped store, without the daemon.

use std::path::{Path, PathBuf};

use horizon_store::{Epoch, KeepError, Options, open_new_epoch, restore};

use super::backup::told;
use super::restore_export::restore_export;
use super::{Failure, print, run_to_end};

#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct Restore {
    /// The folder of backups
    #[arg(
        value_name = "BACKUPS",
        required_unless_present = "export",
        conflicts_with = "export"
    )]
    backups: Option<PathBuf>,
    /// The folder to restore into: empty or absent
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The number of the backup; the newest if none is given
    #[arg(long, value_name = "NUMBER", conflicts_with = "export")]
    which: Option<u32>,
    /// The epoch that the restored store is in at least, rounded up to a multiple of 16; the next that is known to be free if
    /// none is given
    #[arg(long, value_name = "NUMBER", conflicts_with = "export")]
    epoch: Option<u64>,
    /// Restore this export instead of a backup; compressed by gzip if its name ends in .gz; `-` is standard input
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let epochs = match (&self.backups, &self.export) {
            (Some(backups), _) => self.restore_backup(backups)?,
            (None, Some(export)) => restore_export(export, &self.folder)?.epochs,
            (None, None) => {
                return Err(Failure::Mend(
                    "give a folder of backups, or --export".to_owned(),
                ));
            }
        };
        tell_epochs(&epochs);
        Ok(())
    }

    fn restore_backup(&self, backups: &Path) -> Result<Vec<Epoch>, Failure> {
        let restored = restore(
            backups,
            self.which,
            &self.folder,
            self.epoch,
            Options::default(),
        );
        let restored = run_to_end(restored)?.map_err(failure)?;
        print(&format!(
            "{} is restored into {}",
            told(&restored.backup),
            self.folder.display()
        ));
        Ok(restored.epochs)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewEpoch {
    /// The data folder of a daemon that is stopped
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Why, for those who come after: it is kept in the logs for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The epoch to open, above the store's; the next one if none is given
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u64>,
}

impl NewEpoch {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let opened = open_new_epoch(&self.folder, &self.reason, self.epoch, Options::default());
        let opened = run_to_end(opened)?.map_err(failure)?;
        print("a new epoch is open");
        tell_epochs(&opened);
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

/// What was given has to be mended, or it could not be done.
pub(super) fn failure(error: KeepError) -> Failure {
    match error {
        KeepError::Refused { .. } => Failure::Mend(error.to_string()),
        error => Failure::Failed(error.to_string()),
    }
}
