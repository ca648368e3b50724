//! One event, as it is stored: at its place, where none means that something else stands there or nothing, or the next one.

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
    let found = public_after(store, log, stream, before).await?;
    Ok(found.filter(|event| event.sequence == at))
}

/// The first public event after a sequence.
pub(crate) async fn public_after(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    after: Sequence,
) -> Result<Option<PublicEvent>, StoreError> {
    let page = store.read_public(log, stream, after, ONE).await?;
    Ok(page.events.into_iter().next())
}
