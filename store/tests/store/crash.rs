//! Killed at random moments: what was answered is there, what is there was asked, and commits and crossings are whole.
//!
//! The child is this test's own binary, run again with the folder in its environment. It tells on its standard output
//! what it is about to ask and what was answered; the test, outside, kills it and holds the store to its word.
//! `HORIZON_TEST_SEED` replays a run, `HORIZON_CRASH_ROUNDS` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use horizon_store::{
    CursorName, Event, LogPage, Options, Position, PublicEvent, ReadLimit, Record, Selection,
    Sequence, Store,
};

use crate::build::{main_log, public_stream, relay};
use crate::crash_child::{CHILD, DIR, Numbers, ROUND, commit_of};

/// What the child said before it was killed.
#[derive(Default)]
struct Said {
    asked: BTreeSet<(u64, u64)>,
    appended: BTreeMap<(u64, u64), u64>,
    crossed: u64,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        match words[0] {
            "ask" => drop(self.asked.insert((number(1), number(2)))),
            "appended" => drop(self.appended.insert((number(1), number(2)), number(3))),
            "crossed" => self.crossed = number(1),
            _ => {}
        }
    }
}

/// Runs the child, and kills it some time after its first answer.
fn run_and_kill(dir: &std::path::Path, round: u64, after: Duration) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
    // A thread of its own, so that the moment does not depend on what the child has just said.
    let (answered, first_answer) = std::sync::mpsc::channel();
    let killer = std::thread::spawn(move || {
        let in_time = first_answer.recv().is_ok();
        std::thread::sleep(after);
        // SIGKILL on Unix.
        let _ = child.kill();
        (in_time, child.wait().unwrap())
    });
    let mut said = Said::default();
    let mut answered = Some(answered);
    // What the pipe holds after the kill is read to its end.
    for line in lines.map_while(Result::ok) {
        said.hear(&String::from_utf8_lossy(&line));
        if !said.appended.is_empty() {
            answered.take().map(|answered| answered.send(()));
        }
    }
    drop(answered);
    let (in_time, status) = killer.join().unwrap();
    assert!(
        in_time,
        "the child ended before it had appended anything: {status}"
    );
    said
}

async fn whole_log(store: &Store) -> Vec<Event> {
    let mut events = Vec::new();
    let mut after = Position::ZERO;
    loop {
        let LogPage {
            records,
            through,
            head,
        } = store
            .read_log(&main_log(), &Selection::All, after, ReadLimit::default())
            .await
            .unwrap();
        events.extend(records.into_iter().map(|record| match record {
            Record::Event(event) => event,
            other => panic!("{other:?}"),
        }));
        if through == head {
            return events;
        }
        after = through;
    }
}

async fn whole_public(store: &Store) -> Vec<PublicEvent> {
    let mut events: Vec<PublicEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Sequence::ZERO, |last| last.sequence);
        let page = store
            .read_public(
                &main_log(),
                &public_stream("p"),
                after,
                ReadLimit::default(),
            )
            .await
            .unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(page.events);
    }
}

/// Commits are whole, each event is one that was asked for, and its stream is gapless.
fn check_log(events: &[Event], asked: &BTreeSet<String>) {
    let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut index = 0;
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position.get(), position);
        assert_eq!(
            event.commit_index, index,
            "a commit is cut at position {position}"
        );
        index = if index + 1 == event.commit_len {
            0
        } else {
            index + 1
        };
        assert!(
            asked.contains(&event.id),
            "{} was never asked for",
            event.id
        );
        assert_eq!(
            event.data.as_deref(),
            Some(format!("{{\"id\":\"{}\"}}", event.id).as_bytes())
        );
        let revision = revisions.entry(event.stream.as_str()).or_default();
        *revision += 1;
        assert_eq!(event.revision.get(), *revision);
    }
    assert_eq!(index, 0, "the last commit is cut");
}

async fn check_crossing(store: &Store, head: u64, crossed: u64) {
    let cursor = store
        .crossing_cursor(&main_log(), &CursorName::new("crossing").unwrap())
        .await
        .unwrap();
    let cursor = cursor.unwrap_or_default().get();
    assert!(
        crossed <= cursor && cursor <= head,
        "answered {crossed}, cursor {cursor}, head {head}"
    );
    let public = whole_public(store).await;
    let places: Vec<_> = public
        .iter()
        .map(|event| (event.sequence.get(), event.origin.get()))
        .collect();
    assert_eq!(
        places,
        (1..=cursor).map(|place| (place, place)).collect::<Vec<_>>()
    );
    let known = store
        .public_head(&main_log(), &public_stream("p"))
        .await
        .unwrap()
        .unwrap_or_default();
    assert_eq!((known.last.get(), known.crossed), (cursor, cursor));
    let settled = store
        .relay_cursor(&main_log(), &relay("p/r"))
        .await
        .unwrap()
        .unwrap_or_default()
        .get();
    assert!(settled <= cursor);
    assert_eq!(
        store
            .relay_totals(&main_log(), &relay("p/r"))
            .await
            .unwrap()
            .confirmed,
        settled
    );
}

#[tokio::test]
async fn what_was_answered_survives_kills_and_commits_are_whole() {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
            .to_string()
    };
    let seed: u64 = std::env::var("HORIZON_TEST_SEED")
        .unwrap_or_else(|_| now())
        .parse::<u128>()
        .unwrap() as u64;
    let rounds: u64 = std::env::var("HORIZON_CRASH_ROUNDS")
        .unwrap_or_else(|_| "12".into())
        .parse()
        .unwrap();
    println!("HORIZON_TEST_SEED={seed} HORIZON_CRASH_ROUNDS={rounds}");
    let mut numbers = Numbers(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut asked = BTreeSet::new();
    for round in 0..rounds {
        let said = run_and_kill(
            dir.path(),
            round,
            Duration::from_micros(numbers.below(300_000)),
        );
        for (task, number) in &said.asked {
            let commit = commit_of(round, *task, *number);
            asked.extend(
                commit
                    .writes
                    .into_iter()
                    .flat_map(|write| write.events)
                    .map(|event| event.id),
            );
        }
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        let events = whole_log(&store).await;
        println!(
            "round {round}: {} events, {} answers, crossed {}",
            events.len(),
            said.appended.len(),
            said.crossed
        );
        check_log(&events, &asked);
        check_crossing(&store, events.len() as u64, said.crossed).await;
        let ids: BTreeSet<_> = events.iter().map(|event| event.id.as_str()).collect();
        for (task, number) in &said.asked {
            let commit = commit_of(round, *task, *number);
            let stored = ids.contains(commit.writes[0].events[0].id.as_str());
            let again = store.append(&main_log(), commit).await.unwrap();
            assert_eq!(again.repeat, stored, "commit {task}/{number}");
            match said.appended.get(&(*task, *number)) {
                Some(position) => {
                    assert_eq!((stored, again.first_position.get()), (true, *position))
                }
                None => assert!(again.first_position.get() > 0),
            }
        }
        if numbers.below(2) == 0 {
            store.close().await.unwrap();
        }
    }
}
