//! The folder of backups: its lock, whose backups it holds, and what is known of each.
//!
//! ```text
//! lock          locked while a backup is made, restored or listed
//! backup-of     the id of the store whose backups these are
//! restored      the highest epoch that was given to a restore from here
//! rocksdb/      the backups, as RocksDB's backup engine keeps them
//! records/      a record of each backup that was finished, by its number
//! ```
//!
//! A backup without its record was interrupted: it is nobody's, and goes with the next ones.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rocksdb::Env;
use rocksdb::backup::{
    BackupEngine, BackupEngineInfo, BackupEngineOptions, RestoreOptions as EngineRestoreOptions,
};

use super::{BackedUpLog, Backup, FoundBackup};
use crate::codec::{self, Decoder, Encoder, Flaw};
use crate::database::Database;
use crate::folder::{hex, make_dir, sync_dir, try_lock, write_whole};
use crate::keep::KeepError;
use crate::names::LogName;
use crate::place::Position;

/// A locked folder of backups.
pub(crate) struct BackupFolder {
    dir: PathBuf,
    pub(crate) store_id: String,
    _lock: File,
}

impl BackupFolder {
    /// The folder for the backups of a store; it is made if it is absent or empty.
    pub(super) fn of_store(dir: &Path, store_id: &[u8; 16]) -> Result<Self, KeepError> {
        let failed = |error: io::Error| KeepError::io(dir, &error);
        make_dir(dir).map_err(failed)?;
        if !dir.join("backup-of").exists() {
            let mut others = fs::read_dir(dir).map_err(failed)?;
            let ours = |name: &std::ffi::OsStr| name == "lock" || name == "backup-of.new";
            if others.any(|file| file.is_ok_and(|file| !ours(&file.file_name()))) {
                return Err(KeepError::refused(
                    dir.display().to_string(),
                    "it holds something else than backups; give an empty folder, or one that is absent",
                ));
            }
        }
        let lock = lock(dir, true)?;
        let own = hex(store_id);
        if !dir.join("backup-of").exists() {
            write_whole(dir, "backup-of", format!("{own}\n").as_bytes()).map_err(failed)?;
        }
        let folder = Self::locked(dir, lock)?;
        if folder.store_id != own {
            return Err(KeepError::refused(
                dir.display().to_string(),
                format!(
                    "it holds backups of store {}, and this is store {own}; give another folder",
                    folder.store_id
                ),
            ));
        }
        for part in ["rocksdb", "records"] {
            // Of its own rights, whoever made the one around it: the store's secret is in it.
            make_dir(&dir.join(part)).map_err(failed)?;
        }
        sync_dir(dir).map_err(failed)?;
        Ok(folder)
    }

    /// A folder that holds backups already.
    pub(crate) fn existing(dir: &Path) -> Result<Self, KeepError> {
        if !dir.join("backup-of").exists() {
            return Err(KeepError::refused(
                dir.display().to_string(),
                "it holds no backups; give the folder that they were made into",
            ));
        }
        Self::locked(dir, lock(dir, false)?)
    }

    fn locked(dir: &Path, lock: File) -> Result<Self, KeepError> {
        let place = dir.join("backup-of");
        let id = fs::read(&place).map_err(|error| KeepError::io(&place, &error))?;
        let id = String::from_utf8_lossy(&id).trim_end().to_owned();
        if id.len() != 32
            || !id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(damaged(&place, "it holds no store's id"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            store_id: id,
            _lock: lock,
        })
    }

    fn engine(&self) -> Result<BackupEngine, KeepError> {
        let dir = self.dir.join("rocksdb");
        let open = || {
            let mut options = BackupEngineOptions::new(&dir)?;
            options.set_sync(true);
            BackupEngine::open(&options, &Env::new()?)
        };
        open().map_err(|error| refused(&dir, &error))
    }

    /// Copies what the database has and the folder lacks. Tells how many bytes that were.
    pub(super) fn copy(&self, database: &Database) -> Result<(BackupEngineInfo, u64), KeepError> {
        let mut engine = self.engine()?;
        let before = self.sizes()?;
        let rocksdb = self.dir.join("rocksdb");
        database
            .back_up(&mut engine)
            .map_err(|error| refused(&rocksdb, &error))?;
        let info = engine
            .get_backup_info()
            .into_iter()
            .max_by_key(|info| info.backup_id)
            .ok_or_else(|| damaged(&rocksdb, "the backup that was just made is not there"))?;
        let after = self.sizes()?;
        let new = after.iter().filter(|(path, _)| !before.contains_key(*path));
        Ok((info, new.map(|(_, bytes)| bytes).sum()))
    }

    /// The files of all backups, with their sizes.
    fn sizes(&self) -> Result<HashMap<PathBuf, u64>, KeepError> {
        let mut sizes = HashMap::new();
        let mut dirs = vec![self.dir.join("rocksdb")];
        while let Some(dir) = dirs.pop() {
            let failed = |error: io::Error| KeepError::io(&dir, &error);
            for entry in fs::read_dir(&dir).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let metadata = entry.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    dirs.push(entry.path());
                } else {
                    sizes.insert(entry.path(), metadata.len());
                }
            }
        }
        Ok(sizes)
    }

    /// Says that a backup is finished.
    pub(super) fn record(&self, backup: &Backup) -> Result<(), KeepError> {
        let meta = self.meta(backup.id)?;
        let mut value = Vec::new();
        let body = encode(backup, meta);
        codec::seal(&self.record_key(backup.id), &mut value, |encoder| {
            encoder.raw(&body)
        });
        write_whole(&self.dir.join("records"), &backup.id.to_string(), &value)
            .map_err(|error| KeepError::io(&self.record_path(backup.id), &error))
    }

    fn record_path(&self, id: u32) -> PathBuf {
        self.dir.join("records").join(id.to_string())
    }

    /// A record is of this folder's store and of its number, or its checksum does not hold.
    fn record_key(&self, id: u32) -> Vec<u8> {
        format!("backup {id} of {}", self.store_id).into_bytes()
    }

    /// The checksum of the engine's list of a backup's files, which has none of its own.
    fn meta(&self, id: u32) -> Result<u32, KeepError> {
        let path = self.dir.join("rocksdb").join("meta").join(id.to_string());
        let meta = fs::read(&path).map_err(|error| damaged(&path, &error.to_string()))?;
        Ok(crc32c::crc32c(&meta))
    }

    /// The numbers of all records, ascending.
    fn recorded(&self) -> Result<Vec<u32>, KeepError> {
        let dir = self.dir.join("records");
        let failed = |error: io::Error| KeepError::io(&dir, &error);
        let mut ids = Vec::new();
        let files = match fs::read_dir(&dir) {
            Ok(files) => files,
            // The first backup was interrupted before it had made the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ids),
            Err(error) => return Err(failed(error)),
        };
        for file in files {
            let name = file.map_err(failed)?.file_name();
            ids.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// All finished backups.
    pub(crate) fn list(&self) -> Result<Vec<FoundBackup>, KeepError> {
        let there = self.engine()?.get_backup_info();
        let found = |id: u32| FoundBackup {
            id,
            backup: self.whole(id, &there).map_err(|error| error.to_string()),
        };
        Ok(self.recorded()?.into_iter().map(found).collect())
    }

    /// A backup whose files have the sizes that they had, as far as the engine knows.
    fn whole(&self, id: u32, there: &[BackupEngineInfo]) -> Result<Backup, KeepError> {
        let meta = self.dir.join("rocksdb").join("meta").join(id.to_string());
        let backup = self.read(id)?;
        let info = there
            .iter()
            .find(|info| info.backup_id == id)
            .ok_or_else(|| damaged(&meta, "it, or a file that it names, is missing"))?;
        if (info.num_files, info.size) == (backup.files, backup.bytes) {
            return Ok(backup);
        }
        let reason = format!(
            "its {} files had {} bytes, and there are {} with {} bytes",
            backup.files, backup.bytes, info.num_files, info.size
        );
        Err(damaged(&meta, &reason))
    }

    fn read(&self, id: u32) -> Result<Backup, KeepError> {
        let path = self.record_path(id);
        let value = fs::read(&path).map_err(|error| KeepError::io(&path, &error))?;
        let (backup, meta) = codec::unseal(&self.record_key(id), &value)
            .and_then(|body| decode(id, body))
            .map_err(|flaw| damaged(&path, &flaw.to_string()))?;
        if self.meta(id)? != meta {
            let path = self.dir.join("rocksdb").join("meta").join(id.to_string());
            return Err(damaged(&path, "its checksum does not hold"));
        }
        Ok(backup)
    }

    /// The backup of a number, or the newest. A damaged one is an error: nobody gets an older one unasked.
    pub(crate) fn choose(&self, which: Option<u32>) -> Result<Backup, KeepError> {
        let ids = self.recorded()?;
        let id = which.or_else(|| ids.last().copied());
        let id = id.filter(|id| ids.contains(id)).ok_or_else(|| {
            KeepError::refused(
                self.dir.display().to_string(),
                match which {
                    Some(id) => format!("it holds no backup {id}; it has {ids:?}"),
                    None => "no backup in it was finished".to_owned(),
                },
            )
        })?;
        self.read(id)
    }

    /// Copies a backup to where a database is to be. The engine compares the checksum of each file.
    pub(crate) fn extract(&self, id: u32, to: &Path) -> Result<(), KeepError> {
        let mut engine = self.engine()?;
        let meta = self.dir.join("rocksdb").join("meta").join(id.to_string());
        engine
            .verify_backup(id)
            .and_then(|()| engine.restore_from_backup(to, to, &EngineRestoreOptions::default(), id))
            .map_err(|error| match error.kind() {
                rocksdb::ErrorKind::IOError => KeepError::Io {
                    path: to.to_owned(),
                    reason: error.into_string(),
                },
                _ => damaged(&meta, error.as_ref()),
            })
    }

    /// The highest epoch that any backup here was made in or any restore from here was given.
    pub(crate) fn last_epoch(&self) -> Result<u64, KeepError> {
        let path = self.dir.join("restored");
        let mut last = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(KeepError::io(&path, &error)),
            Ok(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let number = text.strip_suffix('\n').and_then(|text| text.parse().ok());
                number.ok_or_else(|| damaged(&path, "it holds no epoch; write the highest epoch that a restored store has had into it"))?
            }
        };
        for id in self.recorded()? {
            // A damaged record tells no epoch, and must not stand against restoring another backup.
            last = self.read(id).map_or(last, |backup| last.max(backup.epoch));
        }
        Ok(last)
    }

    /// Remembers an epoch that a restore is given.
    pub(crate) fn note_epoch(&self, epoch: u64) -> io::Result<()> {
        write_whole(&self.dir, "restored", format!("{epoch}\n").as_bytes())
    }

    /// Removes all but the newest finished backups.
    pub(super) fn purge(&self, keep: NonZeroUsize) -> Result<(), KeepError> {
        let ids = self.recorded()?;
        let (old, kept) = ids.split_at(ids.len().saturating_sub(keep.get()));
        for id in old {
            let path = self.record_path(*id);
            fs::remove_file(&path).map_err(|error| KeepError::io(&path, &error))?;
        }
        let records = self.dir.join("records");
        sync_dir(&records).map_err(|error| KeepError::io(&records, &error))?;
        let first = kept.first().copied().unwrap_or_default();
        let mut engine = self.engine()?;
        let keep = engine
            .get_backup_info()
            .iter()
            .filter(|info| info.backup_id >= first)
            .count();
        engine
            .purge_old_backups(keep)
            .map_err(|error| refused(&self.dir.join("rocksdb"), &error))
    }
}

fn lock(dir: &Path, write: bool) -> Result<File, KeepError> {
    let path = dir.join("lock");
    // A folder to restore from may be read-only; its lock file is there since its first backup.
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .create(write)
        .truncate(false)
        .open(&path)
        .map_err(|error| KeepError::io(&path, &error))?;
    match try_lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(KeepError::refused(
            dir.display().to_string(),
            "it is in use by another backup or restore; wait until that is done",
        )),
        Err(TryLockError::Error(error)) => Err(KeepError::io(&path, &error)),
    }
}

fn encode(backup: &Backup, meta: u32) -> Vec<u8> {
    let mut encoder = Encoder::default()
        .raw(&meta.to_be_bytes())
        .number(backup.made_ms)
        .number(backup.epoch)
        .number(u64::from(backup.files))
        .number(backup.bytes)
        .number(backup.new_bytes)
        .number(backup.logs.len() as u64);
    for BackedUpLog { log, head, events } in &backup.logs {
        encoder = encoder
            .text(log.as_str())
            .number(head.get())
            .number(*events);
    }
    encoder.finish()
}

fn decode(id: u32, body: &[u8]) -> Result<(Backup, u32), Flaw> {
    let mut decoder = Decoder::new(body);
    let meta = u32::from_be_bytes(decoder.array()?);
    let mut backup = Backup {
        id,
        made_ms: decoder.number()?,
        epoch: decoder.number()?,
        files: decoder.small_number()?,
        bytes: decoder.number()?,
        new_bytes: decoder.number()?,
        logs: Vec::new(),
    };
    for _ in 0..decoder.count()? {
        backup.logs.push(BackedUpLog {
            log: LogName::new(decoder.str()?).map_err(|_| Flaw::Content("a log's name is none"))?,
            head: Position::new(decoder.number()?),
            events: decoder.number()?,
        });
    }
    decoder.finish()?;
    Ok((backup, meta))
}

fn damaged(place: &Path, reason: &str) -> KeepError {
    KeepError::DamagedBackup {
        place: place.to_owned(),
        reason: reason.into(),
    }
}

/// Why the backup engine did not do its work.
fn refused(place: &Path, error: &rocksdb::Error) -> KeepError {
    match error.kind() {
        rocksdb::ErrorKind::Corruption => damaged(place, error.as_ref()),
        _ => KeepError::Io {
            path: place.to_owned(),
            reason: error.as_ref().into(),
        },
    }
}
