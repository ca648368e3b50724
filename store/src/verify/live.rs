//! Verifying a store while it is in use: a page at a time, and as long a rest after each as it took.
//!
//! It looks at the records and public events up to where the logs ended when it began, and at their entries in the
//! indexes. What is overwritten while it runs (cursors, heads, parked entries) it does not hold against them, and
//! it does not look for entries that are of nothing: that takes a stopped store, or a backup.

use std::ops::ControlFlow;
use std::time::Instant;

use super::log::LogCheck;
use super::public::public_event;
use super::{Checker, Mend, Told, Verified};
use crate::codec::Flaw;
use crate::database::Database;
use crate::error::StoreError;
use crate::heads::{KnownLog, LiveLog};
use crate::keys::{self, Family, LogId};
use crate::names::PublicStreamName;
use crate::place::{Position, Sequence};
use crate::reading::follows;
use crate::store::{Inner, Store};

/// How many records are looked at in one go.
const PAGE_RECORDS: usize = 512;

/// What goes from page to page.
struct Running {
    verified: Verified,
    total: u64,
    told: Told,
}

impl Store {
    /// Verifies records, public events and their index entries up to where the logs end now, beside everybody else:
    /// it takes at most half of the time of one thread. Dropped, it stops after the page that it is at. `told` is called
    /// now and then with how many records were read, and how many there are.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Closed`]. What is wrong with the content is no error, but in the answer.
    pub async fn verify_live(
        &self,
        told: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Verified, StoreError> {
        let logs = self.heads()?.all(KnownLog::live);
        let total = logs.iter().map(|log| log.records).sum();
        let mut running = Running {
            verified: Verified::default(),
            total,
            told: Box::new(told),
        };
        for LiveLog {
            id, head, public, ..
        } in logs
        {
            let mut check = LogCheck::new(id);
            loop {
                let (looked, more) = self.log_page(running, check, head).await?;
                (running, check) = looked;
                if !more {
                    break;
                }
            }
            for (stream, head) in public {
                let mut after = Sequence::ZERO;
                while after < head {
                    let (looked, through) = self
                        .public_page(running, id, stream.clone(), after, head)
                        .await?;
                    running = looked;
                    after = through;
                }
            }
            running.verified.logs += 1;
        }
        (running.told)(total, total);
        Ok(running.verified)
    }

    /// The next records of a log; tells whether there are more.
    async fn log_page(
        &self,
        running: Running,
        mut check: LogCheck,
        head: Position,
    ) -> Result<((Running, LogCheck), bool), StoreError> {
        self.page(running, move |checker| {
            let count = check.page(checker, PAGE_RECORDS, Some(head))?;
            let more = count == PAGE_RECORDS && check.through < head;
            if !more && check.through < head {
                let key = keys::log_record(check.log, head);
                let problem = format!("the records after position {} are missing", check.through);
                checker.found_at(&key.bytes, problem, Mend::Record);
            }
            Ok((check, more))
        })
        .await
        .map(|(running, (check, more))| ((running, check), more))
    }

    /// The next events of a public stream; tells up to where.
    async fn public_page(
        &self,
        running: Running,
        log: LogId,
        stream: PublicStreamName,
        after: Sequence,
        head: Sequence,
    ) -> Result<(Running, Sequence), StoreError> {
        self.page(running, move |checker| {
            let from = Sequence::new(after.get().saturating_add(1));
            let from = keys::public_record(log, &stream, from).bytes;
            let all = keys::all_of(Family::PublicRecord, log).bytes;
            let (mut through, mut events) = (after, Vec::new());
            let prefix = keys::public_records(log, &stream);
            checker.walk(&prefix, &from, Mend::Record, |checker, key, body| {
                let sequence =
                    keys::last_number(key).ok_or(Flaw::Content("the key has no sequence"))?;
                let sequence = Sequence::new(sequence);
                if sequence > head || events.len() == PAGE_RECORDS {
                    return Ok(ControlFlow::Break(()));
                }
                if !follows(Position::new(through.get()), Position::new(sequence.get())) {
                    let problem = format!("the public events after sequence {through} are missing");
                    checker.found_at(key, problem, Mend::Record);
                }
                through = sequence;
                events.push(public_event(key, &all, body)?);
                checker.verified.public_events += 1;
                Ok(ControlFlow::Continue(()))
            })?;
            let full = events.len() == PAGE_RECORDS;
            checker.look_up_public(log, events)?;
            if !full && through < head {
                let key = keys::public_record(log, &stream, head);
                let problem = format!("the public events after sequence {through} are missing");
                checker.found_at(&key.bytes, problem, Mend::Record);
                through = head;
            }
            Ok(through)
        })
        .await
    }

    /// One page, and a rest after it.
    async fn page<T: Send + 'static>(
        &self,
        running: Running,
        look: impl FnOnce(&mut Checker<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<(Running, T), StoreError> {
        let began = Instant::now();
        let looked = self
            .read(move |inner: &Inner, database: &Database| {
                let mut checker = Checker {
                    database,
                    secrets: &inner.secrets,
                    verified: running.verified,
                    total: running.total,
                    told: running.told,
                };
                let looked = look(&mut checker)?;
                let Checker {
                    verified,
                    total,
                    told,
                    ..
                } = checker;
                let running = Running {
                    verified,
                    total,
                    told,
                };
                Ok((running, looked))
            })
            .await?;
        tokio::time::sleep(began.elapsed()).await;
        Ok(looked)
    }
}
