//! What can be followed: a log, a stream, a public stream.

use bytes::Bytes;
use horizon_store::{
    LogName, Position, PublicEvent, PublicStreamName, PublicSubscription, ReadLimit, Record,
    Revision, Selection, Sequence, Store, StoreError, StreamName, Subscription,
};
use tokio::sync::watch;

use super::{READ_LIMIT, Source, Step, Told};
use crate::http::Private;
use crate::http::form::one_line;
use crate::http::log::Selected;
use crate::http::problem::Problem;
use crate::http::public::{Public, Wanted};
use crate::http::refusals::unavailable;
use crate::http::written::cloud_event;

/// The private event, as it is sent.
fn told(event: &horizon_store::Event) -> Told {
    let mut data = cloud_event(event);
    one_line(&mut data);
    Told {
        place: event.position.get(),
        data: data.into(),
    }
}

/// A public event, which is on one line unless somebody else has made it.
fn on_one_line(event: &Bytes) -> Bytes {
    if !event.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return event.clone();
    }
    let mut event = event.to_vec();
    one_line(&mut event);
    event.into()
}

/// The log, or what is selected of it.
pub(in crate::http) struct LogSource {
    subscription: Subscription,
    selected: Selected,
    after: Position,
    head: Position,
}

impl LogSource {
    pub(in crate::http) async fn begin(
        state: &Private,
        selected: Selected,
        after: Position,
    ) -> Result<LogSource, Problem> {
        let (store, log) = (&state.store, &state.log);
        let head = store.head(log).await.map_err(unavailable)?;
        let subscription = store.subscribe(log, selected.selection(), after).await;
        Ok(LogSource {
            subscription: subscription.map_err(unavailable)?.with_limit(READ_LIMIT),
            selected,
            after,
            head,
        })
    }
}

impl Source for LogSource {
    fn begins(&self) -> (u64, u64) {
        (self.after.get(), self.head.get())
    }

    async fn next(&mut self) -> Result<Step, StoreError> {
        let page = self.subscription.next().await?;
        let events = page.records.iter();
        Ok(Step {
            events: events
                .filter_map(|record| self.selected.takes(record))
                .map(told)
                .collect(),
            through: page.through.get(),
            head: page.head.get(),
        })
    }
}

/// One stream. Its places are positions, as those of the log.
pub(in crate::http) struct StreamSource {
    store: Store,
    log: LogName,
    stream: StreamName,
    /// The next revision.
    next: Revision,
    begins: (Position, Position),
    /// Everything up to here was looked at.
    through: Position,
    /// Whether that is all there was of the stream.
    is_at_end: bool,
    heads: watch::Receiver<Position>,
}

impl StreamSource {
    /// From a revision on, and after a position where a reader comes back; none if there is no such stream. Who waits for a revision
    /// that is not there yet is told positions all the same, and comes back with one of those: nothing before the revision is for him.
    pub(in crate::http) async fn begin(
        state: &Private,
        stream: StreamName,
        from: Option<u64>,
        after: Option<Position>,
    ) -> Result<Option<StreamSource>, Problem> {
        let (store, log) = (&state.store, &state.log);
        let head = store.head(log).await.map_err(unavailable)?;
        let heads = store.watch_log(log).await.map_err(unavailable)?;
        let Some(last) = store.last_event(log, &stream).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let from = from.unwrap_or(1).max(1);
        let next = match after {
            None => from,
            Some(after) => {
                crate::http::history::known_position(state, after).await?;
                let (mut low, mut high) = (0, last.revision.get());
                // Revision `low` is not behind the position, and those above `high` are.
                while low < high {
                    let middle = high - (high - low) / 2;
                    let at = event(store, log, &stream, middle)
                        .await
                        .map_err(unavailable)?;
                    if at.is_some_and(|position| position <= after) {
                        low = middle;
                    } else {
                        high = middle - 1;
                    }
                }
                from.max(low + 1)
            }
        };
        // Without a position to go on from, nothing was looked at as far as ids are concerned.
        let after = after.unwrap_or_default();
        let is_at_end = next > last.revision.get();
        Ok(Some(StreamSource {
            store: store.clone(),
            log: log.clone(),
            stream,
            next: Revision::new(next),
            begins: (if is_at_end { head.max(after) } else { after }, head),
            through: after,
            is_at_end: false,
            heads,
        }))
    }
}

impl StreamSource {
    /// How far the log goes on without an event of the stream, if it does: near the head it tells that at less cost than the stream.
    async fn passed_over(&self) -> Result<Option<Position>, StoreError> {
        let all = Selection::All;
        let page = self
            .store
            .read_log(&self.log, &all, self.through, READ_LIMIT);
        let page = page.await?;
        let stream = self.stream.as_str();
        let is_of_stream =
            |record: &Record| matches!(record, Record::Event(event) if event.stream() == stream);
        let passes = page.through > self.through && !page.records.iter().any(is_of_stream);
        Ok(passes.then_some(page.through))
    }
}

/// The position of one event of a stream.
async fn event(
    store: &Store,
    log: &LogName,
    stream: &StreamName,
    revision: u64,
) -> Result<Option<Position>, StoreError> {
    let one = ReadLimit {
        records: 1,
        bytes: 1,
    };
    let from = Revision::new(revision);
    let read = store.read_stream(log, stream, from, one).await?;
    Ok(read.events.first().map(|event| event.position))
}

impl Source for StreamSource {
    fn begins(&self) -> (u64, u64) {
        (self.begins.0.get(), self.begins.1.get())
    }

    async fn next(&mut self) -> Result<Step, StoreError> {
        loop {
            // The head first: all up to it is in what is read after.
            let head = *self.heads.borrow_and_update();
            if self.is_at_end && head <= self.through {
                if self.heads.changed().await.is_err() {
                    return Err(StoreError::Closed);
                }
                continue;
            }
            if self.is_at_end
                && let Some(through) = self.passed_over().await?
            {
                self.through = through;
                return Ok(Step {
                    events: Vec::new(),
                    through: through.get(),
                    head: head.max(through).get(),
                });
            }
            let read = self
                .store
                .read_stream(&self.log, &self.stream, self.next, READ_LIMIT);
            let read = read.await?;
            let last = read
                .events
                .last()
                .map(|event| (event.revision, event.position));
            let is_all = last.is_none_or(|(revision, _)| revision == read.revision);
            self.is_at_end = is_all;
            if let Some((revision, _)) = last {
                self.next = Revision::new(revision.get() + 1);
            }
            let place = last.map_or(Position::ZERO, |(_, position)| position);
            let through = if is_all { head.max(place) } else { place };
            if last.is_some() || through > self.through {
                self.through = through.max(self.through);
                return Ok(Step {
                    events: read.events.iter().map(told).collect(),
                    through: self.through.get(),
                    head: head.max(place).get(),
                });
            }
            if self.heads.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
        }
    }
}

/// A public stream, or what is wanted of it.
pub(in crate::http) struct PublicSource {
    subscription: PublicSubscription,
    wanted: Wanted,
    begins: (Sequence, Sequence),
}

impl PublicSource {
    pub(in crate::http) async fn begin(
        state: &Public,
        stream: &PublicStreamName,
        wanted: Wanted,
        after: Sequence,
        head: Sequence,
    ) -> Result<PublicSource, Problem> {
        let subscription = state
            .store
            .subscribe_public(&state.log, stream, after)
            .await;
        Ok(PublicSource {
            subscription: subscription.map_err(unavailable)?.with_limit(READ_LIMIT),
            wanted,
            begins: (after, head),
        })
    }
}

impl Source for PublicSource {
    fn begins(&self) -> (u64, u64) {
        (self.begins.0.get(), self.begins.1.get())
    }

    async fn next(&mut self) -> Result<Step, StoreError> {
        let page = self.subscription.next().await?;
        let told = |event: &PublicEvent| Told {
            place: event.sequence.get(),
            data: on_one_line(&event.event),
        };
        let events = page.events.iter();
        Ok(Step {
            events: events
                .filter(|event| self.wanted.takes(event))
                .map(told)
                .collect(),
            through: self.subscription.after().get(),
            head: page.head.get(),
        })
    }
}
