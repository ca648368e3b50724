//! The log of private events: its records, and whether each has its entries in the indexes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::index::{Expected, Index, Said};
use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::database::damaged;
use crate::epoch::{self, EpochBody};
use crate::error::StoreError;
use crate::event::Record;
use crate::keys::{self, Key, LogId};
use crate::place::Position;
use crate::reading::follows;
use crate::record::{self, Pool};
use crate::state::LogHead;

/// How many records are looked up in the indexes at a time.
const LOOK_UP: usize = 128;

/// How far a log was looked at.
pub(super) struct LogCheck {
    pub(super) log: LogId,
    pub(super) through: Position,
    /// Where the epochs before ended.
    ends: Vec<Position>,
    /// What the next event of the commit under way must be: its place, and how many there are.
    commit: Option<(u32, u32)>,
    events: u64,
    expected: Expected,
}

impl LogCheck {
    pub(super) fn new(log: LogId) -> Self {
        Self {
            log,
            through: Position::ZERO,
            ends: Vec::new(),
            commit: None,
            events: 0,
            expected: Expected::default(),
        }
    }

    /// How many entries each index must have.
    pub(super) fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Whether a position is one of the log's.
    pub(super) fn has(&self, position: Position) -> bool {
        let mut ends = self.ends.iter().chain([&self.through]);
        position.offset() > 0 && ends.any(|end| end.epoch() == position.epoch() && *end >= position)
    }

    /// Looks at the next records, at most so many, and none beyond the head if it is given. Tells how many those were.
    pub(super) fn page(
        &mut self,
        checker: &mut Checker<'_>,
        most: usize,
        head: Option<Position>,
    ) -> Result<usize, StoreError> {
        let log = self.log;
        let from = keys::log_record(log, Position::new(self.through.get().saturating_add(1))).bytes;
        let (mut count, mut waiting, mut failed) = (0, Vec::new(), None);
        let mut pool = Pool::default();
        checker.walk(
            &keys::log_records(log),
            &from,
            Mend::Record,
            |checker, key, body| {
                let position = keys::last_number(key)
                    .filter(|_| key.len() == from.len())
                    .map(Position::new)
                    .ok_or(Flaw::Content("the key has no position"))?;
                if head.is_some_and(|head| position > head) {
                    return Ok(ControlFlow::Break(()));
                }
                let record = record::decode(position, body, &mut pool)?;
                self.record(checker, key, &record);
                waiting.push(record);
                count += 1;
                if waiting.len() == LOOK_UP
                    && let Err(error) = self.look_up(checker, std::mem::take(&mut waiting))
                {
                    failed = Some(error);
                }
                Ok(if failed.is_some() || count >= most {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            },
        )?;
        match failed {
            Some(error) => Err(error),
            None => self.look_up(checker, waiting).map(|()| count),
        }
    }

    /// Whether a record is where it must be.
    fn record(&mut self, checker: &mut Checker<'_>, key: &[u8], record: &Record) {
        let position = record.position();
        let opens = matches!(record, Record::System { kind, .. } if kind == epoch::KIND);
        let first = self.through == Position::ZERO && position.offset() == 1;
        if !first && !follows(self.through, position) {
            let problem = format!("the records after position {} are missing", self.through);
            checker.found_at(key, problem, Mend::Record);
        } else if !first && opens != (position.epoch() > self.through.epoch()) {
            let problem =
                "an epoch begins without its record, or its record is not where one begins";
            checker.found_at(key, problem, Mend::Record);
        }
        if let Record::System { body, .. } = record
            && opens
        {
            match EpochBody::decode(body) {
                Ok(body) if body.after == self.through => {}
                Ok(body) => {
                    let (after, through) = (body.after, self.through);
                    let problem =
                        format!("the log ended at {after} before, and ends at {through} now");
                    checker.found_at(key, problem, Mend::Record);
                }
                Err(flaw) => checker.found_at(key, flaw.to_string(), Mend::Record),
            }
        }
        if position.epoch() > self.through.epoch() && self.through > Position::ZERO {
            self.ends.push(self.through);
        }
        self.through = position;
        self.commit(checker, key, record);
    }

    /// Whether commits are whole.
    fn commit(&mut self, checker: &mut Checker<'_>, key: &[u8], record: &Record) {
        let place = match record {
            Record::Event(event) => Some((event.commit_index, event.commit_len)),
            // A marker keeps the place of an event, and does not tell which.
            Record::Marker { .. } => {
                self.commit = None;
                return;
            }
            Record::System { .. } => None,
        };
        let fits = match (self.commit, place) {
            (None, None) => true,
            (None, Some((index, length))) => index == 0 && length > 0,
            (Some(expected), Some(place)) => expected == place,
            (Some(_), None) => false,
        };
        if !fits {
            checker.found_at(key, "a commit is not whole here", Mend::Record);
        }
        self.commit = place
            .map(|(index, length)| (index.saturating_add(1), length))
            .filter(|(next, length)| next < length);
        if place.is_some() {
            self.events += 1;
            checker.verified.events += 1;
        }
    }

    /// Whether records have their entries in the indexes.
    fn look_up(
        &mut self,
        checker: &mut Checker<'_>,
        records: Vec<Record>,
    ) -> Result<(), StoreError> {
        let mut entries: [BTreeMap<Vec<u8>, Entry>; 4] = Default::default();
        for record in records {
            let position = record.position();
            for (index, key, said) in Index::entries(record, self.log, checker.secrets) {
                self.expected.add(index);
                if let Some(entries) = entries.get_mut(index as usize) {
                    let entry = entries.entry(key.bytes.clone()).or_insert_with(|| Entry {
                        key,
                        said: Vec::new(),
                    });
                    entry.said.push((position, said));
                }
            }
        }
        for (index, entries) in Index::ALL.into_iter().zip(entries) {
            let entries: Vec<_> = entries.into_values().collect();
            let sought: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
            let found = checker
                .database
                .get_each(&sought, |body| Ok(body.to_vec()))?;
            for (entry, found) in entries.iter().zip(found) {
                match found {
                    Ok(body) => entry.check(checker, index, body.as_deref()),
                    Err(error) => checker.take(error, Mend::Derived)?,
                }
            }
        }
        Ok(())
    }

    /// When all records were looked at: the last commit, and the head.
    pub(super) fn end(&mut self, checker: &mut Checker<'_>, epoch: u64) -> Result<(), StoreError> {
        let last = keys::log_record(self.log, self.through);
        if self.commit.is_some() {
            checker.found_at(&last.bytes, "the last commit is not whole", Mend::Record);
        }
        let key = keys::log_head(self.log);
        let head = checker.database.get(&key, LogHead::decode);
        let found = LogHead {
            last: self.through,
            events: self.events,
        };
        let problem = match checker.looked_up(head, Mend::Record)? {
            Some(head) if head != found => format!(
                "it says that the log has {} events and ends at {}, and it has {} and ends at {}",
                head.events, head.last, found.events, found.last
            ),
            None => "it is missing".into(),
            Some(_) if self.through.epoch() != epoch => {
                format!("the log is in another epoch than the store, which is in {epoch}")
            }
            Some(_) => return Ok(()),
        };
        checker.take(damaged(&key.bytes, &problem), Mend::Record)
    }
}

/// An entry of an index, and what it must say.
struct Entry {
    key: Key,
    said: Vec<(Position, Said)>,
}

impl Entry {
    fn check(&self, checker: &mut Checker<'_>, index: Index, body: Option<&[u8]>) {
        for (position, said) in &self.said {
            let problem = match body.map(|body| said.by(body)) {
                Some(Ok(true)) => continue,
                Some(Ok(false)) => "does not tell of it".to_owned(),
                Some(Err(flaw)) => flaw.to_string(),
                None => "is missing".to_owned(),
            };
            let problem = format!(
                "the entry for position {position} in the {} index: {problem}",
                index.name()
            );
            checker.found_at(&self.key.bytes, problem, Mend::Derived);
        }
    }
}
