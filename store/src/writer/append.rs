//! Appending: commits and system records.
//!
//! Idempotency comes before expectations: if all events of the commit are those of a stored commit, in order, the
//! answer is that of the first time; any other overlap is a conflict.

use super::draft::Draft;
use crate::commit::{AppendError, Committed, CommittedWrite, EventState, Expected};
use crate::error::StoreError;
use crate::index::run::Tail;
use crate::keys::{self, Indexed};
use crate::limits::LimitError;
use crate::names::{ByName, LogName, StreamName};
use crate::place::{Position, Revision};
use crate::prepare::{PreparedCommit, PreparedEvent};
use crate::record::{self, EventPlace};
use crate::state::IdEntry;

impl Draft<'_> {
    pub(super) fn append(
        &mut self,
        log: &LogName,
        commit: &mut PreparedCommit,
    ) -> Result<Committed, AppendError> {
        if let Some(repeat) = self.repeat(log, commit)? {
            return Ok(repeat);
        }
        let first = self.log(log).head.last.next().ok_or_else(|| full(log))?;
        let checked = self.check(log, commit, first)?;
        self.take_up_blocks(log, commit, first)?;
        Ok(self.apply(log, commit, checked, first))
    }

    /// Looks for the commit's events in the log. None if all are new.
    fn repeat(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
    ) -> Result<Option<Committed>, AppendError> {
        // Empty until one is found: most are new.
        let mut places = Vec::new();
        for (index, event) in commit.events().enumerate() {
            let known = self.known(log, &event.identity, commit.looked_up, event.stored)?;
            if known.is_some() || !places.is_empty() {
                places.resize(index, None);
                places.push(known);
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        match same_commit(commit, &places) {
            Some(committed) => Ok(Some(committed)),
            None => Err(AppendError::IdConflict {
                events: states(commit, places),
            }),
        }
    }

    /// Checks each write against the streams as the writes before it leave them, up to the last position.
    fn check(
        &mut self,
        log: &LogName,
        commit: &mut PreparedCommit,
        first: Position,
    ) -> Result<Checked, AppendError> {
        let (looked_up, several) = (commit.looked_up, commit.writes.len() > 1);
        let mut streams: Vec<(StreamName, Tail)> = Vec::with_capacity(commit.writes.len());
        let mut places: ByName<StreamName, usize> = ByName::default();
        let mut writes = Vec::with_capacity(commit.writes.len());
        let mut next = Some(first);
        for write in &mut commit.writes {
            let stream = &write.stream;
            let place = match places.get(stream) {
                Some(place) => *place,
                None => {
                    let tail = self.tail(log, stream, looked_up, write.tail.take())?;
                    streams.push((stream.clone(), tail));
                    if several {
                        places.insert(stream.clone(), streams.len() - 1);
                    }
                    streams.len() - 1
                }
            };
            let Some((_, tail)) = streams.get_mut(place) else {
                continue;
            };
            let actual = tail.revision;
            let holds = match write.expected {
                Expected::Exact(revision) => actual == revision,
                Expected::None => actual == Revision::ZERO,
                Expected::Exists => actual > Revision::ZERO,
                Expected::Any => true,
            };
            if !holds {
                return Err(AppendError::WrongRevision {
                    stream: stream.clone(),
                    expected: write.expected,
                    actual,
                });
            }
            for _ in &write.events {
                let position = next.ok_or_else(|| full(log))?;
                tail.push(position).ok_or_else(|| full(log))?;
                next = position.next();
            }
            writes.push(committed_write(stream, actual, tail.revision));
        }
        // Those that were only checked stay as they are.
        streams.retain(|(_, tail)| tail.grown().next().is_some());
        Ok(Checked { streams, writes })
    }

    /// Reads what of the indexes will grow. It may fail, so that what comes after it may not.
    fn take_up_blocks(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
        first: Position,
    ) -> Result<(), StoreError> {
        let (database, before) = (self.database, self.blocks_before(log));
        let log = self.log(log);
        let mut position = first;
        for write in &commit.writes {
            for event in &write.events {
                for of in indexed(&write.stream, event) {
                    log.blocks.take_up(database, before, log.id, of, position)?;
                }
                position = Position::new(position.get() + 1);
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        log: &LogName,
        commit: &PreparedCommit,
        Checked { streams, writes }: Checked,
        first: Position,
    ) -> Committed {
        let mut commit_index = 0;
        for (write, committed) in commit.writes.iter().zip(&writes) {
            let mut revision = committed.first_revision.get();
            for event in &write.events {
                let place = EventPlace {
                    stream: write.stream.clone(),
                    revision: Revision::new(revision),
                    commit_index,
                    commit_len: commit.events,
                };
                let position = Position::new(first.get() + u64::from(commit_index));
                self.put_event(log, event, position, place);
                commit_index += 1;
                revision = revision.saturating_add(1);
            }
        }
        let last = Position::new(first.get() + u64::from(commit.events) - 1);
        let log = self.log(log);
        log.streams.extend(streams);
        log.head.last = last;
        log.head.events = log.head.events.saturating_add(u64::from(commit.events));
        self.sync = true;
        Committed {
            first_position: first,
            last_position: last,
            streams: writes,
            repeat: false,
        }
    }

    /// Adds an event's record to the batch; its entries of the indexes follow at the batch's end.
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
        let (flagged, now_ms) = (event.flagged, self.now_ms);
        self.batch
            .put_encoded(keys::log_record(id, position), |encoder| {
                record::event(encoder, &place, flagged, now_ms, &event.content)
            });
        let log = self.log(log);
        for of in indexed(&place.stream, event) {
            log.blocks.insert(of, position);
        }
        log.ids.insert(event.identity, (entry, place));
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
        self.put_system(log, position, kind, body)?;
        self.sync = true;
        Ok(position)
    }

    pub(super) fn put_system(
        &mut self,
        log: &LogName,
        position: Position,
        kind: &str,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let (database, before) = (self.database, self.blocks_before(log));
        let of = Indexed::System(kind);
        let draft = self.log(log);
        draft
            .blocks
            .take_up(database, before, draft.id, of, position)?;
        draft.blocks.insert(of, position);
        draft.head.last = position;
        let id = self.registered(log);
        self.batch.put(
            keys::log_record(id, position),
            &record::system(self.now_ms, kind, body),
        );
        Ok(())
    }
}

/// A commit that may be applied.
struct Checked {
    /// The streams that grow, as the commit leaves them.
    streams: Vec<(StreamName, Tail)>,
    /// What is told of each write.
    writes: Vec<CommittedWrite>,
}

/// What an event is indexed by, besides its stream and id.
pub(super) fn indexed<'a>(stream: &'a StreamName, event: &'a PreparedEvent) -> [Indexed<'a>; 2] {
    [
        Indexed::Category(stream.category()),
        Indexed::Type(&event.event_type),
    ]
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
    let events = commit.events();
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
fn committed_write(stream: &StreamName, before: Revision, after: Revision) -> CommittedWrite {
    let (first_revision, last_revision) = match before.next() {
        Some(first) if after > before => (first, after),
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
