//! How a relay lets parked keys go on, beside what it sends anyway: reads what waits, and writes what has left.

use horizon_store::{
    LogName, ParkScope, PublicEvent, PublicStreamName, ReadLimit, RelayName, ResolveError,
    ResolvedParked, Sequence, Store, StoreError,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Relay;
use super::lanes::{Fetched, Item, Lanes, Leaving, Wanted};
use super::session::join;
use super::window::Window;
use crate::patience::patiently;
use crate::stored::public_at;
use crate::unparking::Order;

/// Most parked events of a key that are read at a time.
const READ_LIMIT_EVENTS: usize = 64;
/// Bytes of events after which such a read ends.
const READ_LIMIT_BYTES: usize = 1024 * 1024;
/// Most parked events that leave in one record.
const WRITE_LIMIT_EVENTS: usize = 1_000;

/// What happened while waiting.
pub(super) enum News {
    Order(Order),
    Read(Result<Fetched<PublicEvent>, StoreError>),
    Written(Result<Leaving, ResolveError>),
}

/// The lanes of a relay, with what they wait for.
pub(super) struct Unpark {
    orders: mpsc::Receiver<Order>,
    pub(super) lanes: Lanes<PublicEvent>,
    reading: Option<JoinHandle<Result<Fetched<PublicEvent>, StoreError>>>,
    writing: Option<JoinHandle<Result<Leaving, ResolveError>>>,
}

impl Unpark {
    pub(super) fn new(orders: mpsc::Receiver<Order>) -> Unpark {
        Unpark {
            orders,
            lanes: Lanes::default(),
            reading: None,
            writing: None,
        }
    }

    /// Starts what can be started.
    pub(super) fn work(&mut self, relay: &Relay, window: &mut Window<PublicEvent>) {
        self.lanes.arrange();
        let (live, stuck) = self.lanes.end(window);
        for key in live {
            tracing::info!(relay = %relay.name, "a key goes on that was parked");
            relay.status.goes_on(&key);
        }
        for stuck in stuck {
            tracing::warn!(relay = %relay.name, at = stuck.at, reason = stuck.reason, "a key stays parked");
            relay.status.stuck(stuck);
        }
        self.lanes.arrange();
        if self.reading.is_none()
            && let Some(wanted) = self.lanes.next_read()
        {
            let (store, log) = (relay.store.clone(), relay.log.clone());
            let (stream, name) = (relay.stream.clone(), relay.name.clone());
            self.reading = Some(tokio::spawn(async move {
                read(&store, &log, &stream, &name, wanted).await
            }));
        }
        if self.writing.is_none() {
            let leaving = self.lanes.next_write(WRITE_LIMIT_EVENTS);
            if !leaving.is_empty() {
                let (store, log) = (relay.store.clone(), relay.log.clone());
                let name = relay.name.clone();
                self.writing = Some(tokio::spawn(async move {
                    write(&store, &log, &name, leaving).await
                }));
            }
        }
    }

    /// Waits for news. What was waited for is still waited for when this is dropped.
    pub(super) async fn news(&mut self) -> News {
        tokio::select! {
            Some(order) = self.orders.recv() => News::Order(order),
            read = join(&mut self.reading) => News::Read(read),
            written = join(&mut self.writing) => News::Written(written),
        }
    }

    /// Takes news in.
    pub(super) fn take(
        &mut self,
        news: News,
        window: &mut Window<PublicEvent>,
        cursor: Sequence,
    ) -> Result<(), StoreError> {
        match news {
            News::Order(order) => self.lanes.accept(order, window, cursor),
            News::Read(fetched) => self.lanes.read(fetched?),
            News::Written(leaving) => {
                let leaving = leaving.map_err(resolve_failure)?;
                self.lanes.written(&leaving, window);
            }
        }
        Ok(())
    }

    /// Writes what has left when the relay ends.
    pub(super) async fn finish(
        &mut self,
        relay: &Relay,
        window: &mut Window<PublicEvent>,
    ) -> Result<(), StoreError> {
        self.lanes.close();
        loop {
            self.work(relay, window);
            if self.writing.is_none() {
                return Ok(());
            }
            let leaving = join(&mut self.writing).await.map_err(resolve_failure)?;
            self.lanes.written(&leaving, window);
        }
    }
}

/// Reads a stretch of what is parked under a key, with the events that are to be sent.
async fn read(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    relay: &RelayName,
    wanted: Wanted,
) -> Result<Fetched<PublicEvent>, StoreError> {
    let scope = ParkScope::Relay(relay.clone());
    let limit = ReadLimit {
        records: READ_LIMIT_EVENTS,
        ..ReadLimit::default()
    };
    let entries = || store.parked_entries(log, &scope, &wanted.key, wanted.after, limit);
    let page = patiently("reading what is parked", entries).await?;
    let (mut items, mut bytes, mut more) = (Vec::new(), 0, page.more);
    for entry in page.entries {
        if bytes >= READ_LIMIT_BYTES {
            more = true;
            break;
        }
        let event = if entry.at <= wanted.places_only_through {
            None
        } else {
            let read = || public_at(store, log, stream, Sequence::new(entry.at));
            patiently("reading the public log", read).await?
        };
        bytes += event.as_ref().map_or(0, |event| event.event.len());
        items.push(Item {
            at: entry.at,
            event,
        });
    }
    Ok(Fetched {
        key: wanted.key,
        items,
        more,
    })
}

/// Writes that parked events have left, and gives them back.
async fn write(
    store: &Store,
    log: &LogName,
    relay: &RelayName,
    leaving: Leaving,
) -> Result<Leaving, ResolveError> {
    let scope = ParkScope::Relay(relay.clone());
    let resolved = leaving.iter().map(|(key, at, outcome)| ResolvedParked {
        scope: scope.clone(),
        key: key.clone(),
        at: *at,
        outcome: outcome.clone(),
    });
    let resolved: Vec<ResolvedParked> = resolved.collect();
    let resolve = || store.resolve(log, relay, resolved.clone());
    patiently("letting parked events go", resolve).await?;
    Ok(leaving)
}

fn resolve_failure(error: ResolveError) -> StoreError {
    match error {
        ResolveError::Unavailable(error) => error,
        // Only this task lets the relay's entries go, in their order, and a bounded number at a time.
        error => StoreError::Damaged {
            place: "what is parked at a relay".to_owned(),
            reason: error.to_string(),
        },
    }
}
