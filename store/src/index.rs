//! The indexes of a log: which positions a stream, a category, an event type or a kind of system record has.
//!
//! Entries are lists (`run.rs`, `block.rs`), so that there are few of them: to write, to keep and to walk over. Whoever
//! reads them fetches the records after.

pub(crate) mod block;
pub(crate) mod run;
pub(crate) mod tails;

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::{Database, Reach};
use crate::error::StoreError;
use crate::keys::{self, Indexed, LogId};
use crate::names::StreamName;
use crate::place::{Position, Revision};
use block::{Block, block_of};
use run::{RUN, Tail, run_of};

/// Positions that an index has, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) positions: Vec<Position>,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl Found {
    /// Takes what fits; breaks once there is one too many.
    fn take(&mut self, positions: impl Iterator<Item = Position>, most: usize) -> ControlFlow<()> {
        for position in positions {
            if self.positions.len() == most {
                self.more = true;
                return ControlFlow::Break(());
            }
            self.positions.push(position);
        }
        ControlFlow::Continue(())
    }
}

/// A stream's positions, from a revision on.
pub(crate) fn stream(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    from: Revision,
    most: usize,
) -> Result<Found, StoreError> {
    let from = from.get().max(1);
    let mut next = run_of(Revision::new(from));
    let mut found = Found::default();
    let runs = keys::stream_revisions(log, stream.as_str());
    let start = keys::stream_index(log, stream.as_str(), next);
    database.scan(&runs, &start.bytes, |key, body| {
        let first = run_at(key)?;
        if first != next {
            return Err(Flaw::Content(
                "the run before it is missing, or is not whole",
            ));
        }
        let positions = run::decode(first, body)?;
        // Only the last run may be not whole: no other begins where it ends.
        next = Revision::new(first.get() + positions.len() as u64);
        let skip = from.saturating_sub(first.get()) as usize;
        Ok(found.take(positions.into_iter().skip(skip), most))
    })?;
    Ok(found)
}

/// A stream's positions, from a revision backwards.
pub(crate) fn stream_back(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    from: Revision,
    most: usize,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    if from == Revision::ZERO {
        return Ok(found);
    }
    let mut next = None;
    let runs = keys::stream_revisions(log, stream.as_str());
    let start = keys::stream_index(log, stream.as_str(), run_of(from));
    database.scan_back(&runs, &start.bytes, |key, body| {
        let first = run_at(key)?;
        if next.is_some_and(|next| next != first) {
            return Err(Flaw::Content("a run of the stream after it is missing"));
        }
        let mut positions = run::decode(first, body)?;
        if next.is_some() && positions.len() as u64 != RUN {
            return Err(Flaw::Content("it is not whole, and another run follows"));
        }
        next = first.get().checked_sub(RUN).map(Revision::new);
        positions.truncate((from.get() - first.get()).saturating_add(1) as usize);
        Ok(found.take(positions.into_iter().rev(), most))
    })?;
    Ok(found)
}

fn run_at(key: &[u8]) -> Result<Revision, Flaw> {
    keys::last_number(key)
        .map(Revision::new)
        .ok_or(Flaw::Content("the key has no revision"))
}

/// A stream's last run; none if the stream does not exist.
///
/// `believed` is what somebody takes for its revision. If that, or else what is remembered, is right or was so until lately, a long
/// stream costs hardly more than a short one.
pub(crate) fn tail(
    database: &Database,
    reach: Reach,
    log: LogId,
    stream: &StreamName,
    believed: Option<Revision>,
) -> Result<Option<Tail>, StoreError> {
    let believed = believed
        .map(run_of)
        .filter(|believed| believed.get() > RUN)
        .or_else(|| database.tails.last_run(log, stream));
    let found = match believed {
        Some(first) => near(database, reach, log, stream, first)?,
        None => Near::Nothing,
    };
    let found = match found {
        // Most streams have one run: the filters tell a new stream, and one look-up any other.
        Near::Nothing => near(database, reach, log, stream, Revision::new(1))?,
        found => found,
    };
    match found {
        Near::Nothing => Ok(None),
        Near::Last(tail) => Ok(Some(tail)),
        Near::Further => {
            let runs = keys::stream_revisions(log, stream.as_str());
            database.last(reach, &runs, |key, body| Tail::resume(run_at(key)?, body))
        }
    }
}

/// What is found where a stream may end.
enum Near {
    /// No run.
    Nothing,
    /// The last one: the one there, or the next.
    Last(Tail),
    /// The stream goes on, or ends at a whole run: its end is to be looked for.
    Further,
}

/// Looks for a stream's last run at one of its runs, and at the next.
fn near(
    database: &Database,
    reach: Reach,
    log: LogId,
    stream: &StreamName,
    first: Revision,
) -> Result<Near, StoreError> {
    let run = |first| {
        let key = keys::stream_index(log, stream.as_str(), first);
        database.get_in(reach, &key, |body| Tail::resume(first, body))
    };
    // Only the last run is not whole: one that is not says all.
    let is_last = |tail: &Tail| !tail.revision.get().is_multiple_of(RUN);
    let Some(there) = run(first)? else {
        return Ok(Near::Nothing);
    };
    if is_last(&there) {
        return Ok(Near::Last(there));
    }
    let next = run(Revision::new(first.get().saturating_add(RUN)))?;
    // Without a next one the stream may end here; or that one is missing, and others are not.
    Ok(next.filter(is_last).map_or(Near::Further, Near::Last))
}

/// Positions after one, up to another.
pub(crate) fn after(
    database: &Database,
    log: LogId,
    of: Indexed<'_>,
    after: Position,
    up_to: Position,
    most: usize,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let from = Position::new(after.get().saturating_add(1));
    let start = keys::block(log, of, block_of(from)).bytes;
    database.scan(&keys::blocks(log, of), &start, |key, body| {
        let first = block_at(key)?;
        let positions = Block::decode(body)?.positions(first);
        let go_on = found.take(
            positions.filter(|position| *position > after && *position <= up_to),
            most,
        );
        let last = first > up_to;
        Ok(if last { ControlFlow::Break(()) } else { go_on })
    })?;
    Ok(found)
}

/// Positions before one, backwards.
pub(crate) fn before(
    database: &Database,
    log: LogId,
    of: Indexed<'_>,
    before: Position,
    most: usize,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let start = keys::block(log, of, block_of(before)).bytes;
    database.scan_back(&keys::blocks(log, of), &start, |key, body| {
        let positions = Block::decode(body)?.positions(block_at(key)?);
        let positions = positions.rev().filter(|position| *position < before);
        Ok(found.take(positions, most))
    })?;
    Ok(found)
}

fn block_at(key: &[u8]) -> Result<Position, Flaw> {
    let first = keys::last_number(key).map(Position::new);
    first
        .filter(|first| block_of(*first) == *first)
        .ok_or(Flaw::Content("the key has no first position of a block"))
}
