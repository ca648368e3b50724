//! A relay's life over one connection: read the public log, send, take answers, write the cursor.
//!
//! `select!` only chooses what happens next; what follows from it is decided by [`Window`].

mod cursor;

use std::time::Instant;

use horizon_schemas::Unheard;
use horizon_store::{PublicEvent, PublicPage, ReadLimit, Sequence, SettleError, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Relay;
use super::backoff;
use super::unpark::{News, Unpark};
use super::window::{Advance, Window};
use crate::outlets::{Answer, Session};
use crate::patience::patiently;
use crate::unparking::Order;
use cursor::settle_failure;

/// Most events of one read of the public log.
const READ_LIMIT_EVENTS: usize = 2_000;
/// Bytes after which a read of the public log ends.
const READ_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Unheard and parked events that wait to be written with the cursor, above which nothing more is read. With a window's worth
/// more they stay far below what the store takes in one settlement.
const UNWRITTEN_LIMIT_EVENTS: usize = 8_000;

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
    unpark: Unpark,
}

/// What happened while waiting.
enum Happened {
    Answers(Option<Vec<(u64, Answer)>>),
    Read(Result<PublicPage, StoreError>),
    Written(Result<(), StoreError>),
    Unpark(News),
    Time,
    Head,
    State,
    Stop,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        relay: &'a Relay,
        window: Window<PublicEvent>,
        cursor: Sequence,
        orders: mpsc::Receiver<Order>,
    ) -> Run<'a> {
        Run {
            relay,
            window,
            offered: cursor,
            written: cursor,
            unwritten: Advance::default(),
            unwritten_since: None,
            reading: None,
            writing: None,
            unpark: Unpark::new(orders),
        }
    }

    /// Waits for something without a connection, and carries out meanwhile what orders ask that needs none. None: it is told to
    /// stop.
    pub(super) async fn tend<T>(
        &mut self,
        awaited: impl Future<Output = T>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<T>, StoreError> {
        tokio::pin!(awaited);
        loop {
            self.unpark.work(self.relay, &mut self.window);
            self.write_cursor_if_due();
            let due = self.cursor_due();
            let happened = tokio::select! {
                awaited = &mut awaited => return Ok(Some(awaited)),
                written = join(&mut self.writing) => Happened::Written(written.map_err(settle_failure)),
                news = self.unpark.news() => Happened::Unpark(news),
                () = sleep_until(due) => Happened::Time,
                _ = stop.wait_for(|stop| *stop) => return Ok(None),
            };
            match happened {
                Happened::Written(written) => {
                    written?;
                    self.unpark.lanes.cursor_written();
                }
                Happened::Unpark(news) => {
                    self.unpark.take(news, &mut self.window, self.written)?;
                }
                _ => {}
            }
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
                Some(moment) if self.is_empty() || moment <= Instant::now() => {
                    return Ok((Ended::Stopped, settled));
                }
                Some(_) => {}
            }
            self.unpark.work(self.relay, &mut self.window);
            self.send(&session);
            self.write_cursor_if_due();
            let in_flight = self.window.in_flight() + self.unpark.lanes.in_flight();
            self.relay
                .status
                .window(in_flight, self.window.parked_keys());
            let wake = [self.wake_at(), stop_by].into_iter().flatten().min();
            let happened = tokio::select! {
                answers = session.answers.recv() => Happened::Answers(answers),
                read = join(&mut self.reading) => Happened::Read(read),
                written = join(&mut self.writing) => Happened::Written(written.map_err(settle_failure)),
                news = self.unpark.news() => Happened::Unpark(news),
                () = sleep_until(wake) => Happened::Time,
                _ = head.changed(), if stop_by.is_none() => Happened::Head,
                Ok(()) = session.state.changed() => Happened::State,
                _ = stop.wait_for(|stop| *stop), if stop_by.is_none() => Happened::Stop,
            };
            match happened {
                Happened::Answers(Some(answers)) => settled += self.settle(answers),
                Happened::Answers(None) => {
                    self.window.connection_lost();
                    self.unpark.lanes.connection_lost();
                    return Ok((Ended::Lost(session.loss().await.reason), settled));
                }
                Happened::Read(page) => self.offer(page?),
                Happened::Written(written) => {
                    written?;
                    self.unpark.lanes.cursor_written();
                }
                Happened::Unpark(news) => {
                    self.unpark.take(news, &mut self.window, self.written)?;
                }
                Happened::State => self.relay.status.session(&session.state.borrow()),
                Happened::Stop => {
                    self.window.wind_down();
                    self.unpark.lanes.close();
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
        self.unpark.finish(self.relay, &mut self.window).await?;
        self.relay.status.stopped();
        Ok(())
    }

    /// Whether nothing is in hand that waits for an answer, or could be passed.
    fn is_empty(&self) -> bool {
        self.window.is_empty() && self.unpark.lanes.in_flight() == 0
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
        loop {
            let next = self.unpark.lanes.next(now);
            let Some((sequence, event)) = next.or_else(|| self.window.next(now)) else {
                return;
            };
            match self.relay.place.message(event) {
                // The channel holds as much as the window and the lanes let out; it refuses only when the connection is gone, and
                // then the answers end as well and everything goes out again.
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
            let in_lane = self.unpark.lanes.attempts(sequence);
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
                // What a lane meets is told when the lane ends.
                Answer::Refused(_) if in_lane.is_some() => {}
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
            let attempts = in_lane.unwrap_or_else(|| self.window.attempts(sequence));
            let retry_at = now + backoff::delay(attempts);
            match in_lane {
                Some(_) => {
                    let wait = self.relay.unheard == Unheard::Wait;
                    self.unpark.lanes.settle(sequence, answer, retry_at, wait);
                }
                None => self.window.settle(sequence, answer, retry_at),
            }
        }
        let retries = self.window.has_retries() || self.unpark.lanes.has_retries();
        if !retries && self.relay.status.event_retries_over() {
            tracing::info!(relay = %self.relay.name, "every event that was tried again has been settled");
        }
        self.take_advance();
        count
    }

    fn wake_at(&self) -> Option<Instant> {
        [
            self.cursor_due(),
            self.window.next_retry(),
            self.unpark.lanes.next_retry(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Waits for a task and forgets it; without one, waits for ever.
pub(super) async fn join<T>(task: &mut Option<JoinHandle<T>>) -> T {
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
