//! The relays that run: one task each, started and stopped by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use horizon_store::{LogName, Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::outlets::{OutletPart, Outlets};
use super::watched;
use crate::pauses::{self, Pause};
use crate::relay::Purpose;
use crate::replays::Replays;
use crate::status::Status;
use crate::unparking::Desk;

/// What every relay is started with.
pub(super) struct Ground {
    pub(super) store: Store,
    pub(super) log: LogName,
    pub(super) status: Arc<Status>,
    pub(super) desk: Arc<Desk>,
    pub(super) replays: Arc<Replays>,
    /// How long a relay may wait for answers when it is told to stop.
    pub(super) drain: Duration,
}

/// A relay that runs.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// What it was made of: another text is another outlet.
    made_of: String,
}

/// All relays, by name.
#[derive(Default)]
pub(super) struct Relays {
    running: BTreeMap<String, Running>,
    /// What there is to relay to, running or paused.
    outlets: Outlets,
    paused: BTreeMap<String, Pause>,
    /// The daemon is stopping: none starts any more.
    closed: bool,
}

/// What a change of the outlets did.
#[derive(Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Changed {
    /// Names of relays.
    pub(crate) started: Vec<String>,
    pub(crate) stopped: Vec<String>,
}

/// A relay that is paused.
#[derive(Debug)]
pub(crate) struct Paused {
    pub(crate) pause: Pause,
    /// It was so before it was asked for.
    pub(crate) already: bool,
}

impl Relays {
    /// Reads which relays were paused when the daemon stopped.
    pub(super) async fn restore(ground: &Ground) -> Result<Relays, StoreError> {
        Ok(Relays {
            paused: pauses::read(&ground.store, &ground.log).await?,
            ..Relays::default()
        })
    }

    /// Runs these outlets and no others: those that did not change are left alone, the others stop, settle what is in flight, and
    /// start again where they stood.
    pub(super) async fn run(&mut self, outlets: Outlets, ground: &Ground) -> Changed {
        if self.closed {
            return Changed::default();
        }
        let stays = |name: &String, running: &Running| {
            let wanted = outlets.get(name).map(OutletPart::made_of);
            wanted.as_deref() == Some(&running.made_of)
        };
        let gone = self.running.iter();
        let gone = gone.filter(|(name, running)| !stays(name, running));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        self.stop(&gone, ground).await;
        for part in self.outlets.iter() {
            let name = part.name.as_str();
            if outlets.get(name).is_none() {
                ground.status.remove_relay(name);
            }
        }
        self.outlets = outlets;
        let started = self.start_all(ground);
        Changed {
            started,
            stopped: gone,
        }
    }

    /// Starts what does not run and is not paused; tells what.
    fn start_all(&mut self, ground: &Ground) -> Vec<String> {
        let mut started = Vec::new();
        for part in self.outlets.iter() {
            let name = part.name.as_str().to_owned();
            let told = self.paused.contains_key(&name) && ground.status.relay(&name).is_some();
            if self.running.contains_key(&name) || told {
                continue;
            }
            let made_of = part.made_of();
            let relay = part.clone().relay(ground, Purpose::Live);
            ground.status.add_relay(&name, Arc::clone(&relay.status));
            if let Some(pause) = self.paused.get(&name) {
                relay.status.paused(pause);
                continue;
            }
            let (stop, stopped) = watch::channel(false);
            let orders = ground.desk.open(&name);
            let what = format!("the relay {name}");
            let running = relay.run(orders, stopped);
            let task = tokio::spawn(watched(Arc::clone(&ground.status), what, running));
            let running = Running {
                stop,
                task,
                made_of,
            };
            self.running.insert(name.clone(), running);
            started.push(name);
        }
        started
    }

    /// Pauses a relay until it is resumed: it answers for what is in flight, and stops. None: there is no such relay. One that is
    /// paused already stays so, for its first reason.
    pub(super) async fn pause(
        &mut self,
        relay: &str,
        reason: &str,
        ground: &Ground,
    ) -> Result<Option<Paused>, StoreError> {
        if self.outlets.get(relay).is_none() {
            return Ok(None);
        }
        if let Some(pause) = self.paused.get(relay).cloned() {
            let already = true;
            return Ok(Some(Paused { pause, already }));
        }
        let pause = pauses::pause(&ground.store, &ground.log, relay, reason).await?;
        self.paused.insert(relay.to_owned(), pause.clone());
        self.stop(&[relay.to_owned()], ground).await;
        if let Some(status) = ground.status.relay(relay) {
            status.paused(&pause);
        }
        tracing::info!(relay, reason, "paused");
        let already = false;
        Ok(Some(Paused { pause, already }))
    }

    /// Lets a relay go on where it stood. Tells whether it was paused; none: there is no such relay.
    pub(super) async fn resume(
        &mut self,
        relay: &str,
        ground: &Ground,
    ) -> Result<Option<bool>, StoreError> {
        if self.outlets.get(relay).is_none() {
            return Ok(None);
        }
        if !self.paused.contains_key(relay) {
            return Ok(Some(false));
        }
        pauses::resume(&ground.store, &ground.log, relay).await?;
        self.paused.remove(relay);
        if !self.closed {
            self.start_all(ground);
        }
        tracing::info!(relay, "resumed");
        Ok(Some(true))
    }

    /// The outlet of a relay, running or paused.
    pub(super) fn outlet(&self, relay: &str) -> Option<&OutletPart> {
        self.outlets.get(relay)
    }

    /// Stops all for good.
    pub(super) async fn close(&mut self, ground: &Ground) {
        self.closed = true;
        let names: Vec<String> = self.running.keys().cloned().collect();
        self.stop(&names, ground).await;
    }

    /// Stops some, all at once, and waits for them.
    async fn stop(&mut self, names: &[String], ground: &Ground) {
        let mut tasks = Vec::with_capacity(names.len());
        for running in names.iter().filter_map(|name| self.running.remove(name)) {
            running.stop.send_replace(true);
            tasks.push(running.task);
        }
        for task in tasks {
            // A relay that failed has been told of by `watched`.
            let _ = task.await;
        }
        for name in names {
            ground.desk.close(name);
        }
    }
}
