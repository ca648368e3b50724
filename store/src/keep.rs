//! Keeping and mending: what the work on stopped stores and on backups has in common.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{OpenError, StoreError};

/// Why a backup, a restore, a verification or a new epoch was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for cannot be done; nothing was changed.
    #[error("{what}: {reason}")]
    Refused {
        /// What stands against it.
        what: String,
        /// Why, and what to do about it.
        reason: String,
    },
    /// A backup is not what was written. Use another one.
    #[error("the backup is damaged at {}: {reason}", place.display())]
    DamagedBackup {
        /// Which file or folder.
        place: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or the system refused.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl KeepError {
    pub(crate) fn refused(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    /// The thread that did the work is gone.
    pub(crate) fn interrupted() -> Self {
        Self::Store(StoreError::Io {
            reason: "the work was interrupted".into(),
        })
    }
}
