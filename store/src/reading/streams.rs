//! The streams of a category, along the stream index: one seek for each stream, however many events it has.
//!
//! Category `account` owns the stream `account` and all that begin with `account-`. In the order of names others lie between the
//! two (`account!`), and behind them (`account2`).

use std::ops::ControlFlow;

use super::Room;
use crate::codec::Flaw;
use crate::database::Database;
use crate::error::StoreError;
use crate::index::run::Tail;
use crate::keys::{self, Key, LogId};
use crate::names::StreamName;
use crate::page::{ReadLimit, StreamHead, StreamsPage};
use crate::place::Revision;

pub(crate) fn streams(
    database: &Database,
    log: LogId,
    category: &str,
    after: Option<&StreamName>,
    limit: ReadLimit,
) -> Result<StreamsPage, StoreError> {
    let mut page = StreamsPage::default();
    // A category ends before the first hyphen.
    if category.contains('-') || category.contains(char::is_control) {
        return Ok(page);
    }
    let mut room = Room::new(limit);
    let ranges = [
        StreamName::new(category)
            .ok()
            .map(|name| keys::stream_revisions(log, name.as_str())),
        Some(keys::streams_from(log, &format!("{category}-"))),
    ];
    let all = keys::streams_from(log, "");
    let start = after.map(|after| keys::end_of(&keys::stream_revisions(log, after.as_str()).bytes));
    for range in ranges.into_iter().flatten() {
        let from = match &start {
            Some(start) if *start > range.bytes => start.clone(),
            _ => range.bytes.clone(),
        };
        if from < keys::end_of(&range.bytes) && !page.more {
            along(database, log, &all, &range, &from, &mut room, &mut page)?;
        }
    }
    Ok(page)
}

fn along(
    database: &Database,
    log: LogId,
    all: &Key,
    range: &Key,
    from: &[u8],
    room: &mut Room,
    page: &mut StreamsPage,
) -> Result<(), StoreError> {
    let name = |key: &[u8]| -> Result<StreamName, Flaw> {
        let (name, _) =
            keys::name_after(key, &all.bytes).ok_or(Flaw::Content("the key has no name"))?;
        StreamName::new(name).map_err(|_| Flaw::Content("the stream's name is none"))
    };
    database.skip_along(
        range,
        from,
        |first| {
            if keys::last_number(first) != Some(1) {
                return Err(Flaw::Content("the run before it is missing"));
            }
            Ok(keys::stream_index(log, name(first)?.as_str(), Revision::new(u64::MAX)).bytes)
        },
        |key, body| {
            if room.is_full() {
                page.more = true;
                return Ok(ControlFlow::Break(()));
            }
            let last = keys::last_number(key).ok_or(Flaw::Content("the key has no revision"))?;
            page.streams.push(StreamHead {
                stream: name(key)?,
                revision: Tail::resume(Revision::new(last), body)?.revision,
            });
            room.take(key.len() + body.len());
            Ok(ControlFlow::Continue(()))
        },
    )
}
