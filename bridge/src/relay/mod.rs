//! A relay moves one contract's public events to one outlet: a cursor over the public log with a bounded window in flight.
//!
//! Invariants:
//! - The log is the queue: nothing is kept here that could not be read again from behind the cursor.
//! - The cursor moves only over settled events (confirmed, unheard by policy, parked), in the same record as what was parked.
//! - A connection is disposable. When it is lost, what is not settled goes out again over a new one, in order.
//! - Parked keys go on by orders, in lanes beside the window; a key is live again when nothing of it waits.
//! - Relays share nothing: one relay's trouble does not reach another.
//! - A replay is a relay of its own, over a connection of its own, with its cursor in memory: it moves nothing that is live.

pub(crate) mod backoff;
pub(crate) mod beginning;
mod lanes;
mod place;
pub(crate) mod purpose;
mod session;
mod suspects;
mod unpark;
pub(crate) mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use horizon_schemas::{OutletStart, Unheard};
use horizon_store::{LogName, ParkScope, PublicStreamName, RelayName, Sequence, Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::crossing::parked::ParkedKeys;
use crate::outlets::{Identity, Outlet};
use crate::status::RelayStatus;
use crate::unparking::Order;
pub(crate) use place::Place;
pub(crate) use purpose::{Purpose, Replay, ReplayProgress, Replayed};
use session::{Ended, Run};
use window::{Window, WindowLimits};

/// Most events of a relay in flight at a time.
const IN_FLIGHT_LIMIT_EVENTS: usize = 1_000;
/// Most events that a relay holds in memory, in flight or waiting behind their key.
const HELD_LIMIT_EVENTS: usize = 8_000;
/// Most bytes of events that a relay holds in memory.
const HELD_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The name of a contract's relay to one of its outlets.
pub(crate) fn relay_name(
    stream: &PublicStreamName,
    outlet: &str,
) -> Result<RelayName, horizon_store::NameError> {
    RelayName::new(&format!("{stream}/{outlet}"))
}

/// One relay, before it runs.
pub(crate) struct Relay {
    pub(crate) store: Store,
    pub(crate) log: LogName,
    pub(crate) stream: PublicStreamName,
    pub(crate) name: RelayName,
    pub(crate) outlet: Outlet,
    pub(crate) place: Place,
    pub(crate) unheard: Unheard,
    /// Most events of one key in flight.
    pub(crate) in_flight_per_key: usize,
    /// Where it begins if it has sent nothing yet.
    pub(crate) start: OutletStart,
    pub(crate) purpose: Purpose,
    /// How long the relay may wait for answers when it is told to stop.
    pub(crate) drain: Duration,
    pub(crate) status: Arc<RelayStatus>,
}

impl Relay {
    /// Relays until told to stop; then sends nothing new, waits for answers as long as it may, and writes the cursor.
    pub(crate) async fn run(
        self,
        orders: mpsc::Receiver<Order>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let (cursor, parked) = match &self.purpose {
            Purpose::Live => {
                let scope = ParkScope::Relay(self.name.clone());
                let parked = ParkedKeys::read(&self.store, &self.log, &scope).await?;
                let cursor = tokio::select! {
                    cursor = beginning::cursor(&self) => cursor?,
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                };
                (cursor, parked)
            }
            Purpose::Replay(replay) => {
                let cursor = Sequence::new(replay.progress.now().sequence);
                (cursor, ParkedKeys::default())
            }
        };
        let limits = WindowLimits {
            in_flight_events: IN_FLIGHT_LIMIT_EVENTS,
            in_flight_per_key: self.in_flight_per_key,
            held_events: HELD_LIMIT_EVENTS,
            held_bytes: HELD_LIMIT_BYTES,
        };
        let window = Window::new(limits, parked, self.unheard == Unheard::Wait);
        let mut run = Run::new(&self, window, cursor, orders);
        let identity = Identity {
            store_id: self.store.id(),
            relay: self.name.as_str(),
        };
        let mut failures = 0;
        while !*stop.borrow() {
            self.status.connecting();
            let connected = run.tend(self.outlet.connect(identity), &mut stop).await?;
            let reason = match connected {
                None => break,
                Some(Ok(session)) => {
                    self.status.connected(run.has_retries());
                    if failures > 0 {
                        tracing::info!(relay = %self.name, attempts = failures, "connected again");
                    }
                    let (ended, settled) = run.serve(session, &mut stop).await?;
                    if settled > 0 {
                        failures = 0;
                    }
                    match ended {
                        Ended::Stopped => break,
                        Ended::Lost(reason) => reason,
                    }
                }
                Some(Err(error)) => error.to_string(),
            };
            failures += 1;
            if failures == 1 {
                tracing::warn!(relay = %self.name, reason, "no connection; trying again until there is one");
            }
            self.status.retrying(&reason);
            let again = Instant::now() + backoff::delay(failures);
            let slept = run.tend(tokio::time::sleep_until(again.into()), &mut stop);
            if slept.await?.is_none() {
                break;
            }
        }
        run.finish().await
    }
}
