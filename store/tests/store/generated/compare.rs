//! Everything that can be asked, of two stores: they answer the same, but for when they wrote.

use std::fmt::Debug;

use horizon_store::{
    Event, EventStore, LogPage, ParkedKey, Position, PublicPage, ReadLimit, Record, Resolution,
    Revision, Selection, Sequence, StreamPage,
};

use super::calls::{NAMES, RELAY, scopes};
use crate::build::{category, main_log, public_stream, relay, stream};
use crate::conformance::crossing::cursor;
use crate::conformance::reading::records;

/// An answer without the times at which the store wrote.
trait Timeless {
    fn timeless(self) -> Self;
}

impl Timeless for Event {
    fn timeless(mut self) -> Self {
        self.recorded_ms = 0;
        self
    }
}

impl Timeless for LogPage {
    fn timeless(mut self) -> Self {
        for record in &mut self.records {
            match record {
                Record::Event(event) => event.recorded_ms = 0,
                Record::System { recorded_ms, .. } => *recorded_ms = 0,
                Record::Marker { .. } => {}
            }
        }
        self
    }
}

impl Timeless for StreamPage {
    fn timeless(mut self) -> Self {
        for event in &mut self.events {
            event.recorded_ms = 0;
        }
        self
    }
}

impl Timeless for PublicPage {
    fn timeless(mut self) -> Self {
        for event in &mut self.events {
            event.crossed_ms = 0;
        }
        self
    }
}

impl Timeless for Resolution {
    fn timeless(self) -> Self {
        Self { at_ms: 0, ..self }
    }
}

fn same<T: PartialEq + Debug>(what: &str, one: T, other: T) -> T {
    assert_eq!(one, other, "{what}");
    one
}

macro_rules! both {
    ($one:expr, $other:expr, $call:ident($($given:expr),*)) => {
        same(stringify!($call), $one.$call($($given),*).await.unwrap(), $other.$call($($given),*).await.unwrap())
    };
    ($one:expr, $other:expr, timeless $call:ident($($given:expr),*)) => {
        same(
            stringify!($call),
            $one.$call($($given),*).await.unwrap().timeless(),
            $other.$call($($given),*).await.unwrap().timeless(),
        )
    };
}

pub(super) async fn compare(one: &impl EventStore, other: &impl EventStore, count: usize) {
    let log = main_log();
    let limit = records(count);
    both!(one, other, head(&log));
    both!(one, other, event_count(&log));
    both!(one, other, read_system(&log, "test"));
    let of_type = |name: &str| Selection::EventType(name.into());
    for selection in [
        Selection::All,
        category("a"),
        category("b"),
        category("a!"),
        of_type("X"),
        of_type("Y"),
        of_type("test"),
    ] {
        let mut after = Position::ZERO;
        loop {
            let page = both!(one, other, timeless read_log(&log, &selection, after, limit));
            after = page.through;
            if after == page.head {
                break;
            }
        }
        let mut before = Position::END;
        while before > Position::ZERO {
            before =
                both!(one, other, timeless read_log_back(&log, &selection, before, limit)).through;
        }
    }
    for name in NAMES {
        compare_stream(one, other, name, limit).await;
    }
    for name in ["a", "b", "a!", "c"] {
        let mut after = None;
        loop {
            let page = both!(one, other, streams(&log, name, after.as_ref(), limit));
            after = page.streams.last().map(|last| last.stream.clone());
            if !page.more {
                break;
            }
        }
    }
    for id in (0..120).step_by(7) {
        let found = |events: Vec<Event>| {
            events
                .into_iter()
                .map(Timeless::timeless)
                .collect::<Vec<_>>()
        };
        let id = id.to_string();
        let (one, other) = (
            one.find_events(&log, &id, None).await.unwrap(),
            other.find_events(&log, &id, None).await.unwrap(),
        );
        same("find_events", found(one), found(other));
    }
    compare_public(one, other, limit).await;
    compare_parked(one, other, limit).await;
}

async fn compare_stream(
    one: &impl EventStore,
    other: &impl EventStore,
    name: &str,
    limit: ReadLimit,
) {
    let (log, name) = (main_log(), stream(name));
    let mut from = Revision::new(1);
    loop {
        let page = both!(one, other, timeless read_stream(&log, &name, from, limit));
        match page.events.last() {
            Some(last) => from = Revision::new(last.revision.get() + 1),
            None => break,
        }
    }
    let mut from = Revision::END;
    loop {
        let page = both!(one, other, timeless read_stream_back(&log, &name, from, limit));
        match page.events.last() {
            Some(last) => from = Revision::new(last.revision.get() - 1),
            None => break,
        }
    }
    let last = |event: Option<Event>| event.map(Timeless::timeless);
    let (one, other) = (
        one.last_event(&log, &name).await.unwrap(),
        other.last_event(&log, &name).await.unwrap(),
    );
    same("last_event", last(one), last(other));
}

async fn compare_public(one: &impl EventStore, other: &impl EventStore, limit: ReadLimit) {
    let (log, name, relay) = (main_log(), public_stream("p"), relay(RELAY));
    let head = both!(one, other, public_head(&log, &name)).unwrap_or_default();
    let mut after = Sequence::ZERO;
    loop {
        let page = both!(one, other, timeless read_public(&log, &name, after, limit));
        match page.events.last() {
            Some(last) => after = last.sequence,
            None => break,
        }
    }
    assert_eq!(after, head.last);
    both!(one, other, crossing_cursor(&log, &cursor("crossing")));
    let pairs = || {
        vec![
            ("k".into(), "test.tested.v1".into()),
            ("l".into(), "test.tested.v1".into()),
            ("k".into(), "other".into()),
        ]
    };
    both!(one, other, last_of_keys(&log, &name, pairs()));
    both!(one, other, relay_cursor(&log, &relay));
    both!(one, other, relay_totals(&log, &relay));
    for sequence in 0..=head.last.get() + 1 {
        both!(one, other, settled(&log, &relay, Sequence::new(sequence)));
    }
    for origin in 0..=one.head(&log).await.unwrap().get() {
        both!(one, other, public_of(&log, Position::new(origin)));
    }
}

/// Every parked key, in the order of keys.
async fn keys(
    store: &impl EventStore,
    scope: &horizon_store::ParkScope,
    limit: ReadLimit,
) -> Vec<ParkedKey> {
    let mut keys: Vec<ParkedKey> = Vec::new();
    loop {
        let after = keys.last().map(|key| key.key.clone());
        let page = store
            .parked_keys(&main_log(), scope, after.as_deref(), limit)
            .await
            .unwrap();
        keys.extend(page.keys);
        if !page.more {
            keys.sort_by(|one, other| one.key.cmp(&other.key));
            return keys;
        }
    }
}

async fn compare_parked(one: &impl EventStore, other: &impl EventStore, limit: ReadLimit) {
    let log = main_log();
    // No sequence is beyond the log either: each event crosses once.
    let last = one.head(&log).await.unwrap().get();
    for scope in scopes() {
        let found = same(
            "parked_keys",
            keys(one, &scope, limit).await,
            keys(other, &scope, limit).await,
        );
        for key in found {
            let mut after = 0;
            loop {
                let page = both!(
                    one,
                    other,
                    parked_entries(&log, &scope, &key.key, after, limit)
                );
                after = page.entries.last().map_or(u64::MAX, |last| last.at);
                if !page.more {
                    break;
                }
            }
        }
        for at in 0..=last {
            both!(one, other, parked_entry(&log, &scope, None, at));
            let left = |resolution: Option<Resolution>| resolution.map(Timeless::timeless);
            let (one, other) = (
                one.resolution(&log, &scope, None, at).await.unwrap(),
                other.resolution(&log, &scope, None, at).await.unwrap(),
            );
            same("resolution", left(one), left(other));
        }
    }
}
