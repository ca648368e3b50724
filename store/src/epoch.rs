//! Epochs: a new one is opened where positions and sequences may have been used that the store no longer knows of.
//!
//! After a restore, or after a volume was rolled back, what was written since is forgotten here and known elsewhere. In
//! a new epoch all logs go on at `epoch × 2⁴⁰ + 1`, so that no position and no sequence is used twice. The first
//! record of a log in a new epoch is a system record that tells why, and where the log ended before. A log that is
//! first written in a later epoch begins there, without such a record.

use std::path::Path;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::clock;
use crate::codec::{Decoder, Encoder, Flaw};
use crate::database::{Batch, Database};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::index::block::{Block, block_of};
use crate::keep::KeepError;
use crate::keys::{self, Indexed};
use crate::load;
use crate::names::LogName;
use crate::options::Options;
use crate::place::Position;
use crate::record;
use crate::state::{LogHead, StoreEntry};
use crate::store::Store;

/// The kind of these system records; nobody else may write it.
pub(crate) const KIND: &str = "epoch";
/// Version of the records' bodies.
const VERSION: u8 = 1;
/// Longest reason, in bytes.
const REASON_MAX_BYTES: usize = 1_024;

/// An epoch of a log: all but its first begin with a record of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The log.
    pub log: LogName,
    /// Position of the record that opens the epoch: the first of the epoch.
    pub first: Position,
    /// Where the log ended before: its last position in the epoch before.
    pub after: Position,
    /// Why it was opened.
    pub reason: String,
}

/// The body of an epoch's record.
pub(crate) struct EpochBody {
    pub(crate) after: Position,
    pub(crate) reason: String,
}

impl EpochBody {
    fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .byte(VERSION)
            .number(self.after.get())
            .text(&self.reason)
            .finish()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut decoder = Decoder::new(body);
        match decoder.byte()? {
            VERSION => {}
            version => return Err(Flaw::Version(version)),
        }
        let body = Self {
            after: Position::new(decoder.number()?),
            reason: decoder.text()?,
        };
        decoder.finish()?;
        Ok(body)
    }
}

impl Store {
    /// The epochs that were opened in a log, in order. Its first has no record, and is not among them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn epochs(&self, log: &LogName) -> Result<Vec<Epoch>, StoreError> {
        let records = self.read_system(log, KIND).await?;
        let epoch = |(first, body): (Position, Bytes)| {
            let body = EpochBody::decode(&body).map_err(|flaw| StoreError::Damaged {
                place: format!("log {log}, position {first}"),
                reason: flaw.to_string(),
            })?;
            Ok(Epoch {
                log: log.clone(),
                first,
                after: body.after,
                reason: body.reason,
            })
        };
        records.into_iter().map(epoch).collect()
    }
}

/// Opens a new epoch in all logs of a stopped store: the next events get positions, and the next public events
/// sequences, that were never used before. All logs together, or none.
///
/// `reason` is kept for good and shown to operators: at most 1,024 bytes. `epoch` is the epoch to open; without it, the
/// one after the store's. A store cannot know of epochs that it has forgotten: where the same copy of a volume is put
/// back twice, the second time has to name an epoch above that of the first.
///
/// # Errors
/// [`KeepError::Open`] if there is no store, it is open, or it cannot be opened; [`KeepError::Refused`] if the reason
/// is empty or too long, or the epoch is not above the store's or does not exist (there are 8,192, from 0).
pub async fn open_new_epoch(
    dir: &Path,
    reason: &str,
    epoch: Option<u64>,
    options: Options,
) -> Result<Vec<Epoch>, KeepError> {
    options.check()?;
    if reason.is_empty() || reason.len() > REASON_MAX_BYTES {
        return Err(KeepError::refused(
            "the reason of a new epoch",
            format!("it must have 1 to {REASON_MAX_BYTES} bytes"),
        ));
    }
    let (dir, reason) = (dir.to_owned(), reason.to_owned());
    spawn_blocking(move || {
        let folder = Folder::lock_existing(&dir)?;
        let (database, entry) = folder.open(&options)?;
        let next = epoch.unwrap_or(entry.epoch + 1);
        let opened = open(&database, entry, next, &reason);
        database.flush()?;
        let last_write = database.last_write();
        drop(database);
        folder.mark_clean_stop(last_write)?;
        opened
    })
    .await
    .map_err(|_| KeepError::interrupted())?
}

/// Refuses an epoch that is not above the highest one known, or does not exist; returns its first position.
pub(crate) fn above(known: u64, epoch: u64) -> Result<Position, KeepError> {
    if epoch <= known {
        return Err(KeepError::refused(
            format!("epoch {epoch}"),
            format!("it may have been used; name one above {known}"),
        ));
    }
    Position::start_of(epoch).next().ok_or_else(|| {
        let last = Position::END.epoch() - 1;
        KeepError::refused(
            format!("epoch {epoch}"),
            format!("the last epoch is {last}, and epochs up to {known} may have been used"),
        )
    })
}

/// Opens an epoch in an open database that nobody writes to.
pub(crate) fn open(
    database: &Database,
    entry: StoreEntry,
    epoch: u64,
    reason: &str,
) -> Result<Vec<Epoch>, KeepError> {
    let first = above(entry.epoch, epoch)?;
    let mut batch = Batch::default();
    let mut epochs = Vec::new();
    for (log, id) in load::logs(database)? {
        let LogHead { last, events } = load::head(database, id)?;
        let body = EpochBody {
            after: last,
            reason: reason.to_owned(),
        };
        batch.put(
            keys::log_record(id, first),
            &record::system(clock::now_ms(), KIND, &body.encode()),
        );
        let mut block = Block::default();
        block.insert(first);
        let of = Indexed::System(KIND);
        batch.put(keys::block(id, of, block_of(first)), &block.encode());
        let head = LogHead {
            last: first,
            events,
        };
        batch.put(keys::log_head(id), &head.encode());
        epochs.push(Epoch {
            log,
            first,
            after: last,
            reason: body.reason,
        });
    }
    let entry = StoreEntry {
        epoch: first.epoch(),
        ..entry
    };
    batch.put(keys::store(), &entry.encode());
    database.write(batch, true).map(drop)?;
    Ok(epochs)
}
