//! Replays: stretches of public streams that are sent again because somebody asked for them.
//!
//! Each is a relay of its own with its cursor in memory (see [`crate::relay::purpose`]): nothing live moves or waits. A replay ends
//! with the daemon; who asked goes on from the sequence that it had reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use horizon_store::{LogName, PublicStreamName, ReadLimit, Sequence, Store, StoreError};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::patience::patiently;
use crate::relay::{Place, Relay, ReplayProgress};
use crate::status::RelayStatus;

/// Most replays that run at a time.
const RUNNING_LIMIT: usize = 8;
/// Most ended replays that are remembered.
const ENDED_LIMIT: usize = 100;
/// Events of one read of a dry run.
const READ_LIMIT_EVENTS: usize = 2_000;

/// What is sent again, for who asks.
#[derive(Debug, Clone, Serialize)]
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
    },
}

/// How a replay stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "reason")]
enum State {
    Running,
    Done,
    Stopped,
    Failed(String),
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

/// All replays since the daemon started, by number.
#[derive(Default)]
pub(crate) struct Replays(Mutex<(u64, BTreeMap<u64, Arc<Replay>>)>);

/// Too many run already.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Replays {
    /// Begins a replay; tells its number.
    pub(crate) fn begin(
        &self,
        stretch: Stretch,
        progress: Arc<ReplayProgress>,
        status: Arc<RelayStatus>,
        work: Work,
    ) -> Result<u64, TooMany> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, all) = &mut *guard;
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
        *last += 1;
        let replay = Arc::new(Replay {
            stretch,
            progress,
            status,
            stop: watch::channel(false).0,
            state: Mutex::new(State::Running),
            begun_ms: clock::now_ms(),
        });
        all.insert(*last, Arc::clone(&replay));
        tracing::info!(replay = *last, stretch = ?replay.stretch, "a replay begins");
        tokio::spawn(run(*last, replay, work));
        Ok(*last)
    }

    /// One replay, for who asks.
    pub(crate) fn view(&self, number: u64) -> Option<Value> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.get(&number).map(|replay| replay.view(number))
    }

    /// All that are remembered, the last first.
    pub(crate) fn views(&self) -> Vec<Value> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = guard.1.iter().rev();
        all.map(|(number, replay)| replay.view(*number)).collect()
    }

    /// Tells a replay to stop; what is in flight is answered for first. Tells whether there is such a replay.
    pub(crate) fn stop(&self, number: u64) -> bool {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = guard.1.get(&number);
        found.is_some_and(|replay| {
            replay.stop.send_replace(true);
            true
        })
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

    fn view(&self, number: u64) -> Value {
        let mut view = json!({
            "id": number,
            "begun": clock::rfc3339(self.begun_ms),
            "stretch": self.stretch,
            "progress": self.progress.now(),
        });
        if let (Value::Object(members), Ok(Value::Object(state))) =
            (&mut view, serde_json::to_value(self.state()))
        {
            members.extend(state);
        }
        if self.is_running() && !self.stretch.dry_run {
            let connection = self.status.view();
            view["connection"] = json!({
                "state": connection.state,
                "retryingSince": connection.retrying_since,
                "lastError": connection.last_error,
            });
        }
        view
    }
}

async fn run(number: u64, replay: Arc<Replay>, work: Work) {
    let stopped = replay.stop.subscribe();
    let result = match work {
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
        } => rehearse(&replay, &store, &log, &stream, &place).await,
    };
    let reached = replay.progress.now().sequence;
    let state = match result {
        Err(error) => State::Failed(error.to_string()),
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

/// Reads the stretch and sends nothing.
async fn rehearse(
    replay: &Replay,
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    place: &Place,
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
            if inside && key.is_none_or(|key| key == event.key) {
                let message = place.message(&event);
                replay
                    .progress
                    .rehearsed(event.sequence, event.event.len(), message.err());
            }
        }
        replay
            .progress
            .reached(after.min(Sequence::new(replay.stretch.through)));
    }
    Ok(())
}
