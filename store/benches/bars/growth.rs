//! Growth: a store of many events in many streams against a small one: appends, reads of streams, opening, memory, disk.
//!
//! Minutes, and gigabytes of disk: only with `HORIZON_BENCH_EVENTS`, such as 10000000.

use std::path::Path;
use std::time::Instant;

use horizon_store::{Commit, LogName, Options, ReadLimit, Revision, Store};
use tokio::runtime::Runtime;

use crate::events::{commit, mixed, stream};
use crate::ratio::median;

/// What was measured of one store.
struct Size {
    append: f64,
    read: f64,
    open: f64,
    disk: f64,
    /// Seconds to tell that an event of an old commit is a repeat.
    repeat: f64,
}

/// Fills two stores and prints how they differ.
pub(crate) fn measure(events: u64) -> Vec<String> {
    let runtime = Runtime::new().unwrap();
    let small = size(&runtime, 100_000, 10_000);
    let large = size(&runtime, events, events / 10);
    let peak = peak_memory();
    let sizes = format!(
        "{events} events in {} streams against 100,000 in 10,000",
        events / 10
    );
    let (appends, reads) = (large.append / small.append, large.read / small.read);
    let (repeats, micros) = (large.repeat / small.repeat, large.repeat * 1e6);
    let read_micros = large.read * 1e6;
    let (open, disk) = (large.open, large.disk / events as f64);
    vec![
        format!("| {sizes}: append slower by | {appends:.2} | less than 1.5 |"),
        format!(
            "| the same: reading a stream slower by ({read_micros:.0} µs) | {reads:.2} | less than 1.5 |"
        ),
        format!(
            "| the same: telling a repeat slower by ({micros:.1} µs an event) | {repeats:.2} | |"
        ),
        format!("| the same: opening, seconds | {open:.2} | under 3 |"),
        format!("| the same: peak memory, MB | {peak:.0} | under 512 |"),
        format!("| the same: bytes on the disk an event | {disk:.0} | |"),
    ]
}

/// How many events a commit has while a store is filled, each of a stream of its own.
const COMMIT: u64 = 500;

fn commit_of(first: u64, events: u64, streams: u64) -> Commit {
    let writes = (first..(first + COMMIT).min(events))
        .flat_map(|number| commit(stream(mixed(number) % streams), number..number + 1).writes)
        .collect();
    Commit { writes }
}

fn size(runtime: &Runtime, events: u64, streams: u64) -> Size {
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let log = LogName::main();
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        let mut number = 0;
        while number < events {
            let commit = commit_of(number, events, streams);
            store.append(&log, commit).await.unwrap();
            number += COMMIT;
        }
        store.close().await.unwrap();
        let disk = bytes_of(dir.path());
        let begun = Instant::now();
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        let open = begun.elapsed().as_secs_f64();
        let mut repeats = Vec::new();
        for old in 0..40 {
            let number = mixed(old) % (events / COMMIT) * COMMIT;
            let commit = commit_of(number, events, streams);
            let begun = Instant::now();
            assert!(store.append(&log, commit).await.unwrap().repeat);
            repeats.push(begun.elapsed().as_secs_f64() / COMMIT as f64);
        }
        let (mut appends, mut reads) = (Vec::new(), Vec::new());
        for extra in 0..2_000 {
            let number = events + extra;
            let of = stream(mixed(number) % streams);
            let begun = Instant::now();
            let page = store.read_stream(&log, &of, Revision::ZERO, ReadLimit::default());
            page.await.unwrap();
            reads.push(begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            store
                .append(&log, commit(of, number..number + 1))
                .await
                .unwrap();
            appends.push(begun.elapsed().as_secs_f64());
        }
        store.close().await.unwrap();
        Size {
            append: median(&mut appends),
            read: median(&mut reads),
            open,
            disk,
            repeat: median(&mut repeats),
        }
    })
}

fn bytes_of(dir: &Path) -> f64 {
    let files = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    files
        .map(|file| match file.metadata().unwrap() {
            about if about.is_dir() => bytes_of(&file.path()),
            about => about.len() as f64,
        })
        .sum()
}

/// The process's largest resident size, in MB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1_000.0
}
