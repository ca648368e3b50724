//! Export and import: what arrives is the same store, to the last read.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use horizon_store::{
    AttributeValue, Commit, Counts, Crossing, CursorMove, CursorName, Expected, ExportCounts,
    Imported, LogName, NewEvent, Options, ParkOutcome, ParkScope, ParkedEntry, ParkedKey, Position,
    Progress, PublicEvent, PublicHead, ReadLimit, Record, RelayTotals, Resolution, Revision,
    Selection, Sequence, Settled, Settlement, Store, StoreError, StreamName, StreamWrite, import,
    verify,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::build::{
    append, event, exact, fresh, main_log, one, open, parked, public, public_stream, relay, stream,
    write,
};
use crate::conformance::parking::leaves;

pub(crate) async fn exported(store: &Store) -> Vec<u8> {
    let (bytes, exported) = store.export(Vec::new(), |_| ()).await.unwrap();
    assert_eq!(exported.bytes, bytes.len() as u64);
    bytes
}

/// Imports into a folder of its own.
pub(crate) async fn imported(export: &[u8]) -> (Store, TempDir, Imported) {
    let dir = tempfile::tempdir().unwrap();
    let from = std::io::Cursor::new(export.to_vec());
    let told = import(from, dir.path(), Options::default(), |_| ())
        .await
        .unwrap();
    let verified = verify(dir.path(), Options::default(), |_, _| ()).await;
    let verified = verified.unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
    (open(&dir).await, dir, told)
}

/// All that reads tell of one log.
#[derive(Debug, PartialEq)]
struct Contents {
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
async fn contents(store: &Store, log: &LogName) -> Contents {
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
    let mut names: Vec<_> = events.iter().map(|event| event.stream.clone()).collect();
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
        let read = store.find_events(log, &event.id, Some(&event.source)).await;
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

/// The lines without what tells of epochs: heads of logs, records that open epochs, checks, the last line.
fn without_epochs(export: &[u8]) -> Vec<serde_json::Value> {
    let lines = export
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let mut kept = Vec::new();
    for line in lines {
        let mut line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let kind = line["kind"].as_str().unwrap().to_owned();
        let members = line.as_object_mut().unwrap();
        members.remove("check").unwrap();
        match kind.as_str() {
            "export" => drop(members.remove("epoch").unwrap()),
            "log" => drop(members.remove("head").unwrap()),
            "end" => continue,
            "system" if members["record"] == "epoch" => continue,
            _ => {}
        }
        kept.push(line);
    }
    kept
}

/// Exports, imports, and compares everything. Gives the imported store.
pub(crate) async fn arrives(store: &Store, logs: &[LogName]) -> (Store, TempDir) {
    let export = exported(store).await;
    assert_eq!(
        export,
        exported(store).await,
        "the same store gives the same bytes"
    );
    let (other, dir, told) = imported(&export).await;
    assert_eq!((other.id(), &*told.store), (store.id(), store.id()));
    assert_eq!(
        other.derive_secret("a purpose"),
        store.derive_secret("a purpose")
    );
    for log in logs {
        assert_eq!(contents(&other, log).await, contents(store, log).await);
        let epochs = other.epochs(log).await.unwrap();
        if store.head(log).await.unwrap() > Position::ZERO {
            let last = epochs.last().unwrap();
            assert_eq!(last.first, other.head(log).await.unwrap());
            assert_eq!(last.after, store.head(log).await.unwrap());
            assert!(told.epochs.contains(last));
        }
    }
    let again = exported(&other).await;
    assert_eq!(without_epochs(&again), without_epochs(&export));
    (other, dir)
}

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
        .map(|(n, data)| odd(&format!("odd-{n}"), data))
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

fn settlement(from: u64, to: u64, unheard: &[u64], held: &[u64]) -> Settlement {
    let scope = ParkScope::Relay(relay("p/r"));
    Settlement {
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

#[tokio::test]
async fn everything_arrives() {
    let (store, _dir) = rich().await;
    let log = LogName::new("ein anderes").unwrap();
    let (other, other_dir) = arrives(&store, &[main_log(), log.clone()]).await;
    let repeat = store.append(&log, one("a-2", Expected::None, &["5"])).await;
    let again = other.append(&log, one("a-2", Expected::None, &["5"])).await;
    assert_eq!(again, repeat, "a repeat is answered as at the first place");
    assert!(again.unwrap().repeat);
    // What is parked there goes on as it would have here: in order, and counted.
    let scope = ParkScope::Relay(relay("p/r"));
    let resolve = async |at| {
        let resolved = vec![leaves(&scope, "k1", at, ParkOutcome::Confirmed)];
        other.resolve(&log, &relay("p/r"), resolved).await
    };
    assert!(resolve(4).await.is_err(), "it has left");
    resolve(6).await.unwrap();
    let totals = other.relay_totals(&log, &relay("p/r")).await.unwrap();
    assert_eq!(
        totals,
        RelayTotals {
            confirmed: 3,
            unheard: 2,
            parked: 0,
            skipped: 1
        }
    );
    let next = append(&other, one("a-2", exact(1), &["6"])).await;
    assert_eq!(next.first_position, Position::new((1 << 40) + 2));
    other.close().await.unwrap();
    let other = open(&other_dir).await;
    let (third, _third_dir) = arrives(&other, &[main_log(), log.clone()]).await;
    assert_eq!(third.epochs(&log).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_empty_store_arrives() {
    let (store, _dir) = fresh().await;
    let export = exported(&store).await;
    assert_eq!(export.split(|byte| *byte == b'\n').count(), 3);
    let (other, _other_dir) = arrives(&store, &[main_log()]).await;
    let first = append(&other, one("a-1", Expected::None, &["1"])).await;
    assert_eq!(first.first_position, Position::new((1 << 40) + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_under_way_is_the_store_of_one_moment() {
    let (store, dir) = fresh().await;
    let appending = store.clone();
    // It appends while the store is exported only, or the store would grow beyond what is compared in seconds.
    let (export_begins, mut under_way) = tokio::sync::watch::channel(true);
    let writer = tokio::spawn(async move {
        for number in 0_u64.. {
            if under_way.wait_for(|under_way| *under_way).await.is_err() {
                break;
            }
            let ids: Vec<_> = (0..50).map(|n| format!("{number}/{n}")).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let name = format!("s-{}", number % 7);
            let commit = one(&name, Expected::Any, &ids);
            let Ok(done) = appending.append(&main_log(), commit).await else {
                break;
            };
            let (first, last) = (done.first_position.get(), done.last_position.get());
            let public = (first..=last).map(|at| public("p", at, at, "k")).collect();
            let crossing = Crossing {
                cursors: vec![CursorMove {
                    cursor: CursorName::new("crossing").unwrap(),
                    expected: Position::new(first - 1),
                    to: Position::new(last),
                }],
                public,
                ..Crossing::default()
            };
            if appending.cross(&main_log(), crossing).await.is_err() {
                break;
            }
            let settled = settlement(first - 1, last, &[], &[]);
            if appending.settle(&main_log(), settled).await.is_err() {
                break;
            }
        }
    });
    let mut heads = Vec::new();
    while heads.len() < 4 {
        let head = store.head(&main_log()).await.unwrap();
        if head.get() < 500 * (heads.len() as u64 + 1) {
            tokio::task::yield_now().await;
            continue;
        }
        let export = exported(&store).await;
        export_begins.send_replace(false);
        let (other, _dir, told) = imported(&export).await;
        let epochs = other.epochs(&main_log()).await.unwrap();
        let end = epochs[0].after;
        assert!(end >= head, "all that was there before the export is in it");
        assert_eq!(told.counts.events, end.get());
        // The crossing follows each commit, and the relay each crossing: no more than one of each is under way.
        let public = other.public_head(&main_log(), &public_stream("p")).await;
        let public = public.unwrap().unwrap().last.get();
        let cursor = CursorName::new("crossing").unwrap();
        let cursor = other.crossing_cursor(&main_log(), &cursor).await.unwrap();
        assert_eq!(cursor, Some(Position::new(public)));
        assert!(end.get() - public <= 50);
        let relay = other
            .relay_cursor(&main_log(), &relay("p/r"))
            .await
            .unwrap();
        assert!(public - relay.unwrap().get() <= 50);
        heads.push(end);
        export_begins.send_replace(true);
    }
    drop(export_begins);
    assert!(heads.is_sorted_by(|one, next| one < next));
    store.close().await.unwrap();
    writer.await.unwrap();
    let store = open(&dir).await;
    arrives(&store, &[main_log()]).await;
}

#[tokio::test]
async fn a_store_that_is_closed_ends_its_exports() {
    let (store, _dir) = rich().await;
    let clone = store.clone();
    store.close().await.unwrap();
    let error = clone.export(Vec::new(), |_| ()).await.err().unwrap();
    assert_eq!(error, StoreError::Closed.into());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_its_owners_only_and_whole_or_not_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let (store, dir) = rich().await;
    let path = dir.path().join("export.jsonl");
    let told = store.export_file(&path, |_| ()).await.unwrap();
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(found.len(), told.bytes);
    assert_eq!(std::fs::read(&path).unwrap(), exported(&store).await);
    let refused = store.export_file(&path, |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("there already"), "{refused}");
    let missing = dir.path().join("missing/export.jsonl");
    assert!(store.export_file(&missing, |_| ()).await.is_err());
    let other = dir.path().join("other.jsonl");
    store.clone().close().await.unwrap();
    assert!(store.export_file(&other, |_| ()).await.is_err());
    let names = std::fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["clean-stop", "export.jsonl", "lock", "rocksdb", "store-id"]
    );
}

/// An event of the bank's file.
#[derive(Deserialize)]
struct BankEvent<'a> {
    id: String,
    stream: String,
    r#type: String,
    time: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The bank's events, or made-up ones where the file is not there.
fn bank_commits() -> Vec<Commit> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/bank");
    let path = std::env::var_os("BANK_EVENTS").map_or(beside.join("events.jsonl.gz"), Into::into);
    let lines: Vec<String> = match std::fs::File::open(&path) {
        Ok(file) => std::io::read_to_string(flate2::read::GzDecoder::new(file))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
        Err(_) => (0..10_000)
            .map(|n| {
                let stream = format!("account-{}", n % 500);
                format!(r#"{{"id":"{n}","stream":"{stream}","type":"CashDeposited","time":"1993-01-01T00:00:00Z","data":{{"amount":{n}.50}}}}"#)
            })
            .collect(),
    };
    let of = |lines: &[String]| {
        let writes = lines.iter().map(|line| {
            let bank: BankEvent<'_> = serde_json::from_str(line).unwrap();
            StreamWrite {
                stream: stream(&bank.stream),
                expected: Expected::Any,
                events: vec![NewEvent {
                    id: bank.id,
                    source: None,
                    event_type: bank.r#type,
                    attributes: vec![("time".into(), AttributeValue::Text(bank.time.into()))],
                    media_type: Some("application/json".into()),
                    data: Some(Bytes::copy_from_slice(bank.data.get().as_bytes())),
                }],
            }
        });
        Commit {
            writes: writes.collect(),
        }
    };
    lines.chunks(500).map(of).collect()
}

#[tokio::test]
async fn the_banks_events_arrive() {
    let (store, _dir) = fresh().await;
    let commits = bank_commits();
    for commit in &commits {
        append(&store, commit.clone()).await;
    }
    let begun = Instant::now();
    let mut last = Progress::default();
    let (export, told) = store
        .export(Vec::new(), |progress| last = progress)
        .await
        .unwrap();
    let exporting = begun.elapsed().as_secs_f64();
    let events = told.counts.events;
    assert_eq!((last.done, last.total), (events, events));
    let begun = Instant::now();
    let (other, _other_dir, arrived) = imported(&export).await;
    let importing = begun.elapsed().as_secs_f64();
    println!(
        "{events} events, {} bytes: exported at {:.0} events/s, imported at {:.0} events/s",
        told.bytes,
        events as f64 / exporting,
        events as f64 / importing,
    );
    assert_eq!(
        arrived.counts,
        ExportCounts {
            logs: 1,
            events,
            ..ExportCounts::default()
        }
    );
    assert_eq!(arrived.blake3, told.blake3);
    let again = exported(&other).await;
    assert_eq!(without_epochs(&again), without_epochs(&export));
    for commit in commits.iter().step_by(10) {
        assert!(append(&other, commit.clone()).await.repeat);
    }
}
