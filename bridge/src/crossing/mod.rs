//! The crossing: private events through the contracts into the public logs.
//!
//! Invariants:
//! - A crossing happens once: what a pass decided and the cursors' moves are one record in the store, all or nothing.
//! - Each contract has a cursor of its own. Contracts whose cursors are equal share one pass over the log and move in one
//!   record; a contract that is behind reads on its own until it has caught up, and then shares by being equal.
//! - One task crosses everything, so a sequence is given once, and the store refuses a record that would leave a gap.
//! - `crossed ≤ durable`: only what the store shows is read, and it shows only what is synced.

mod begin;
mod member;
mod orders;
pub(crate) mod parked;
pub(crate) mod pass;
mod previous;
mod skipping;
mod skips;

use std::collections::VecDeque;
use std::sync::Arc;

use horizon_schemas::{Contract, IdSecret};
use horizon_store::{
    CrossError, Crossing, CursorMove, CursorName, LogName, Position, PublicStreamName, ReadLimit,
    Selection, Store, StoreError,
};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::commands::Failure;
use crate::contract_changes::ChangeError;
use crate::patience::patiently;
use crate::status::Status;
pub(crate) use begin::{Timed, find_timed};
use member::Member;
pub(crate) use orders::CrossingOrder;
use orders::Job;
use pass::{Batch, Halt, Pass, Setting};
pub(crate) use skipping::NotSkipped;
pub(crate) use skips::{Skipped, read as read_skips};

/// Most records of one pass.
const PASS_LIMIT_RECORDS: usize = 1_024;
/// Bytes of records after which a pass ends.
const PASS_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Records of a pass up to which it takes no thread of its own.
const SMALL_PASS_RECORDS: usize = 64;
/// Public events and parked entries of one record, above which the other contracts of the pass go into a record of their own. One
/// contract adds at most a pass's worth, so that a record stays below the store's limits of 100,000 entries and 64 MiB.
const CROSSING_LIMIT_ENTRIES: usize = 10_000;
/// Bytes of public events of one record, likewise.
const CROSSING_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Why the crossing cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrossingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the public log refused a crossing: {0}")]
    Refused(CrossError),
    #[error("{0}")]
    Name(#[from] horizon_store::NameError),
    #[error(
        "public stream {0} has no sequence left in its epoch\n  = mend: stop the daemon and run `horizon new-epoch`"
    )]
    Full(PublicStreamName),
    #[error(
        "{stream} starts at position {position}, and the log ends at {head}\n  = mend: name a position of the log, or write `start: now`"
    )]
    BeyondHead {
        stream: PublicStreamName,
        position: Position,
        head: Position,
    },
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<CrossingError> for Failure {
    fn from(error: CrossingError) -> Failure {
        match error {
            CrossingError::Change(error) => error.into(),
            error @ CrossingError::BeyondHead { .. } => Failure::Mend(error.to_string()),
            error => Failure::Failed(error.to_string()),
        }
    }
}

/// The crossing task's state.
pub(crate) struct Crosser {
    store: Store,
    log: LogName,
    secret: IdSecret,
    members: Vec<Member>,
    status: Arc<Status>,
    /// Orders about parked keys that are being carried out, each a batch in its turn.
    jobs: VecDeque<Job>,
}

/// The name of a contract's crossing cursor.
pub(crate) fn cursor_name(
    stream: &PublicStreamName,
) -> Result<CursorName, horizon_store::NameError> {
    CursorName::new(&format!("crossing/{stream}"))
}

/// How far a contract has crossed; the beginning, if it has never crossed.
pub(crate) async fn cursor_of(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
) -> Result<Position, StoreError> {
    let Ok(name) = cursor_name(stream) else {
        return Ok(Position::ZERO);
    };
    let cursor = store.crossing_cursor(log, &name).await?;
    Ok(cursor.unwrap_or(Position::ZERO))
}

impl Crosser {
    /// Finds out how far each contract is; a new one begins where its `start` says.
    pub(crate) async fn restore(
        store: Store,
        log: LogName,
        contracts: &[Arc<Contract>],
        secret: IdSecret,
        status: Arc<Status>,
    ) -> Result<Crosser, CrossingError> {
        Ok(Crosser {
            members: Member::restore_all(&store, &log, contracts.iter(), &Timed::new()).await?,
            store,
            log,
            secret,
            status,
            jobs: VecDeque::new(),
        })
    }

    /// Crosses, and carries out orders between two passes, until told to stop. Ends early only when the store fails.
    pub(crate) async fn run(
        mut self,
        mut orders: mpsc::Receiver<CrossingOrder>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), CrossingError> {
        let mut head = self.store.watch_log(&self.log).await?;
        loop {
            while let Ok(order) = orders.try_recv() {
                // What is read or written for it may take long.
                tokio::select! {
                    () = self.take(order) => {}
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
            }
            tokio::select! {
                done = self.carry_out() => done?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
            let durable = *head.borrow_and_update();
            let groups = self.groups(durable);
            if groups.is_empty() && self.jobs.is_empty() {
                let order = tokio::select! {
                    changed = head.changed() => if changed.is_err() { return Ok(()) } else { None },
                    Some(order) = orders.recv() => Some(order),
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                };
                if let Some(order) = order {
                    tokio::select! {
                        () = self.take(order) => {}
                        _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    }
                }
                continue;
            }
            for (cursor, group) in groups {
                if *stop.borrow() {
                    return Ok(());
                }
                // The store may ask to try again for long, while the disk is low. A record is written whole or not at all, and
                // what a dropped pass had decided is decided again after a restart.
                tokio::select! {
                    done = self.step(cursor, &group) => done?,
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
            }
        }
    }

    /// The members that have something to read, by cursor: each group shares a pass. Every group gets its turn in each round, so
    /// a contract that catches up and the live ones do not starve each other.
    fn groups(&self, durable: Position) -> Vec<(Position, Vec<usize>)> {
        let mut groups: Vec<(Position, Vec<usize>)> = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            if member.halt.is_some() || member.cursor >= durable {
                continue;
            }
            match groups
                .iter_mut()
                .find(|(cursor, _)| *cursor == member.cursor)
            {
                Some((_, group)) => group.push(index),
                None => groups.push((member.cursor, vec![index])),
            }
        }
        groups
    }

    /// One batch through one group's contracts, and into the store.
    async fn step(&mut self, cursor: Position, group: &[usize]) -> Result<(), CrossingError> {
        let limit = ReadLimit {
            records: PASS_LIMIT_RECORDS,
            bytes: PASS_LIMIT_BYTES,
        };
        let page = patiently("reading the log", || {
            self.store
                .read_log(&self.log, &Selection::All, cursor, limit)
        })
        .await?;
        // A cursor that others stand on further ahead is a place to meet, so that passes become shared.
        let meet = self
            .members
            .iter()
            .filter(|member| member.halt.is_none())
            .map(|member| member.cursor)
            .filter(|other| *other > cursor)
            .min();
        let through = meet.map_or(page.through, |meet| meet.min(page.through));
        let records: Vec<_> = page
            .records
            .into_iter()
            .take_while(|record| record.position() <= through)
            .collect();
        let setting = Setting {
            secret: &self.secret,
            now_ms: clock::now_ms(),
        };
        let mut run = || {
            let batch = Batch::of(&records, through);
            let mut passes = Vec::with_capacity(group.len());
            for &index in group {
                if let Some(member) = self.members.get_mut(index) {
                    let pass = pass::run(
                        &member.contract,
                        &member.stream,
                        &batch,
                        cursor,
                        &mut member.parked,
                        &member.skips,
                        &setting,
                    );
                    passes.push((index, pass));
                }
            }
            passes
        };
        // Others run meanwhile on this thread's place; for little it is not worth the change of threads.
        let passes = match records.len() > SMALL_PASS_RECORDS {
            true => tokio::task::block_in_place(run),
            false => run(),
        };
        let mut crossing = Crossing::default();
        let mut halted = Vec::new();
        for (index, mut pass) in passes {
            halted.extend(pass.halt.take().map(|halt| (index, halt)));
            self.add(index, pass, page.head, &mut crossing).await?;
            // Cursors are the contracts' own, so a large pass may be written in parts.
            let bytes: usize = crossing.public.iter().map(|event| event.event.len()).sum();
            if crossing.public.len() + crossing.parked.len() >= CROSSING_LIMIT_ENTRIES
                || bytes >= CROSSING_LIMIT_BYTES
            {
                self.write(std::mem::take(&mut crossing)).await?;
            }
        }
        self.write(crossing).await?;
        for (index, halt) in halted {
            self.halt(index, halt);
        }
        Ok(())
    }

    /// A contract halts: where its cursor is, everything before that is written.
    fn halt(&mut self, index: usize, halt: Halt) {
        if let Some(member) = self.members.get_mut(index) {
            let reason = halt.told(&member.stream);
            tracing::error!(contract = %member.stream, reason, "the contract halts; the others go on");
            self.status.halted(member.stream.as_str(), &reason);
            member.halt = Some(halt);
        }
    }

    /// Writes what was decided; one record, all or nothing.
    async fn write(&self, crossing: Crossing) -> Result<(), CrossingError> {
        if crossing.cursors.is_empty() && crossing.resolved.is_empty() {
            return Ok(());
        }
        let cross = || self.store.cross(&self.log, crossing.clone());
        patiently("writing a crossing", cross)
            .await
            .map_err(|error| match error {
                CrossError::Unavailable(error) => CrossingError::Store(error),
                error => CrossingError::Refused(error),
            })
    }

    /// Gives a pass's events their sequences and adds it to the crossing. Sequences are of the epoch of the log's `head`.
    async fn add(
        &mut self,
        index: usize,
        pass: Pass,
        head: Position,
        crossing: &mut Crossing,
    ) -> Result<(), CrossingError> {
        let Some(member) = self.members.get_mut(index) else {
            return Ok(());
        };
        member
            .seal(&self.store, &self.log, pass.crossed, head, crossing)
            .await?;
        for entry in pass.parked.iter().filter(|entry| entry.reason.is_some()) {
            tracing::warn!(contract = %member.stream, position = entry.at, "an event violates its public schema; its key is parked");
        }
        if pass.through > member.cursor {
            let name = member.cursor_name.clone();
            crossing.cursors.push(CursorMove {
                cursor: name,
                expected: member.cursor,
                to: pass.through,
            });
            crossing.parked.extend(pass.parked);
            crossing.counts.push((member.stream.clone(), pass.counts));
            member.cursor = pass.through;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
