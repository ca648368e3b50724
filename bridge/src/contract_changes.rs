//! Contract changes as records in the log: which contract, in which version, took effect where.
//!
//! A change takes effect at the contract's crossing cursor when the daemon starts with it; the record says where that was. What
//! must never change within a major (`key`, `source`) is compared with the last record, before anything crosses.

use std::collections::BTreeMap;
use std::sync::Arc;

use horizon_schemas::Contract;
use horizon_store::{LogName, Position, PublicStreamName, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::commands::Failure;
use crate::crossing::cursor_name;

/// The kind of these system records.
const KIND: &str = "contract";

/// The body of a record: a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    contract: String,
    version: String,
    fingerprint: String,
    source: String,
    key: String,
    /// The crossing cursor at which it took effect.
    after: u64,
}

/// Why the contracts cannot take effect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Name(#[from] horizon_store::NameError),
    #[error("a contract-change record at position {position} cannot be read: {reason}")]
    Unreadable { position: Position, reason: String },
    #[error(
        "contract {contract}: `{what}` was {before} and is now {now}; it never changes within a major version, because consumers rely on it\n  = mend: change it back, or publish a new major version beside this one"
    )]
    Fixed {
        contract: String,
        what: &'static str,
        before: String,
        now: String,
    },
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Failure {
        match error {
            ChangeError::Fixed { .. } => Failure::Mend(error.to_string()),
            error => Failure::Failed(error.to_string()),
        }
    }
}

/// What differs between the contracts and what the log says of them.
pub(crate) async fn find(
    store: &Store,
    log: &LogName,
    contracts: &[Arc<Contract>],
) -> Result<Vec<Change>, ChangeError> {
    let mut last: BTreeMap<String, Change> = BTreeMap::new();
    for (position, body) in store.read_system(log, KIND).await? {
        let change: Change =
            serde_json::from_slice(&body).map_err(|error| ChangeError::Unreadable {
                position,
                reason: error.to_string(),
            })?;
        last.insert(change.contract.clone(), change);
    }
    let mut changes = Vec::new();
    for contract in contracts {
        let now = Change {
            contract: contract.public_stream(),
            version: contract.version().to_owned(),
            fingerprint: contract.fingerprint(),
            source: contract.source().to_owned(),
            key: contract.key_text().to_owned(),
            after: 0,
        };
        match last.get(&now.contract) {
            Some(before) if before.fingerprint == now.fingerprint => {}
            Some(before) => {
                fixed(before, &now, "source", |change| &change.source)?;
                fixed(before, &now, "key", |change| &change.key)?;
                changes.push(now);
            }
            None => changes.push(now),
        }
    }
    Ok(changes)
}

/// Writes the changes into the log, each with the cursor at which it takes effect: the contracts are about to cross from there.
pub(crate) async fn record(
    store: &Store,
    log: &LogName,
    changes: Vec<Change>,
) -> Result<(), ChangeError> {
    for mut change in changes {
        let cursor = cursor_name(&PublicStreamName::new(&change.contract)?)?;
        change.after = store
            .crossing_cursor(log, &cursor)
            .await?
            .unwrap_or(Position::ZERO)
            .get();
        tracing::info!(
            contract = change.contract,
            version = change.version,
            after = change.after,
            "a contract takes effect"
        );
        let body = serde_json::to_vec(&change).map_err(|error| ChangeError::Unreadable {
            position: Position::ZERO,
            reason: error.to_string(),
        })?;
        store.append_system(log, KIND, body.into()).await?;
    }
    Ok(())
}

fn fixed(
    before: &Change,
    now: &Change,
    what: &'static str,
    field: fn(&Change) -> &String,
) -> Result<(), ChangeError> {
    if field(before) == field(now) {
        return Ok(());
    }
    Err(ChangeError::Fixed {
        contract: now.contract.clone(),
        what,
        before: field(before).clone(),
        now: field(now).clone(),
    })
}
