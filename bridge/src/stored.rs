//! One event at its place, as it is stored: none where something else stands there, or nothing.

use horizon_store::{
    Event, LogName, Position, PublicEvent, PublicStreamName, ReadLimit, Record, Selection,
    Sequence, Store, StoreError,
};

/// One record, however large.
const ONE: ReadLimit = ReadLimit {
    records: 1,
    bytes: usize::MAX,
};

/// The private event at a position.
pub(crate) async fn event_at(
    store: &Store,
    log: &LogName,
    at: Position,
) -> Result<Option<Event>, StoreError> {
    let before = Position::new(at.get().saturating_sub(1));
    let page = store.read_log(log, &Selection::All, before, ONE).await?;
    Ok(match page.records.into_iter().next() {
        Some(Record::Event(event)) if event.position == at => Some(event),
        _ => None,
    })
}

/// The public event at a sequence.
pub(crate) async fn public_at(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    at: Sequence,
) -> Result<Option<PublicEvent>, StoreError> {
    let before = Sequence::new(at.get().saturating_sub(1));
    let page = store.read_public(log, stream, before, ONE).await?;
    let found = page.events.into_iter().next();
    Ok(found.filter(|event| event.sequence == at))
}
