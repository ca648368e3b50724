//! Where a new contract begins in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use horizon_schemas::{Contract, Start};
use horizon_store::{LogName, Position, PublicStreamName, ReadLimit, Record, Selection, Store};

use super::{CrossingError, PASS_LIMIT_BYTES, PASS_LIMIT_RECORDS, cursor_name};
use crate::patience::patiently;

/// Where contracts begin that begin at a time, by public stream.
pub(crate) type Timed = BTreeMap<String, Position>;

/// Finds where the new ones among the contracts begin that begin at a time. That may be far to look for, and the crossing need not
/// wait for it.
pub(crate) async fn find_timed(
    store: &Store,
    log: &LogName,
    contracts: &[Arc<Contract>],
) -> Result<Timed, CrossingError> {
    let mut timed = Timed::new();
    for contract in contracts {
        let Start::Time(time_ms) = contract.start() else {
            continue;
        };
        let stream = contract.public_stream();
        let cursor = cursor_name(&PublicStreamName::new(&stream)?)?;
        if store.crossing_cursor(log, &cursor).await?.is_none() {
            let found = recorded_from(store, log, contract.category(), time_ms).await?;
            timed.insert(stream, found);
        }
    }
    Ok(timed)
}

/// Where a new contract begins, unless it is among those found before; nothing is written.
pub(super) async fn begin(
    store: &Store,
    log: &LogName,
    contract: &Contract,
    stream: &PublicStreamName,
    timed: &Timed,
) -> Result<Position, CrossingError> {
    let to = match contract.start() {
        Start::Beginning => Position::ZERO,
        Start::Now => store.head(log).await?,
        Start::Position(position) => before(store, log, Position::new(position), stream).await?,
        Start::Time(time_ms) => match timed.get(stream.as_str()) {
            Some(found) => *found,
            None => recorded_from(store, log, contract.category(), time_ms).await?,
        },
    };
    // Before the first record of a log there is nothing to stand on.
    Ok(if to.offset() > 0 { to } else { Position::ZERO })
}

/// The position of the last record before `position`, which may be the last of an earlier epoch.
async fn before(
    store: &Store,
    log: &LogName,
    position: Position,
    stream: &PublicStreamName,
) -> Result<Position, CrossingError> {
    let head = store.head(log).await?;
    if position > head {
        return Err(CrossingError::BeyondHead {
            stream: stream.clone(),
            position,
            head,
        });
    }
    let one = ReadLimit {
        records: 1,
        ..ReadLimit::default()
    };
    let read = || store.read_log_back(log, &Selection::All, position, one);
    let page = patiently("reading the log", read).await?;
    Ok(page
        .records
        .first()
        .map_or(Position::ZERO, Record::position))
}

/// The position before the first event of the category, in the log's order, that was recorded at the time or later; the head where
/// there is none. A clock may have been set back, so every event before it is looked at.
async fn recorded_from(
    store: &Store,
    log: &LogName,
    category: &str,
    time_ms: u64,
) -> Result<Position, CrossingError> {
    let selection = Selection::Category(category.to_owned());
    let limit = ReadLimit {
        records: PASS_LIMIT_RECORDS,
        bytes: PASS_LIMIT_BYTES,
    };
    let mut after = Position::ZERO;
    loop {
        let read = || store.read_log(log, &selection, after, limit);
        let page = patiently("reading the log", read).await?;
        for record in &page.records {
            if let Record::Event(event) = record
                && event.recorded_ms >= time_ms
            {
                return Ok(after);
            }
            after = record.position();
        }
        if page.through >= page.head {
            return Ok(page.head);
        }
        after = page.through;
    }
}
