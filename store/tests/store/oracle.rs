//! The oracle of the crash tests: what a child said before it died, and whether the store keeps its word.
//!
//! It is outside the process that died, and knows nothing of the store but its public interface.

use std::collections::{BTreeMap, BTreeSet};

use horizon_store::{
    CursorName, Event, LogPage, Position, PublicEvent, ReadLimit, Record, Selection, Sequence,
    Store,
};

use crate::build::{main_log, public_stream, relay};
use crate::crash_child::commit_of;

/// What a child said before it died.
#[derive(Default)]
pub(crate) struct Said {
    asked: BTreeSet<(u64, u64)>,
    /// The positions that were answered, by task and number.
    pub(crate) appended: BTreeMap<(u64, u64), u64>,
    crossed: u64,
    /// Everything else, as it was said.
    pub(crate) told: Vec<String>,
}

/// What was said in all rounds.
#[derive(Default)]
pub(crate) struct Oracle {
    appended: BTreeMap<(u64, u64, u64), u64>,
    asked: BTreeSet<String>,
    crossed: u64,
}

impl Said {
    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        match words[0] {
            "ask" => drop(self.asked.insert((number(1), number(2)))),
            "appended" => drop(self.appended.insert((number(1), number(2)), number(3))),
            "crossed" => self.crossed = number(1),
            "opened" | "unopened" | "failed" | "then" | "closed" | "unclosed" => {
                self.told.push(line.into())
            }
            _ => {}
        }
    }

    /// Whether the child said a line that begins so.
    pub(crate) fn told(&self, begin: &str) -> bool {
        self.told.iter().any(|line| line.starts_with(begin))
    }
}

impl Oracle {
    /// Takes in what the child of a round said.
    pub(crate) fn hear(&mut self, round: u64, said: &Said) {
        for (task, number) in &said.asked {
            let events = commit_of(round, *task, *number)
                .writes
                .into_iter()
                .flat_map(|write| write.events);
            self.asked.extend(events.map(|event| event.id));
        }
        let answers = said.appended.iter();
        self.appended
            .extend(answers.map(|((task, number), position)| ((round, *task, *number), *position)));
        self.crossed = self.crossed.max(said.crossed);
    }

    /// The commits that were answered and are not where the answer said.
    pub(crate) fn missing(&self, events: &[Event]) -> Vec<(u64, u64, u64)> {
        let places: BTreeMap<_, _> = events
            .iter()
            .map(|event| (event.id(), event.position.get()))
            .collect();
        let is_missing = |((round, task, number), position): (&(u64, u64, u64), &u64)| {
            let first = &commit_of(*round, *task, *number).writes[0].events[0].id;
            (places.get(first.as_str()) != Some(position)).then_some((*round, *task, *number))
        };
        self.appended.iter().filter_map(is_missing).collect()
    }

    /// Holds the store to what was said, then asks for the commits of the last round again: each is a repeat if it was
    /// stored, and stored now if it was not.
    pub(crate) async fn judge(&mut self, store: &Store, round: u64, said: &Said) {
        let events = whole_log(store).await;
        println!(
            "round {round}: {} events, {} answers, crossed {}, {:?}",
            events.len(),
            said.appended.len(),
            said.crossed,
            said.told.iter().take(3).collect::<Vec<_>>()
        );
        check_log(&events, &self.asked);
        assert_eq!(
            self.missing(&events),
            [],
            "answered in (round, task, number), and not there"
        );
        check_crossing(store, events.len() as u64, self.crossed).await;
        let ids: BTreeSet<_> = events.iter().map(|event| event.id()).collect();
        for (task, number) in &said.asked {
            let commit = commit_of(round, *task, *number);
            let stored = ids.contains(commit.writes[0].events[0].id.as_str());
            let again = store.append(&main_log(), commit).await.unwrap();
            assert_eq!(again.repeat, stored, "commit {task}/{number}");
            let position = again.first_position.get();
            self.appended.insert((round, *task, *number), position);
        }
    }
}

pub(crate) async fn whole_log(store: &Store) -> Vec<Event> {
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
            asked.contains(event.id()),
            "{} was never asked for",
            event.id()
        );
        assert_eq!(
            event.data(),
            Some(format!("{{\"id\":\"{}\"}}", event.id()).as_bytes())
        );
        let revision = revisions.entry(event.stream()).or_default();
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
