//! The store's folder: its lock, its identity, and the marker of a clean stop.
//!
//! ```text
//! lock         locked while a process has the store open
//! store-id     the store's id; without it the database may be made, with it only opened
//! clean-stop   there only between a clean stop and the next opening; says which write was RocksDB's last
//! restoring    there while a backup or an export is restored into the folder: nothing is opened then
//! rocksdb/     the database
//! rocksdb-orphans/  tables that the database does not know of, kept after an unclean stop
//! torn-*       what was cut off as torn, kept
//! ```
//!
//! A database that is gone while `store-id` is there is damage, never a reason to begin anew.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::database::{Database, LastStop};
use crate::error::{OpenError, StoreError};
use crate::keys;
use crate::options::Options;
use crate::orphans::{keep_tables, tell_of_orphans};
use crate::state::{FORMAT, StoreEntry};
use crate::torn::cut_torn_ends;

/// The marker of a restore under way.
pub(crate) const RESTORING: &str = "restoring";

/// How often a lock that is held is tried again.
const LOCK_TRIES: u32 = 10;
/// How long after the try before.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A locked folder. The lock is let go when this is dropped, so it must outlive the database.
pub(crate) struct Folder {
    dir: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is absent, and locks it.
    pub(crate) fn lock(dir: &Path) -> Result<Self, OpenError> {
        let failed = |error: io::Error| io_error(dir, &error);
        if !dir.is_dir() {
            make_dir(dir).map_err(failed)?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_dir(parent).map_err(failed)?;
            }
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("lock"))
            .map_err(failed)?;
        match try_lock(&lock) {
            Ok(()) => Ok(Self {
                dir: dir.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                dir: dir.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Locks the folder of a store that is there already.
    pub(crate) fn lock_existing(dir: &Path) -> Result<Self, OpenError> {
        if dir.join("store-id").exists() || dir.join(RESTORING).exists() {
            Self::lock(dir)
        } else {
            Err(OpenError::NoStore {
                dir: dir.to_owned(),
            })
        }
    }

    /// Opens the database, or makes it, and reads the store's own entry. Takes the marker of a clean stop away.
    ///
    /// RocksDB's opening for writing removes files that it believes nobody needs. So what can be told before is told
    /// before, and what it might remove wrongly is kept.
    pub(crate) fn open(&self, options: &Options) -> Result<(Database, StoreEntry), OpenError> {
        let id = self.read("store-id")?;
        let last = self.last_stop()?;
        // A folder of its own rights, whoever made the one around it: the store's secret is in it.
        make_dir(&self.dir.join("rocksdb")).map_err(|error| io_error(&self.dir, &error))?;
        match last {
            LastStop::Clean { .. } => {
                let database = Database::open_to_read(&self.dir.join("rocksdb"), last, options)
                    .map_err(|error| self.refused(&error))?;
                self.check_last_write(&database, last)?;
                drop(database);
                self.remove_marker()?;
            }
            LastStop::Unclean => cut_torn_ends(&self.dir, &self.dir.join("rocksdb"))
                .and_then(|()| keep_tables(&self.dir))
                .map_err(|error| io_error(&self.dir, &error))?,
        }
        let database = Database::open(&self.dir.join("rocksdb"), id.is_none(), last, options)
            .map_err(|error| self.refused(&error))?;
        tell_of_orphans(&self.dir).map_err(|error| io_error(&self.dir, &error))?;
        let entry = self.entry(&database, id.is_none())?;
        match id {
            None => self.identify(&hex(&entry.id))?,
            Some(id) => self.check_id(&id, &entry)?,
        }
        Ok((database, entry))
    }

    /// Opens the database for reading only: nothing in the folder changes.
    pub(crate) fn open_to_read(
        &self,
        options: &Options,
    ) -> Result<(Database, StoreEntry), OpenError> {
        let id = self.read("store-id")?.ok_or_else(|| OpenError::NoStore {
            dir: self.dir.clone(),
        })?;
        let last = self.last_stop()?;
        let database = Database::open_to_read(&self.dir.join("rocksdb"), last, options)
            .map_err(|error| self.refused(&error))?;
        self.check_last_write(&database, last)?;
        let entry = self.entry(&database, false)?;
        self.check_id(&id, &entry)?;
        Ok((database, entry))
    }

    fn last_stop(&self) -> Result<LastStop, OpenError> {
        if self.dir.join(RESTORING).exists() {
            return Err(OpenError::Restoring {
                dir: self.dir.clone(),
            });
        }
        let Some(marker) = self.read("clean-stop")? else {
            return Ok(LastStop::Unclean);
        };
        marker
            .strip_prefix("flushed ")
            .and_then(|number| number.strip_suffix('\n')?.parse().ok())
            .map(|last_write| LastStop::Clean { last_write })
            .ok_or_else(|| self.damaged("clean-stop", "it is not what a stop leaves there"))
    }

    /// After a clean stop the database ends where the marker says: RocksDB takes a manifest that is cut short for whole.
    fn check_last_write(&self, database: &Database, last: LastStop) -> Result<(), OpenError> {
        match last {
            LastStop::Clean { last_write } if database.last_write() != last_write => {
                let found = database.last_write();
                Err(self.damaged(
                    "rocksdb",
                    &format!(
                        "its last write is number {found}, and at the last stop it was {last_write}"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_id(&self, id: &str, entry: &StoreEntry) -> Result<(), OpenError> {
        let hex = hex(&entry.id);
        if id.strip_suffix('\n') == Some(&hex) {
            return Ok(());
        }
        let reason = format!("it says {}, the database {hex}", id.trim_end());
        Err(self.damaged("store-id", &reason))
    }

    /// Says which store this is.
    pub(crate) fn identify(&self, id: &str) -> Result<(), OpenError> {
        self.write("store-id", id)
    }

    fn entry(&self, database: &Database, create: bool) -> Result<StoreEntry, OpenError> {
        match database
            .get(&keys::store(), StoreEntry::decode)
            .map_err(|error| self.unusable(error))?
        {
            Some(Ok(entry)) => Ok(entry),
            Some(Err(found)) => Err(OpenError::NewerFormat {
                dir: self.dir.clone(),
                found,
                supported: FORMAT,
            }),
            None if create && database.is_empty().map_err(|error| self.unusable(error))? => {
                self.make(database)
            }
            None => Err(self.damaged("rocksdb", "the store's own entry is missing")),
        }
    }

    fn make(&self, database: &Database) -> Result<StoreEntry, OpenError> {
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(|error| OpenError::Io {
            dir: self.dir.clone(),
            reason: error.to_string(),
        })?;
        let mut entry = StoreEntry {
            format: FORMAT,
            id: [0; 16],
            secret: [0; 32],
            created_ms: crate::clock::now_ms(),
            epoch: 0,
        };
        entry.id.copy_from_slice(&random[..16]);
        entry.secret.copy_from_slice(&random[16..]);
        let mut batch = crate::database::Batch::default();
        batch.put(keys::store(), &entry.encode());
        database
            .write(batch, true)
            .map_err(|error| self.unusable(error))?;
        Ok(entry)
    }

    /// Says that everything is flushed. To be called after the database is closed.
    pub(crate) fn mark_clean_stop(&self, last_write: u64) -> Result<(), StoreError> {
        self.write("clean-stop", &format!("flushed {last_write}"))
            .map_err(|error| StoreError::Io {
                reason: error.to_string(),
            })
    }

    fn remove_marker(&self) -> Result<(), OpenError> {
        match fs::remove_file(self.dir.join("clean-stop")) {
            Ok(()) => sync_dir(&self.dir).map_err(|error| io_error(&self.dir, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error(&self.dir, &error)),
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, OpenError> {
        match fs::read_to_string(self.dir.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.damaged(name, "it is not text"))
            }
            Err(error) => Err(io_error(&self.dir, &error)),
        }
    }

    /// Writes a small file so that it is there whole or not at all.
    fn write(&self, name: &str, line: &str) -> Result<(), OpenError> {
        write_whole(&self.dir, name, format!("{line}\n").as_bytes())
            .map_err(|error| io_error(&self.dir, &error))
    }

    fn damaged(&self, place: &str, reason: &str) -> OpenError {
        OpenError::Damaged {
            dir: self.dir.clone(),
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// Why RocksDB did not open.
    fn refused(&self, error: &rocksdb::Error) -> OpenError {
        match error.kind() {
            rocksdb::ErrorKind::Corruption => self.damaged("rocksdb", error.as_ref()),
            _ => OpenError::Io {
                dir: self.dir.clone(),
                reason: error.as_ref().into(),
            },
        }
    }

    /// Why an open database could not be used after all.
    pub(crate) fn unusable(&self, error: StoreError) -> OpenError {
        match error {
            StoreError::Damaged { place, reason } => OpenError::Damaged {
                dir: self.dir.clone(),
                place,
                reason,
            },
            other => OpenError::Io {
                dir: self.dir.clone(),
                reason: other.to_string(),
            },
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tries to lock a file, for a moment: a process that is just being started holds the locks of the one that starts it,
/// until it has become itself.
pub(crate) fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            tried => return tried,
        }
    }
    file.try_lock()
}

/// Writes a small file so that it is there whole or not at all, and synced.
pub(crate) fn write_whole(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

/// Makes a folder that only its owner can enter: the store's secret is in it.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn io_error(dir: &Path, error: &io::Error) -> OpenError {
    OpenError::Io {
        dir: dir.to_owned(),
        reason: error.to_string(),
    }
}
