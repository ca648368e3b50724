//! Limits: how much one call may hand in, with units, and the error that names the value and the limit.

/// Limits of what is handed in. Names have fixed limits of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest `id`, in bytes. Default: 1,024.
    pub id_max_bytes: usize,
    /// Longest `source`, in bytes. Default: 1,024.
    pub source_max_bytes: usize,
    /// Longest `type`, in bytes. Default: 255; at most 1,024, as it is part of a key.
    pub type_max_bytes: usize,
    /// Most attributes of an event besides id, source, type and media type. Default: 64.
    pub event_max_attributes: usize,
    /// Largest event: data and all attributes together, in bytes. Default: 1 MiB.
    pub event_max_bytes: usize,
    /// Most events of a commit, and most writes. Default: 1,000.
    pub commit_max_events: usize,
    /// Largest commit, in bytes. Default: 8 MiB.
    pub commit_max_bytes: usize,
    /// Largest body of a system record, in bytes. Default: 4 MiB.
    pub system_max_bytes: usize,
    /// Most cursors, public events, parked entries or counts of one crossing, each. Default: 100,000.
    pub crossing_max_entries: usize,
    /// Largest crossing, in bytes. Default: 64 MiB.
    pub crossing_max_bytes: usize,
    /// Longest key that order is kept by, in bytes. Default: 1,024.
    pub key_max_bytes: usize,
    /// Most unheard or parked entries of one settlement, each. Default: 100,000.
    pub settlement_max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            id_max_bytes: 1_024,
            source_max_bytes: 1_024,
            type_max_bytes: 255,
            event_max_attributes: 64,
            event_max_bytes: MIB,
            commit_max_events: 1_000,
            commit_max_bytes: 8 * MIB,
            system_max_bytes: 4 * MIB,
            crossing_max_entries: 100_000,
            crossing_max_bytes: 64 * MIB,
            key_max_bytes: 1_024,
            settlement_max_entries: 100_000,
        }
    }
}

/// Something that was handed in is over a limit or malformed. The same call will never succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many bytes.
    #[error("{what} has {bytes} bytes; at most {limit_bytes} are allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it is, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// Too many of something.
    #[error("{what} are {count}; at most {limit} are allowed")]
    TooMany {
        /// What is too many.
        what: String,
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Something cannot be as it is.
    #[error("{what}: {reason}")]
    Malformed {
        /// What is malformed.
        what: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
}

impl LimitError {
    pub(crate) fn malformed(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed {
            what: what.into(),
            reason: reason.into(),
        }
    }

    /// Refuses what is larger than its limit.
    pub(crate) fn check_bytes(
        what: impl FnOnce() -> String,
        bytes: usize,
        limit_bytes: usize,
    ) -> Result<(), Self> {
        if bytes <= limit_bytes {
            Ok(())
        } else {
            Err(Self::TooLarge {
                what: what(),
                bytes,
                limit_bytes,
            })
        }
    }

    /// Refuses what is more than its limit.
    pub(crate) fn check_count(
        what: impl FnOnce() -> String,
        count: usize,
        limit: usize,
    ) -> Result<(), Self> {
        if count <= limit {
            Ok(())
        } else {
            Err(Self::TooMany {
                what: what(),
                count,
                limit,
            })
        }
    }
}
