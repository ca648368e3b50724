//! Why the store cannot do its work, by what the caller can do about it.

use std::path::PathBuf;

use crate::limits::LimitError;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing happened; the same call may succeed later.
    TryAgain,
    /// The store must be opened anew. Whether a write that got this answer is stored is unknown until then.
    Restart,
    /// The same call will never succeed: somebody must mend the data or the call.
    Never,
}

/// Why the store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A write or a sync failed, and nothing is written any more; reads go on. Whether the call that got this answer
    /// is stored is unknown until the store has been opened anew.
    #[error("the store has stopped writing and must be restarted: {reason}")]
    Stopped {
        /// What failed.
        reason: String,
    },
    /// Too much is waiting to be written. Nothing of this call was.
    #[error("the store is busy: the call waited {waited_ms} ms for its turn")]
    Busy {
        /// How long the call waited, in milliseconds.
        waited_ms: u64,
    },
    /// The disk is low on space, and this kind of call is refused until there is more. Nothing of this call was stored;
    /// reads and settlements go on.
    #[error(
        "the disk is low: {free_bytes} bytes are free, and {what} need {mark_bytes}; free some, or move the store to a larger disk"
    )]
    DiskLow {
        /// What is refused: `appends` or `crossings`.
        what: &'static str,
        /// How much is free, in bytes.
        free_bytes: u64,
        /// How much must be free for the refusal to be lifted, in bytes.
        mark_bytes: u64,
    },
    /// What is stored is not what was written.
    #[error("the store is damaged at {place}: {reason}")]
    Damaged {
        /// Which record or file.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The disk or the system refused a read.
    #[error("the store cannot read: {reason}")]
    Io {
        /// What the system said.
        reason: String,
    },
    /// What was handed in is over a limit or malformed.
    #[error(transparent)]
    Refused(#[from] LimitError),
}

impl StoreError {
    /// What the caller can do.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Busy { .. } | Self::DiskLow { .. } | Self::Io { .. } => Advice::TryAgain,
            Self::Stopped { .. } | Self::Closed => Advice::Restart,
            Self::Damaged { .. } | Self::Refused(_) => Advice::Never,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another `Store` of this one, has it open.
    #[error("{} is in use by another process", dir.display())]
    InUse {
        /// The store's folder.
        dir: PathBuf,
    },
    /// There is none, and none was to be made.
    #[error("there is no store in {}", dir.display())]
    NoStore {
        /// The folder.
        dir: PathBuf,
    },
    /// A restore into it was interrupted, or is under way.
    #[error("a restore into {} was not finished; do it again, or remove the folder", dir.display())]
    Restoring {
        /// The folder.
        dir: PathBuf,
    },
    /// A newer version wrote it.
    #[error("{} has format {found}; this version reads up to format {supported}", dir.display())]
    NewerFormat {
        /// The store's folder.
        dir: PathBuf,
        /// The format's version found.
        found: u16,
        /// The newest that this version reads.
        supported: u16,
    },
    /// What is stored is not what was written. Restore a backup.
    #[error("{} is damaged at {place}: {reason}", dir.display())]
    Damaged {
        /// The store's folder.
        dir: PathBuf,
        /// Which record or file.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or the system refused.
    #[error("cannot open {}: {reason}", dir.display())]
    Io {
        /// The store's folder.
        dir: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// An option is out of its range.
    #[error("option {option}: {reason}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
}
