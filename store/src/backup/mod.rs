//! Backups: of a running store, into a folder that keeps several of them and what they share once.
//!
//! A backup holds everything that was answered before it was asked for, over all column families at one point: RocksDB
//! writes all memtables to tables first, and tables never change. What is copied is synced. Copying goes on beside the
//! writer, which waits only while memtables are changed for new ones.

mod folder;

use std::num::NonZeroUsize;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::clock;
use crate::database::Database;
use crate::keep::KeepError;
use crate::load;
use crate::names::LogName;
use crate::place::Position;
use crate::state::StoreEntry;
use crate::store::Store;

pub(crate) use folder::BackupFolder;

/// What a backup holds of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUpLog {
    /// The log.
    pub log: LogName,
    /// Its head: at least everything up to here is in the backup.
    pub head: Position,
    /// How many events it had up to there.
    pub events: u64,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its number in the folder, from 1; the newest has the highest.
    pub id: u32,
    /// When it was begun: milliseconds since 1970.
    pub made_ms: u64,
    /// The store's epoch.
    pub epoch: u64,
    /// How many files it has, those shared with other backups included.
    pub files: u32,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// How many bytes were copied for it; the rest was in the folder already.
    pub new_bytes: u64,
    /// The logs when it was begun.
    pub logs: Vec<BackedUpLog>,
}

/// A backup as it is found in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBackup {
    /// Its number.
    pub id: u32,
    /// The backup, or what is wrong with it. Sizes of files are looked at, not their content: a restore reads all of it.
    pub backup: Result<Backup, String>,
}

impl Store {
    /// Backs the store up into a folder while it is in use. The folder may be absent, empty, or hold earlier backups of
    /// this store; only what they lack is copied. Of more than `keep` backups the oldest are removed.
    ///
    /// It must be on another disk to be worth much. [`Store::close`] waits until a backup that is being made is done; one
    /// that is killed leaves nothing but room that the next one frees.
    ///
    /// # Errors
    /// [`KeepError::Refused`] if the folder holds something else, backups of another store, or a backup is being made
    /// into it; [`KeepError::DamagedBackup`], [`KeepError::Store`], [`KeepError::Io`].
    pub async fn backup(&self, to: &Path, keep: Option<NonZeroUsize>) -> Result<Backup, KeepError> {
        let to = to.to_owned();
        self.work(move |_, database| make(database, &to, keep))
            .await
    }
}

/// The backups in a folder, oldest first.
///
/// # Errors
/// [`KeepError::Refused`] if it is no folder of backups or one is being made into it; [`KeepError::Io`].
pub async fn list_backups(folder: &Path) -> Result<Vec<FoundBackup>, KeepError> {
    let folder = folder.to_owned();
    spawn_blocking(move || BackupFolder::existing(&folder)?.list())
        .await
        .map_err(|_| KeepError::interrupted())?
}

fn make(database: &Database, to: &Path, keep: Option<NonZeroUsize>) -> Result<Backup, KeepError> {
    let entry = StoreEntry::read(database)?;
    let folder = BackupFolder::of_store(to, &entry.id)?;
    let made_ms = clock::now_ms();
    // Heads are read first: all up to them is durable, and so in what is copied after.
    let mut logs = Vec::new();
    for (log, id) in load::logs(database)? {
        let head = load::stored_head(database, id)?;
        logs.push(BackedUpLog {
            log,
            head: head.last,
            events: head.events,
        });
    }
    let (info, new_bytes) = folder.copy(database)?;
    let backup = Backup {
        id: info.backup_id,
        made_ms,
        epoch: entry.epoch,
        files: info.num_files,
        bytes: info.size,
        new_bytes,
        logs,
    };
    folder.record(&backup)?;
    if let Some(keep) = keep {
        folder.purge(keep)?;
    }
    Ok(backup)
}
