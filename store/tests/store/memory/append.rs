//! Appending: repeats and conflicts first, then expectations.

use std::collections::BTreeMap;

use horizon_store::{
    AppendError, Commit, Committed, CommittedWrite, Event, EventState, Expected, NewEvent,
    Position, Record, Revision, StreamName,
};

use super::{Log, limits};

/// When everything was written.
pub(super) const NOW_MS: u64 = 1_750_000_000_000;

impl Log {
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.records.iter().filter_map(|record| match record {
            Record::Event(event) => Some(event),
            _ => None,
        })
    }

    pub(super) fn revision(&self, stream: &StreamName) -> u64 {
        self.events()
            .filter(|event| event.stream() == stream.as_str())
            .count() as u64
    }

    pub(super) fn append(&mut self, commit: &Commit) -> Result<Committed, AppendError> {
        limits::commit(commit)?;
        let sent: Vec<(&StreamName, &NewEvent)> = commit
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(|event| (&write.stream, event)))
            .collect();
        let known: Vec<Option<&Event>> = sent
            .iter()
            .map(|(stream, event)| self.known(stream, event))
            .collect();
        if known.iter().all(Option::is_none) {
            self.check(commit)?;
            return Ok(self.store(commit, sent.len() as u32));
        }
        let first = known[0].map_or(0, |event| event.position.get());
        let same = (0..)
            .zip(sent.iter().zip(&known))
            .all(|(index, ((stream, event), known))| {
                known.is_some_and(|known| {
                    known.position.get() == first + u64::from(index)
                        && same_content(event, known)
                        && known.stream() == stream.as_str()
                        && (known.commit_index, known.commit_len) == (index, sent.len() as u32)
                })
            });
        if same {
            let revisions: Vec<_> = known
                .iter()
                .flatten()
                .map(|event| event.revision.get())
                .collect();
            return Ok(committed(commit, first, &revisions, true));
        }
        let state = |((_, event), known): (&(_, &NewEvent), &Option<&Event>)| state(event, *known);
        Err(AppendError::IdConflict {
            events: sent.iter().zip(&known).map(state).collect(),
        })
    }

    fn known(&self, stream: &StreamName, event: &NewEvent) -> Option<&Event> {
        let source = event.source.as_deref().unwrap_or(stream.as_str());
        self.events()
            .find(|known| known.id() == event.id && known.source() == source)
    }

    fn check(&self, commit: &Commit) -> Result<(), AppendError> {
        let mut revisions = BTreeMap::new();
        for write in &commit.writes {
            let revision = revisions
                .entry(&write.stream)
                .or_insert_with(|| self.revision(&write.stream));
            let holds = match write.expected {
                Expected::Exact(expected) => expected.get() == *revision,
                Expected::None => *revision == 0,
                Expected::Exists => *revision > 0,
                Expected::Any => true,
            };
            if !holds {
                return Err(AppendError::WrongRevision {
                    stream: write.stream.clone(),
                    expected: write.expected,
                    actual: Revision::new(*revision),
                });
            }
            *revision += write.events.len() as u64;
        }
        Ok(())
    }

    fn store(&mut self, commit: &Commit, commit_len: u32) -> Committed {
        let first = self.head().get() + 1;
        let mut revisions = Vec::new();
        for write in &commit.writes {
            for sent in &write.events {
                let revision = self.revision(&write.stream) + 1;
                let position = Position::new(self.head().get() + 1);
                let mut event = Event::of(sent, &write.stream, position, Revision::new(revision));
                event.recorded_ms = NOW_MS;
                event.commit_index = revisions.len() as u32;
                event.commit_len = commit_len;
                check(&event, sent, &write.stream);
                self.records.push(Record::Event(event));
                revisions.push(revision);
            }
        }
        committed(commit, first, &revisions, false)
    }
}

/// What is read is what was sent: so that what the store reads is compared with that, and not with its own way of reading.
fn check(event: &Event, sent: &NewEvent, stream: &StreamName) {
    let source = sent.source.as_deref().unwrap_or(stream.as_str());
    assert_eq!(
        [
            event.stream(),
            event.source(),
            event.id(),
            event.event_type()
        ],
        [stream.as_str(), source, &sent.id, &sent.event_type]
    );
    let attributes = sent.attributes.iter();
    let attributes = attributes.map(|(name, value)| (name.as_str(), value.as_ref()));
    assert!(event.attributes().eq(attributes), "{event:?}");
    assert_eq!(event.media_type(), sent.media_type.as_deref());
    assert_eq!(event.data(), sent.data.as_deref());
    assert_eq!(event.flagged, sent.flagged);
}

/// The answer, by the revisions of the commit's events.
fn committed(commit: &Commit, first: u64, revisions: &[u64], repeat: bool) -> Committed {
    let mut rest = revisions;
    let streams = commit.writes.iter().map(|write| {
        let (these, behind) = rest.split_at(write.events.len());
        rest = behind;
        CommittedWrite {
            stream: write.stream.clone(),
            first_revision: Revision::new(these.first().copied().unwrap_or_default()),
            last_revision: Revision::new(these.last().copied().unwrap_or_default()),
        }
    });
    Committed {
        streams: streams.collect(),
        first_position: Position::new(first),
        last_position: Position::new(first + revisions.len() as u64 - 1),
        repeat,
    }
}

fn same_content(new: &NewEvent, known: &Event) -> bool {
    let sent = new.attributes.iter();
    let sent: BTreeMap<_, _> = sent
        .map(|(name, value)| (name.as_str(), value.as_ref()))
        .collect();
    new.event_type == known.event_type()
        && new.media_type.as_deref() == known.media_type()
        && new.data.as_deref() == known.data()
        && sent == known.attributes().collect()
}

fn state(new: &NewEvent, known: Option<&Event>) -> EventState {
    let Some(known) = known else {
        return EventState::New;
    };
    let (position, stream, revision) = (
        known.position,
        StreamName::new(known.stream()).unwrap(),
        known.revision,
    );
    if same_content(new, known) {
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
