//! Everything that reads tell of a log.

use bytes::Bytes;
use horizon_store::{
    CursorName, LogName, ParkScope, ParkedEntry, ParkedKey, Position, PublicEvent, PublicHead,
    ReadLimit, Record, RelayTotals, Resolution, Revision, Selection, Sequence, Settled, Store,
    StreamName,
};

use crate::build::{public_stream, relay, stream};

/// All that reads tell of one log.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    records: Vec<Record>,
    streams: Vec<Vec<Position>>,
    categories: Vec<Vec<Position>>,
    found: Vec<Position>,
    system: Vec<(Position, Bytes)>,
    events: u64,
    public: Vec<(Option<PublicHead>, Vec<PublicEvent>)>,
    last_of_keys: Vec<Option<Sequence>>,
    public_of: Vec<Vec<Sequence>>,
    cursor: Option<Position>,
    relays: Vec<(Option<Sequence>, RelayTotals, Vec<Option<Settled>>)>,
    parked: Vec<Parked>,
}

/// Parked keys, their entries and what became of those that have left, by key and by place.
type Parked = (
    Vec<ParkedKey>,
    Vec<Option<ParkedEntry>>,
    Vec<Option<Resolution>>,
);

fn is_epoch(record: &Record) -> bool {
    matches!(record, Record::System { kind, .. } if kind == "epoch")
}

/// Reads a log in all ways, the records that open epochs left out. `p` is the public stream, `p/r` the relay.
pub(super) async fn contents(store: &Store, log: &LogName) -> Contents {
    let limit = ReadLimit {
        records: 7,
        ..ReadLimit::default()
    };
    let mut records = Vec::new();
    let mut after = Position::ZERO;
    while after < store.head(log).await.unwrap() {
        let page = store
            .read_log(log, &Selection::All, after, limit)
            .await
            .unwrap();
        records.extend(page.records.into_iter().filter(|one| !is_epoch(one)));
        after = page.through;
    }
    let events: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Event(event) => Some(event.clone()),
            _ => None,
        })
        .collect();
    let mut names: Vec<_> = events.iter().map(|event| stream(event.stream())).collect();
    names.sort();
    names.dedup();
    let mut streams = Vec::new();
    for name in &names {
        let all = ReadLimit {
            records: ReadLimit::RECORDS_MAX,
            bytes: ReadLimit::BYTES_MAX,
        };
        let page = store.read_stream(log, name, Revision::new(1), all).await;
        streams.push(
            page.unwrap()
                .events
                .iter()
                .map(|one| one.position)
                .collect(),
        );
    }
    let mut categories: Vec<_> = names.iter().map(StreamName::category).collect();
    categories.dedup();
    let mut by_category = Vec::new();
    let types = ["Tested", "TypeUnknown"].map(|one| Selection::EventType(one.into()));
    let categories = categories
        .into_iter()
        .map(|one| Selection::Category(one.into()));
    for by in categories.chain(types) {
        let mut seen = Vec::new();
        let mut after = Position::ZERO;
        while after < store.head(log).await.unwrap() {
            let page = store.read_log(log, &by, after, limit).await;
            let page = page.unwrap();
            seen.extend(page.records.iter().map(Record::position));
            after = page.through;
        }
        by_category.push(seen);
    }
    let mut found = Vec::new();
    for event in &events {
        let read = store
            .find_events(log, event.id(), Some(event.source()))
            .await;
        found.extend(read.unwrap().iter().map(|event| event.position));
    }
    let mut public_of = Vec::new();
    for record in &records {
        let made = store.public_of(log, record.position()).await.unwrap();
        public_of.push(made.into_iter().map(|(_, sequence)| sequence).collect());
    }
    Contents {
        streams,
        categories: by_category,
        found,
        system: store.read_system(log, "test").await.unwrap(),
        events: store.event_count(log).await.unwrap(),
        public: vec![public_contents(store, log).await],
        last_of_keys: last_of_keys(store, log).await,
        public_of,
        cursor: store
            .crossing_cursor(log, &CursorName::new("crossing").unwrap())
            .await
            .unwrap(),
        relays: vec![relay_contents(store, log).await],
        parked: vec![
            parked_contents(store, log, ParkScope::Crossing(public_stream("p"))).await,
            parked_contents(store, log, ParkScope::Relay(relay("p/r"))).await,
        ],
        records,
    }
}

async fn public_contents(store: &Store, log: &LogName) -> (Option<PublicHead>, Vec<PublicEvent>) {
    let p = public_stream("p");
    let mut events: Vec<PublicEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Sequence::ZERO, |event| event.sequence);
        let page = store
            .read_public(log, &p, after, ReadLimit::default())
            .await;
        let page = page.unwrap();
        events.extend(page.events);
        if events.last().map_or(Sequence::ZERO, |event| event.sequence) == page.head {
            return (store.public_head(log, &p).await.unwrap(), events);
        }
    }
}

async fn last_of_keys(store: &Store, log: &LogName) -> Vec<Option<Sequence>> {
    let pairs = ["k", "k1", "k2", "none"].map(|key| (key.into(), "test.tested.v1".into()));
    store
        .last_of_keys(log, &public_stream("p"), pairs.to_vec())
        .await
        .unwrap()
}

async fn relay_contents(
    store: &Store,
    log: &LogName,
) -> (Option<Sequence>, RelayTotals, Vec<Option<Settled>>) {
    let relay = relay("p/r");
    let mut settled = Vec::new();
    for sequence in 1..=100 {
        let one = store.settled(log, &relay, Sequence::new(sequence)).await;
        settled.push(one.unwrap());
    }
    let cursor = store.relay_cursor(log, &relay).await.unwrap();
    (
        cursor,
        store.relay_totals(log, &relay).await.unwrap(),
        settled,
    )
}

async fn parked_contents(store: &Store, log: &LogName, scope: ParkScope) -> Parked {
    let (mut entries, mut left) = (Vec::new(), Vec::new());
    for at in 1..=100 {
        entries.push(store.parked_entry(log, &scope, None, at).await.unwrap());
        let by_key = store.parked_entry(log, &scope, Some("k1"), at).await;
        entries.push(by_key.unwrap());
        for key in [None, Some("k1"), Some("k2")] {
            left.push(store.resolution(log, &scope, key, at).await.unwrap());
        }
    }
    let keys = store
        .parked_keys(log, &scope, None, ReadLimit::default())
        .await
        .unwrap();
    assert!(!keys.more);
    (keys.keys, entries, left)
}
