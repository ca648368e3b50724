//! Whether a place that a reader goes on from is one of this history.
//!
//! Positions and sequences are never used twice, but a restore forgets some: who has read those must be told, and not be led on as if
//! nothing had happened.

use axum::http::StatusCode;
use horizon_store::{Position, PublicStreamName, ReadLimit, Selection, Sequence};

use super::Private;
use super::problem::Problem;
use super::public::Public;
use super::refusals::unavailable;
use crate::stored::public_at;

/// Refuses a position that the log has not.
pub(super) async fn known_position(state: &Private, after: Position) -> Result<(), Problem> {
    let (store, log) = (&state.store, &state.log);
    let head = store.head(log).await.map_err(unavailable)?;
    // What is before the first of an epoch is where a log stands that has nothing in it.
    if after == Position::ZERO || after == head {
        return Ok(());
    }
    if after < head {
        let before = Position::new(after.get() - 1);
        let one = ReadLimit {
            records: 1,
            bytes: 1,
        };
        let read = store.read_log(log, &Selection::All, before, one).await;
        match read {
            Ok(page)
                if page
                    .records
                    .first()
                    .is_some_and(|one| one.position() == after) =>
            {
                return Ok(());
            }
            // Before what is between two epochs there is no position to read after.
            Ok(_) | Err(horizon_store::StoreError::Damaged { .. }) => {}
            Err(error) => return Err(unavailable(error)),
        }
    }
    let epochs = store.epochs(log).await.map_err(unavailable)?;
    // Everything up to there is the same in both histories.
    let common = epochs
        .iter()
        .filter(|epoch| epoch.first > after || epoch.first.epoch() > after.epoch())
        .map(|epoch| epoch.after)
        .min()
        .unwrap_or(head);
    Err(another("position", after.get(), head.get(), common.get()))
}

/// Refuses a sequence that the public stream has not.
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
    if after < head {
        match public_at(store, log, stream, after).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) | Err(horizon_store::StoreError::Damaged { .. }) => {}
            Err(error) => return Err(unavailable(error)),
        }
    }
    let one = ReadLimit {
        records: 1,
        bytes: 1,
    };
    let before = store
        .read_public_back(log, stream, after.min(Sequence::END), one)
        .await;
    let common = before
        .map_err(unavailable)?
        .events
        .first()
        .map(|one| one.sequence);
    let common = common.unwrap_or_default();
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
