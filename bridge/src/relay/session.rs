//! A relay's life over one connection: read the public log, send, take answers, write the cursor.
//!
//! `select!` only chooses what happens next; what follows from it is decided by [`Window`].

mod answers;
mod cursor;
mod reading;

use std::time::Instant;

use horizon_store::{PublicEvent, PublicPage, Sequence, SettleError, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Relay;
use super::purpose::Pace;
use super::suspects::{STRIKES, Suspects};
use super::unpark::{News, Unpark};
use super::window::{Advance, Window};
use crate::outlets::{Answer, Loss, OutboundMessage, Session};
use crate::unparking::Order;
pub(super) use cursor::settle_failure;

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
    suspects: Suspects,
    pace: Option<Pace>,
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
            suspects: Suspects::default(),
            pace: relay.purpose.pace(),
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
            if self.is_done() {
                return Ok((Ended::Stopped, settled));
            }
            match stop_by {
                None => self.read_ahead(*head.borrow_and_update())?,
                Some(moment) if self.is_empty() || moment <= Instant::now() => {
                    return Ok((Ended::Stopped, settled));
                }
                Some(_) => {}
            }
            self.unpark.work(self.relay, &mut self.window);
            let now = Instant::now();
            self.send(&session, now);
            self.write_cursor_if_due();
            let in_flight = self.window.in_flight() + self.unpark.lanes.in_flight();
            self.relay
                .status
                .window(in_flight, self.window.parked_keys());
            let wake = [self.wake_at(now), stop_by].into_iter().flatten().min();
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
                    let loss = session.loss().await;
                    self.connection_lost(&loss);
                    return Ok((Ended::Lost(loss.reason), settled));
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
        if self.is_done() {
            self.relay.purpose.done();
        }
        self.unpark.finish(self.relay, &mut self.window).await?;
        self.relay.status.stopped();
        Ok(())
    }

    /// The connection is gone: everything that is not settled goes out again, but for what has shown itself to be the cause.
    fn connection_lost(&mut self, loss: &Loss) {
        let in_flight = self.window.sequences_in_flight();
        let in_flight: Vec<Sequence> = in_flight.chain(self.unpark.lanes.in_flight_at()).collect();
        if !loss.suspicious {
            self.suspects.ended();
        } else if !in_flight.is_empty() {
            let searching = self.suspects.any();
            if let Some(culprit) = self.suspects.lost(&in_flight) {
                let reason = format!(
                    "each of {STRIKES} times that this event was sent alone the connection ended, and others passed in between: {}",
                    loss.reason
                );
                self.refuse(culprit, reason);
            } else if !searching {
                tracing::warn!(relay = %self.relay.name, reason = loss.reason, in_flight = in_flight.len(),
                    "the connection ended with events in flight; they go out again one at a time, in case one of them is the cause");
            }
        }
        self.window.connection_lost();
        self.unpark.lanes.connection_lost();
    }

    /// Whether a replay has come to its end.
    fn is_done(&self) -> bool {
        // What was let go of on being told to stop was not sent.
        let whole = !self.window.is_closed() && self.window.is_empty();
        whole && self.relay.purpose.ends_with(self.offered)
    }

    /// Whether nothing is in hand that waits for an answer, or could be passed.
    fn is_empty(&self) -> bool {
        self.window.is_empty() && self.unpark.lanes.in_flight() == 0
    }

    /// Sends what may go.
    fn send(&mut self, session: &Session, now: Instant) {
        loop {
            if self.pace.as_ref().is_some_and(|pace| !pace.may_go(now)) {
                return;
            }
            let Some((sequence, message)) = self.next_message(now) else {
                return;
            };
            match message {
                // The channel holds as much as the window and the lanes let out; it refuses only when the connection is gone, and
                // then the answers end as well and everything goes out again.
                Ok(message) => {
                    if session.messages.try_send(message).is_err() {
                        break;
                    }
                }
                Err(reason) => self.refuse(sequence, reason),
            }
            if let Some(pace) = &mut self.pace {
                pace.gone(now);
            }
        }
    }

    /// The next message, if one may go: in a search for a culprit one at a time.
    fn next_message(
        &mut self,
        now: Instant,
    ) -> Option<(Sequence, Result<OutboundMessage, String>)> {
        let Run {
            window,
            unpark,
            suspects,
            ..
        } = self;
        let lanes = &mut unpark.lanes;
        let next = if !suspects.any() {
            lanes.next(now).or_else(|| window.next(now))
        } else if window.in_flight() + lanes.in_flight() > 0 {
            None
        } else {
            let mut ready = lanes.ready(now);
            ready.extend(window.ready(now));
            let chosen = suspects.choose(&ready)?;
            let parked = lanes.next_of(now, |at| at == chosen);
            parked.or_else(|| window.next_of(now, |_| Some(chosen)))
        };
        let (sequence, event) = next?;
        Some((sequence, self.relay.place.message(event)))
    }

    /// When something is due that was not when there was a look at `now`. What was due then and could not go waits for something
    /// else than time.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let retries = [
            self.pace.as_ref().map(Pace::next),
            self.window.next_retry(),
            self.unpark.lanes.next_retry(now),
        ];
        let retries = retries.into_iter().flatten().filter(|due| *due > now);
        retries.chain(self.cursor_due()).min()
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
