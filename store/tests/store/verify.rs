//! Verifying: a sound store is found sound, and every kind of damage is found with its place.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use horizon_store::{
    Expected, KeepError, LogName, Options, ParkScope, Sequence, Settlement, Store, Verified,
    open_new_epoch, verify, verify_backup,
};
use tempfile::TempDir;

use crate::backup::{cross_one, files, offsets};
use crate::build::{
    append, commit, fresh, main_log, one, open, parked, public_stream, relay, write,
};
use crate::damage::behind_its_back;

const EPOCH: u64 = 1 << 40;

/// A closed store with something of everything, in two epochs.
async fn full() -> TempDir {
    let (store, dir) = fresh().await;
    let log = main_log();
    append(&store, one("a-1", Expected::None, &["1", "2", "3"])).await;
    let two = commit(vec![
        write("a-1", Expected::Any, &["4"]),
        write("b-1", Expected::None, &["5", "6"]),
    ]);
    append(&store, two).await;
    store
        .append_system(&log, "contract", "{}".into())
        .await
        .unwrap();
    let other = LogName::new("other").unwrap();
    store
        .append(&other, one("a-1", Expected::None, &["1"]))
        .await
        .unwrap();
    for n in 1..=4 {
        cross_one(&store, n - 1, n, n).await;
    }
    settle(&store, 0, 1, &[], &[]).await;
    settle(&store, 1, 4, &[2], &[3]).await;
    store.close().await.unwrap();
    open_new_epoch(dir.path(), "a test", None, Options::default())
        .await
        .unwrap();
    let store = open(&dir).await;
    append(&store, one("c-1", Expected::None, &["7"])).await;
    cross_one(&store, 4, EPOCH + 2, EPOCH + 1).await;
    settle(&store, 4, EPOCH + 1, &[], &[]).await;
    store.close().await.unwrap();
    dir
}

async fn settle(store: &Store, from: u64, to: u64, unheard: &[u64], park: &[u64]) {
    let scope = ParkScope::Relay(relay("p/r"));
    let settlement = Settlement {
        not_sent: false,
        relay: relay("p/r"),
        stream: public_stream("p"),
        expected: Sequence::new(from),
        to: Sequence::new(to),
        at_ms: 7,
        unheard: unheard.iter().copied().map(Sequence::new).collect(),
        parked: park
            .iter()
            .map(|at| parked(scope.clone(), "k", *at, Some("no")))
            .collect(),
    };
    store.settle(&main_log(), settlement).await.unwrap();
}

async fn verified(dir: &Path) -> Result<Verified, KeepError> {
    verify(dir, Options::default(), |_, _| ()).await
}

#[tokio::test]
async fn a_sound_store_is_found_sound_stopped_live_and_as_a_backup_and_is_not_touched() {
    let dir = full().await;
    let before = files(dir.path());
    let told = Arc::new(AtomicU64::new(0));
    let tell = {
        let told = Arc::clone(&told);
        move |done, _| told.store(done, Ordering::SeqCst)
    };
    let stopped = verify(dir.path(), Options::default(), tell).await.unwrap();
    assert_eq!(stopped.findings, []);
    assert_eq!(
        (stopped.logs, stopped.events, stopped.public_events),
        (2, 8, 5)
    );
    assert!(told.load(Ordering::SeqCst) > 0);
    let written = |files: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        let mut files = files.clone();
        files.retain(|path, _| {
            !path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("LOG")
        });
        files
    };
    assert_eq!(written(&before), written(&files(dir.path())));
    let store = open(&dir).await;
    let live = store.verify_live(|_, _| ()).await.unwrap();
    assert_eq!(live.findings, []);
    assert_eq!((live.logs, live.events, live.public_events), (2, 8, 5));
    let around = tempfile::tempdir().unwrap();
    let backups = around.path().join("backups");
    store.backup(&backups, None).await.unwrap();
    for _ in 0..2 {
        let backup = verify_backup(&backups, None, Options::default(), |_, _| ())
            .await
            .unwrap();
        assert_eq!(backup.findings, []);
        assert_eq!((backup.events, backup.public_events), (8, 5));
        assert_eq!(fs::read_dir(around.path()).unwrap().count(), 1);
        // As an interrupted one leaves it.
        fs::create_dir_all(around.path().join("backups.rehearsal/rocksdb")).unwrap();
    }
    store.close().await.unwrap();
    // An empty store has nothing that could be wrong.
    let (store, dir) = fresh().await;
    assert_eq!(store.verify_live(|_, _| ()).await.unwrap().findings, []);
    drop(store);
    assert!(verified(dir.path()).await.unwrap().is_sound());
}

/// The entries of a family in the first log, in order.
fn entries(db: &rocksdb::DB, column: &str, tag: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let of_log = |log: u8| [tag, 0, 0, 0, log];
    let column = db.cf_handle(column).unwrap();
    let all = db
        .iterator_cf(column, rocksdb::IteratorMode::Start)
        .map(Result::unwrap);
    all.map(|(key, value)| (key.to_vec(), value.to_vec()))
        .filter(|(key, _)| key.starts_with(&of_log(1)) || key.starts_with(&[tag, 0, 0, 0, 0]))
        .collect()
}

/// A value as the store writes it.
fn sealed(key: &[u8], body: &[u8]) -> Vec<u8> {
    let value = [&[1], body].concat();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), &value);
    [value, checksum.to_be_bytes().to_vec()].concat()
}

fn body(value: &[u8]) -> Vec<u8> {
    value[1..value.len() - 4].to_vec()
}

/// A way to damage one entry of a family.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// Takes the n-th entry away.
    Gone(usize),
    /// Flips a bit of its value.
    Flipped(usize),
    /// Adds a sound entry with another last byte of its key, and the same body.
    Another(usize),
    /// Changes a byte of its body, and makes the checksum fit.
    Changed(usize, usize),
}

fn harm(db: &rocksdb::DB, column: &str, tag: u8, harm: Harm) {
    let entries = entries(db, column, tag);
    let family = db.cf_handle(column).unwrap();
    let (Harm::Gone(nth) | Harm::Flipped(nth) | Harm::Another(nth) | Harm::Changed(nth, _)) = harm;
    let (key, value) = entries[nth].clone();
    match harm {
        Harm::Gone(_) => db.delete_cf(family, key).unwrap(),
        Harm::Flipped(_) => {
            let mut value = value;
            value[0] ^= 0x80;
            db.put_cf(family, key, value).unwrap();
        }
        Harm::Another(_) => {
            let mut other = key;
            *other.last_mut().unwrap() ^= 0x40;
            db.put_cf(family, &other, sealed(&other, &body(&value)))
                .unwrap();
        }
        Harm::Changed(_, at) => {
            let mut body = body(&value);
            body[at] ^= 0x08;
            db.put_cf(family, &key, sealed(&key, &body)).unwrap();
        }
    }
}

/// Column family, tag, harm, and what the place of a finding must name.
fn harms() -> Vec<(&'static str, u8, Harm, &'static str)> {
    use Harm::{Another, Changed, Flipped, Gone};
    vec![
        ("log", 0x01, Gone(1), "log 1, position 3"),
        ("log", 0x01, Flipped(1), "log 1, position 2"),
        ("log", 0x01, Another(0), "log 1, position"),
        ("log", 0x01, Changed(1, 1), "StreamIndex"),
        ("index", 0x10, Gone(1), "StreamIndex"),
        ("index", 0x10, Flipped(1), "StreamIndex"),
        ("index", 0x10, Another(1), "StreamIndex"),
        ("index", 0x10, Changed(1, 0), "StreamIndex"),
        ("index", 0x11, Gone(0), "IdIndex"),
        ("index", 0x11, Flipped(0), "IdIndex"),
        ("index", 0x11, Another(0), "IdIndex"),
        ("index", 0x11, Changed(0, 5), "IdIndex"),
        ("index", 0x12, Gone(0), "CategoryIndex"),
        ("index", 0x12, Flipped(0), "CategoryIndex"),
        ("index", 0x12, Another(0), "CategoryIndex"),
        ("index", 0x12, Changed(0, 0), "CategoryIndex"),
        ("index", 0x13, Gone(0), "TypeIndex"),
        ("index", 0x13, Flipped(0), "TypeIndex"),
        ("index", 0x13, Another(0), "TypeIndex"),
        ("index", 0x13, Changed(0, 0), "TypeIndex"),
        ("public", 0x20, Gone(1), "PublicRecord"),
        ("public", 0x20, Flipped(1), "PublicRecord"),
        ("public", 0x20, Another(0), "PublicRecord"),
        ("public", 0x20, Changed(1, 1), "OriginIndex"),
        ("public", 0x21, Gone(0), "OriginIndex"),
        ("public", 0x21, Flipped(0), "OriginIndex"),
        ("public", 0x21, Another(0), "OriginIndex"),
        ("state", 0x30, Flipped(0), "CrossingCursor"),
        ("state", 0x30, Changed(0, 0), "CrossingCursor"),
        ("state", 0x31, Gone(0), "Relay"),
        ("state", 0x31, Flipped(0), "Relay"),
        ("state", 0x31, Changed(0, 2), "Relay"),
        ("state", 0x31, Changed(0, 8), "Relay"),
        ("state", 0x31, Changed(0, 9), "Relay"),
        ("state", 0x32, Gone(0), "PublicHead"),
        ("state", 0x32, Flipped(0), "PublicHead"),
        ("state", 0x32, Changed(0, 6), "PublicHead"),
        ("state", 0x33, Gone(0), "LastOfKey"),
        ("state", 0x33, Flipped(0), "LastOfKey"),
        ("state", 0x33, Another(0), "LastOfKey"),
        ("state", 0x33, Changed(0, 0), "LastOfKey"),
        ("state", 0x34, Gone(0), "ParkedPlace"),
        ("state", 0x34, Flipped(0), "Parked "),
        ("state", 0x34, Changed(0, 1), "Parked "),
        ("state", 0x35, Gone(0), "ParkedPlace"),
        ("state", 0x35, Flipped(0), "ParkedPlace"),
        ("state", 0x35, Another(0), "ParkedPlace"),
        ("state", 0x36, Gone(0), "Settlement"),
        ("state", 0x36, Flipped(0), "Settlement"),
        ("state", 0x37, Gone(0), "LogHead"),
        ("state", 0x37, Flipped(0), "LogHead"),
        ("state", 0x37, Changed(0, 6), "LogHead"),
        ("default", 0x41, Gone(0), "log "),
        ("default", 0x41, Flipped(0), "LogRegistry"),
    ]
}

#[tokio::test]
async fn every_harm_to_an_entry_is_found_with_its_place() {
    let dir = full().await;
    let whole = files(dir.path());
    for (column, tag, how, place) in harms() {
        // The folder as it was.
        fs::remove_dir_all(dir.path().join("rocksdb")).unwrap();
        fs::create_dir(dir.path().join("rocksdb")).unwrap();
        for (path, content) in &whole {
            fs::write(path, content).unwrap();
        }
        behind_its_back(dir.path(), |db| harm(db, column, tag, how));
        let verified = verified(dir.path()).await.unwrap();
        let found = verified.findings.iter();
        assert!(
            found.clone().any(|finding| finding.place.contains(place)),
            "{tag:02x} {how:?}: {:?}",
            verified.findings
        );
        assert!(
            found
                .clone()
                .all(|finding| !finding.mend.is_empty() && !finding.problem.is_empty()),
            "{:?}",
            verified.findings
        );
    }
}

#[tokio::test]
async fn all_is_found_and_not_only_the_first_and_what_is_too_much_is_counted() {
    let (store, dir) = fresh().await;
    let ids: Vec<_> = (0..900).map(|id| id.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    append(&store, one("a-1", Expected::None, &ids)).await;
    store.close().await.unwrap();
    behind_its_back(dir.path(), |db| {
        for (key, _) in [entries(db, "index", 0x11), entries(db, "index", 0x12)].concat() {
            db.delete_cf(db.cf_handle("index").unwrap(), key).unwrap();
        }
    });
    let verified = verified(dir.path()).await.unwrap();
    assert_eq!(
        (verified.findings.len(), verified.more_findings),
        (1_000, 800)
    );
    let store = open(&dir).await;
    let live = store.verify_live(|_, _| ()).await.unwrap();
    assert_eq!((live.findings.len(), live.more_findings), (1_000, 800));
}

#[tokio::test]
async fn a_live_store_is_verified_beside_its_writers() {
    let (store, _dir) = fresh().await;
    for n in 0..3_000 {
        append_later(&store, n);
    }
    append(&store, one("a-1", Expected::Any, &["first"])).await;
    let verified = store.verify_live(|_, _| ()).await.unwrap();
    assert_eq!(verified.findings, []);
    assert!(verified.events >= 1);
}

fn append_later(store: &Store, n: u64) {
    let (store, id) = (store.clone(), n.to_string());
    tokio::spawn(async move {
        append(&store, one(&format!("a-{}", n % 7), Expected::Any, &[&id])).await;
    });
}

/// Files that RocksDB may find anything in: its own diary, the options that it was last opened with, the lock, and its
/// identity, which the manifest holds as well.
fn may_be_ignored(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["LOG", "OPTIONS-", "LOCK", "IDENTITY"]
        .iter()
        .any(|ignored| name.starts_with(ignored))
}

/// Where the filter of a table is, with its checksum. RocksDB does without a filter whose checksum does not hold: look-ups
/// take longer, and find the same.
fn filter(table: &[u8]) -> std::ops::Range<usize> {
    let name = b"fullfilter.rocksdb.BuiltinBloomFilter";
    let Some(at) = table.windows(name.len()).position(|bytes| bytes == name) else {
        return 0..0;
    };
    let mut handle = table[at + name.len()..].iter();
    let mut number = || {
        let mut number = 0;
        for (byte, shift) in handle.by_ref().zip((0..).step_by(7)) {
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    };
    let (offset, size) = (number(), number());
    offset..offset + size + 5
}

#[tokio::test]
async fn a_flipped_bit_in_any_file_of_a_stopped_store_is_refused_or_found() {
    let dir = full().await;
    let (mut flips, mut found) = (0, 0);
    for (path, content) in files(dir.path()) {
        if may_be_ignored(&path) {
            continue;
        }
        let filter = filter(&content);
        for at in offsets(content.len()) {
            if filter.contains(&at) {
                continue;
            }
            let mut flipped = content.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            match verified(dir.path()).await {
                Err(KeepError::Open(_) | KeepError::Store(_)) => {}
                Err(other) => panic!("{} at {at}: {other:?}", path.display()),
                Ok(verified) => {
                    assert!(
                        !verified.is_sound(),
                        "{} at {at} of {} is silently fine",
                        path.display(),
                        content.len()
                    );
                    found += 1;
                }
            }
            flips += 1;
            fs::write(&path, &content).unwrap();
        }
    }
    println!("{flips} flips, {found} of them found by verifying and the others when opened");
    assert!(flips > 50 && found > 0);
    assert!(verified(dir.path()).await.unwrap().is_sound());
}
