//! `horizon restore` and `horizon new-epoch`: work on a stopped store, without the daemon.

use std::path::PathBuf;

use horizon_store::{Epoch, KeepError, Options, open_new_epoch, restore};

use super::backup::told;
use super::{Failure, print, run_to_end};

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The folder of backups
    #[arg(value_name = "BACKUPS")]
    backups: PathBuf,
    /// The folder to restore into: empty or absent
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The number of the backup; the newest if none is given
    #[arg(long, value_name = "NUMBER")]
    which: Option<u32>,
    /// The epoch that the restored store is in at least, rounded up to a multiple of 16; the next that is known to be free if
    /// none is given
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u64>,
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let restored = restore(
            &self.backups,
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
        tell_epochs(&restored.epochs);
        Ok(())
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
