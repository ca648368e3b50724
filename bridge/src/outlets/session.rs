//! One connection to a broker as its relay sees it: messages in, answers out, and a state.
//!
//! Invariants:
//! - Answers end when the connection has; the state then is [`SessionState::Ended`] and says why. What had no answer by
//!   then may or may not have reached the broker.
//! - Dropping the session, or its `answers`, ends its task and its connection. Dropping only `messages` lets it answer
//!   what is in flight and then end.

use std::mem;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::{ANSWER_BATCHES, Answer, HAND_OVER_MESSAGES, OutboundMessage, WATCH_INTERVAL};

/// How many answers are gathered before they are sent while there is more to do, in answers.
const ANSWERS_PER_BATCH: usize = 128;

/// Whether a session can publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionState {
    /// Connected, and publishing what it is given.
    Open,
    /// Connected, and told by the broker to wait: it is short of memory or disk. It goes on by itself.
    Blocked(String),
    /// Over, for the reason given.
    Ended(Loss),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Why, for a person.
    pub(crate) reason: String,
    /// Whether one of the messages in flight may have been the cause: the broker ended the connection or fell silent, and
    /// did not say that it was for something else.
    pub(crate) suspicious: bool,
}

/// One connection to one broker, for one relay.
#[derive(Debug)]
pub(crate) struct Session {
    /// Messages to publish. A full channel means that the session's window is full: wait.
    pub(crate) messages: mpsc::Sender<OutboundMessage>,
    /// Answers by sequence, in the order in which the broker gave them. Closed means that the connection is lost.
    pub(crate) answers: mpsc::Receiver<Vec<(u64, Answer)>>,
    /// What the connection is doing.
    pub(crate) state: watch::Receiver<SessionState>,
}

impl Session {
    /// Waits for the end of the session, and says how it ended.
    pub(crate) async fn loss(&self) -> Loss {
        let mut state = self.state.clone();
        match state
            .wait_for(|state| matches!(state, SessionState::Ended(_)))
            .await
            .as_deref()
        {
            Ok(SessionState::Ended(loss)) => loss.clone(),
            _ => Loss {
                reason: "the session's task stopped without giving a reason".to_owned(),
                suspicious: false,
            },
        }
    }
}

/// The other ends of a session's channels, held by the task that owns the connection.
#[derive(Debug)]
pub(super) struct SessionEnds {
    pub(super) messages: mpsc::Receiver<OutboundMessage>,
    pub(super) answers: AnswerSender,
    pub(super) state: watch::Sender<SessionState>,
}

/// Why a session's task stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The relay let go of the session.
    Released,
    /// The connection cannot be trusted any more.
    Lost(Loss),
}

impl End {
    /// The connection is lost for a reason that no message has to do with.
    pub(super) fn lost(reason: impl Into<String>) -> Self {
        Self::Lost(Loss {
            reason: reason.into(),
            suspicious: false,
        })
    }

    /// The connection is lost, and a message in flight may be the cause.
    pub(super) fn suspicious(reason: impl Into<String>) -> Self {
        Self::Lost(Loss {
            reason: reason.into(),
            suspicious: true,
        })
    }
}

/// A session and its other ends.
pub(super) fn session() -> (Session, SessionEnds) {
    let (messages_in, messages_out) = mpsc::channel(HAND_OVER_MESSAGES);
    let (answers_in, answers_out) = mpsc::channel(ANSWER_BATCHES);
    let (state_in, state_out) = watch::channel(SessionState::Open);
    let session = Session {
        messages: messages_in,
        answers: answers_out,
        state: state_out,
    };
    let ends = SessionEnds {
        messages: messages_out,
        answers: AnswerSender {
            sender: answers_in,
            gathered: Vec::new(),
        },
        state: state_in,
    };
    (session, ends)
}

impl SessionEnds {
    /// Hands over the last answers, if the relay takes them soon, and tells it that the session is over and why.
    pub(super) async fn finish(mut self, end: End) {
        // What is not taken is published again: a repeat after a fault.
        let _ = timeout(WATCH_INTERVAL, self.answers.send_rest()).await;
        let loss = match end {
            End::Released => Loss {
                reason: "closed by its relay".to_owned(),
                suspicious: false,
            },
            End::Lost(loss) => loss,
        };
        self.state.send_replace(SessionState::Ended(loss));
    }
}

/// Gathers answers, so that a relay is woken once for many of them.
///
/// It is bounded: the session's task takes no messages while this [is full](Self::is_full).
#[derive(Debug)]
pub(super) struct AnswerSender {
    sender: mpsc::Sender<Vec<(u64, Answer)>>,
    gathered: Vec<(u64, Answer)>,
}

impl AnswerSender {
    /// Takes an answer, and sends what is gathered when that is much and the relay has room.
    pub(super) fn push(&mut self, sequence: u64, answer: Answer) {
        self.gathered.push((sequence, answer));
        if self.gathered.len() >= ANSWERS_PER_BATCH {
            self.send_now();
        }
    }

    /// Sends what is gathered if the relay has room.
    pub(super) fn send_now(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        if let Ok(permit) = self.sender.try_reserve() {
            permit.send(mem::take(&mut self.gathered));
        }
    }

    /// Waits until the relay has room for what is gathered.
    pub(super) async fn room(&self) -> bool {
        self.sender.reserve().await.is_ok()
    }

    /// Waits until the relay has let go of its end.
    pub(super) async fn released(&self) {
        self.sender.closed().await;
    }

    /// Whether nothing waits to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// Whether so much waits to be sent that no more messages may be taken.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.len() >= super::MAX_IN_FLIGHT_MESSAGES
    }

    /// Waits until everything gathered is sent, or the relay has let go.
    pub(super) async fn send_rest(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        if let Ok(permit) = self.sender.reserve().await {
            permit.send(mem::take(&mut self.gathered));
        }
    }
}
