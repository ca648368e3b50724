//! The relays that run: one task each, started and stopped by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use horizon_store::{LogName, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::outlets::Outlets;
use super::watched;
use crate::status::Status;
use crate::unparking::Desk;

/// What every relay is started with.
pub(super) struct Ground {
    pub(super) store: Store,
    pub(super) log: LogName,
    pub(super) status: Arc<Status>,
    pub(super) desk: Arc<Desk>,
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
    /// The daemon is stopping: none starts any more.
    closed: bool,
}

/// What a change of the outlets did.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) started: Vec<String>,
    pub(crate) stopped: Vec<String>,
}

impl Relays {
    /// Runs these outlets and no others: those that did not change are left alone, the others stop, settle what is in flight, and
    /// start again where they stood.
    pub(super) async fn run(&mut self, outlets: Outlets, ground: &Ground) -> Changed {
        let mut changed = Changed::default();
        if self.closed {
            return changed;
        }
        let wanted = outlets.made_of();
        let stays = |name: &String, running: &Running| wanted.get(name) == Some(&running.made_of);
        let names: Vec<String> = self
            .running
            .iter()
            .filter(|(name, running)| !stays(name, running))
            .map(|(name, _)| name.clone())
            .collect();
        self.stop(&names).await;
        for name in &names {
            ground.desk.close(name);
            ground.status.remove_relay(name);
        }
        changed.stopped = names;
        for relay in outlets.relays(ground) {
            let name = relay.name.as_str().to_owned();
            let Some(made_of) = wanted.get(&name) else {
                continue;
            };
            if self.running.contains_key(&name) {
                continue;
            }
            ground.status.add_relay(&name, Arc::clone(&relay.status));
            let (stop, stopped) = watch::channel(false);
            let orders = ground.desk.open(&name);
            let running = relay.run(orders, stopped);
            let what = format!("the relay {name}");
            let task = tokio::spawn(watched(Arc::clone(&ground.status), what, running));
            let running = Running {
                stop,
                task,
                made_of: made_of.clone(),
            };
            self.running.insert(name.clone(), running);
            changed.started.push(name);
        }
        changed
    }

    /// Stops all for good.
    pub(super) async fn close(&mut self) {
        self.closed = true;
        let names: Vec<String> = self.running.keys().cloned().collect();
        self.stop(&names).await;
    }

    /// Stops some, all at once, and waits for them.
    async fn stop(&mut self, names: &[String]) {
        let mut tasks = Vec::with_capacity(names.len());
        for running in names.iter().filter_map(|name| self.running.remove(name)) {
            running.stop.send_replace(true);
            tasks.push(running.task);
        }
        for task in tasks {
            // A relay that failed has been told of by `watched`.
            let _ = task.await;
        }
    }
}
