//! One contract on its way along the log, and the only place where public events are made.

use std::collections::BTreeSet;
use std::sync::Arc;

use horizon_schemas::{Contract, Crossed};
use horizon_store::{
    Crossing, CursorMove, CursorName, LogName, NewPublicEvent, ParkScope, Position,
    PublicStreamName, Sequence, Store,
};

use super::begin::{Timed, begin};
use super::parked::ParkedKeys;
use super::pass::Halt;
use super::previous::PreviousSequences;
use super::skips::{self, Skipped};
use super::{CrossingError, cursor_name};

/// One contract and how far it is.
pub(super) struct Member {
    pub(super) contract: Arc<Contract>,
    pub(super) stream: PublicStreamName,
    pub(super) cursor_name: CursorName,
    pub(super) cursor: Position,
    pub(super) last: Sequence,
    pub(super) parked: ParkedKeys,
    previous: PreviousSequences,
    /// Events ahead of the cursor that an operator has given up.
    pub(super) skips: BTreeSet<Position>,
    /// Why it cannot go on, if it has halted.
    pub(super) halt: Option<Halt>,
}

impl Member {
    /// Finds out how far contracts are; new ones begin where their `start` says. That is written down at once, because the log's
    /// head is another one after a restart; in one record, and only when all of them can begin: where one cannot, all may still
    /// begin elsewhere. Those of `timed` need not be looked for.
    pub(super) async fn restore_all(
        store: &Store,
        log: &LogName,
        contracts: impl Iterator<Item = &Arc<Contract>>,
        timed: &Timed,
    ) -> Result<Vec<Member>, CrossingError> {
        let (mut members, mut cursors) = (Vec::new(), Vec::new());
        let skipped = skips::read(store, log).await?;
        for contract in contracts {
            let restored = Member::restore(store, log, contract, timed, &skipped).await;
            let (member, beginning) = restored?;
            members.push(member);
            cursors.extend(beginning);
        }
        if !cursors.is_empty() {
            let crossing = Crossing {
                cursors,
                ..Crossing::default()
            };
            let crossed = store.cross(log, crossing).await;
            crossed.map_err(CrossingError::Refused)?;
        }
        Ok(members)
    }

    /// How far a contract is, and what is to be written down of where a new one begins.
    async fn restore(
        store: &Store,
        log: &LogName,
        contract: &Arc<Contract>,
        timed: &Timed,
        skipped: &[Skipped],
    ) -> Result<(Member, Option<CursorMove>), CrossingError> {
        let stream = PublicStreamName::new(&contract.public_stream())?;
        let cursor_name = cursor_name(&stream)?;
        let mut beginning = None;
        let cursor = match store.crossing_cursor(log, &cursor_name).await? {
            Some(cursor) => cursor,
            None => {
                let to = begin(store, log, contract, &stream, timed).await?;
                beginning = (to > Position::ZERO).then(|| CursorMove {
                    cursor: cursor_name.clone(),
                    expected: Position::ZERO,
                    to,
                });
                to
            }
        };
        let last = store
            .public_head(log, &stream)
            .await?
            .map_or(Sequence::ZERO, |head| head.last);
        let scope = ParkScope::Crossing(stream.clone());
        let parked = ParkedKeys::read(store, log, &scope).await?;
        let skips = skipped.iter();
        let skips = skips.filter_map(|one| one.ahead_of(&stream, cursor));
        let member = Member {
            contract: Arc::clone(contract),
            skips: skips.collect(),
            stream,
            cursor_name,
            cursor,
            last,
            parked,
            previous: PreviousSequences::default(),
            halt: None,
        };
        Ok((member, beginning))
    }

    /// Gives events that crossed their sequences, in this order, and adds them to the crossing. Sequences are of the epoch of the
    /// log's `head`.
    pub(super) async fn seal(
        &mut self,
        store: &Store,
        log: &LogName,
        all: Vec<(Position, Box<Crossed>)>,
        head: Position,
        crossing: &mut Crossing,
    ) -> Result<(), CrossingError> {
        self.previous.fetch(store, log, &self.stream, &all).await?;
        for (origin, crossed) in all {
            let sequence = self
                .last
                .following(head)
                .ok_or_else(|| CrossingError::Full(self.stream.clone()))?;
            let previous = self
                .previous
                .advance(crossed.key(), crossed.event_type(), sequence);
            let event = crossed.seal(sequence.get(), previous.get());
            crossing.public.push(NewPublicEvent {
                stream: self.stream.clone(),
                sequence,
                origin,
                contract_version: self.contract.version().to_owned(),
                event_type: event.event_type().to_owned(),
                name: event.name().to_owned(),
                id: event.id().to_owned(),
                key: event.key().to_owned(),
                event: event.bytes().to_vec().into(),
            });
            self.last = sequence;
        }
        Ok(())
    }
}
