//! The one writer: a thread that gathers the calls that wait into one batch, writes and syncs it once, answers all.
//!
//! - A call sees all calls before it, those of its own batch included: they are in the draft, on top of what is stored.
//! - A call is first checked, which may fail, and then applied, which may not: no call leaves half of itself.
//! - Nothing is answered before the batch is durable, and heads move, which wakes who waits, only then.
//! - After a failed write or sync nothing is written again: what is stored is unknown until the store is opened anew.
//! - A batch is synced unless it holds settlements only: a settlement that is lost is delivered again.

mod append;
mod cross;
mod draft;
mod index;
mod rebuild;
mod recent;
mod resolve;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::clock;
use crate::commit::{AppendError, Committed};
use crate::database::{Batch, Database};
use crate::error::StoreError;
use crate::heads::{Heads, KnownLog};
use crate::names::{ByName, LogName};
use crate::options::Options;
use crate::parked::ResolveError;
use crate::place::Position;
use crate::prepare::{PreparedCommit, PreparedCrossing, PreparedResolving, PreparedSettlement};
use crate::public::CrossError;
use crate::relay::SettleError;
use draft::LogDraft;

pub(crate) use draft::Draft;
pub(crate) use rebuild::Fits;
pub(crate) use recent::Recent;

/// How often other threads are let go first, at most, before a batch is begun.
const YIELDS_MAX: usize = 4;

type Answer<T, E> = oneshot::Sender<Answered<T, E>>;

/// What a caller gets back.
pub(crate) struct Answered<T, E> {
    pub(crate) outcome: Result<T, E>,
    /// What it asked for, if that is much to free: callers are many, and the writer is one.
    _asked: Option<PreparedCommit>,
}

impl<T, E> From<Result<T, E>> for Answered<T, E> {
    fn from(outcome: Result<T, E>) -> Self {
        Self {
            outcome,
            _asked: None,
        }
    }
}

/// What the writer is asked to do.
pub(crate) enum Request {
    Append {
        log: LogName,
        commit: PreparedCommit,
        answer: Answer<Committed, AppendError>,
    },
    System {
        log: LogName,
        kind: String,
        body: Bytes,
        answer: Answer<Position, StoreError>,
    },
    Cross {
        log: LogName,
        crossing: PreparedCrossing,
        answer: Answer<(), CrossError>,
    },
    Settle {
        log: LogName,
        settlement: PreparedSettlement,
        answer: Answer<(), SettleError>,
    },
    Resolve {
        log: LogName,
        resolving: PreparedResolving,
        answer: Answer<(), ResolveError>,
    },
    /// Take no more, write what waits, and end.
    Stop,
}

/// A request with the room that it takes up in the queue until it is answered.
pub(crate) struct Queued {
    pub(crate) request: Request,
    pub(crate) room: u32,
}

/// The writer's end of the queue, and the room in it.
pub(crate) struct Requests {
    queue: mpsc::Receiver<Queued>,
    room: Arc<Semaphore>,
}

impl Requests {
    pub(crate) fn new(queue: mpsc::Receiver<Queued>, room: Arc<Semaphore>) -> Self {
        Self { queue, room }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        // What is still in the queue gives nothing back: who waits for room is told that the writer has ended.
        self.room.close();
    }
}

pub(crate) struct Writer {
    database: Arc<Database>,
    heads: Arc<Heads>,
    requests: Requests,
    recent: Recent,
    /// Empty: the room of the batches before.
    batch: Batch,
    /// How many requests the batch before had.
    answered: usize,
    options: Options,
    /// Set once: why nothing is written any more.
    poison: Arc<OnceLock<String>>,
}

/// Says that nothing is written any more, should the writer panic: what was asked may be stored or not.
struct TellPanic(Arc<OnceLock<String>>);

impl Drop for TellPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // If a write has failed before, that is the reason.
            let _ = self
                .0
                .set("the writer has ended by a mistake in the program".into());
        }
    }
}

/// An answer that waits for the sync. Told why the write failed, if it did.
type Pending = Box<dyn FnOnce(Result<(), &StoreError>)>;

impl Writer {
    pub(crate) fn new(
        database: Arc<Database>,
        heads: Arc<Heads>,
        requests: Requests,
        options: Options,
        poison: Arc<OnceLock<String>>,
    ) -> Self {
        Self {
            database,
            heads,
            requests,
            recent: Recent::default(),
            batch: Batch::default(),
            answered: 0,
            options,
            poison,
        }
    }

    /// Works until it is told to stop, or nobody can ask any more.
    pub(crate) fn run(mut self) {
        let _told = TellPanic(Arc::clone(&self.poison));
        while let Some(first) = self.requests.queue.blocking_recv() {
            self.let_others_call();
            self.write_together(first);
        }
    }

    /// Where several call at a time and processors are scarce, lets those work who are about to call: fewer batches are fewer syncs.
    /// Where a processor is free, or one caller waits for each answer, nothing is waited for.
    fn let_others_call(&self) {
        if self.answered <= 1 {
            return;
        }
        let mut waiting = self.requests.queue.len();
        for _ in 0..YIELDS_MAX {
            std::thread::yield_now();
            let now = self.requests.queue.len();
            if now == waiting {
                return;
            }
            waiting = now;
        }
    }

    /// Gathers what waits behind the first request, writes it, and answers.
    fn write_together(&mut self, first: Queued) {
        let batch = std::mem::take(&mut self.batch);
        let now_ms = clock::now_ms();
        let mut draft = Draft::new(&self.database, &self.heads, &self.recent, batch, now_ms);
        let mut pending: Vec<Pending> = Vec::with_capacity(self.answered);
        let mut room_taken = 0;
        let mut next = Some(first);
        while let Some(Queued { request, room }) = next {
            room_taken += room as usize;
            match (request, self.poison.get()) {
                (Request::Stop, _) => self.requests.queue.close(),
                (request, None) => pending.push(take(&mut draft, request)),
                (request, Some(reason)) => refuse(
                    request,
                    &StoreError::Stopped {
                        reason: reason.clone(),
                    },
                ),
            }
            let room_left = pending.len() < self.options.batch_max_requests
                && draft.batch.bytes() < self.options.batch_max_bytes;
            next = if room_left {
                self.requests.queue.try_recv().ok()
            } else {
                None
            };
        }
        let written = finish(draft, &self.heads);
        let written = match written {
            Ok((logs, batch)) => {
                self.batch = batch;
                if !logs.is_empty() {
                    // Before the answers: who has one finds all that it rests on.
                    self.heads.written(self.recent.push(logs));
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(StoreError::Stopped { reason }) = &written {
            tracing::error!(%reason, "the store has stopped writing: a write failed; restart it");
            // Only this thread sets it.
            let _ = self.poison.set(reason.clone());
        }
        self.answered = pending.len();
        for answer in pending {
            answer(written.as_ref().copied());
        }
        self.requests.room.add_permits(room_taken);
    }
}

/// Checks a request and puts it into the draft.
fn take(draft: &mut Draft<'_>, request: Request) -> Pending {
    match request {
        Request::Append {
            log,
            mut commit,
            answer,
        } => later(answer, draft.append(&log, &mut commit), Some(commit)),
        Request::System {
            log,
            kind,
            body,
            answer,
        } => later(answer, draft.append_system(&log, &kind, &body), None),
        Request::Cross {
            log,
            crossing,
            answer,
        } => later(answer, draft.cross(&log, &crossing), None),
        Request::Settle {
            log,
            settlement,
            answer,
        } => later(answer, draft.settle(&log, &settlement), None),
        Request::Resolve {
            log,
            resolving,
            answer,
        } => later(answer, draft.resolve(&log, &resolving), None),
        Request::Stop => Box::new(|_| ()),
    }
}

/// Keeps an outcome until the batch is durable; whether it is good or bad, it may rest on what the batch holds.
fn later<T: 'static, E: From<StoreError> + 'static>(
    answer: Answer<T, E>,
    outcome: Result<T, E>,
    asked: Option<PreparedCommit>,
) -> Pending {
    Box::new(move |written| {
        let outcome = match written {
            Ok(()) => outcome,
            Err(error) => Err(error.clone().into()),
        };
        // Who asked may have gone.
        let _ = answer.send(Answered {
            outcome,
            _asked: asked,
        });
    })
}

/// Answers a request that is not tried.
pub(crate) fn refuse(request: Request, error: &StoreError) {
    match request {
        Request::Append { answer, .. } => drop(answer.send(Err(error.clone().into()).into())),
        Request::System { answer, .. } => drop(answer.send(Err(error.clone()).into())),
        Request::Cross { answer, .. } => drop(answer.send(Err(error.clone().into()).into())),
        Request::Settle { answer, .. } => drop(answer.send(Err(error.clone().into()).into())),
        Request::Resolve { answer, .. } => drop(answer.send(Err(error.clone().into()).into())),
        Request::Stop => {}
    }
}

/// Writes a draft, then shows it in memory. Gives what was written.
pub(crate) fn finish(
    mut draft: Draft<'_>,
    heads: &Heads,
) -> Result<(ByName<LogName, LogDraft>, Batch), StoreError> {
    draft.put_ends();
    let Draft {
        database,
        batch,
        sync,
        mut logs,
        ..
    } = draft;
    if batch.is_empty() {
        return Ok((ByName::default(), batch));
    }
    let batch = database.write(batch, sync)?;
    for (name, log) in &mut logs {
        let Some(id) = log.id else { continue };
        for (stream, tail) in &log.streams {
            database.tails.note(id, stream, tail);
        }
        let news = KnownLog {
            id,
            head: log.head,
            // Known since the store was opened.
            ends: Vec::new(),
            cursors: std::mem::take(&mut log.cursors),
            public_heads: std::mem::take(&mut log.public_heads),
            relays: std::mem::take(&mut log.relays),
        };
        heads.advance(name.clone(), news);
    }
    Ok((logs, batch))
}

#[cfg(test)]
mod tests;
