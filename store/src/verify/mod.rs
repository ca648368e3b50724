//! Verifying: everything that is stored is read, and held against everything else that speaks of it.
//!
//! - Nothing is mended and nothing is written: a stopped store is opened for reading only.
//! - It does not stop at what it finds. Behind a block that cannot be read it goes on with the next table.
//! - Memory is bounded by the number of contracts, outlets and parked keys, not of events: indexes are held against the log entry by
//!   entry, and the log against the indexes by their number of entries; only where these differ is each entry looked up.

mod index;
mod live;
mod log;
mod parked;
mod public;
mod state;

use std::ops::ControlFlow;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::backup::BackupFolder;
use crate::codec::Flaw;
use crate::database::Database;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::keep::KeepError;
use crate::keys::{self, Column, Family, Key, LogId};
use crate::options::Options;
use crate::restore;
use crate::state::{self as stored, StoreEntry};
use log::LogCheck;

/// Most findings that are told one by one.
const FINDINGS_MAX: usize = 1_000;
/// Entries after which progress is told.
const TOLD_ENTRIES: u64 = 4_096;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which record, entry or file.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
    /// What would mend it.
    pub mend: String,
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// What is not as it must be, in the order in which it was found: the first 1,000.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more_findings: u64,
    /// How many logs were looked at.
    pub logs: u64,
    /// How many private events.
    pub events: u64,
    /// How many public events.
    pub public_events: u64,
    /// How many entries of all kinds were read one after the other.
    pub entries: u64,
}

impl Verified {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// What would mend a finding.
#[derive(Debug, Clone, Copy)]
enum Mend {
    /// What was recorded is not what is stored.
    Record,
    /// The records are there; what is derived from them is wrong.
    Derived,
    /// What is known of progress is wrong.
    Progress,
}

impl Mend {
    fn text(self) -> &'static str {
        match self {
            Self::Record => "restore a backup from before the damage",
            Self::Derived => {
                "the records themselves were read: restore a backup, or export the store and import it into a new one"
            }
            Self::Progress => {
                "restore a backup; going on may send public events twice or not at all"
            }
        }
    }
}

/// Told how many entries were read, and how many there are, more or less.
type Told = Box<dyn FnMut(u64, u64) + Send>;

/// A verification under way.
struct Checker<'a> {
    database: &'a Database,
    secrets: &'a Secrets,
    verified: Verified,
    total: u64,
    told: Told,
}

/// Verifies a stopped store. `told` is called now and then with how many entries were read, and how many there are, more
/// or less.
///
/// # Errors
/// [`KeepError::Open`] if it is open, or so damaged that it cannot be opened, with the place; [`KeepError::Store`] if the
/// disk refuses. What is wrong with the content is no error, but in the answer.
pub async fn verify(
    dir: &Path,
    options: Options,
    told: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Verified, KeepError> {
    options.check()?;
    let dir = dir.to_owned();
    spawn_blocking(move || {
        let folder = Folder::lock_existing(&dir)?;
        let (database, entry) = folder.open_to_read(&options)?;
        Ok(run(&database, &entry, Box::new(told))?)
    })
    .await
    .map_err(|_| KeepError::interrupted())?
}

/// Verifies a backup by restoring it into a folder beside the folder of backups, with the ending `.rehearsal`, which is
/// removed after: it needs as much room as the backup has bytes. The newest backup, or the one that is asked for.
///
/// # Errors
/// As [`verify`](fn@verify) and [`restore`](fn@crate::restore).
pub async fn verify_backup(
    from: &Path,
    which: Option<u32>,
    options: Options,
    told: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Verified, KeepError> {
    options.check()?;
    let from = from.to_owned();
    spawn_blocking(move || {
        let backups = BackupFolder::existing(&from)?;
        let backup = backups.choose(which)?;
        let rehearsal = restore::Rehearsal::of(&backups, &backup, &from)?;
        let (database, entry) = rehearsal.open(&backups, &options)?;
        Ok(run(&database, &entry, Box::new(told))?)
    })
    .await
    .map_err(|_| KeepError::interrupted())?
}

fn run(database: &Database, entry: &StoreEntry, told: Told) -> Result<Verified, StoreError> {
    let secrets = Secrets::new(entry.secret);
    let mut checker = Checker {
        database,
        secrets: &secrets,
        verified: Verified::default(),
        total: database.estimate_entries()?,
        told,
    };
    checker.all(entry)?;
    let Checker {
        mut verified,
        total,
        mut told,
        ..
    } = checker;
    told(total, total);
    verified.findings.shrink_to_fit();
    Ok(verified)
}

impl<'a> Checker<'a> {
    fn all(&mut self, entry: &StoreEntry) -> Result<(), StoreError> {
        let mut logs = Vec::new();
        let registry = keys::log_registrations();
        self.walk(&registry, &registry.bytes, Mend::Record, |_, _, body| {
            logs.push(stored::decode_log(body)?.0);
            Ok(ControlFlow::Continue(()))
        })?;
        for log in &logs {
            let mut check = LogCheck::new(*log);
            check.page(self, usize::MAX, None)?;
            check.end(self, entry.epoch)?;
            self.indexes(*log, check.expected())?;
            let streams = self.public(*log, &check)?;
            self.state(*log, &check, &streams)?;
            self.verified.logs += 1;
        }
        self.strangers(&logs)
    }

    fn found(&mut self, place: impl Into<String>, problem: impl Into<String>, mend: Mend) {
        if self.verified.findings.len() == FINDINGS_MAX {
            self.verified.more_findings += 1;
            return;
        }
        self.verified.findings.push(Finding {
            place: place.into(),
            problem: problem.into(),
            mend: mend.text().into(),
        });
    }

    fn found_at(&mut self, key: &[u8], problem: impl Into<String>, mend: Mend) {
        self.found(keys::describe(key), problem, mend);
    }

    /// Damage is a finding; anything else ends the verification.
    fn take(&mut self, error: StoreError, mend: Mend) -> Result<(), StoreError> {
        match error {
            StoreError::Damaged { place, reason } => {
                self.found(place, reason, mend);
                Ok(())
            }
            other => Err(other),
        }
    }

    /// What a look-up gave; damage is a finding, and gives nothing.
    fn looked_up<T>(
        &mut self,
        found: Result<Option<T>, StoreError>,
        mend: Mend,
    ) -> Result<Option<T>, StoreError> {
        match found {
            Ok(found) => Ok(found),
            Err(error) => self.take(error, mend).map(|()| None),
        }
    }

    fn count(&mut self) {
        self.verified.entries += 1;
        if self.verified.entries.is_multiple_of(TOLD_ENTRIES) {
            (self.told)(self.verified.entries, self.total.max(self.verified.entries));
        }
    }

    /// Visits all entries that begin with a prefix, from the key `from` on. What cannot be read is a finding; what can be
    /// taken apart is visited.
    fn walk(
        &mut self,
        prefix: &Key,
        from: &[u8],
        mend: Mend,
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<ControlFlow<()>, Flaw>,
    ) -> Result<(), StoreError> {
        let database = self.database;
        let mut from = from.to_vec();
        loop {
            let mut last = from.clone();
            let walked = database.walk(prefix, &from, |key, body| {
                self.count();
                last.clear();
                last.extend_from_slice(key);
                match body.and_then(|body| visit(self, key, body)) {
                    Ok(flow) => flow,
                    Err(flaw) => {
                        self.found_at(key, flaw.to_string(), mend);
                        ControlFlow::Continue(())
                    }
                }
            });
            let Err(error) = walked else { return Ok(()) };
            let StoreError::Damaged { reason, .. } = error else {
                return Err(error);
            };
            self.found(
                format!("after {}", keys::describe(&last)),
                format!("it cannot be read: {reason}"),
                mend,
            );
            match database.next_table(prefix.column, &last)? {
                Some(next) if next.starts_with(&prefix.bytes) => from = next,
                _ => return Ok(()),
            }
        }
    }

    /// Looks for keys of families and logs that there are not.
    fn strangers(&mut self, logs: &[LogId]) -> Result<(), StoreError> {
        for column in Column::ALL {
            let mut from = Vec::new();
            loop {
                let key = match self.database.key_from(column, &from) {
                    Ok(Some(key)) => key,
                    Ok(None) => break,
                    Err(error) => {
                        self.take(error, Mend::Record)?;
                        break;
                    }
                };
                let prefix = key.get(..5).unwrap_or(&key).to_vec();
                if !Family::is_known(column, &prefix, logs) {
                    self.found_at(&key, "no such family or log is known", Mend::Record);
                }
                from = keys::end_of(&prefix);
            }
        }
        Ok(())
    }
}
