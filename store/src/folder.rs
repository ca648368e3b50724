//! The store's folder: its lock, its identity, and the marker of a clean stop.
//!
//! ```text
//! lock         locked while a process has the store open
//! store-id     the store's id; without it the database may be made, with it only opened
//! clean-stop   there only between a clean stop and the next opening
//! unfinished   there only while an import fills the folder: it is no store before that has ended
//! rocksdb/     the database
//! ```
//!
//! A database that is gone while `store-id` is there is damage, never a reason to begin anew.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::database::{Database, LastStop};
use crate::error::{OpenError, StoreError};
use crate::keys;
use crate::options::Options;
use crate::state::{FORMAT, StoreEntry};

/// The name of the marker in a folder that is no store yet.
const UNFINISHED: &str = "unfinished";

/// A locked folder. The lock is let go when this is dropped, so it must outlive the database.
pub(crate) struct Folder {
    dir: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is absent, and locks it.
    pub(crate) fn lock(dir: &Path) -> Result<Self, OpenError> {
        let folder = Self::lock_any(dir)?;
        folder.finished()?;
        Ok(folder)
    }

    /// Locks the folder of a store that is there already.
    pub(crate) fn lock_existing(dir: &Path) -> Result<Self, OpenError> {
        if dir.join("store-id").exists() || dir.join(UNFINISHED).exists() {
            Self::lock(dir)
        } else {
            Err(OpenError::NoStore {
                dir: dir.to_owned(),
            })
        }
    }

    /// Makes the folder if it is absent, locks it, and says in it that `what` fills it. It is no store until
    /// [`Folder::publish`].
    pub(crate) fn lock_empty(dir: &Path, what: &str) -> Result<Self, OpenError> {
        let folder = Self::lock_any(dir)?;
        folder.finished()?;
        let failed = |error: io::Error| io_error(dir, &error);
        for entry in fs::read_dir(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name != "lock" && name != "lost+found" {
                return Err(OpenError::NotEmpty {
                    dir: dir.to_owned(),
                });
            }
        }
        folder.write(UNFINISHED, what)?;
        Ok(folder)
    }

    /// Makes a store of a folder that was filled: its database is flushed and closed.
    pub(crate) fn publish(&self, id: &str) -> Result<(), OpenError> {
        self.write("store-id", id)?;
        self.write("clean-stop", "flushed")?;
        self.remove(UNFINISHED)
    }

    /// Empties a folder that could not be filled.
    pub(crate) fn give_up(&self) -> Result<(), OpenError> {
        match fs::remove_dir_all(self.dir.join("rocksdb")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&self.dir, &error));
            }
            _ => {}
        }
        self.remove("store-id")?;
        self.remove("clean-stop")?;
        self.remove(UNFINISHED)?;
        self.remove("lock")
    }

    fn lock_any(dir: &Path) -> Result<Self, OpenError> {
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
        match lock.try_lock() {
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

    /// Refuses a folder that was filled only in part.
    fn finished(&self) -> Result<(), OpenError> {
        match self.read(UNFINISHED)? {
            None => Ok(()),
            Some(what) => Err(OpenError::Unfinished {
                dir: self.dir.clone(),
                what: what.trim_end().to_owned(),
            }),
        }
    }

    /// Makes a database in a folder that is to be filled.
    pub(crate) fn fill(&self, options: &Options) -> Result<Database, OpenError> {
        let dir = self.dir.join("rocksdb");
        make_dir(&dir).map_err(|error| io_error(&self.dir, &error))?;
        Database::open(&dir, true, LastStop::Unclean, options).map_err(|error| self.refused(&error))
    }

    /// Opens the database, or makes it, and reads the store's own entry. Takes the marker of a clean stop away.
    pub(crate) fn open(&self, options: &Options) -> Result<(Database, StoreEntry), OpenError> {
        let id = self.read("store-id")?;
        let last = match self.read("clean-stop")? {
            Some(_) => LastStop::Clean,
            None => LastStop::Unclean,
        };
        // A folder of its own rights, whoever made the one around it: the store's secret is in it.
        make_dir(&self.dir.join("rocksdb")).map_err(|error| io_error(&self.dir, &error))?;
        let database = Database::open(&self.dir.join("rocksdb"), id.is_none(), last, options)
            .map_err(|error| self.refused(&error))?;
        let entry = self.entry(&database, id.is_none())?;
        let hex = hex(&entry.id);
        match id {
            None => self.write("store-id", &hex)?,
            Some(id) if id.trim_end() == hex => {}
            Some(id) => {
                return Err(self.damaged(
                    "store-id",
                    &format!("it says {}, the database {hex}", id.trim_end()),
                ));
            }
        }
        self.remove("clean-stop")?;
        Ok((database, entry))
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
    pub(crate) fn mark_clean_stop(&self) -> Result<(), StoreError> {
        self.write("clean-stop", "flushed")
            .map_err(|error| StoreError::Io {
                reason: error.to_string(),
            })
    }

    fn remove(&self, name: &str) -> Result<(), OpenError> {
        match fs::remove_file(self.dir.join(name)) {
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
        let write = || {
            let new = self.dir.join(format!("{name}.new"));
            let mut file = File::create(&new)?;
            writeln!(file, "{line}")?;
            file.sync_all()?;
            fs::rename(&new, self.dir.join(name))?;
            sync_dir(&self.dir)
        };
        write().map_err(|error: io::Error| io_error(&self.dir, &error))
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

/// Makes a folder that only its owner can enter: the store's secret is in it.
fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn io_error(dir: &Path, error: &io::Error) -> OpenError {
    OpenError::Io {
        dir: dir.to_owned(),
        reason: error.to_string(),
    }
}
