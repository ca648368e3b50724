//! Orders to the crossing: other contracts, and parked keys that are to go on.
//!
//! Invariants:
//! - Orders are taken between two passes, so that nothing is decided by two versions of a contract at once.
//! - A parked event that crosses leaves what is parked, and becomes public, in one record. Its key is parked until its last event
//!   has left: what comes meanwhile is parked behind it, in the log's order, by the same task.
//! - Nothing of an order outlives the process: after a crash, what had not left is still parked.

use std::collections::VecDeque;
use std::sync::Arc;

use horizon_schemas::{Contract, Crossed, Outcome};
use horizon_store::{
    Counts, Crossing, ParkOutcome, ParkScope, ParkedEntry, Position, PublicStreamName, ReadLimit,
    ResolvedParked,
};
use tokio::sync::oneshot;

use super::member::Member;
use super::{CROSSING_LIMIT_BYTES, Crosser, CrossingError, NotSkipped, Skipped, Timed, pass};
use crate::contract_changes::{self, Change};
use crate::patience::patiently;
use crate::stored::event_at;
use crate::unparking::{Keys, Left, Order, Skip, Stuck, Ticket};

/// Most parked entries that leave in one record.
const BATCH_LIMIT_ENTRIES: usize = 256;

/// Most orders that are carried out at a time; each remembers its keys.
const JOBS_LIMIT_ORDERS: usize = 16;

/// What the crossing is asked to do between two passes.
pub(crate) enum CrossingOrder {
    /// Let parked keys of a contract go on.
    Unpark {
        stream: PublicStreamName,
        order: Order,
    },
    /// Give up the event at which a contract has halted.
    Skip {
        stream: PublicStreamName,
        at: Position,
        reason: String,
        answer: oneshot::Sender<Result<Skipped, NotSkipped>>,
    },
    /// Go on with these contracts, and write down what has changed; all or nothing.
    TakeUp {
        contracts: Vec<Arc<Contract>>,
        changes: Vec<Change>,
        /// Where the new ones begin that begin at a time.
        timed: Timed,
        answer: oneshot::Sender<Result<(), CrossingError>>,
    },
}

/// An order about parked keys that is being carried out.
pub(super) struct Job {
    stream: PublicStreamName,
    keys: VecDeque<String>,
    skip: Option<Skip>,
    /// What is skipped of the first key: everything up to here. None before its first batch.
    skip_through: Option<u64>,
    ticket: Ticket,
}

/// What became of one batch of a key.
enum KeyIs {
    /// There is more of it.
    GoingOn,
    /// It is parked no more.
    Live,
    /// It waits, behind this.
    Stuck(Stuck),
}

/// One batch of parked entries, decided and not written.
#[derive(Default)]
struct Decided {
    crossed: Vec<(Position, Box<Crossed>)>,
    resolved: Vec<ResolvedParked>,
    counts: Counts,
    stuck: Option<Stuck>,
}

impl Crosser {
    /// Takes an order; what takes long is carried out in batches.
    pub(super) async fn take(&mut self, order: CrossingOrder) {
        match order {
            CrossingOrder::Unpark { stream, order } => self.accept(stream, order),
            CrossingOrder::Skip {
                stream,
                at,
                reason,
                answer,
            } => {
                // Without its contract nobody answers.
                if let Some(skipped) = self.skip(&stream, at, reason).await {
                    let _ = answer.send(skipped);
                }
            }
            CrossingOrder::TakeUp {
                contracts,
                changes,
                timed,
                answer,
            } => {
                let taken = self.take_up(&contracts, changes, &timed).await;
                // Nobody listens any more: it is done all the same.
                let _ = answer.send(taken);
            }
        }
    }

    fn accept(&mut self, stream: PublicStreamName, order: Order) {
        let Order {
            keys,
            skip,
            mut ticket,
        } = order;
        let Some(member) = self.members.iter().find(|member| member.stream == stream) else {
            return;
        };
        let keys = match keys {
            Keys::One(key) => vec![key],
            Keys::All => member.parked.keys(),
        };
        ticket.taken(keys.len());
        if self.jobs.len() >= JOBS_LIMIT_ORDERS {
            for key in keys {
                let reason = "too many orders are being carried out; give it again later";
                let (at, reason) = (None, reason.to_owned());
                ticket.key_ended(Some(Stuck { key, at, reason }));
            }
        } else if !keys.is_empty() {
            self.jobs.push_back(Job {
                stream,
                keys: keys.into(),
                skip,
                skip_through: None,
                ticket,
            });
        }
    }

    /// Replaces the contracts. Those that were there go on where they are; a halted one tries again.
    async fn take_up(
        &mut self,
        contracts: &[Arc<Contract>],
        changes: Vec<Change>,
        timed: &Timed,
    ) -> Result<(), CrossingError> {
        let is_new = |contract: &&Arc<Contract>| {
            let stream = contract.public_stream();
            !self.members.iter().any(|old| old.stream.as_str() == stream)
        };
        let new = contracts.iter().filter(is_new);
        let new = Member::restore_all(&self.store, &self.log, new, timed).await?;
        contract_changes::record(&self.store, &self.log, changes).await?;
        let mut old = std::mem::take(&mut self.members);
        old.extend(new);
        for mut member in old {
            self.status.goes_on(member.stream.as_str());
            member.halt = None;
            let stays =
                |contract: &&Arc<Contract>| contract.public_stream() == member.stream.as_str();
            if let Some(contract) = contracts.iter().find(stays) {
                member.contract = Arc::clone(contract);
                self.members.push(member);
            }
        }
        Ok(())
    }

    /// Carries out one batch of the order whose turn it is.
    pub(super) async fn carry_out(&mut self) -> Result<(), CrossingError> {
        let Some(mut job) = self.jobs.pop_front() else {
            return Ok(());
        };
        let index = self
            .members
            .iter()
            .position(|member| member.stream == job.stream);
        // Without its contract an order ends as it is: its ticket is dropped.
        let (Some(index), Some(key)) = (index, job.keys.front().cloned()) else {
            return Ok(());
        };
        let stuck = match self.carry_on(index, &key, &mut job).await? {
            KeyIs::GoingOn => {
                self.jobs.push_back(job);
                return Ok(());
            }
            KeyIs::Live => None,
            KeyIs::Stuck(stuck) => Some(stuck),
        };
        job.keys.pop_front();
        job.skip_through = None;
        job.ticket.key_ended(stuck);
        if !job.keys.is_empty() {
            self.jobs.push_back(job);
        }
        Ok(())
    }

    /// The next batch of a parked key: decided, written, and only then known as gone.
    async fn carry_on(
        &mut self,
        index: usize,
        key: &str,
        job: &mut Job,
    ) -> Result<KeyIs, CrossingError> {
        let Some(member) = self.members.get(index) else {
            return Ok(KeyIs::Live);
        };
        let scope = ParkScope::Crossing(member.stream.clone());
        let limit = ReadLimit {
            records: BATCH_LIMIT_ENTRIES,
            bytes: CROSSING_LIMIT_BYTES,
        };
        let read = || self.store.parked_entries(&self.log, &scope, key, 0, limit);
        let entries = patiently("reading what is parked", read).await?.entries;
        let Some(first) = entries.first() else {
            return Ok(nothing_waits(key, job));
        };
        if let (Some(skip), None) = (&job.skip, job.skip_through) {
            if let Some(at) = skip.at.filter(|at| *at != first.at) {
                return Ok(KeyIs::Stuck(Stuck::not_first(key, first.at, at)));
            }
            // What waits now lies behind the cursor.
            let all = member.cursor.get();
            job.skip_through = Some(if skip.all_events { all } else { first.at });
        }
        let decided = self.decide(member, &scope, entries, job).await?;
        self.let_go(index, key, decided, job).await
    }

    /// Asks the contract, as it is now, about each entry in order, up to the first that still cannot cross.
    async fn decide(
        &self,
        member: &Member,
        scope: &ParkScope,
        entries: Vec<ParkedEntry>,
        job: &Job,
    ) -> Result<Decided, CrossingError> {
        let mut decided = Decided::default();
        let mut bytes = 0;
        for entry in entries {
            let skipped = job
                .skip
                .as_ref()
                .filter(|_| job.skip_through >= Some(entry.at));
            let outcome = match skipped {
                Some(skip) => ParkOutcome::Skipped {
                    reason: skip.reason.clone(),
                },
                None => match self.ask(member, &entry, &mut bytes).await? {
                    Ok((outcome, crossed)) => {
                        bytes += crossed.as_ref().map_or(0, |(_, crossed)| crossed.bytes());
                        decided.crossed.extend(crossed);
                        outcome
                    }
                    Err(reason) => {
                        decided.stuck = Some(Stuck {
                            key: entry.key,
                            at: Some(entry.at),
                            reason,
                        });
                        break;
                    }
                },
            };
            decided.counts.filtered += u64::from(outcome == ParkOutcome::Filtered);
            decided.resolved.push(ResolvedParked {
                scope: scope.clone(),
                key: entry.key,
                at: entry.at,
                outcome,
            });
            if bytes >= CROSSING_LIMIT_BYTES {
                break;
            }
        }
        Ok(decided)
    }

    /// What the contract makes of one parked event now; `Err` says why it cannot cross.
    async fn ask(
        &self,
        member: &Member,
        entry: &ParkedEntry,
        bytes: &mut usize,
    ) -> Result<Result<Answered, String>, CrossingError> {
        let read = || event_at(&self.store, &self.log, Position::new(entry.at));
        let Some(event) = patiently("reading the log", read).await? else {
            return Ok(Err("the event is not there any more".to_owned()));
        };
        *bytes += event.data().map_or(0, <[u8]>::len);
        let outcome =
            tokio::task::block_in_place(|| pass::ask(&member.contract, &event, &self.secret));
        Ok(match outcome {
            Outcome::Filtered | Outcome::Unmatched => Ok((ParkOutcome::Filtered, None)),
            Outcome::Crossed(crossed) if crossed.key() == entry.key => {
                Ok((ParkOutcome::Crossed, Some((event.position, crossed))))
            }
            Outcome::Crossed(crossed) => Err(format!("its key is now {}", crossed.key())),
            Outcome::Violation {
                public_type,
                violations,
                ..
            } => Err(pass::in_words(&public_type, &violations)),
        })
    }

    /// Writes a batch, and then knows its entries as gone.
    async fn let_go(
        &mut self,
        index: usize,
        key: &str,
        decided: Decided,
        job: &mut Job,
    ) -> Result<KeyIs, CrossingError> {
        let head = self.store.head(&self.log).await?;
        let Some(member) = self.members.get_mut(index) else {
            return Ok(KeyIs::Live);
        };
        let mut crossing = Crossing {
            counts: vec![(member.stream.clone(), decided.counts)],
            ..Crossing::default()
        };
        member
            .seal(&self.store, &self.log, decided.crossed, head, &mut crossing)
            .await?;
        let gone = decided.resolved.len() as u64;
        let mut left = Left {
            crossed: crossing.public.len() as u64,
            filtered: decided.counts.filtered,
            ..Left::default()
        };
        left.skipped = gone - left.crossed - left.filtered;
        crossing.resolved = decided.resolved;
        self.write(crossing).await?;
        let Some(member) = self.members.get_mut(index) else {
            return Ok(KeyIs::Live);
        };
        member.parked.remove(key, gone);
        job.ticket.events(|events| {
            events.crossed += left.crossed;
            events.filtered += left.filtered;
            events.skipped += left.skipped;
        });
        let is_full = member.halt.as_ref().is_some_and(|halt| halt.full);
        if is_full && member.parked.limit_reached().is_none() {
            tracing::info!(contract = %member.stream, "fewer events are parked; the contract tries to go on");
            member.halt = None;
            self.status.goes_on(member.stream.as_str());
        }
        Ok(match decided.stuck {
            Some(stuck) => KeyIs::Stuck(stuck),
            None if member.parked.holds(key) => KeyIs::GoingOn,
            None => {
                tracing::info!(contract = %member.stream, "a key goes on that was parked");
                KeyIs::Live
            }
        })
    }
}

/// What a parked event becomes: it leaves as this, with its public event if it crossed.
type Answered = (ParkOutcome, Option<(Position, Box<Crossed>)>);

/// A key without entries was never parked, or another order has let it go.
fn nothing_waits(key: &str, job: &Job) -> KeyIs {
    if job.keys.len() > 1 || job.skip_through.is_some() {
        return KeyIs::Live;
    }
    KeyIs::Stuck(Stuck::not_parked(key.to_owned()))
}
