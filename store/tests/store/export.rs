//! Export and import: what arrives is the same store, to the last read.

mod contents;
mod rich;

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use horizon_store::{
    AttributeValue, Commit, Crossing, CursorMove, CursorName, Expected, ExportCounts, Imported,
    LogName, NewEvent, Options, ParkOutcome, ParkScope, Position, Progress, RelayTotals, Store,
    StoreError, StreamWrite, import, verify,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::build::{
    append, exact, fresh, main_log, one, open, public, public_stream, relay, stream,
};
use crate::conformance::parking::leaves;
use contents::contents;
pub(crate) use rich::rich;
use rich::settlement;

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
    assert_eq!(next.first_position, Position::new((16 << 40) + 2));
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
    assert_eq!(first.first_position, Position::new((16 << 40) + 1));
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
            let settled = settlement(first - 1, last, &[], &[last]);
            if appending.settle(&main_log(), settled).await.is_err() {
                break;
            }
            // What leaves parking moves from one line to another, and in the totals.
            let scope = ParkScope::Relay(relay("p/r"));
            let left = vec![leaves(&scope, "k1", last, ParkOutcome::Unheard)];
            if appending
                .resolve(&main_log(), &relay("p/r"), left)
                .await
                .is_err()
            {
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
                    attributes: vec![("time".into(), AttributeValue::Text(bank.time))],
                    media_type: Some("application/json".into()),
                    data: Some(Bytes::copy_from_slice(bank.data.get().as_bytes())),
                    flagged: false,
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
        "{events} events, {} bytes: exported at {:.0} events/s, imported and verified at {:.0} events/s",
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
