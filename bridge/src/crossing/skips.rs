//! Events that an operator has given up at a contract which halted there: no key could be made of them, so nothing could be parked.
//!
//! Each is a record in the log, written before the crossing passes the event: after a restart it is passed all the same.

use horizon_store::{LogName, Position, PublicStreamName, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock;

/// The kind of these system records.
const KIND: &str = "crossing-skip";

/// That an event was given up: the body of a record, a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Skipped {
    contract: String,
    /// The event's position.
    at: u64,
    /// In the words of who gave it up.
    pub(crate) reason: String,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub(crate) skipped: String,
}

impl Skipped {
    pub(crate) fn is_at(&self, stream: &PublicStreamName, position: Position) -> bool {
        self.contract == stream.as_str() && self.at == position.get()
    }

    /// Where, if it is of this contract and ahead of its cursor.
    pub(super) fn ahead_of(&self, stream: &PublicStreamName, cursor: Position) -> Option<Position> {
        let is_ahead = self.contract == stream.as_str() && self.at > cursor.get();
        is_ahead.then(|| Position::new(self.at))
    }
}

/// Everything that was given up so.
pub(crate) async fn read(store: &Store, log: &LogName) -> Result<Vec<Skipped>, StoreError> {
    let records = store.read_system(log, KIND).await?.into_iter();
    let skipped = records.map(|(position, body)| {
        serde_json::from_slice(&body).map_err(|error| StoreError::Damaged {
            place: format!("the {KIND} record at position {position}"),
            reason: error.to_string(),
        })
    });
    skipped.collect()
}

/// Records that an event is given up.
pub(super) async fn record(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    at: Position,
    reason: String,
) -> Result<Skipped, StoreError> {
    let skipped = Skipped {
        contract: stream.as_str().to_owned(),
        at: at.get(),
        reason,
        skipped: clock::rfc3339(clock::now_ms()),
    };
    let body = serde_json::to_vec(&skipped).unwrap_or_default();
    // Who asks is told at once where the disk is too low to record it.
    store.append_system(log, KIND, body.into()).await?;
    Ok(skipped)
}
