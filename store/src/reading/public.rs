//! A public stream.

use std::ops::ControlFlow;

use super::{Room, follows, reach};
use crate::codec::Flaw;
use crate::database::{Database, Reach, damaged};
use crate::error::StoreError;
use crate::keys::{self, LogId};
use crate::names::PublicStreamName;
use crate::page::{PublicPage, ReadLimit};
use crate::place::{Position, Sequence};
use crate::public::PublicEvent;
use crate::record;

pub(crate) fn public(
    database: &Database,
    reach: Reach,
    log: LogId,
    stream: &PublicStreamName,
    after: Sequence,
    head: Sequence,
    limit: ReadLimit,
) -> Result<PublicPage, StoreError> {
    let mut room = Room::new(limit);
    let mut events: Vec<PublicEvent> = Vec::new();
    let mut through = after;
    if after < head {
        let from =
            keys::public_record(log, stream, Sequence::new(after.get().saturating_add(1))).bytes;
        let prefix = keys::public_records(log, stream);
        database.scan_in(reach, &prefix, &from, |key, body| {
            let sequence = Sequence::new(
                keys::last_number(key).ok_or(Flaw::Content("the key has no sequence"))?,
            );
            if !follows(Position::new(through.get()), Position::new(sequence.get())) {
                return Err(Flaw::Content("a sequence before it is missing"));
            }
            events.push(record::decode_public(stream, sequence, body)?);
            through = sequence;
            let go_on = room.take(key.len() + body.len()) && sequence < head;
            Ok(if go_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        if through == after || (!room.is_full() && through < head) {
            let missing =
                keys::public_record(log, stream, Sequence::new(through.get().saturating_add(1)));
            return Err(damaged(&missing.bytes, "it is missing"));
        }
    }
    Ok(PublicPage { events, head })
}

pub(crate) fn public_back(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
    before: Sequence,
    head: Sequence,
    limit: ReadLimit,
) -> Result<PublicPage, StoreError> {
    let mut room = Room::new(limit);
    let mut events: Vec<PublicEvent> = Vec::new();
    let last = Sequence::new(before.get().saturating_sub(1)).min(head);
    if last > Sequence::ZERO {
        let from = keys::public_record(log, stream, last).bytes;
        let reach = reach(last.get(), head.get());
        // Without one above it, it is the head.
        let mut above = None;
        if before <= head {
            let start = keys::public_record(log, stream, before).bytes;
            let prefix = keys::public_records(log, stream);
            database.scan_in(reach, &prefix, &start, |key, _| {
                above = keys::last_number(key).map(Position::new);
                Ok(ControlFlow::Break(()))
            })?;
        }
        database.scan_back_in(
            reach,
            &keys::public_records(log, stream),
            &from,
            |key, body| {
                let sequence = Sequence::new(
                    keys::last_number(key).ok_or(Flaw::Content("the key has no sequence"))?,
                );
                let position = Position::new(sequence.get());
                if !above.map_or(sequence == head, |above| follows(position, above)) {
                    return Err(Flaw::Content("a sequence after it is missing"));
                }
                events.push(record::decode_public(stream, sequence, body)?);
                above = Some(position);
                Ok(if room.take(key.len() + body.len()) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            },
        )?;
    }
    Ok(PublicPage { events, head })
}
