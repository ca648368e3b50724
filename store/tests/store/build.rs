//! Builders: short ways to say what a test is about.

use bytes::Bytes;
use horizon_store::{
    AttributeValue, Commit, Committed, EventStore, Expected, LogName, NewEvent, NewParked,
    NewPublicEvent, Options, ParkScope, Position, PublicStreamName, RelayName, Revision, Selection,
    Sequence, Store, StreamName, StreamWrite,
};
use tempfile::TempDir;

pub(crate) fn main_log() -> LogName {
    LogName::main()
}

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn public_stream(name: &str) -> PublicStreamName {
    PublicStreamName::new(name).unwrap()
}

pub(crate) fn relay(name: &str) -> RelayName {
    RelayName::new(name).unwrap()
}

pub(crate) fn event(id: &str) -> NewEvent {
    NewEvent {
        id: id.into(),
        source: Some("//test".into()),
        event_type: "Tested".into(),
        attributes: vec![(
            "time".into(),
            AttributeValue::Text("2026-01-01T00:00:00Z".into()),
        )],
        media_type: Some("application/json".into()),
        data: Some(Bytes::from(format!("{{\"id\":\"{id}\"}}"))),
        flagged: false,
    }
}

pub(crate) fn events(ids: &[&str]) -> Vec<NewEvent> {
    ids.iter().map(|id| event(id)).collect()
}

pub(crate) fn write(name: &str, expected: Expected, ids: &[&str]) -> StreamWrite {
    StreamWrite {
        stream: stream(name),
        expected,
        events: events(ids),
    }
}

pub(crate) fn commit(writes: Vec<StreamWrite>) -> Commit {
    Commit { writes }
}

pub(crate) fn one(name: &str, expected: Expected, ids: &[&str]) -> Commit {
    commit(vec![write(name, expected, ids)])
}

pub(crate) fn exact(revision: u64) -> Expected {
    Expected::Exact(Revision::new(revision))
}

pub(crate) fn public(name: &str, sequence: u64, origin: u64, key: &str) -> NewPublicEvent {
    NewPublicEvent {
        stream: public_stream(name),
        sequence: Sequence::new(sequence),
        origin: Position::new(origin),
        contract_version: "1.0.0".into(),
        event_type: "test.tested.v1".into(),
        name: "tested".into(),
        id: format!("public-{name}-{sequence}"),
        key: key.into(),
        event: Bytes::from(format!("{{\"sequence\":{sequence}}}")),
    }
}

pub(crate) fn parked(scope: ParkScope, key: &str, at: u64, reason: Option<&str>) -> NewParked {
    NewParked {
        scope,
        key: key.into(),
        at,
        reason: reason.map(Into::into),
    }
}

pub(crate) async fn append(store: &impl EventStore, commit: Commit) -> Committed {
    store.append(&main_log(), commit).await.unwrap()
}

/// A store in a folder of its own. The folder goes with the value.
pub(crate) async fn fresh() -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    (store, dir)
}

pub(crate) async fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).await.unwrap()
}

pub(crate) fn category(name: &str) -> Selection {
    Selection::Category(name.into())
}
