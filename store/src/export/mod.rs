//! Export: everything in a store as JSON lines, to be taken elsewhere. `EXPORT.md` tells each line to the field.
//!
//! - An export is the store as it was at one moment, whatever is written meanwhile (see `walk.rs` how).
//! - The same store gives the same bytes: nothing in an export tells when it was made.
//! - What can be rebuilt is left out: indexes, digests, heads of streams.
//! - It holds the store's secret and all private events: it is as secret as the store.

pub(crate) mod convert;
mod file;
mod find;
pub(crate) mod line;
pub(crate) mod lines;
mod parked;
mod walk;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::store::Store;

use file::ExportFile;
pub use line::Counts as ExportCounts;
use walk::Walk;

/// How far an export or an import is: private and public events together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Events done.
    pub done: u64,
    /// Events in all; an import knows it when it has read the first lines.
    pub total: u64,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// How many lines of each kind there are.
    pub counts: ExportCounts,
    /// Length of the export, in bytes.
    pub bytes: u64,
    /// BLAKE3 of all lines but the last, in hexadecimal digits: what the last line says.
    pub blake3: String,
}

/// Why an export was not made, or not to its end. What was written of it is refused by an import.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is there already. Nothing was written.
    #[error("{} is there already; an export overwrites nothing: remove it, or choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What was exported could not be written.
    #[error("the export cannot be written: {reason}")]
    Write {
        /// What the system said, and of which file.
        reason: String,
    },
}

impl From<std::io::Error> for ExportError {
    fn from(error: std::io::Error) -> Self {
        Self::Write {
            reason: error.to_string(),
        }
    }
}

impl Store {
    /// Writes everything in the store as JSON lines, as it is at one moment. Appends, crossings and relays go on. Closing the
    /// store ends it with [`StoreError::Closed`].
    ///
    /// `to` is written to in large pieces, where it may block; while it blocks, closing waits. It is given back. What
    /// is written is as secret as the store. `progress` is told after each few thousand lines.
    ///
    /// # Errors
    /// [`ExportError`]; what was written then has no last line, and an import refuses it.
    pub async fn export<W: Write + Send + 'static>(
        &self,
        to: W,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<(W, Exported), ExportError> {
        let begin = move |_: &_, database: &_| Ok(Walk::begin(database, to));
        let mut walk = self.read(begin).await??;
        loop {
            progress(walk.progress());
            let step = move |_: &_, database: &_| Ok(walk.step(database).map(|more| (walk, more)));
            let more;
            (walk, more) = self.read(step).await??;
            if !more {
                return self.read(|_, _| Ok(walk.end())).await?;
            }
        }
    }

    /// Exports to a new file, which only its owner can read, under its name once it is whole and synced. Until then its
    /// name ends in `.unfinished`.
    ///
    /// # Errors
    /// [`ExportError`]; no file is left then.
    pub async fn export_file(
        &self,
        path: &Path,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Exported, ExportError> {
        let (file, exported) = self.export(ExportFile::create(path)?, progress).await?;
        tokio::task::spawn_blocking(move || file.finish())
            .await
            .map_err(|_| StoreError::Closed)??;
        Ok(exported)
    }
}
