//! Reload: contracts, schemas, principals and certificates are loaded again, all or nothing, while everything runs.
//!
//! - Everything that can be wrong is found before anything changes: language, schemas, outlets, what never changes within a major
//!   version. Whatever is found, the old contracts stay.
//! - The crossing changes first, between two passes, and writes down where. Who appends sees the new schemas after that: no event
//!   of a new type comes before the contract that takes it.
//! - A relay whose outlet did not change is left alone.

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

impl Reloader {
    /// Loads contracts and schemas again. What went wrong is told to the caller, in the log, and in the status.
    pub(crate) async fn reload(&self) -> Result<Reloaded, Failure> {
        let mut relays = self.relays.lock().await;
        match self.change(&mut relays).await {
            Ok(reloaded) => {
                tracing::info!(
                    contracts = reloaded.contracts.len(),
                    relays_started = reloaded.relays.started.len(),
                    relays_stopped = reloaded.relays.stopped.len(),
                    "contracts, schemas, principals and certificates are loaded again"
                );
                if !reloaded.restart_needed.is_empty() {
                    let keys = reloaded.restart_needed.join(", ");
                    tracing::warn!(keys, "settings have changed that need a restart");
                }
                Ok(reloaded)
            }
            Err(failure) => {
                let reason = failure.to_string();
                tracing::error!(reason, "nothing was loaded; the old contracts stay");
                self.catalog.refused(reason);
                Err(failure)
            }
        }
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

    async fn change(&self, relays: &mut Relays) -> Result<Reloaded, Failure> {
        let (config, given) = (Arc::clone(&self.config), self.given.clone());
        let doors = Arc::clone(&self.doors);
        let loaded = tokio::task::spawn_blocking(move || {
            let now = Config::load(&given.path, &given.flags)?;
            let catalog = load_catalog(&config)?;
            let fresh = doors.read_again(&now)?;
            Ok::<_, Failure>((config.differs_from(&now), catalog, fresh))
        });
        let (restart_needed, catalog, fresh) = loaded.await.map_err(|error| {
            Failure::Failed(format!("contracts could not be loaded: {error}"))
        })??;
        let catalog = Arc::new(catalog);
        let crossing = with_status(&catalog, &[Active, Deprecated]);
        let publishing = with_status(&catalog, &[Active, Deprecated, Retired]);
        let outlets = Outlets::resolve(&self.config, &publishing)?;
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
        self.doors.replace(fresh);
        let before = self.catalog.current();
        self.catalog
            .replace(Arc::clone(&catalog), restart_needed.clone());
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
        Ok(Reloaded {
            contracts: contracts.collect(),
            relays: relays.run(outlets, &self.ground).await,
            restart_needed,
        })
    }
}
