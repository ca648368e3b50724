//! A relay's life over one connection: read the public log, send, take answers, write the cursor.
//!
//! `select!` only chooses what happens next; what follows from it is decided by [`Window`].

use std::time::{Duration, Instant};

use horizon_schemas::Unheard;
use horizon_store::{
    NewParked, ParkScope, PublicEvent, PublicPage, ReadLimit, Sequence, SettleError, Settlement,
    StoreError,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Relay;
use super::backoff;
use super::window::{Advance, Window};
use crate::clock;
use crate::outlets::{Answer, Session};
use crate::patience::patiently;

/// Most events of one read of the public log.
const READ_LIMIT_EVENTS: usize = 2_000;
/// Bytes after which a read of the public log ends.
const READ_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Unheard and parked events that wait to be written with the cursor, above which nothing more is read. With a window's worth
/// more they stay far below what the store takes in one settlement.
const UNWRITTEN_LIMIT_EVENTS: usize = 8_000;
/// How long settled events may wait for the cursor to be written, in milliseconds. After a crash they are sent again.
const CURSOR_DELAY_MS: u64 = 20;
/// Settled events after which the cursor is written at once.
const CURSOR_BATCH_EVENTS: u64 = 1_000;

/// How a connection ended.
pub(super) enum Ended {
    /// The relay was told to stop, and nothing is in flight any more.
    Stopped,
    /// The connection was lost, for this reason.
    Lost(String),
}

/// What lives as long as the relay, over all its connections.
pub(super) struct Run<'a> {
    relay: &'a Relay,
    window: Window<PublicEvent>,
    /// The last sequence that was read into the window.
    offered: Sequence,
    /// The cursor as it is in the store, or will be when `writing` is done.
    written: Sequence,
    /// Settled, not yet given to the store.
    unwritten: Advance,
    unwritten_since: Option<Instant>,
    reading: Option<JoinHandle<Result<PublicPage, StoreError>>>,
    writing: Option<JoinHandle<Result<(), SettleError>>>,
}

/// What happened while waiting.
enum Happened {
    Answers(Option<Vec<(u64, Answer)>>),
    Read(Result<PublicPage, StoreError>),
    Written(Result<(), StoreError>),
    Time,
    Head,
    State,
    Stop,
}

impl<'a> Run<'a> {
    pub(super) fn new(relay: &'a Relay, window: Window<PublicEvent>, cursor: Sequence) -> Run<'a> {
        Run {
            relay,
            window,
            offered: cursor,
            written: cursor,
            unwritten: Advance::default(),
            unwritten_since: None,
            reading: None,
            writing: None,
        }
    }

    /// Serves one connection to its end; tells how it ended and how many events it settled.
    pub(super) async fn serve(
        &mut self,
        mut session: Session,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(Ended, u64), StoreError> {
        let mut head = self
            .relay
            .store
            .watch_public(&self.relay.log, &self.relay.stream)
            .await?;
        let mut settled = 0;
        let mut stop_by: Option<Instant> = None;
        loop {
            match stop_by {
                None => self.read_ahead(*head.borrow_and_update()),
                Some(moment) if self.window.is_empty() || moment <= Instant::now() => {
                    return Ok((Ended::Stopped, settled));
                }
                Some(_) => {}
            }
            self.send(&session);
            self.write_cursor_if_due();
            self.relay
                .status
                .window(self.window.in_flight(), self.window.parked_keys());
            let wake = [self.wake_at(), stop_by].into_iter().flatten().min();
            let happened = tokio::select! {
                answers = session.answers.recv() => Happened::Answers(answers),
                read = join(&mut self.reading) => Happened::Read(read),
                written = join(&mut self.writing) => Happened::Written(written.map_err(settle_failure)),
                () = sleep_until(wake) => Happened::Time,
                _ = head.changed(), if stop_by.is_none() => Happened::Head,
                Ok(()) = session.state.changed() => Happened::State,
                _ = stop.wait_for(|stop| *stop), if stop_by.is_none() => Happened::Stop,
            };
            match happened {
                Happened::Answers(Some(answers)) => settled += self.settle(answers),
                Happened::Answers(None) => {
                    self.window.connection_lost();
                    return Ok((Ended::Lost(session.lost_reason().await), settled));
                }
                Happened::Read(page) => self.offer(page?),
                Happened::Written(written) => written?,
                Happened::State => self.relay.status.session(&session.state.borrow()),
                Happened::Stop => {
                    self.window.wind_down();
                    self.reading = None;
                    self.take_advance();
                    stop_by = Some(Instant::now() + self.relay.drain);
                }
                Happened::Time | Happened::Head => {}
            }
        }
    }

    /// Writes the last cursor when the relay ends.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        if self.writing.is_some() {
            join(&mut self.writing).await.map_err(settle_failure)?;
        }
        self.take_advance();
        self.write_cursor();
        if self.writing.is_some() {
            join(&mut self.writing).await.map_err(settle_failure)?;
        }
        self.relay.status.stopped();
        Ok(())
    }

    /// Starts a read of the public log where there is something to read and room for it.
    fn read_ahead(&mut self, head: Sequence) {
        let room = self.window.room();
        let unwritten = self.unwritten.unheard.len() + self.unwritten.parked.len();
        if self.reading.is_some()
            || self.offered >= head
            || room < READ_LIMIT_EVENTS
            || unwritten >= UNWRITTEN_LIMIT_EVENTS
        {
            return;
        }
        let (store, log, stream) = (
            self.relay.store.clone(),
            self.relay.log.clone(),
            self.relay.stream.clone(),
        );
        let (after, limit) = (
            self.offered,
            ReadLimit {
                records: READ_LIMIT_EVENTS,
                bytes: READ_LIMIT_BYTES,
            },
        );
        self.reading = Some(tokio::spawn(async move {
            let read = || store.read_public(&log, &stream, after, limit);
            patiently("reading the public log", read).await
        }));
    }

    fn offer(&mut self, page: PublicPage) {
        for event in page.events {
            self.offered = event.sequence;
            let (key, size_bytes) = (event.key.clone(), event.event.len());
            self.window.offer(self.offered, &key, size_bytes, event);
        }
        // Events of parked keys are settled by being offered.
        self.take_advance();
    }

    fn send(&mut self, session: &Session) {
        let now = Instant::now();
        while let Some((sequence, event)) = self.window.next(now) {
            match self.relay.place.message(event) {
                // The channel holds as much as the window lets out; it refuses only when the connection is gone, and then the
                // answers end as well and everything goes out again.
                Ok(message) => {
                    if session.messages.try_send(message).is_err() {
                        break;
                    }
                }
                Err(reason) => {
                    self.settle(vec![(sequence.get(), Answer::Refused(reason))]);
                }
            }
        }
    }

    fn settle(&mut self, answers: Vec<(u64, Answer)>) -> u64 {
        let count = answers.len() as u64;
        let now = Instant::now();
        for (sequence, answer) in answers {
            let sequence = Sequence::new(sequence);
            match &answer {
                Answer::TryAgain(reason) => {
                    if self.relay.status.event_retrying(reason) {
                        tracing::warn!(relay = %self.relay.name, %sequence, reason, "the broker asks to try again; its key waits");
                    }
                }
                Answer::Unheard if self.relay.unheard == Unheard::Wait => {
                    if self
                        .relay
                        .status
                        .event_retrying("nobody listens, and this outlet waits until somebody does")
                    {
                        tracing::warn!(relay = %self.relay.name, %sequence, "nobody listens; its key waits");
                    }
                }
                Answer::Refused(reason) => match self.window.full() {
                    None => {
                        tracing::error!(relay = %self.relay.name, %sequence, reason, "the event was refused; its key is parked");
                    }
                    Some(full) => {
                        if self.relay.status.event_retrying(&full) {
                            tracing::error!(relay = %self.relay.name, %sequence, reason, full, "the event was refused, and cannot be parked; the relay stands");
                        }
                    }
                },
                Answer::Confirmed | Answer::Unheard => {}
            }
            let retry_at = now + backoff::delay(self.window.attempts(sequence));
            self.window.settle(sequence, answer, retry_at);
        }
        if !self.window.has_retries() && self.relay.status.event_retries_over() {
            tracing::info!(relay = %self.relay.name, "every event that was tried again has been settled");
        }
        self.take_advance();
        count
    }

    fn take_advance(&mut self) {
        let advance = self.window.advance();
        if advance.to.is_some() {
            self.unwritten.extend(advance);
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let cursor_due = self
            .unwritten_since
            .filter(|_| self.writing.is_none())
            .map(|since| since + Duration::from_millis(CURSOR_DELAY_MS));
        [cursor_due, self.window.next_retry()]
            .into_iter()
            .flatten()
            .min()
    }

    fn write_cursor_if_due(&mut self) {
        let (Some(since), Some(to)) = (self.unwritten_since, self.unwritten.to) else {
            return;
        };
        let many = to.get() - self.written.get() >= CURSOR_BATCH_EVENTS;
        if many || since.elapsed() >= Duration::from_millis(CURSOR_DELAY_MS) {
            self.write_cursor();
        }
    }

    /// Gives what is settled to the store, unless a write is under way: then it goes with the next one.
    fn write_cursor(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let advance = std::mem::take(&mut self.unwritten);
        let Some(to) = advance.to else { return };
        self.unwritten_since = None;
        let scope = ParkScope::Relay(self.relay.name.clone());
        let parked = advance
            .parked
            .into_iter()
            .map(|(key, sequence, reason)| NewParked {
                scope: scope.clone(),
                key,
                at: sequence.get(),
                reason,
            });
        let settlement = Settlement {
            relay: self.relay.name.clone(),
            stream: self.relay.stream.clone(),
            expected: self.written,
            to,
            at_ms: clock::now_ms(),
            unheard: advance.unheard,
            parked: parked.collect(),
        };
        self.written = to;
        let (store, log) = (self.relay.store.clone(), self.relay.log.clone());
        self.writing = Some(tokio::spawn(async move {
            let settle = || store.settle(&log, settlement.clone());
            patiently("writing a relay's cursor", settle).await
        }));
    }
}

/// Waits for a task and forgets it; without one, waits for ever.
async fn join<T>(task: &mut Option<JoinHandle<T>>) -> T {
    let Some(running) = task.as_mut() else {
        return std::future::pending().await;
    };
    let joined = running.await;
    *task = None;
    match joined {
        Ok(value) => value,
        // The task panicked, and so does the relay; or the runtime is going down, and nothing is waited for.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn settle_failure(error: SettleError) -> StoreError {
    match error {
        SettleError::Unavailable(error) => error,
        // What a relay settles at a time is bounded well below the store's limits.
        SettleError::Limit(error) => StoreError::Damaged {
            place: "a settlement".to_owned(),
            reason: error.to_string(),
        },
        // Somebody else moved this cursor: two daemons cannot hold one store, so this is damage and not a race.
        SettleError::CursorMoved { actual } => StoreError::Damaged {
            place: "a relay's cursor".to_owned(),
            reason: format!("it stands at {actual}, and nobody moved it"),
        },
    }
}
