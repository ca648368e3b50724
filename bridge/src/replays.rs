//! Replays: stretches of public streams that are sent again because somebody asked for them.
//!
//! Each is a relay of its own with its cursor in memory (see [`crate::relay::purpose`]): nothing live moves or waits. A replay ends
//! with the daemon; who asked goes on from the sequence that it had reached.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use horizon_store::{LogName, PublicStreamName, ReadLimit, Sequence, Store, StoreError};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use utoipa::ToSchema;

use crate::clock;
use crate::patience::patiently;
use crate::relay::{Place, Relay, ReplayProgress, Replayed};
use crate::status::{RelayState, RelayStatus};

/// Most replays that run at a time.
const RUNNING_LIMIT: usize = 8;
/// Most ended replays that are remembered.
const ENDED_LIMIT: usize = 100;
/// Events of one read of a dry run.
const READ_LIMIT_EVENTS: usize = 2_000;

/// What is sent again, for who asks.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stretch {
    pub(crate) contract: String,
    pub(crate) outlet: String,
    /// The first sequence of the stretch.
    pub(crate) from: u64,
    /// The last.
    pub(crate) through: u64,
    /// How many events the stretch has, of all keys.
    pub(crate) events: u64,
    pub(crate) key: Option<String>,
    /// The topic, routing key or queue that it goes to, where that is not the outlet's own place.
    pub(crate) place: Option<String>,
    pub(crate) events_per_second: Option<u32>,
    pub(crate) dry_run: bool,
}

/// What a replay does.
pub(crate) enum Work {
    /// Sends the stretch.
    Send(Box<Relay>),
    /// Reads it, and renders where each event would go.
    Rehearse {
        store: Store,
        log: LogName,
        stream: PublicStreamName,
        place: Place,
        /// Keys of which nothing would be sent.
        left_out: BTreeSet<String>,
    },
}

/// How a replay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Running,
    Done,
    Stopped,
    Failed(String),
}

/// [`State`], as it is told.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateName {
    Running,
    Done,
    Stopped,
    Failed,
}

/// A replay, as it is told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayView {
    id: u64,
    /// RFC 3339.
    #[schema(format = DateTime)]
    begun: String,
    stretch: Stretch,
    progress: Replayed,
    state: StateName,
    /// Why it failed; only of one that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Only of one that runs and sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ReplayConnection>,
}

/// The connection of a replay that runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayConnection {
    state: RelayState,
    /// RFC 3339.
    #[schema(format = DateTime)]
    retrying_since: Option<String>,
    last_error: Option<String>,
}

/// One replay.
struct Replay {
    stretch: Stretch,
    progress: Arc<ReplayProgress>,
    status: Arc<RelayStatus>,
    stop: watch::Sender<bool>,
    state: Mutex<State>,
    begun_ms: u64,
}

/// The last number given, and the replays since the daemon started, by number.
#[derive(Default)]
pub(crate) struct Replays(Mutex<(u64, BTreeMap<u64, Arc<Replay>>)>);

/// Too many run already.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Replays {
    /// A number that no other replay has. A replay's connection is named after it.
    pub(crate) fn number(&self) -> u64 {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.0 += 1;
        guard.0
    }

    /// Begins a replay, under its number.
    pub(crate) fn begin(
        &self,
        number: u64,
        stretch: Stretch,
        progress: Arc<ReplayProgress>,
        status: Arc<RelayStatus>,
        work: Work,
    ) -> Result<(), TooMany> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = &mut guard.1;
        let running = all.values().filter(|one| one.is_running()).count();
        if running >= RUNNING_LIMIT {
            return Err(TooMany);
        }
        let ended = all.iter().find(|(_, one)| !one.is_running());
        if let Some(number) = ended.map(|(number, _)| *number)
            && all.len() >= ENDED_LIMIT
        {
            all.remove(&number);
        }
        let replay = Arc::new(Replay {
            stretch,
            progress,
            status,
            stop: watch::channel(false).0,
            state: Mutex::new(State::Running),
            begun_ms: clock::now_ms(),
        });
        all.insert(number, Arc::clone(&replay));
        tracing::info!(replay = number, stretch = ?replay.stretch, "a replay begins");
        tokio::spawn(run(number, replay, work));
        Ok(())
    }

    /// One replay, for who asks.
    pub(crate) fn view(&self, number: u64) -> Option<ReplayView> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.get(&number).map(|replay| replay.view(number))
    }

    /// All that are remembered, the last first.
    pub(crate) fn views(&self) -> Vec<ReplayView> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = guard.1.iter().rev();
        all.map(|(number, replay)| replay.view(*number)).collect()
    }

    /// Tells a replay to stop, if there is one of this number; what is in flight is answered for first.
    pub(crate) fn stop(&self, number: u64) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(replay) = guard.1.get(&number) {
            replay.stop.send_replace(true);
        }
    }

    /// Tells all to stop.
    pub(crate) fn stop_all(&self) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for replay in guard.1.values() {
            replay.stop.send_replace(true);
        }
    }
}

impl Replay {
    fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn is_running(&self) -> bool {
        self.state() == State::Running
    }

    fn view(&self, number: u64) -> ReplayView {
        let (state, reason) = match self.state() {
            State::Running => (StateName::Running, None),
            State::Done => (StateName::Done, None),
            State::Stopped => (StateName::Stopped, None),
            State::Failed(reason) => (StateName::Failed, Some(reason)),
        };
        let connection = || {
            let connection = self.status.view();
            ReplayConnection {
                state: connection.state,
                retrying_since: connection.retrying_since,
                last_error: connection.last_error,
            }
        };
        let sends = matches!(state, StateName::Running) && !self.stretch.dry_run;
        ReplayView {
            id: number,
            begun: clock::rfc3339(self.begun_ms),
            stretch: self.stretch.clone(),
            progress: self.progress.now(),
            state,
            reason,
            connection: sends.then(connection),
        }
    }
}

async fn run(number: u64, replay: Arc<Replay>, work: Work) {
    let worked = AssertUnwindSafe(carry_out(&replay, work)).catch_unwind();
    let result = match worked.await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked; see the daemon's log".to_owned()),
    };
    let reached = replay.progress.now().sequence;
    let state = match result {
        Err(reason) => State::Failed(reason),
        Ok(()) if reached >= replay.stretch.through => State::Done,
        Ok(()) => State::Stopped,
    };
    tracing::info!(
        replay = number,
        sequence = reached,
        ?state,
        "a replay has ended"
    );
    *replay.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
}

async fn carry_out(replay: &Replay, work: Work) -> Result<(), StoreError> {
    let stopped = replay.stop.subscribe();
    match work {
        Work::Send(relay) => {
            // Nothing of a replay is parked, so that nobody gives it orders.
            let (_orders, taken) = mpsc::channel(1);
            relay.run(taken, stopped).await
        }
        Work::Rehearse {
            store,
            log,
            stream,
            place,
            left_out,
        } => rehearse(replay, (&store, &log, &stream), &place, &left_out).await,
    }
}

/// Reads the stretch and sends nothing.
async fn rehearse(
    replay: &Replay,
    (store, log, stream): (&Store, &LogName, &PublicStreamName),
    place: &Place,
    left_out: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let limit = ReadLimit {
        records: READ_LIMIT_EVENTS,
        ..ReadLimit::default()
    };
    let key = replay.stretch.key.as_deref();
    let mut after = Sequence::new(replay.stretch.from.saturating_sub(1));
    while after.get() < replay.stretch.through && !*replay.stop.borrow() {
        let read = || store.read_public(log, stream, after, limit);
        let page = patiently("reading the public log", read).await?;
        let Some(last) = page.events.last() else {
            break;
        };
        after = last.sequence;
        for event in page.events {
            let inside = event.sequence.get() <= replay.stretch.through;
            if inside
                && replay.progress.meets(&event, key, left_out)
                && let Err(reason) = place.message(&event)
            {
                replay.progress.refused(event.sequence, reason);
            }
        }
        replay
            .progress
            .reached(after.min(Sequence::new(replay.stretch.through)));
    }
    Ok(())
}
