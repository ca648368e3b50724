//! Reload, while everything runs: access (principals, tokens, issuers, certificates) by itself, then contracts with schemas by
//! themselves. Each is all or nothing, and neither waits for the other to be sound.
//!
//! - Access goes first, and waits for nothing: what is taken back is gone, however it stands with contracts, relays and the disk.
//! - Everything that can be wrong is found before anything changes: language, schemas, outlets, what never changes within a major
//!   version. Whatever is found, the old contracts stay.
//! - The crossing changes first, between two passes, and writes down where. Who appends sees the new schemas after that: no event
//!   of a new type comes before the contract that takes it.
//! - A relay whose outlet did not change is left alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use horizon_schemas::Status::{Active, Deprecated, Retired};
use horizon_store::StoreError;
use serde::Serialize;
use tokio::sync::{Mutex, oneshot};
use utoipa::ToSchema;

use super::listeners::{Doors, DoorsView};
use super::outlets::Outlets;
use super::relays::{Changed, Ground, Paused, Relays};
use super::{load_catalog, with_status};
use crate::commands::Failure;
use crate::config::{Config, Flags};
use crate::contract_changes;
use crate::crossing::{CrossingOrder, find_timed};
use crate::loaded::SharedCatalog;
use crate::replays::Replays;

/// What a running daemon loads again, and changes when it is sound.
pub(crate) struct Reloader {
    pub(super) config: Arc<Config>,
    pub(super) given: Given,
    pub(super) catalog: SharedCatalog,
    pub(super) ground: Ground,
    pub(super) doors: Arc<Doors>,
    /// Held while access changes.
    pub(super) access: Mutex<()>,
    /// Held while they change: one reload at a time, and none while the daemon stops.
    pub(super) relays: Mutex<Relays>,
}

/// Where the configuration came from.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) path: PathBuf,
    pub(crate) flags: Flags,
}

/// What a reload did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reloaded {
    /// How many are known; none, where everybody may do everything.
    principals: Option<usize>,
    contracts: Vec<ReloadedContract>,
    relays: Changed,
    /// Keys of the configuration that have changed and wait for a restart.
    restart_needed: Vec<String>,
}

/// A contract after a reload.
#[derive(Debug, Serialize, ToSchema)]
struct ReloadedContract {
    contract: String,
    version: String,
    /// Whether it is another than before.
    changed: bool,
}

/// What was not taken up by a reload, and why; the other part was.
#[derive(Debug)]
pub(crate) struct NotTakenUp {
    /// Of principals, tokens, issuers and certificates.
    access: Option<Failure>,
    /// Of contracts and schemas.
    contracts: Option<Failure>,
}

impl NotTakenUp {
    /// The parts by name, each with why it was not taken up; none: it was.
    pub(crate) fn parts(&self) -> [(&'static str, Option<&Failure>); 2] {
        [
            ("access", self.access.as_ref()),
            ("contracts", self.contracts.as_ref()),
        ]
    }
}

impl fmt::Display for NotTakenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.parts().map(|(part, failure)| match failure {
            None => format!("{part}: taken up"),
            Some(failure) => {
                let reason = failure.to_string();
                format!(
                    "{part}: not taken up, what was in use stays\n{}",
                    reason.trim_end()
                )
            }
        });
        f.write_str(&words.join("\n"))
    }
}

impl Reloader {
    /// Loads everything again that can be. What went wrong is told to the caller, in the log, and in the status.
    pub(crate) async fn reload(&self) -> Result<Reloaded, NotTakenUp> {
        let access = told("access", self.take_up_access().await);
        let contracts = {
            let mut relays = self.relays.lock().await;
            told("contracts", self.take_up_contracts(&mut relays).await)
        };
        let result = match (access, contracts) {
            (Ok(restart_needed), Ok((contracts, relays))) => Ok(Reloaded {
                principals: self.doors.principals(),
                contracts,
                relays,
                restart_needed,
            }),
            (access, contracts) => Err(NotTakenUp {
                access: access.err(),
                contracts: contracts.err(),
            }),
        };
        let refused = result.as_ref().err();
        self.catalog.reloaded(refused.map(ToString::to_string));
        result
    }

    /// Numbers of the listeners and of refusals, for the status.
    pub(crate) fn doors(&self) -> DoorsView {
        self.doors.view()
    }

    /// All replays.
    pub(crate) fn replays(&self) -> &Replays {
        &self.ground.replays
    }

    /// Pauses a relay, and answers when it has stopped. None: there is no such relay.
    pub(crate) async fn pause(
        &self,
        relay: &str,
        reason: &str,
    ) -> Result<Option<Paused>, StoreError> {
        let mut relays = self.relays.lock().await;
        relays.pause(relay, reason, &self.ground).await
    }

    /// Lets a relay go on. Tells whether it was paused; none: there is no such relay.
    pub(crate) async fn resume(&self, relay: &str) -> Result<Option<bool>, StoreError> {
        self.relays.lock().await.resume(relay, &self.ground).await
    }

    /// Starts the relays of what was loaded at the start.
    pub(super) async fn start(&self, outlets: Outlets) {
        self.relays.lock().await.run(outlets, &self.ground).await;
    }

    /// Stops the relays for good.
    pub(super) async fn stop(&self) {
        self.ground.replays.stop_all();
        self.relays.lock().await.close(&self.ground).await;
    }

    /// Other principals, tokens, issuers and certificates; gives the keys of the configuration that wait for a restart.
    async fn take_up_access(&self) -> Result<Vec<String>, Failure> {
        let _one_at_a_time = self.access.lock().await;
        let (config, given) = (Arc::clone(&self.config), self.given.clone());
        let doors = Arc::clone(&self.doors);
        let read = tokio::task::spawn_blocking(move || {
            let now = Config::load(&given.path, &given.flags)?;
            let fresh = doors.read_again(&now)?;
            Ok::<_, Failure>((config.differs_from(&now), fresh))
        });
        let failed = |error| Failure::Failed(format!("it could not be read: {error}"));
        let (restart_needed, fresh) = read.await.map_err(failed)??;
        self.doors.replace(fresh);
        self.catalog.replaced_access(restart_needed.clone());
        tracing::info!(
            principals = self.doors.principals(),
            "principals, tokens, issuers and certificates are loaded again"
        );
        if !restart_needed.is_empty() {
            let keys = restart_needed.join(", ");
            tracing::warn!(keys, "settings have changed that need a restart");
        }
        Ok(restart_needed)
    }

    async fn take_up_contracts(
        &self,
        relays: &mut Relays,
    ) -> Result<(Vec<ReloadedContract>, Changed), Failure> {
        let config = Arc::clone(&self.config);
        let loaded = tokio::task::spawn_blocking(move || {
            let catalog = Arc::new(load_catalog(&config)?);
            let publishing = with_status(&catalog, &[Active, Deprecated, Retired]);
            let outlets = Outlets::resolve(&config, &publishing)?;
            Ok::<_, Failure>((catalog, outlets))
        });
        let (catalog, outlets) = loaded.await.map_err(|error| {
            Failure::Failed(format!("contracts could not be loaded: {error}"))
        })??;
        let crossing = with_status(&catalog, &[Active, Deprecated]);
        let changes =
            contract_changes::find(&self.ground.store, &self.ground.log, &crossing).await?;
        let ended = || Failure::Failed("the crossing has ended; see the daemon's log".to_owned());
        let orders = self.ground.desk.crossing();
        // Before the order is given: the crossing goes on meanwhile.
        let timed = tokio::select! {
            timed = find_timed(&self.ground.store, &self.ground.log, &crossing) => timed?,
            () = orders.closed() => return Err(ended()),
        };
        let (answer, answered) = oneshot::channel();
        let order = CrossingOrder::TakeUp {
            contracts: crossing,
            changes,
            timed,
            answer,
        };
        orders.send(order).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())??;
        let before = self.catalog.current();
        self.catalog.replace(Arc::clone(&catalog));
        let changed = |contract: &horizon_schemas::Contract| {
            let mut old = before.contracts().iter();
            !old.any(|old| {
                old.public_stream() == contract.public_stream()
                    && old.fingerprint() == contract.fingerprint()
            })
        };
        let contracts = catalog.contracts().iter().map(|contract| ReloadedContract {
            contract: contract.public_stream(),
            version: contract.version().to_owned(),
            changed: changed(contract),
        });
        let contracts: Vec<ReloadedContract> = contracts.collect();
        let relays = relays.run(outlets, &self.ground).await;
        tracing::info!(
            contracts = contracts.len(),
            relays_started = relays.started.len(),
            relays_stopped = relays.stopped.len(),
            "contracts and schemas are loaded again"
        );
        Ok((contracts, relays))
    }
}

/// Tells the log of a part that was not taken up.
fn told<T>(part: &str, taken_up: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(failure) = &taken_up {
        let reason = failure.to_string();
        tracing::error!(
            part,
            reason,
            "not taken up by a reload; what was in use of it stays"
        );
    }
    taken_up
}
