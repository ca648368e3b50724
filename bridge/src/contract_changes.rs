//! Contract changes as records in the log: which contract, in which version, took effect where.
//!
//! A change takes effect at the contract's crossing cursor when the daemon starts with it or is reloaded; the record says where that
//! was. What takes effect together is one record, so that none does without the others. What must never change within a major (`key`,
//! `source`) is compared with the last record, before anything crosses.

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
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Together(Vec<Change>),
    /// As the first records are.
    Alone(Change),
}

/// That a contract takes effect.
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
    let last = last(store, log).await?;
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

/// The last change of each contract in the log.
async fn last(store: &Store, log: &LogName) -> Result<BTreeMap<String, Change>, ChangeError> {
    let mut last = BTreeMap::new();
    for (position, body) in store.read_system(log, KIND).await? {
        let body = serde_json::from_slice(&body).map_err(|error| ChangeError::Unreadable {
            position,
            reason: error.to_string(),
        })?;
        let changes = match body {
            Body::Together(changes) => changes,
            Body::Alone(change) => vec![change],
        };
        last.extend(
            changes
                .into_iter()
                .map(|change| (change.contract.clone(), change)),
        );
    }
    Ok(last)
}

/// Writes the changes into the log as one record, each with the cursor at which it takes effect: the contracts are about to cross from there.
pub(crate) async fn record(
    store: &Store,
    log: &LogName,
    mut changes: Vec<Change>,
) -> Result<(), ChangeError> {
    if changes.is_empty() {
        return Ok(());
    }
    for change in &mut changes {
        let cursor = cursor_name(&PublicStreamName::new(&change.contract)?)?;
        change.after = store
            .crossing_cursor(log, &cursor)
            .await?
            .unwrap_or(Position::ZERO)
            .get();
    }
    let body = serde_json::to_vec(&changes).map_err(|error| ChangeError::Unreadable {
        position: Position::ZERO,
        reason: error.to_string(),
    })?;
    store.append_system(log, KIND, body.into()).await?;
    for change in changes {
        tracing::info!(
            contract = change.contract,
            version = change.version,
            after = change.after,
            "a contract takes effect"
        );
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use horizon_store::Options;

    fn change(contract: &str, version: &str) -> Change {
        Change {
            contract: contract.to_owned(),
            version: version.to_owned(),
            fingerprint: version.to_owned(),
            source: "//bank.example".to_owned(),
            key: ".a".to_owned(),
            after: 0,
        }
    }

    #[tokio::test]
    async fn changes_that_take_effect_together_are_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default();
        let store = Store::open(folder.path(), options).await.unwrap();
        let log = LogName::main();
        let alone = serde_json::to_vec(&change("one.v1", "1.0.0")).unwrap();
        let at = store.append_system(&log, KIND, alone.into()).await;
        let told = last(&store, &log).await.unwrap();
        assert_eq!(told["one.v1"], change("one.v1", "1.0.0"), "a record of one");

        let together = vec![change("one.v1", "1.1.0"), change("two.v1", "1.0.0")];
        record(&store, &log, together).await.unwrap();
        let head = store.head(&log).await.unwrap();
        assert_eq!(head.get(), at.unwrap().get() + 1, "one more record");
        let told = last(&store, &log).await.unwrap();
        let versions = |contract: &str| told[contract].version.as_str();
        assert_eq!((versions("one.v1"), versions("two.v1")), ("1.1.0", "1.0.0"));

        record(&store, &log, Vec::new()).await.unwrap();
        assert_eq!(store.head(&log).await.unwrap(), head, "nothing to record");
    }
}
