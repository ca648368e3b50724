//! What an import refuses, with the number of the line; and what a failed or killed one leaves behind.

use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use horizon_store::{Expected, ImportError, OpenError, Options, Store, import};
use tempfile::TempDir;

use crate::build::{append, fresh, main_log, one, open};
use crate::export::{exported, rich};

async fn refused(export: &[u8], to: &Path) -> (u64, String) {
    let outcome = import(Cursor::new(export.to_vec()), to, Options::default(), |_| ()).await;
    match outcome.err().unwrap() {
        ImportError::Line { line, reason } => (line, reason),
        other => panic!("{other}"),
    }
}

fn lines(export: &[u8]) -> Vec<Vec<u8>> {
    export
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// A small store with a line of each kind, so that each of its bytes can be tried.
async fn small() -> Vec<u8> {
    let (store, _dir) = rich().await;
    let export = exported(&store).await;
    // The large event would make it slow: of no use here.
    assert!(export.len() > 1024 * 1024);
    let (store, _dir) = fresh().await;
    for (name, ids) in [("a-1", ["1", "2"]), ("a-2", ["3", "4"]), ("b", ["5", "6"])] {
        append(&store, one(name, Expected::None, &ids)).await;
    }
    exported(&store).await
}

#[tokio::test]
async fn a_line_that_is_not_as_it_was_written_is_named() {
    let export = small().await;
    let lines = lines(&export);
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("store");
    for at in 0..lines.len() {
        let number = at as u64 + 1;
        let mut without = lines.clone();
        without.remove(at);
        let last = at + 1 == lines.len();
        let (line, reason) = refused(&without.concat(), &to).await;
        assert_eq!(line, number, "left out: {reason}");
        assert!(!last || reason.contains("cut off"), "{reason}");
        let mut twice = lines.clone();
        twice.insert(at, lines[at].clone());
        let (line, reason) = refused(&twice.concat(), &to).await;
        assert_eq!(line, number + 1, "repeated: {reason}");
        if !last {
            let mut moved = lines.clone();
            moved.swap(at, at + 1);
            let (line, reason) = refused(&moved.concat(), &to).await;
            assert_eq!(line, number, "moved: {reason}");
        }
    }
}

#[tokio::test]
async fn any_cut_and_any_flipped_bit_is_refused_where_it_is() {
    let export = small().await;
    let line_of = |at: usize| 1 + export[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("store");
    for length in (0..export.len()).step_by(61) {
        let (line, reason) = refused(&export[..length], &to).await;
        assert_eq!(line, line_of(length), "cut at {length}: {reason}");
    }
    for at in (0..export.len()).step_by(53) {
        let mut flipped = export.clone();
        flipped[at] ^= 1 << (at % 8);
        let (line, reason) = refused(&flipped, &to).await;
        assert_eq!(line, line_of(at), "flipped at {at}: {reason}");
        assert!(!to.join("rocksdb").exists() && !to.join("restoring").exists());
    }
    // What was refused so often left nothing behind.
    let import = import(Cursor::new(export), &to, Options::default(), |_| ());
    assert_eq!(import.await.unwrap().counts.events, 6);
}

/// Alters a line, and makes all checks and the last line hold again.
fn edited(export: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut crc = 0;
    let mut met = 0;
    for line in lines(export) {
        let line = String::from_utf8(line).unwrap();
        let mut said = line[..line.len() - 21].to_owned();
        met += usize::from(said.contains(from));
        if met == 1 {
            said = said.replacen(from, to, 1);
            met += 1;
        }
        if said.starts_with("{\"kind\":\"end\"") {
            let begun = said.find("\"blake3\":\"").unwrap() + 10;
            let hash = blake3::hash(&out).to_hex();
            said.replace_range(begun..begun + 64, &hash);
        }
        crc = crc32c::crc32c_append(crc, said.as_bytes());
        let check = format!(",\"check\":\"{crc:08x}\"}}\n");
        crc = crc32c::crc32c_append(crc, check.as_bytes());
        out.extend_from_slice(said.as_bytes());
        out.extend_from_slice(check.as_bytes());
    }
    assert!(met > 0, "{from} is in the export");
    out
}

#[tokio::test]
async fn a_line_that_does_not_fit_to_the_others_is_named_though_its_check_holds() {
    let (store, _dir) = rich().await;
    let export = exported(&store).await;
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("store");
    assert_eq!(edited(&export, "\"kind\"", "\"kind\""), export);
    for (from, by, reason) in [
        ("\"version\":1", "\"version\":2", "use a newer one"),
        ("\"position\":2,", "\"position\":3,", "does not follow 1"),
        ("\"revision\":2,", "\"revision\":3,", "does not follow 1"),
        ("\"id\":\"2\"", "\"id\":\"1\"", "stands at position 1"),
        ("\"commitIndex\":1", "\"commitIndex\":2", "event 2 of 12"),
        ("\"commitLen\":12", "\"commitLen\":1", "event 1 of 12"),
        ("\"sequence\":2", "\"sequence\":3", "does not follow 1"),
        ("\"origin\":7", "\"origin\":99", "beyond the head"),
        ("\"from\":2", "\"from\":1", "settles"),
        ("\"unheard\":[1]", "\"unheard\":[3]", "do not ascend"),
        ("\"at\":9", "\"at\":99", "beyond the head"),
        ("\"cursor\":6", "\"cursor\":8", "beyond the head 7"),
        ("\"crossed\":7", "\"crossed\":8", "should end at"),
        ("\"events\":13", "\"events\":14", "should end at"),
        ("\"head\":15", "\"head\":14", "beyond the head"),
        ("\"stream\":\"a-1\"", "\"stream\":\"\"", "must not be empty"),
        ("\"record\":2", "\"record\":1", "should be from 1"),
        ("\"kind\":\"cursor\"", "\"kind\":\"other\"", "unknown"),
        ("\"recordedMs\"", "\"recorded\"", "unknown field"),
        ("[\"most\",2147483647]", "[\"most\",2147483648]", "32 bits"),
        ("dataBase64\":\"", "dataBase64\":\"!", "base64"),
        (
            "\"log\":\"main\",\"cursor\"",
            "\"log\":\"x\",\"cursor\"",
            "not told before",
        ),
        (
            "\"outcome\":\"crossed\"",
            "\"outcome\":\"confirmed\"",
            "is none in",
        ),
        (
            "\"outcome\":\"skipped\"",
            "\"outcome\":\"unheard\"",
            "is none in",
        ),
        ("\"keyDigest\":\"", "\"keyDigest\":\"0", "32 hexadecimal"),
        ("\"resolutions\":8}", "\"resolutions\":9}", "should be"),
    ] {
        let altered = edited(&export, from, by);
        assert_ne!(altered, export, "{from} is in the export");
        let (line, told) = refused(&altered, &to).await;
        assert!(told.contains(reason), "{from}: line {line}: {told}");
        let at = lines(&altered)
            .iter()
            .position(|line| line.windows(by.len()).any(|part| part == by.as_bytes()));
        let end = lines(&altered).len() as u64;
        let at = at.unwrap() as u64 + 1;
        assert!(line >= at && line <= end, "{from}: line {line} of {end}");
    }
}

#[tokio::test]
async fn only_an_empty_folder_is_filled() {
    let export = small().await;
    let (store, dir) = fresh().await;
    let into = |dir: &TempDir| {
        let (from, to) = (Cursor::new(export.clone()), dir.path().to_owned());
        async move { import(from, &to, Options::default(), |_| ()).await }
    };
    append(&store, one("a-1", Expected::None, &["1"])).await;
    for closed in [false, true] {
        if closed {
            store.clone().close().await.unwrap();
        }
        let error = into(&dir).await.err().unwrap();
        assert!(error.to_string().contains("not empty"), "{error}");
    }
    let store = open(&dir).await;
    assert_eq!(store.event_count(&main_log()).await.unwrap(), 1);
    let none = tempfile::tempdir().unwrap();
    let path = none.path().to_owned();
    assert_eq!(
        Store::open_existing(none.path(), Options::default())
            .await
            .err(),
        Some(OpenError::NoStore { dir: path })
    );
}

const FROM: &str = "HORIZON_IMPORT_FROM";
const TO: &str = "HORIZON_IMPORT_TO";

#[tokio::test]
#[ignore = "the test below runs it as a process to kill"]
async fn the_import_that_is_killed() {
    let (Some(from), Some(to)) = (std::env::var_os(FROM), std::env::var_os(TO)) else {
        return;
    };
    let from = std::fs::File::open(from).unwrap();
    // Small batches, so that much is on the disk when it is killed.
    let options = Options {
        batch_max_bytes: 64 * 1024,
        memtables_bytes: 1024 * 1024,
        ..Options::default()
    };
    import(from, to.as_ref(), options, |_| ()).await.unwrap();
}

#[tokio::test]
async fn an_import_that_is_killed_is_no_store() {
    let (store, from) = fresh().await;
    for n in 0..200 {
        let ids: Vec<_> = (0..100).map(|k| format!("{n}/{k}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        append(&store, one(&format!("a-{n}"), Expected::None, &ids)).await;
    }
    let file = from.path().join("export.jsonl");
    let whole = store.export_file(&file, |_| ()).await.unwrap();
    let mut killed = 0;
    for after_ms in [0, 1, 3, 10, 30, 60, 100, 150, 250, 400] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["import_refused::the_import_that_is_killed"])
            .args(["--exact", "--ignored"])
            .env(FROM, &file)
            .env(TO, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !dir.path().join("restoring").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(after_ms));
        // SIGKILL on Unix.
        let _ = child.kill();
        child.wait().unwrap();
        match Store::open(dir.path(), Options::default()).await {
            Ok(store) => {
                let count = store.event_count(&main_log()).await.unwrap();
                assert_eq!(count, whole.counts.events, "all or nothing");
            }
            Err(error) => {
                killed += 1;
                let restoring = OpenError::Restoring {
                    dir: dir.path().to_owned(),
                };
                assert_eq!(error, restoring);
                let again = std::fs::File::open(&file).unwrap();
                import(again, dir.path(), Options::default(), |_| ())
                    .await
                    .unwrap();
                let store = open(&dir).await;
                let count = store.event_count(&main_log()).await.unwrap();
                assert_eq!(count, whole.counts.events);
            }
        }
    }
    println!("{killed} of 10 imports were killed before their end");
    assert!(killed > 0, "no import was killed before its end");
}
