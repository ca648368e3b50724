//! Frozen stores: what a version once wrote is opened by every later one, and reads back the same.
//!
//! `tests/frozen/format-1` holds one store twice, after a clean stop and after an unclean one, and `content.txt`: all
//! that is read from it. The content is made by [`write_all`]; while the format may still change, this makes it anew:
//!
//! ```sh
//! cargo test --release --workspace --locked -p horizon-store --test store -- --ignored --exact frozen::freeze_format_1
//! ```
//!
//! Once a format is released, its folder is never made anew: a new format gets a folder of its own beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use horizon_store::{
    AttributeValue, Commit, Counts, Crossing, CursorMove, CursorName, Event, Expected, LogName,
    NewEvent, NewParked, Options, ParkOutcome, ParkScope, Position, ReadLimit, Record,
    ResolvedParked, Revision, Selection, Sequence, Settlement, Store, StreamWrite,
};

use crate::build::{event, main_log, parked, public, public_stream, relay, stream};

const RELAY: &str = "bank.accounts.v1/mqtt:main";
const PUBLIC: &str = "bank.accounts.v1";
/// What RocksDB makes anew when it is missing, or keeps for people only.
const LEFT_OUT: [&str; 5] = ["LOCK", "LOG", "OPTIONS", "IDENTITY", "lock"];

fn folder() -> PathBuf {
    PathBuf::from("tests/frozen/format-1")
}

fn other_log() -> LogName {
    LogName::new("other").unwrap()
}

fn append_to(name: &str, expected: Expected, events: Vec<NewEvent>) -> StreamWrite {
    StreamWrite {
        stream: stream(name),
        expected,
        events,
    }
}

/// An event with every kind of attribute.
fn decorated() -> NewEvent {
    let text = |text: &str| AttributeValue::Text(text.into());
    NewEvent {
        id: "opened-1".into(),
        source: Some("//bank.example/core".into()),
        event_type: "AccountOpened".into(),
        attributes: vec![
            ("time".into(), text("2026-01-31T12:00:00+01:00")),
            ("subject".into(), text("größe 漢字")),
            ("sampled".into(), AttributeValue::Bool(true)),
            ("final".into(), AttributeValue::Bool(false)),
            ("shard".into(), AttributeValue::Int(i32::MIN)),
            ("weight".into(), AttributeValue::Int(7)),
        ],
        media_type: Some("application/json".into()),
        data: Some(r#"{"amount": 10.50, "limit":1e2}"#.into()),
        flagged: false,
    }
}

/// An event with nothing that may be left out.
fn bare(id: &str, data: Option<Bytes>) -> NewEvent {
    NewEvent {
        source: None,
        attributes: Vec::new(),
        media_type: None,
        data,
        ..event(id)
    }
}

/// The commits of the log `main`, in order; between the second and the third stands a system record.
fn commits() -> [Commit; 3] {
    let first = append_to("account-1", Expected::None, vec![decorated(), event("2")]);
    let binary = Bytes::from_static(b"\x00\x01\xfe\xff");
    let second = append_to(
        "account-1",
        Expected::Any,
        vec![bare("3", None), bare("4", Some(binary))],
    );
    let same_commit = append_to("größe-é", Expected::Any, vec![event("3")]);
    let third = append_to(
        "nocategory",
        Expected::Any,
        vec![bare("5", Some(Bytes::new()))],
    );
    [vec![first], vec![second, same_commit], vec![third]].map(|writes| Commit { writes })
}

fn step(cursor: &str, expected: u64, to: u64) -> CursorMove {
    CursorMove {
        cursor: CursorName::new(cursor).unwrap(),
        expected: Position::new(expected),
        to: Position::new(to),
    }
}

fn crossed(sequence: u64, origin: u64, key: &str) -> horizon_store::NewPublicEvent {
    public(PUBLIC, sequence, origin, key)
}

fn settlement(expected: u64, to: u64, unheard: &[u64], parked: Vec<NewParked>) -> Settlement {
    Settlement {
        not_sent: false,
        relay: relay(RELAY),
        stream: public_stream(PUBLIC),
        expected: Sequence::new(expected),
        to: Sequence::new(to),
        at_ms: 1_770_000_000_000 + to,
        unheard: unheard.iter().copied().map(Sequence::new).collect(),
        parked,
    }
}

/// What is in the tables of the frozen store: the first two commits, and what crossed of them.
async fn write_first_half(store: &Store) {
    let [first, second, _] = commits();
    store.append(&main_log(), first).await.unwrap();
    store.append(&main_log(), second).await.unwrap();
    let scope = || ParkScope::Crossing(public_stream(PUBLIC));
    let crossing = Crossing {
        cursors: vec![step("crossing/a", 0, 4), step("crossing/b", 0, 2)],
        public: vec![crossed(1, 1, "k1"), crossed(2, 2, "k2")],
        parked: vec![
            parked(scope(), "bad", 3, Some("it violates")),
            parked(scope(), "bad", 4, None),
        ],
        counts: vec![(
            public_stream(PUBLIC),
            Counts {
                filtered: 3,
                unmatched: 2,
                violated: 1,
            },
        )],
        resolved: Vec::new(),
    };
    store.cross(&main_log(), crossing).await.unwrap();
    let settled = settlement(0, 1, &[], Vec::new());
    store.settle(&main_log(), settled).await.unwrap();
}

/// What is in the write-ahead file of the frozen store, if it was not stopped cleanly: the rest.
async fn write_second_half(store: &Store) {
    let [_, _, third] = commits();
    let body = Bytes::from_static(b"{\"contract\":\"bank.accounts\"}");
    store
        .append_system(&main_log(), "contract", body)
        .await
        .unwrap();
    store.append(&main_log(), third).await.unwrap();
    let crossing = Crossing {
        cursors: vec![step("crossing/a", 4, 7)],
        public: vec![
            crossed(3, 5, "k1"),
            crossed(4, 5, "k2"),
            crossed(5, 7, "k3"),
        ],
        ..Crossing::default()
    };
    store.cross(&main_log(), crossing).await.unwrap();
    let scope = || ParkScope::Relay(relay(RELAY));
    let entries = vec![
        parked(scope(), "k1", 3, Some("the broker refuses it")),
        parked(scope(), "k2", 4, None),
    ];
    let settled = settlement(1, 4, &[2], entries);
    store.settle(&main_log(), settled).await.unwrap();
    let left = |scope, key: &str, at, outcome| ResolvedParked {
        scope,
        key: key.into(),
        at,
        outcome,
    };
    let reason = "given up".to_owned();
    let skipped = left(scope(), "k1", 3, ParkOutcome::Skipped { reason });
    store
        .resolve(&main_log(), &relay(RELAY), vec![skipped])
        .await
        .unwrap();
    let scope = ParkScope::Crossing(public_stream(PUBLIC));
    let crossing = Crossing {
        resolved: vec![left(scope, "bad", 3, ParkOutcome::Filtered)],
        ..Crossing::default()
    };
    store.cross(&main_log(), crossing).await.unwrap();
    // More than one run, and a block that is a bitmap.
    let many = (0..70).map(|n| event(&format!("many {n}"))).collect();
    let many = append_to("many-1", Expected::None, many);
    let commit = Commit { writes: vec![many] };
    store.append(&other_log(), commit).await.unwrap();
    let only = append_to("a-1", Expected::None, vec![event("1")]);
    let commit = Commit { writes: vec![only] };
    store.append(&other_log(), commit).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if !LEFT_OUT.iter().any(|begin| name.starts_with(begin)) {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "makes the frozen store of format 1 anew"]
async fn freeze_format_1() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    write_first_half(&store).await;
    store.close().await.unwrap();
    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    write_second_half(&store).await;
    let _ = fs::remove_dir_all(folder());
    copy(dir.path(), &folder().join("unclean"));
    let content = read_all(&store).await;
    store.close().await.unwrap();
    copy(dir.path(), &folder().join("clean"));
    fs::write(folder().join("content.txt"), content).unwrap();
}

#[tokio::test]
async fn format_1_reads_back_as_it_was_written() {
    let expected = fs::read_to_string(folder().join("content.txt")).unwrap();
    for stop in ["clean", "unclean"] {
        assert_eq!(
            folder().join(stop).join("clean-stop").exists(),
            stop == "clean"
        );
        let dir = tempfile::tempdir().unwrap();
        copy(&folder().join(stop), dir.path());
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        assert_eq!(read_all(&store).await, expected, "{stop}");
        // Digests hold, and the store goes on where it ended.
        for commit in commits() {
            let again = store.append(&main_log(), commit).await.unwrap();
            assert!(again.repeat, "{stop}");
        }
        let next = append_to(
            "account-1",
            Expected::Exact(Revision::new(4)),
            vec![event("6")],
        );
        let next = Commit { writes: vec![next] };
        let next = store.append(&main_log(), next).await.unwrap();
        assert_eq!(next.first_position.get(), 8, "{stop}");
        let settled = settlement(4, 5, &[], Vec::new());
        store.settle(&main_log(), settled).await.unwrap();
        store.close().await.unwrap();
    }
}

/// All that can be read, in words.
async fn read_all(store: &Store) -> String {
    let mut told = String::new();
    let secret = store.derive_secret("frozen");
    writeln!(told, "store {} secret {secret:02x?}", store.id()).unwrap();
    for log in [main_log(), other_log()] {
        let (head, events) = (store.head(&log).await, store.event_count(&log).await);
        writeln!(
            told,
            "\nlog {log}: head {}, {} events",
            head.unwrap(),
            events.unwrap()
        )
        .unwrap();
        let limit = ReadLimit::default();
        let page = store
            .read_log(&log, &Selection::All, Position::ZERO, limit)
            .await
            .unwrap();
        for record in &page.records {
            writeln!(told, "{}", record_in_words(record)).unwrap();
        }
        for category in ["account", "größe", "nocategory", "", "a", "many"] {
            let of = Selection::Category(category.into());
            let page = store.read_log(&log, &of, Position::ZERO, limit);
            let places = page.await.unwrap().records;
            let places: Vec<_> = places
                .iter()
                .map(|record| record.position().get())
                .collect();
            writeln!(told, "category {category:?}: {places:?}").unwrap();
        }
        for name in ["account-1", "größe-é", "nocategory", "a-1", "many-1"] {
            let of = stream(name);
            let page = store.read_stream(&log, &of, Revision::ZERO, limit);
            let page = page.await.unwrap();
            let places: Vec<_> = page
                .events
                .iter()
                .map(|event| event.position.get())
                .collect();
            writeln!(
                told,
                "stream {name}: revision {}, {places:?}",
                page.revision
            )
            .unwrap();
        }
        let found = store.find_events(&log, "3", None).await.unwrap();
        let found: Vec<_> = found.iter().map(|event| event.position.get()).collect();
        writeln!(told, "events with id 3: {found:?}").unwrap();
        let system = store.read_system(&log, "contract").await.unwrap();
        writeln!(told, "system records: {system:?}").unwrap();
    }
    read_public(store, &mut told).await;
    told
}

fn record_in_words(record: &Record) -> String {
    match record {
        Record::Event(event) => event_in_words(event),
        other => format!("{other:?}"),
    }
}

fn event_in_words(event: &Event) -> String {
    let data = event.data().map(<[u8]>::escape_ascii);
    format!(
        "{} {}@{} {}/{} of commit, source {}, id {}, type {}, {:?}, media type {:?}, data {}, recorded {}",
        event.position,
        event.stream(),
        event.revision,
        event.commit_index,
        event.commit_len,
        event.source(),
        event.id(),
        event.event_type(),
        event.attributes().collect::<Vec<_>>(),
        event.media_type(),
        data.map_or("none".into(), |data| format!("\"{data}\"")),
        event.recorded_ms,
    )
}

/// What crossed, what is parked, and what became of it at the relay.
async fn read_public(store: &Store, told: &mut String) {
    let (log, stream, name) = (main_log(), public_stream(PUBLIC), relay(RELAY));
    let head = store.public_head(&log, &stream).await.unwrap();
    writeln!(told, "\npublic stream {stream}: {head:?}").unwrap();
    let page = store.read_public(&log, &stream, Sequence::ZERO, ReadLimit::default());
    for event in page.await.unwrap().events {
        let settled = store.settled(&log, &name, event.sequence).await.unwrap();
        writeln!(
            told,
            "{} of {} by {}, type {}, name {}, id {}, key {}, event {}, crossed {}, {settled:?}",
            event.sequence,
            event.origin,
            event.contract_version,
            event.event_type,
            event.name,
            event.id,
            event.key,
            event.event.escape_ascii(),
            event.crossed_ms,
        )
        .unwrap();
    }
    let pairs = ["k1", "k2", "k3", "k4"].map(|key| (key.into(), "test.tested.v1".into()));
    let last = store.last_of_keys(&log, &stream, pairs.into()).await;
    writeln!(told, "last of keys: {:?}", last.unwrap()).unwrap();
    let made = store.public_of(&log, Position::new(5)).await.unwrap();
    writeln!(told, "made of position 5: {made:?}").unwrap();
    for cursor in ["crossing/a", "crossing/b", "crossing/c"] {
        let cursor = CursorName::new(cursor).unwrap();
        let at = store.crossing_cursor(&log, &cursor).await.unwrap();
        writeln!(told, "cursor {cursor}: {at:?}").unwrap();
    }
    let cursor = store.relay_cursor(&log, &name).await.unwrap();
    let totals = store.relay_totals(&log, &name).await.unwrap();
    writeln!(told, "relay {name}: {cursor:?}, {totals:?}").unwrap();
    for scope in [ParkScope::Crossing(stream), ParkScope::Relay(name)] {
        writeln!(told, "parked in {scope:?}").unwrap();
        let keys = store.parked_keys(&log, &scope, None, ReadLimit::default());
        for key in keys.await.unwrap().keys {
            writeln!(told, "{key:?}").unwrap();
        }
        for at in 1..=5 {
            let entry = store.parked_entry(&log, &scope, None, at).await.unwrap();
            let left = store.resolution(&log, &scope, None, at).await.unwrap();
            let left = left.map(|left| left.outcome);
            writeln!(told, "{at}: {entry:?}, {left:?}").unwrap();
        }
    }
}
