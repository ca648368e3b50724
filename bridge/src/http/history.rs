//! Whether a place that a reader goes on from is one of this history.
//!
//! Positions and sequences are never used twice, but a restore forgets some: who has read those must be told, and not be led on as if
//! nothing had happened.

use axum::http::StatusCode;
use horizon_store::{Position, PublicStreamName, ReadLimit, Record, Selection, Sequence};

use super::Private;
use super::problem::Problem;
use super::public::Public;
use super::refusals::unavailable;

/// One record, of whatever size.
const ONE: ReadLimit = ReadLimit {
    records: 1,
    bytes: 1,
};

/// Refuses a position that the log has not. A place that cannot be read is the store's trouble, and no other history.
pub(super) async fn known_position(state: &Private, after: Position) -> Result<(), Problem> {
    let (store, log) = (&state.store, &state.log);
    let head = store.head(log).await.map_err(unavailable)?;
    // What is before the first of an epoch is where a log stands that has nothing in it.
    if after == Position::ZERO || after == head {
        return Ok(());
    }
    let behind = Position::new(after.get().saturating_add(1)).min(Position::END);
    let read = store.read_log_back(log, &Selection::All, behind, ONE).await;
    let records = read.map_err(unavailable)?.records;
    // Everything up to there is the same in both histories.
    let common = records.first().map_or(Position::ZERO, Record::position);
    if common == after {
        return Ok(());
    }
    Err(another("position", after.get(), head.get(), common.get()))
}

/// Refuses a sequence that the public stream has not; likewise.
pub(super) async fn known_sequence(
    state: &Public,
    stream: &PublicStreamName,
    after: Sequence,
) -> Result<(), Problem> {
    let (store, log) = (&state.store, &state.log);
    let head = store.public_head(log, stream).await.map_err(unavailable)?;
    let head = head.map_or(Sequence::ZERO, |head| head.last);
    if after == Sequence::ZERO || after == head {
        return Ok(());
    }
    let behind = Sequence::new(after.get().saturating_add(1)).min(Sequence::END);
    let read = store.read_public_back(log, stream, behind, ONE).await;
    let events = read.map_err(unavailable)?.events;
    let common = events.first().map_or(Sequence::ZERO, |one| one.sequence);
    if common == after {
        return Ok(());
    }
    Err(another("sequence", after.get(), head.get(), common.get()))
}

fn another(what: &str, after: u64, head: u64, common: u64) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "another-history",
        "this place is not in the history that is here",
    )
    .detail(format!(
        "there is no {what} {after}: the last one is {head}; events that were read behind {common} may have been undone by a restore"
    ))
    .mend(format!(
        "go on after {common}, and compare what comes with what you have; repeats have the same source and id"
    ))
    .with("after", after)
    .with("head", head)
    .with("resumeAfter", common)
}
