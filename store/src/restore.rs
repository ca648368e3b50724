//! Restoring a backup, all or nothing.
//!
//! While a folder is being restored into it holds the marker `restoring`, and no store is opened there; what is found
//! with the marker is thrown away by the next restore. The marker goes last, when everything is synced. The restored
//! store is in a new epoch: above that of all backups in the folder, and above that of every earlier restore from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::backup::{Backup, BackupFolder};
use crate::database::{Database, LastStop};
use crate::epoch::{self, Epoch};
use crate::folder::{Folder, RESTORING, hex, make_dir, sync_dir, write_whole};
use crate::keep::KeepError;
use crate::options::Options;
use crate::state::StoreEntry;

/// Restores are given multiples of this, so that epochs that were opened by hand lie between them. In epochs.
const EPOCH_STEP: u64 = 16;

/// What a restore may find in a folder: nothing of worth.
const OF_NO_WORTH: [&str; 3] = ["lock", "lost+found", "restoring.new"];
/// What a restore that was interrupted may have left besides.
const LEFT: [&str; 7] = [
    RESTORING,
    "rocksdb",
    "store-id",
    "store-id.new",
    "clean-stop",
    "clean-stop.new",
    "restoring.new",
];

/// A restore that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup.
    pub backup: Backup,
    /// The new epoch, as it begins in each log.
    pub epochs: Vec<Epoch>,
}

/// Restores a backup from a folder of backups into a folder that is empty or absent: the newest, or the one that is
/// asked for. A new epoch is opened in all logs, so that what the lost store may have told of positions and sequences is
/// never told again of something else. If it is interrupted nothing can be opened there, and it may be done again.
///
/// The epoch is the next multiple of 16: a few that were opened by hand in the lost store lie below. The folder of backups
/// remembers it. A copy of that folder does not: there, and where more epochs were opened by hand, `epoch` has to say which
/// one it must be at least.
///
/// # Errors
/// [`KeepError::Refused`] if the folder is not empty, there is no such backup, or the epoch is not above all that are known
/// or does not exist (there are 8,192, from 0); [`KeepError::DamagedBackup`] with the
/// place; [`KeepError::Open`] if what was restored cannot be opened; [`KeepError::Io`].
pub async fn restore(
    from: &Path,
    which: Option<u32>,
    to: &Path,
    epoch: Option<u64>,
    options: Options,
) -> Result<Restored, KeepError> {
    options.check()?;
    let (from, to) = (from.to_owned(), to.to_owned());
    spawn_blocking(move || {
        let backups = BackupFolder::existing(&from)?;
        let backup = backups.choose(which)?;
        let epoch = choose_epoch(backups.last_epoch()?.max(backup.epoch), epoch)?;
        check_empty(&to)?;
        let folder = Folder::lock(&to)?;
        // Again: another restore may have ended while this one waited for the lock.
        check_empty(&to)?;
        let failed = |error: io::Error| KeepError::io(&to, &error);
        begin(&to, &format!("backup {}", backup.id)).map_err(failed)?;
        // Before the epoch can be used, so that no other restore is given it.
        note(&backups, &from, epoch)?;
        let epochs = fill(&backups, &backup, epoch, &folder, &to, &options)?;
        end(&to).map_err(failed)?;
        Ok(Restored { backup, epochs })
    })
    .await
    .map_err(|_| KeepError::interrupted())?
}

/// The epoch of a restore, given the highest one that is known and which one it must be at least.
pub(crate) fn choose_epoch(known: u64, at_least: Option<u64>) -> Result<u64, KeepError> {
    let at_least = at_least.unwrap_or(known.saturating_add(1));
    epoch::above(known, at_least)?;
    // Behind the last multiple a few are left: they are taken as they are named.
    Ok(at_least
        .checked_next_multiple_of(EPOCH_STEP)
        .filter(|rounded| epoch::above(known, *rounded).is_ok())
        .unwrap_or(at_least))
}

/// Refuses a folder that holds anything.
pub(crate) fn check_empty(to: &Path) -> Result<(), KeepError> {
    let files = match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files.map_err(|error| KeepError::io(to, &error))?,
    };
    let interrupted = to.join(RESTORING).exists();
    for file in files {
        let name = file.map_err(|error| KeepError::io(to, &error))?.file_name();
        let allowed = OF_NO_WORTH.iter().any(|allowed| name == *allowed)
            || (interrupted && LEFT.iter().any(|left| name == *left));
        if !allowed {
            return Err(KeepError::refused(
                to.display().to_string(),
                format!(
                    "it is not empty: it holds {}; restore into an empty folder",
                    name.display()
                ),
            ));
        }
    }
    Ok(())
}

/// Leaves the marker, which says what is restored, and takes away what an interrupted restore left.
pub(crate) fn begin(to: &Path, what: &str) -> io::Result<()> {
    write_whole(to, RESTORING, format!("{what}\n").as_bytes())?;
    clear(to)
}

/// Takes away what a restore made, but for its marker.
fn clear(to: &Path) -> io::Result<()> {
    for left in LEFT.iter().filter(|left| **left != RESTORING) {
        let path = to.join(left);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_dir(to)
}

/// Takes the marker away, when everything is synced.
pub(crate) fn end(to: &Path) -> io::Result<()> {
    fs::remove_file(to.join(RESTORING)).and_then(|()| sync_dir(to))
}

/// Takes away all that a restore made, its marker at last.
pub(crate) fn give_up(to: &Path) -> io::Result<()> {
    clear(to)?;
    end(to)
}

fn note(backups: &BackupFolder, from: &Path, epoch: u64) -> Result<(), KeepError> {
    match backups.note_epoch(epoch) {
        Ok(()) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            tracing::warn!(
                epoch,
                "the folder of backups is read-only and cannot remember the new epoch; with another restore from it, name an \
                 epoch above this one"
            );
            Ok(())
        }
        Err(error) => Err(KeepError::io(&from.join("restored"), &error)),
    }
}

/// Copies the database and makes it a store.
fn fill(
    backups: &BackupFolder,
    backup: &Backup,
    epoch: u64,
    folder: &Folder,
    to: &Path,
    options: &Options,
) -> Result<Vec<Epoch>, KeepError> {
    let rocksdb = to.join("rocksdb");
    make_dir(&rocksdb).map_err(|error| KeepError::io(&rocksdb, &error))?;
    backups.extract(backup.id, &rocksdb)?;
    let open = || Database::open(&rocksdb, false, LastStop::Unclean, options);
    let (database, entry) = checked(open(), backups, &rocksdb)?;
    let reason = format!("restored from backup {}", backup.id);
    let epochs = epoch::open(&database, entry, epoch, &reason)?;
    database.flush()?;
    let last_write = database.last_write();
    drop(database);
    folder.identify(&backups.store_id)?;
    folder.mark_clean_stop(last_write)?;
    Ok(epochs)
}

/// The store's own entry in a database that was extracted from a backup.
fn checked(
    opened: Result<Database, rocksdb::Error>,
    backups: &BackupFolder,
    place: &Path,
) -> Result<(Database, StoreEntry), KeepError> {
    let unusable = |reason: String| KeepError::DamagedBackup {
        place: place.to_owned(),
        reason,
    };
    let database = opened.map_err(|error| unusable(error.into_string()))?;
    let entry = StoreEntry::read(&database).map_err(|error| unusable(error.to_string()))?;
    let id = hex(&entry.id);
    if id == backups.store_id {
        Ok((database, entry))
    } else {
        let reason = format!("it is of store {id}, in a folder for {}", backups.store_id);
        Err(unusable(reason))
    }
}

/// A backup that is extracted to be looked at, beside the folder of backups. Dropped, it is removed.
pub(crate) struct Rehearsal {
    dir: PathBuf,
}

impl Rehearsal {
    pub(crate) fn of(
        backups: &BackupFolder,
        backup: &Backup,
        from: &Path,
    ) -> Result<Self, KeepError> {
        let from = from
            .canonicalize()
            .map_err(|error| KeepError::io(from, &error))?;
        let mut name = from.file_name().unwrap_or_default().to_owned();
        name.push(".rehearsal");
        let dir = from.with_file_name(name);
        let failed = |error: io::Error| KeepError::io(&dir, &error);
        // One that was interrupted left a database, and nothing else.
        let rocksdb = dir.join("rocksdb");
        if rocksdb.is_dir() {
            fs::remove_dir_all(&rocksdb).map_err(failed)?;
        }
        if dir.is_dir() {
            fs::remove_dir(&dir).map_err(|_| {
                KeepError::refused(
                    dir.display().to_string(),
                    "it is in the way: the backup is to be rehearsed there; move it",
                )
            })?;
        }
        make_dir(&rocksdb).map_err(failed)?;
        let rehearsal = Self { dir };
        backups.extract(backup.id, &rocksdb)?;
        Ok(rehearsal)
    }

    pub(crate) fn open(
        &self,
        backups: &BackupFolder,
        options: &Options,
    ) -> Result<(Database, StoreEntry), KeepError> {
        let rocksdb = self.dir.join("rocksdb");
        let opened = Database::open_to_read(&rocksdb, LastStop::Unclean, options);
        checked(opened, backups, &rocksdb)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(folder = %self.dir.display(), %error, "a rehearsed backup could not be removed; remove it");
        }
    }
}
