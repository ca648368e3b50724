//! Relays that an operator has paused. Each pause and each resumption is a record in the log, so that a restart keeps them.

use std::collections::BTreeMap;

use horizon_store::{LogName, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::clock;

/// The kind of these system records.
const KIND: &str = "relay-pause";

/// Why and since when a relay is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Pause {
    /// In the words of who paused it.
    pub(crate) reason: String,
    /// RFC 3339.
    pub(crate) since: String,
}

/// The body of a record: a JSON document.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    relay: String,
    /// None: it was resumed.
    pause: Option<Pause>,
}

/// The relays that are paused, by name.
pub(crate) async fn read(
    store: &Store,
    log: &LogName,
) -> Result<BTreeMap<String, Pause>, StoreError> {
    let mut paused = BTreeMap::new();
    for (position, body) in store.read_system(log, KIND).await? {
        let record: Record =
            serde_json::from_slice(&body).map_err(|error| StoreError::Damaged {
                place: format!("the {KIND} record at position {position}"),
                reason: error.to_string(),
            })?;
        match record.pause {
            Some(pause) => paused.insert(record.relay, pause),
            None => paused.remove(&record.relay),
        };
    }
    Ok(paused)
}

/// Records that a relay is paused from now on.
pub(crate) async fn pause(
    store: &Store,
    log: &LogName,
    relay: &str,
    reason: &str,
) -> Result<Pause, StoreError> {
    let pause = Pause {
        reason: reason.to_owned(),
        since: clock::rfc3339(clock::now_ms()),
    };
    record(store, log, relay, Some(pause.clone())).await?;
    Ok(pause)
}

/// Records that a relay goes on.
pub(crate) async fn resume(store: &Store, log: &LogName, relay: &str) -> Result<(), StoreError> {
    record(store, log, relay, None).await
}

async fn record(
    store: &Store,
    log: &LogName,
    relay: &str,
    pause: Option<Pause>,
) -> Result<(), StoreError> {
    let relay = relay.to_owned();
    let body = serde_json::to_vec(&Record { relay, pause }).unwrap_or_default();
    // Who asks is told at once where the disk is too low to record it, rather than later, when nobody asks any more.
    store
        .append_system(log, KIND, body.into())
        .await
        .map(|_| ())
}
