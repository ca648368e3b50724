//! Import: a store made of an export.
//!
//! - All or nothing: until the last line is read and holds, the folder has the marker `restoring`, and no store is opened there.
//! - Each line is checked as it is read: against its check, against the lines before it, and against what the store
//!   promises (no gap in positions, revisions, sequences; whole commits; no event twice).
//! - What the export leaves out is rebuilt by the same code that wrote it the first time.
//! - At the end a new epoch is opened in all logs, as after a restore.

mod check;
mod take;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::database::{Batch, Database, LastStop};
use crate::epoch::{self, Epoch};
use crate::error::{OpenError, StoreError};
use crate::export::lines::{LineError, LineReader};
use crate::export::{ExportCounts, Progress};
use crate::folder::{Folder, hex, make_dir};
use crate::heads::Heads;
use crate::keep::KeepError;
use crate::options::Options;
use crate::restore;
use crate::writer::{Draft, Recent, finish};
use take::Taker;

const BUFFER_BYTES: usize = 256 * 1024;
/// How many lines are taken between two reports of progress.
const REPORT_LINES: u64 = 1_024;
/// Why the new epoch is opened.
const REASON: &str = "restored from an export";

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The store's id: that of the exported store.
    pub store: String,
    /// How many lines of each kind there were.
    pub counts: ExportCounts,
    /// BLAKE3 of all lines but the last, as it was computed and as the last line says.
    pub blake3: String,
    /// The new epoch, as it begins in each log.
    pub epochs: Vec<Epoch>,
}

/// Why an export was not imported. There is no store then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A line is not as it was exported, or does not fit to those before it.
    #[error("line {line}: {reason}")]
    Line {
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The export could not be read.
    #[error("the export cannot be read after line {after_line}: {reason}")]
    Read {
        /// The last line that was read.
        after_line: u64,
        /// What the system said.
        reason: String,
    },
    /// The store could not be made.
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl From<OpenError> for ImportError {
    fn from(error: OpenError) -> Self {
        Self::Keep(error.into())
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Keep(error.into())
    }
}

/// Makes a store of an export, in a folder that is empty or not there yet, and opens a new epoch in all its logs.
///
/// It has the exported store's id and secret, and must not be written to beside it: a copy of an export gives the same new epoch. An import that fails leaves the folder empty; one that is killed leaves it
/// marked, so that [`Store::open`](crate::Store::open) refuses it and the next import begins anew. Names, ids and payloads are taken as they are, whatever
/// the limits in `options` say. `progress` is told after each thousand lines.
///
/// # Errors
/// [`ImportError::Line`] with the number of the first line that is wrong; [`ImportError::Read`];
/// [`ImportError::Keep`] if the folder is not empty or in use, or the system refuses.
pub async fn import(
    from: impl Read + Send + 'static,
    to: &Path,
    options: Options,
    progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Imported, ImportError> {
    options.check()?;
    let to = to.to_owned();
    spawn_blocking(move || into_folder(from, to, options, progress))
        .await
        .map_err(|_| KeepError::interrupted())?
}

fn into_folder(
    from: impl Read,
    to: PathBuf,
    options: Options,
    progress: impl FnMut(Progress),
) -> Result<Imported, ImportError> {
    restore::check_empty(&to)?;
    let folder = Folder::lock(&to)?;
    let failed = |error: std::io::Error| KeepError::io(&to, &error);
    restore::begin(&to, "export").map_err(failed)?;
    let outcome = fill(&folder, &to, from, &options, progress).and_then(|imported| {
        restore::end(&to).map_err(failed)?;
        Ok(imported)
    });
    if outcome.is_err() {
        // What cannot be removed stays marked; why the import failed is the better answer.
        let _ = restore::give_up(&to);
    }
    outcome
}

/// Writes all lines, opens the new epoch, and makes a store of the folder but for the marker in it.
fn fill(
    folder: &Folder,
    to: &Path,
    from: impl Read,
    options: &Options,
    mut progress: impl FnMut(Progress),
) -> Result<Imported, ImportError> {
    let mut lines = LineReader::new(BufReader::with_capacity(BUFFER_BYTES, from));
    let rocksdb = to.join("rocksdb");
    make_dir(&rocksdb).map_err(|error| KeepError::io(&rocksdb, &error))?;
    let database = Database::open(&rocksdb, true, LastStop::Unclean, options)
        .map_err(|error| KeepError::io(&rocksdb, &std::io::Error::other(error.into_string())))?;
    let entry = take_all(&mut lines, &database, options, &mut progress)?.entry()?;
    let store = hex(&entry.id);
    let next = restore::choose_epoch(entry.epoch, None)?;
    let epochs = epoch::open(&database, entry, next, REASON)?;
    database.flush()?;
    let last_write = database.last_write();
    drop(database);
    folder.identify(&store)?;
    folder.mark_clean_stop(last_write)?;
    Ok(Imported {
        store,
        counts: lines.counts,
        blake3: lines.blake3().unwrap_or_default().to_owned(),
        epochs,
    })
}

/// Takes all lines, in batches of a bounded size.
fn take_all(
    lines: &mut LineReader<impl std::io::BufRead>,
    database: &Database,
    options: &Options,
    progress: &mut impl FnMut(Progress),
) -> Result<Taker, ImportError> {
    let (heads, recent) = (Heads::default(), Recent::default());
    let mut batch = Batch::default();
    let mut taker = Taker::default();
    let mut more = true;
    while more {
        let mut draft = Draft::new(database, &heads, &recent, batch, 0);
        while more && draft.batch.bytes() < options.batch_max_bytes {
            more = take_next(lines, &mut taker, &mut draft)?;
            if lines.number.is_multiple_of(REPORT_LINES) {
                progress(taker.progress());
            }
        }
        (_, batch) = finish(draft, &heads)?;
    }
    progress(taker.progress());
    Ok(taker)
}

/// Takes the next line; false if there is none.
fn take_next(
    lines: &mut LineReader<impl std::io::BufRead>,
    taker: &mut Taker,
    draft: &mut Draft<'_>,
) -> Result<bool, ImportError> {
    let number = lines.number.saturating_add(1);
    let wrong = |reason| ImportError::Line {
        line: number,
        reason,
    };
    match lines.next() {
        Ok(None) => Ok(false),
        Ok(Some(line)) => match taker.take(line, draft) {
            Ok(()) => Ok(true),
            Err(take::Refused::Line(reason)) => Err(wrong(reason)),
            Err(take::Refused::Store(error)) => Err(error.into()),
        },
        Err(LineError::Wrong(reason)) => Err(wrong(reason)),
        Err(LineError::Io(error)) => Err(ImportError::Read {
            after_line: number.saturating_sub(1),
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
