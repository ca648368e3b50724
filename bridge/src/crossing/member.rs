//! One contract on its way along the log, and the only place where public events are made.

use std::sync::Arc;

use horizon_schemas::{Contract, Crossed};
use horizon_store::{
    Crossing, CursorName, LogName, NewPublicEvent, ParkScope, Position, PublicStreamName, Sequence,
    Store,
};

use super::begin::begin;
use super::parked::ParkedKeys;
use super::previous::PreviousSequences;
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
    pub(super) halted: bool,
    /// It halted because too much is parked, and can go on when less is.
    pub(super) full: bool,
}

impl Member {
    /// Finds out how far a contract is; a new one begins where its `start` says.
    pub(super) async fn restore(
        store: &Store,
        log: &LogName,
        contract: &Arc<Contract>,
    ) -> Result<Member, CrossingError> {
        let stream = PublicStreamName::new(&contract.public_stream())?;
        let cursor_name = cursor_name(&stream)?;
        let cursor = match store.crossing_cursor(log, &cursor_name).await? {
            Some(cursor) => cursor,
            None => begin(store, log, contract, &stream, &cursor_name).await?,
        };
        let last = store
            .public_head(log, &stream)
            .await?
            .map_or(Sequence::ZERO, |head| head.last);
        let scope = ParkScope::Crossing(stream.clone());
        let parked = ParkedKeys::read(store, log, &scope).await?;
        Ok(Member {
            contract: Arc::clone(contract),
            stream,
            cursor_name,
            cursor,
            last,
            parked,
            previous: PreviousSequences::default(),
            halted: false,
            full: false,
        })
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
