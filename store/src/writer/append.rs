//! Appending: commits and system records.
//!
//! Idempotency comes before expectations: if all events of the commit are those of a stored commit, in order, the
//! answer is that of the first time; any other overlap is a conflict.

use std::collections::HashMap;

use super::draft::Draft;
use crate::commit::{AppendError, Committed, CommittedWrite, EventState, Expected};
use crate::error::StoreError;
use crate::keys;
use crate::limits::LimitError;
use crate::names::{LogName, StreamName};
use crate::place::{Position, Revision};
use crate::prepare::{PreparedCommit, PreparedEvent, PreparedWrite};
use crate::record::{self, EventPlace};
use crate::state::{self, IdEntry};

impl Draft<'_> {
    pub(super) fn append(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
    ) -> Result<Committed, AppendError> {
        if let Some(repeat) = self.repeat(log, commit)? {
            return Ok(repeat);
        }
        let befores = self.check_expectations(log, commit)?;
        let first = self.log(log).head.last.next().ok_or_else(|| full(log))?;
        let last = first
            .plus(u64::from(commit.events) - 1)
            .ok_or_else(|| full(log))?;
        Ok(self.apply(log, commit, &befores, first, last))
    }

    /// Looks for the commit's events in the log. None if all are new.
    fn repeat(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
    ) -> Result<Option<Committed>, AppendError> {
        let mut known = Vec::with_capacity(commit.events as usize);
        for event in commit.writes.iter().flat_map(|write| &write.events) {
            known.push(self.known(log, &event.identity)?);
        }
        if known.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut places = Vec::with_capacity(known.len());
        for entry in &known {
            places.push(match entry {
                Some(entry) => Some((*entry, self.place(log, entry.position)?)),
                None => None,
            });
        }
        match same_commit(commit, &places) {
            Some(committed) => Ok(Some(committed)),
            None => Err(AppendError::IdConflict {
                events: states(commit, places),
            }),
        }
    }

    /// Checks each write against the streams as the writes before it leave them. Gives each write's revision before.
    fn check_expectations(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
    ) -> Result<Vec<Revision>, AppendError> {
        let mut streams: HashMap<&StreamName, Revision> = HashMap::new();
        let mut befores = Vec::with_capacity(commit.writes.len());
        for PreparedWrite {
            stream,
            expected,
            events,
        } in &commit.writes
        {
            let actual = match streams.get(stream) {
                Some(revision) => *revision,
                None => self.revision(log, stream)?,
            };
            let holds = match expected {
                Expected::Exact(revision) => actual == *revision,
                Expected::None => actual == Revision::ZERO,
                Expected::Exists => actual > Revision::ZERO,
                Expected::Any => true,
            };
            if !holds {
                return Err(AppendError::WrongRevision {
                    stream: stream.clone(),
                    expected: *expected,
                    actual,
                });
            }
            let after = actual.plus(events.len() as u64).ok_or_else(|| full(log))?;
            streams.insert(stream, after);
            befores.push(actual);
        }
        Ok(befores)
    }

    fn apply(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
        befores: &[Revision],
        first: Position,
        last: Position,
    ) -> Committed {
        let mut commit_index = 0;
        let mut streams = Vec::with_capacity(commit.writes.len());
        for (write, before) in commit.writes.iter().zip(befores) {
            let mut revision = before.get();
            for event in &write.events {
                revision += 1;
                let place = EventPlace {
                    stream: write.stream.clone(),
                    revision: Revision::new(revision),
                    commit_index,
                    commit_len: commit.events,
                };
                let position = Position::new(first.get() + u64::from(commit_index));
                self.put_event(log, event, position, place);
                commit_index += 1;
            }
            streams.push(committed_write(&write.stream, *before, revision));
            self.log(log)
                .streams
                .insert(write.stream.clone(), Revision::new(revision));
        }
        let head = &mut self.log(log).head;
        head.last = last;
        head.events = head.events.saturating_add(u64::from(commit.events));
        self.sync = true;
        Committed {
            first_position: first,
            last_position: last,
            streams,
            repeat: false,
        }
    }

    pub(super) fn put_event(
        &mut self,
        log: &LogName,
        event: &PreparedEvent,
        position: Position,
        place: EventPlace,
    ) {
        let id = self.registered(log);
        let entry = IdEntry {
            position,
            content: event.content_digest,
        };
        let stream = &place.stream;
        let body = record::event(&place, self.now_ms, &event.content);
        self.batch.put(keys::log_record(id, position), &body);
        self.batch.put(
            keys::stream_index(id, stream, place.revision),
            &state::encode_number(position.get()),
        );
        self.batch
            .put(keys::id_index(id, &event.identity), &entry.encode());
        self.batch
            .put(keys::category_index(id, stream.category(), position), &[]);
        self.batch
            .put(keys::type_index(id, &event.event_type, position), &[]);
        let log = self.log(log);
        log.ids.insert(event.identity, entry);
        log.places.insert(position, place);
    }

    pub(super) fn append_system(
        &mut self,
        log: &LogName,
        kind: &str,
        body: &[u8],
    ) -> Result<Position, StoreError> {
        let position = self
            .log(log)
            .head
            .last
            .next()
            .ok_or_else(|| StoreError::Refused(full(log)))?;
        self.put_system(log, position, kind, body);
        self.sync = true;
        Ok(position)
    }

    pub(super) fn put_system(
        &mut self,
        log: &LogName,
        position: Position,
        kind: &str,
        body: &[u8],
    ) {
        let id = self.registered(log);
        self.batch.put(
            keys::log_record(id, position),
            &record::system(self.now_ms, kind, body),
        );
        self.batch.put(keys::system_index(id, kind, position), &[]);
        self.log(log).head.last = position;
    }
}

/// The answer of the first time, if the events are those of one whole commit, in order and in the same streams.
fn same_commit(
    commit: &PreparedCommit,
    places: &[Option<(IdEntry, EventPlace)>],
) -> Option<Committed> {
    let first = places.first()?.as_ref()?.0.position;
    let mut streams = Vec::with_capacity(commit.writes.len());
    let mut index = 0_u32;
    for write in &commit.writes {
        let mut revisions = None;
        for event in &write.events {
            let (entry, place) = places.get(index as usize)?.as_ref()?;
            let same = entry.position == first.plus(u64::from(index))?
                && entry.content == event.content_digest
                && place.stream == write.stream
                && place.commit_index == index
                && place.commit_len == commit.events;
            if !same {
                return None;
            }
            let (from, _) = revisions.unwrap_or((place.revision, place.revision));
            revisions = Some((from, place.revision));
            index = index.checked_add(1)?;
        }
        let (first_revision, last_revision) = revisions.unwrap_or_default();
        streams.push(CommittedWrite {
            stream: write.stream.clone(),
            first_revision,
            last_revision,
        });
    }
    let last_position = first.plus(u64::from(commit.events.checked_sub(1)?))?;
    Some(Committed {
        first_position: first,
        last_position,
        streams,
        repeat: true,
    })
}

fn states(commit: &PreparedCommit, places: Vec<Option<(IdEntry, EventPlace)>>) -> Vec<EventState> {
    let events = commit.writes.iter().flat_map(|write| &write.events);
    let state = |(event, place): (&PreparedEvent, Option<(IdEntry, EventPlace)>)| match place {
        None => EventState::New,
        Some((
            entry,
            EventPlace {
                stream, revision, ..
            },
        )) => {
            let position = entry.position;
            if entry.content == event.content_digest {
                EventState::Stored {
                    position,
                    stream,
                    revision,
                }
            } else {
                EventState::Different {
                    position,
                    stream,
                    revision,
                }
            }
        }
    };
    events.zip(places).map(state).collect()
}

/// What is told of a write that took its stream from one revision to another; zeros if it had no event.
fn committed_write(stream: &StreamName, before: Revision, after: u64) -> CommittedWrite {
    let (first_revision, last_revision) = match before.next() {
        Some(first) if after > before.get() => (first, Revision::new(after)),
        _ => (Revision::ZERO, Revision::ZERO),
    };
    CommittedWrite {
        stream: stream.clone(),
        first_revision,
        last_revision,
    }
}

fn full(log: &LogName) -> LimitError {
    LimitError::malformed(format!("log {log}"), "it has no place left in its epoch")
}
