//! Publishes to a channel and settles what the broker says about it.
//!
//! `lapin` takes a message's delivery tag and queues its frames when a publish is first polled, and waits afterwards. One
//! task polls the publishes of a channel first, in order; so tags and frames keep that order while the waiting overlaps.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Connection, Event};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::confirms::{Confirmed, Confirms};
use super::encode::{Encoded, Encoder};
use super::endings;
use crate::outlets::session::{End, SessionEnds};
use crate::outlets::window::Window;
use crate::outlets::{OutboundMessage, SessionState, WATCH_INTERVAL};

/// A message's number and id, and what the broker said about it.
type Outcome = (u64, ShortString, lapin::Result<Confirmation>);

/// A publish and its confirm.
type Publish = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What publishes on one channel. There is one for each channel.
pub(super) struct Publisher {
    channel: Arc<Channel>,
    encoder: Encoder,
    window: Window,
    confirm_timeout: Duration,
    taken: Vec<OutboundMessage>,
    outstanding: FuturesUnordered<Publish>,
    confirms: Confirms,
}

/// Why publishing stops.
enum Stop {
    /// The session ends so.
    End(End),
    /// `lapin` says that something is over, and not yet why.
    Unexplained(lapin::Error),
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// What happened next.
#[expect(
    clippy::large_enum_variant,
    reason = "one lives on the stack, for a moment"
)]
enum Step {
    Taken(usize),
    Outcome(Outcome),
    Event(Option<Event>),
    RelayHasRoom,
    Released,
    Watch,
}

impl Publisher {
    pub(super) fn new(
        channel: Arc<Channel>,
        encoder: Encoder,
        window: Window,
        confirm_timeout: Duration,
    ) -> Self {
        Self {
            channel,
            encoder,
            window,
            confirm_timeout,
            taken: Vec::new(),
            outstanding: FuturesUnordered::new(),
            confirms: Confirms::default(),
        }
    }

    /// Publishes and answers until the session ends.
    pub(super) async fn drive(&mut self, connection: &Connection, ends: &mut SessionEnds) -> End {
        let mut events = std::pin::pin!(connection.events_listener());
        let mut watch = interval(WATCH_INTERVAL);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut accepting = true;
        loop {
            let room = if ends.answers.is_full() {
                0
            } else {
                self.window.room()
            };
            let step = tokio::select! {
                biased;
                taken = ends.messages.recv_many(&mut self.taken, room), if accepting && room > 0 => Step::Taken(taken),
                Some(outcome) = self.outstanding.next(), if !self.outstanding.is_empty() => Step::Outcome(outcome),
                event = events.next() => Step::Event(event),
                room = ends.answers.room(), if !ends.answers.is_empty() => if room { Step::RelayHasRoom } else { Step::Released },
                () = ends.answers.released() => Step::Released,
                _ = watch.tick() => Step::Watch,
            };
            let acted = match step {
                Step::Taken(0) => {
                    accepting = false;
                    Ok(())
                }
                Step::Taken(_) => {
                    self.publish_taken(ends);
                    Ok(())
                }
                Step::Outcome(outcome) => self.settle(outcome, ends),
                Step::Event(event) => self.take_event(event, ends),
                Step::RelayHasRoom => {
                    ends.answers.send_now();
                    Ok(())
                }
                Step::Released => Err(End::Released.into()),
                Step::Watch => self.watch(connection, ends).map_err(Stop::End),
            };
            match acted {
                Ok(()) => {}
                Err(Stop::End(end)) => return end,
                Err(Stop::Unexplained(error)) => return self.explain(error, &mut events).await,
            }
            if !accepting && self.window.is_empty() {
                ends.answers.send_rest().await;
                return End::Released;
            }
        }
    }

    /// Starts publishing what was taken from the relay.
    fn publish_taken(&mut self, ends: &mut SessionEnds) {
        let now = Instant::now();
        for message in self.taken.drain(..) {
            let encoded = match self.encoder.encode(&message) {
                Ok(encoded) => encoded,
                Err(answer) => {
                    ends.answers.push(message.sequence(), answer);
                    continue;
                }
            };
            let number = self
                .window
                .push(message.sequence(), encoded.payload.len(), now);
            let publish = publish(
                Arc::clone(&self.channel),
                self.encoder.exchange.clone(),
                number,
                encoded,
            );
            let mut publish: Publish = Box::pin(publish);
            // The first poll takes the delivery tag and queues the frames. The set polls again what is not done.
            match publish
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(outcome) => {
                    self.outstanding.push(Box::pin(std::future::ready(outcome)))
                }
                Poll::Pending => self.outstanding.push(publish),
            }
        }
    }

    /// Reads every confirm that is complete, and answers what is certain. A publish that failed ends the session, after
    /// what was confirmed before it is answered.
    fn settle(&mut self, first: Outcome, ends: &mut SessionEnds) -> Result<(), Stop> {
        let mut read = Vec::new();
        let mut failures = Vec::new();
        let mut broken = None;
        let complete = Complete::new();
        let mut next = Some(first);
        while let Some((number, id, confirmation)) = next {
            match confirmation.map(|confirmation| Confirmed::read(number, id, confirmation)) {
                Ok(Ok(confirmed)) => read.push(confirmed),
                Ok(Err(reason)) => broken = Some(reason),
                Err(error) => failures.push(error),
            }
            next = complete.next(&mut self.outstanding);
        }
        let now = Instant::now();
        let unanswered = self.outstanding.len() + failures.len() + usize::from(broken.is_some());
        for (number, answer) in self.confirms.settle(read, unanswered) {
            let Some(sequence) = self.window.settle(number, now) else {
                return Err(End::lost(format!("message {number} was confirmed twice")).into());
            };
            ends.answers.push(sequence, answer);
        }
        if let Some(reason) = broken {
            return Err(End::lost(reason).into());
        }
        let telling = failures.iter().position(endings::tells).unwrap_or(0);
        match failures.into_iter().nth(telling) {
            Some(error) => Err(self.stop(error)),
            None => Ok(()),
        }
    }

    fn stop(&self, error: lapin::Error) -> Stop {
        if endings::tells(&error) {
            return Stop::End(self.end(&error));
        }
        Stop::Unexplained(error)
    }

    fn end(&self, error: &lapin::Error) -> End {
        endings::end(error, !self.window.is_empty())
    }

    /// Waits a moment for the reason of an error that tells none: a publish meets a connection that is being closed before
    /// those in flight are told why, the more often the busier the machine.
    async fn explain(
        &mut self,
        error: lapin::Error,
        events: &mut (impl Stream<Item = Event> + Unpin),
    ) -> End {
        let reason = async {
            loop {
                let next = tokio::select! {
                    Some((_, _, Err(error))) = self.outstanding.next(), if !self.outstanding.is_empty() => Some(error),
                    Some(Event::Error(error)) = events.next() => Some(error),
                    else => None,
                };
                match next {
                    Some(error) if !endings::tells(&error) => {}
                    reason => return reason,
                }
            }
        };
        let reason = timeout(WATCH_INTERVAL, reason).await.ok().flatten();
        self.end(&reason.unwrap_or(error))
    }

    fn take_event(&mut self, event: Option<Event>, ends: &mut SessionEnds) -> Result<(), Stop> {
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                ends.state.send_replace(SessionState::Blocked(reason));
                Ok(())
            }
            Some(Event::ConnectionUnblocked) => {
                self.window.restart_wait(Instant::now());
                ends.state.send_replace(SessionState::Open);
                Ok(())
            }
            Some(Event::Error(error)) => Err(self.stop(error)),
            Some(_) => Ok(()),
            None => Err(self.silent_end("the connection is gone").into()),
        }
    }

    /// How a session ends for a reason that nobody gave.
    fn silent_end(&self, reason: &str) -> End {
        if self.window.is_empty() {
            return End::lost(reason);
        }
        End::suspicious(reason)
    }

    /// Looks for an end that nothing told of: a confirm that does not come, a channel or a connection that is gone.
    fn watch(&self, connection: &Connection, ends: &SessionEnds) -> Result<(), End> {
        if !connection.status().connected() {
            return Err(self.silent_end("the connection is closed"));
        }
        if !self.channel.status().connected() {
            return Err(self.silent_end("the broker closed the channel"));
        }
        if connection.status().blocked() {
            // It may have begun before anybody listened.
            ends.state.send_if_modified(|state| {
                let unknown = *state == SessionState::Open;
                if unknown {
                    *state =
                        SessionState::Blocked("the broker takes no messages for now".to_owned());
                }
                unknown
            });
            return Ok(());
        }
        match self.window.overdue(Instant::now(), self.confirm_timeout) {
            Some(waited) => Err(End::suspicious(format!(
                "no confirm for {} s",
                waited.as_secs()
            ))),
            None => Ok(()),
        }
    }
}

async fn publish(
    channel: Arc<Channel>,
    exchange: ShortString,
    number: u64,
    encoded: Encoded,
) -> Outcome {
    let Encoded {
        id,
        routing_key,
        payload,
        properties,
    } = encoded;
    let options = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    let confirmation = async {
        channel
            .basic_publish(exchange, routing_key, options, &payload, properties)
            .await?
            .await
    };
    (number, id, confirmation.await)
}

/// Reads what is complete already, without waiting.
struct Complete {
    woken: Arc<Woken>,
    waker: Waker,
}

impl Complete {
    fn new() -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        Self { woken, waker }
    }

    /// The next outcome that is complete. `None` means that there was none at some moment after the call began.
    ///
    /// The set may pause with outcomes left, but wakes its caller when it does; a pause without a wake is a true one.
    fn next(&self, outstanding: &mut FuturesUnordered<Publish>) -> Option<Outcome> {
        let mut context = Context::from_waker(&self.waker);
        loop {
            match Pin::new(&mut *outstanding).poll_next(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending if self.woken.0.swap(false, Ordering::AcqRel) => {}
                Poll::Pending => return None,
            }
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
