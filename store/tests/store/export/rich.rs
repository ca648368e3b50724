//! A store with something of everything.

use bytes::Bytes;
use horizon_store::{
    AttributeValue, Commit, Counts, Crossing, CursorMove, CursorName, Expected, LogName, NewEvent,
    ParkOutcome, ParkScope, Position, Sequence, Settlement, Store, StreamWrite,
};
use tempfile::TempDir;

use crate::build::{
    event, exact, fresh, main_log, one, parked, public, public_stream, relay, stream, write,
};
use crate::conformance::parking::leaves;

/// An event whose attributes are of all kinds.
fn odd(id: &str, data: Option<Bytes>) -> NewEvent {
    let text = |text: &str| AttributeValue::Text(text.into());
    NewEvent {
        attributes: vec![
            ("z".into(), AttributeValue::Bool(true)),
            ("a".into(), AttributeValue::Bool(false)),
            ("least".into(), AttributeValue::Int(i32::MIN)),
            ("most".into(), AttributeValue::Int(i32::MAX)),
            ("time".into(), text("2026-01-01T00:00:00.000Z")),
            ("looks".into(), text("7")),
            ("odd".into(), text("\u{0}\u{7f}\"\\\u{2028}ß𝄞")),
        ],
        media_type: None,
        data,
        source: None,
        ..event(id)
    }
}

fn odd_events() -> Vec<NewEvent> {
    let mebibyte = vec![b'"'; 1024 * 1024 - 200];
    let datas: Vec<Option<Bytes>> = vec![
        None,
        Some(Bytes::new()),
        Some(Bytes::from_static(b"\xff\xfe\x00not text")),
        Some(Bytes::from_static(b"text with a \x00 zero")),
        Some(Bytes::from_static(
            br#"{"n": 1.10, "big": 123456789012345678901234567890, "e": 1E+2, "n": 2}"#,
        )),
        Some(Bytes::from_static(b"\xef\xbb\xbf{\r\n\t}\n")),
        Some(mebibyte.into()),
        Some((0..=255).collect::<Vec<u8>>().into()),
    ];
    let numbered = datas.into_iter().enumerate();
    numbered
        .map(|(n, data)| NewEvent {
            flagged: n % 2 == 1,
            ..odd(&format!("odd-{n}"), data)
        })
        .collect()
}

/// A store with something of everything, in two logs.
pub(crate) async fn rich() -> (Store, TempDir) {
    let (store, dir) = fresh().await;
    for log in [main_log(), LogName::new("ein anderes").unwrap()] {
        let odd = StreamWrite {
            stream: stream("odd-\"1\""),
            expected: Expected::None,
            events: odd_events(),
        };
        let writes = vec![
            write("a-1", Expected::None, &["1", "2"]),
            write("b", Expected::None, &["3"]),
            odd,
            write("a-1", exact(2), &["4"]),
        ];
        store.append(&log, Commit { writes }).await.unwrap();
        for body in [&b"{}"[..], &b"\xff\x00"[..]] {
            let body = Bytes::from_static(body);
            store.append_system(&log, "test", body).await.unwrap();
        }
        let commit = one("a-2", Expected::None, &["5"]);
        store.append(&log, commit).await.unwrap();
        cross(
            &store,
            &log,
            0,
            &[(1, 1, "k1"), (2, 2, "k2"), (3, 4, "k1")],
            6,
        )
        .await;
        cross(
            &store,
            &log,
            6,
            &[(4, 7, "k1"), (5, 8, "k2"), (6, 8, "k")],
            9,
        )
        .await;
        settle(&store, &log, 0, 2, &[1], &[]).await;
        settle(&store, &log, 2, 6, &[], &[3, 4, 6]).await;
        leave(&store, &log).await;
    }
    (store, dir)
}

/// Of what is parked under `k1`, some leaves: at the crossing 5 and 6, so that 8 and 9 stay; at the relay 3 and 4.
async fn leave(store: &Store, log: &LogName) {
    let skipped = |reason: &str| ParkOutcome::Skipped {
        reason: reason.into(),
    };
    let scope = ParkScope::Crossing(public_stream("p"));
    let crossing = Crossing {
        public: vec![public("p", 7, 5, "k1")],
        resolved: vec![
            leaves(&scope, "k1", 5, ParkOutcome::Crossed),
            leaves(&scope, "k1", 6, skipped("\"by hand\"\u{0}")),
        ],
        ..Crossing::default()
    };
    store.cross(log, crossing).await.unwrap();
    let scope = ParkScope::Relay(relay("p/r"));
    let resolved = vec![
        leaves(&scope, "k1", 3, ParkOutcome::Unheard),
        leaves(&scope, "k1", 4, skipped("")),
    ];
    store.resolve(log, &relay("p/r"), resolved).await.unwrap();
}

async fn cross(store: &Store, log: &LogName, from: u64, events: &[(u64, u64, &str)], to: u64) {
    let public = events
        .iter()
        .map(|(sequence, origin, key)| public("p", *sequence, *origin, key));
    let mut public: Vec<_> = public.collect();
    public[0].event = Bytes::from_static(b"\x80 no text");
    let scope = ParkScope::Crossing(public_stream("p"));
    let crossing = Crossing {
        cursors: vec![CursorMove {
            cursor: CursorName::new("crossing").unwrap(),
            expected: Position::new(from),
            to: Position::new(to),
        }],
        public,
        parked: vec![
            parked(scope.clone(), "k1", to - 1, Some("no amount")),
            parked(scope, "k1", to, None),
        ],
        counts: vec![(
            public_stream("p"),
            Counts {
                filtered: 1,
                unmatched: 2,
                violated: 3,
            },
        )],
        resolved: Vec::new(),
    };
    store.cross(log, crossing).await.unwrap();
}

async fn settle(store: &Store, log: &LogName, from: u64, to: u64, unheard: &[u64], held: &[u64]) {
    let settlement = settlement(from, to, unheard, held);
    store.settle(log, settlement).await.unwrap();
}

pub(super) fn settlement(from: u64, to: u64, unheard: &[u64], held: &[u64]) -> Settlement {
    let scope = ParkScope::Relay(relay("p/r"));
    Settlement {
        not_sent: false,
        relay: relay("p/r"),
        stream: public_stream("p"),
        expected: Sequence::new(from),
        to: Sequence::new(to),
        // Minutes apart, so that each is a record of its own.
        at_ms: 1_700_000_000_000 + to * 100_000,
        unheard: unheard.iter().map(|at| Sequence::new(*at)).collect(),
        parked: held
            .iter()
            .map(|at| parked(scope.clone(), "k1", *at, Some("nack")))
            .collect(),
    }
}
