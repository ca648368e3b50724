//! What an import writes against what it was the first time, to the byte: indexes and digests too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::*;
use crate::keys::{Column, Key};
use crate::{
    AttributeValue, Commit, Counts, Crossing, CursorMove, CursorName, Expected, LogName, NewEvent,
    NewParked, NewPublicEvent, ParkOutcome, ParkScope, Position, PublicStreamName, RelayName,
    ResolvedParked, Sequence, Settlement, Store, StreamName, StreamWrite,
};

type Entries = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// All keys and bodies of a stopped store.
fn everything(dir: &Path) -> Entries {
    let folder = Folder::lock_existing(dir).unwrap();
    let (database, _) = folder.open(&Options::default()).unwrap();
    let mut entries = Entries::new();
    for column in Column::ALL {
        let all = Key {
            column,
            bytes: Vec::new(),
        };
        let visit = |key: &[u8], body: &[u8]| {
            entries.insert((column.name(), key.to_vec()), body.to_vec());
            Ok(ControlFlow::Continue(()))
        };
        database.scan(&all, &[], visit).unwrap();
    }
    entries
}

fn event(id: &str, source: Option<&str>) -> NewEvent {
    NewEvent {
        id: id.into(),
        source: source.map(Into::into),
        event_type: format!("Type{}", id.len()),
        attributes: vec![
            ("b".into(), AttributeValue::Int(-1)),
            ("a".into(), AttributeValue::Bool(true)),
        ],
        media_type: source.map(|_| "application/json".into()),
        data: Some(Bytes::from(id.to_owned().into_bytes())),
        flagged: false,
    }
}

fn parked(scope: &ParkScope, at: u64) -> NewParked {
    NewParked {
        scope: scope.clone(),
        key: format!("k{at}"),
        at,
        reason: at.is_multiple_of(2).then(|| "a reason".into()),
    }
}

async fn fill(store: &Store, log: &LogName) {
    let stream = |name: &str| StreamName::new(name).unwrap();
    for n in 0..50 {
        let write = |name: &str, ids: &[String], source| StreamWrite {
            stream: stream(name),
            expected: Expected::Any,
            events: ids.iter().map(|id| event(id, source)).collect(),
        };
        let ids: Vec<_> = (0..3).map(|k| format!("{n}/{k}")).collect();
        let writes = vec![
            write(&format!("a-{}", n % 7), &ids[..2], Some("//s")),
            write("b", &ids[2..], None),
        ];
        store.append(log, Commit { writes }).await.unwrap();
    }
    let body = Bytes::from_static(b"\xff{}");
    store.append_system(log, "contracts", body).await.unwrap();
    let p = PublicStreamName::new("p").unwrap();
    let scope = ParkScope::Crossing(p.clone());
    let public = (1..=40).map(|n| NewPublicEvent {
        stream: p.clone(),
        sequence: Sequence::new(n),
        origin: Position::new(n * 2),
        contract_version: "1.0.0".into(),
        event_type: "t".into(),
        name: "n".into(),
        id: format!("public {n}"),
        key: format!("k{}", n % 5),
        event: Bytes::from_static(b"{\"n\":1.0}"),
    });
    let crossing = Crossing {
        cursors: vec![CursorMove {
            cursor: CursorName::new("crossing").unwrap(),
            expected: Position::ZERO,
            to: Position::new(100),
        }],
        public: public.collect(),
        parked: vec![
            parked(&scope, 3),
            parked(&scope, 4),
            NewParked {
                at: 90,
                ..parked(&scope, 4)
            },
        ],
        resolved: Vec::new(),
        counts: vec![(
            p.clone(),
            Counts {
                filtered: 7,
                ..Counts::default()
            },
        )],
    };
    store.cross(log, crossing).await.unwrap();
    let relay = RelayName::new("p/r").unwrap();
    let scope = ParkScope::Relay(relay.clone());
    for (from, to) in [(0, 7), (7, 8), (8, 30)] {
        let settlement = Settlement {
            not_sent: false,
            relay: relay.clone(),
            stream: p.clone(),
            expected: Sequence::new(from),
            to: Sequence::new(to),
            at_ms: to * 10_000,
            unheard: vec![Sequence::new(from + 1)],
            parked: (from + 2..=to)
                .step_by(3)
                .map(|at| parked(&scope, at))
                .collect(),
        };
        store.settle(log, settlement).await.unwrap();
    }
    leave(store, log, &relay).await;
}

/// Some of what is parked leaves, from the middle of a key too.
async fn leave(store: &Store, log: &LogName, relay: &RelayName) {
    let skipped = || ParkOutcome::Skipped {
        reason: "by hand".into(),
    };
    let leaves = |scope: &ParkScope, at: u64, outcome| ResolvedParked {
        scope: scope.clone(),
        key: format!("k{at}"),
        at,
        outcome,
    };
    let scope = ParkScope::Crossing(PublicStreamName::new("p").unwrap());
    let crossing = Crossing {
        resolved: vec![
            leaves(&scope, 3, skipped()),
            leaves(&scope, 4, ParkOutcome::Filtered),
        ],
        ..Crossing::default()
    };
    store.cross(log, crossing).await.unwrap();
    let scope = ParkScope::Relay(relay.clone());
    let resolved = vec![
        leaves(&scope, 2, ParkOutcome::Confirmed),
        leaves(&scope, 5, ParkOutcome::Unheard),
        leaves(&scope, 10, skipped()),
    ];
    store.resolve(log, relay, resolved).await.unwrap();
}

#[tokio::test]
async fn an_imported_store_has_the_same_entries_but_for_its_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let store = Store::open(&one, Options::default()).await.unwrap();
    // Their names sort otherwise than their ids.
    for log in ["main", "a second"] {
        fill(&store, &LogName::new(log).unwrap()).await;
    }
    let (export, _) = store.export(Vec::new(), |_| ()).await.unwrap();
    store.close().await.unwrap();
    import(Cursor::new(export), &other, Options::default(), |_| ())
        .await
        .unwrap();
    let (before, after) = (everything(&one), everything(&other));
    let differ =
        |(key, body): &(&(&'static str, Vec<u8>), &Vec<u8>)| after.get(*key) != Some(*body);
    let changed: Vec<_> = before
        .iter()
        .filter(differ)
        .map(|(key, _)| &key.1)
        .collect();
    let new: Vec<_> = after
        .keys()
        .filter(|key| !before.contains_key(*key))
        .collect();
    let heads: Vec<_> = [1, 2]
        .map(|id| crate::keys::log_head(crate::keys::LogId(id)).bytes)
        .to_vec();
    let store = crate::keys::store().bytes;
    assert_eq!(changed, [&store, &heads[0], &heads[1]]);
    // In each log the record that opens the epoch, and its entry in the type index.
    assert_eq!(new.len(), 4, "{new:?}");
    assert!(before.len() > 700, "{} entries", before.len());
}
