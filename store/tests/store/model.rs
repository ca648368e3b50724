//! The model: what a store is, in maps and vectors, and what each call is to answer.

mod crossing;

use std::collections::BTreeMap;

use horizon_store::{
    AppendError, Commit, CrossError, Crossing, EventState, Expected, Position, RelayTotals,
    Revision, SettleError, Settlement, StreamWrite,
};

use crate::build::{event, stream};

/// One write of a generated commit: the stream's index, the belief, and ids with their contents.
pub(crate) type GeneratedWrite = (u8, Belief, Vec<(u8, u8)>);
/// First and last position, first and last revision of each write, and whether it is a repeat.
pub(crate) type Places = (u64, u64, Vec<(u64, u64)>, bool);

#[derive(Debug, Clone)]
pub(crate) enum Write {
    Append(Vec<GeneratedWrite>),
    /// The last commit that was stored, once more.
    Again,
    System,
    Cross {
        records: u8,
        wrong_cursor: bool,
        wrong_sequence: bool,
    },
    Settle {
        events: u8,
        wrong_cursor: bool,
        unheard: bool,
        parked: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Belief {
    Right,
    Off,
    None,
    Exists,
    Any,
}

/// What a call is to answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Append(Result<Places, AppendError>),
    System(u64),
    Cross(Result<(), CrossError>),
    Settle(Result<(), SettleError>),
}

/// A call as it is handed in.
pub(crate) enum Call {
    Append(Commit),
    System,
    Cross(Crossing),
    Settle(Settlement),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) stream: String,
    pub(crate) revision: u64,
    pub(crate) id: u8,
    pub(crate) content: u8,
    pub(crate) index: u32,
    pub(crate) len: u32,
}

/// The model: what a store is, in maps and vectors. Place n of a vector is place n + 1 of the store.
#[derive(Default)]
pub(crate) struct Model {
    /// None is a system record.
    pub(crate) log: Vec<Option<Stored>>,
    pub(crate) ids: BTreeMap<u8, usize>,
    pub(crate) streams: BTreeMap<String, Vec<usize>>,
    last_commit: Option<Commit>,
    pub(crate) cursor: u64,
    /// Origins.
    pub(crate) public: Vec<u64>,
    pub(crate) parked: u64,
    pub(crate) settled: u64,
    pub(crate) totals: RelayTotals,
}

pub(crate) const NAMES: [&str; 4] = ["a-1", "a-2", "b-1", "b"];

/// An event as it was handed in.
struct Sent {
    stream: String,
    id: u8,
    content: u8,
}

fn sent(stream: &str, event: &horizon_store::NewEvent) -> Sent {
    let content = event.data.as_ref().unwrap()[0];
    Sent {
        stream: stream.into(),
        id: event.id.parse().unwrap(),
        content,
    }
}

fn new_event(id: u8, content: u8) -> horizon_store::NewEvent {
    let mut event = event(&id.to_string());
    event.data = Some(vec![content; 20].into());
    event
}

impl Model {
    pub(crate) fn revision(&self, name: &str) -> u64 {
        self.streams
            .get(name)
            .map_or(0, |events| events.len() as u64)
    }

    fn commit(&self, writes: &[GeneratedWrite]) -> Commit {
        let mut revisions = BTreeMap::new();
        let writes = writes.iter().map(|(name, belief, events)| {
            let name = NAMES[*name as usize % NAMES.len()];
            let revision = revisions.entry(name).or_insert_with(|| self.revision(name));
            let expected = match belief {
                Belief::Right => Expected::Exact(Revision::new(*revision)),
                Belief::Off => Expected::Exact(Revision::new(*revision + 1)),
                Belief::None => Expected::None,
                Belief::Exists => Expected::Exists,
                Belief::Any => Expected::Any,
            };
            *revision += events.len() as u64;
            let events = events
                .iter()
                .map(|(id, content)| new_event(*id, *content))
                .collect();
            StreamWrite {
                stream: stream(name),
                expected,
                events,
            }
        });
        Commit {
            writes: writes.collect(),
        }
    }

    /// Says what a commit is to answer, and takes it in if it is stored.
    fn append(&mut self, commit: &Commit) -> Result<Places, AppendError> {
        let events: Vec<Sent> = commit
            .writes
            .iter()
            .flat_map(|write| {
                write
                    .events
                    .iter()
                    .map(|event| sent(write.stream.as_str(), event))
            })
            .collect();
        let known: Vec<_> = events
            .iter()
            .map(|sent| self.ids.get(&sent.id).copied())
            .collect();
        if known.iter().all(Option::is_none) {
            self.expectations(commit)?;
            return Ok(self.store(commit, events.len() as u32));
        }
        let first = known[0].unwrap_or_default();
        let same = events
            .iter()
            .zip(&known)
            .enumerate()
            .all(|(index, (sent, place))| {
                place.is_some_and(|place| {
                    let stored = self.log[place].as_ref().unwrap();
                    place == first + index
                        && (&*stored.stream, stored.content) == (&*sent.stream, sent.content)
                        && (stored.index as usize, stored.len as usize) == (index, events.len())
                })
            });
        if same {
            return Ok(self.repeat(commit, first, events.len()));
        }
        let state = |(sent, place): (&Sent, &Option<usize>)| self.state(sent, *place);
        Err(AppendError::IdConflict {
            events: events.iter().zip(&known).map(state).collect(),
        })
    }

    fn repeat(&self, commit: &Commit, first: usize, events: usize) -> Places {
        let mut place = first;
        let mut writes = Vec::new();
        for write in &commit.writes {
            let revision = |place: usize| self.log[place].as_ref().unwrap().revision;
            writes.push(match write.events.len() {
                0 => (0, 0),
                count => (revision(place), revision(place + count - 1)),
            });
            place += write.events.len();
        }
        (first as u64 + 1, (first + events) as u64, writes, true)
    }

    fn state(&self, sent: &Sent, place: Option<usize>) -> EventState {
        let Some(place) = place else {
            return EventState::New;
        };
        let stored = self.log[place].as_ref().unwrap();
        let position = Position::new(place as u64 + 1);
        let (stream, revision) = (stream(&stored.stream), Revision::new(stored.revision));
        if stored.content == sent.content {
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

    fn expectations(&self, commit: &Commit) -> Result<(), AppendError> {
        let mut revisions = BTreeMap::new();
        for write in &commit.writes {
            let revision = revisions
                .entry(write.stream.as_str())
                .or_insert(self.revision(write.stream.as_str()));
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

    fn store(&mut self, commit: &Commit, len: u32) -> Places {
        let first = self.log.len() as u64 + 1;
        let mut index = 0;
        let mut writes = Vec::new();
        for write in &commit.writes {
            let name = write.stream.as_str();
            let before = self.revision(name);
            for event in &write.events {
                let id = event.id.parse().unwrap();
                let content = event.data.as_ref().unwrap()[0];
                let revision = self.revision(name) + 1;
                self.ids.insert(id, self.log.len());
                self.streams
                    .entry(name.into())
                    .or_default()
                    .push(self.log.len());
                self.log.push(Some(Stored {
                    stream: name.into(),
                    revision,
                    id,
                    content,
                    index,
                    len,
                }));
                index += 1;
            }
            writes.push(if write.events.is_empty() {
                (0, 0)
            } else {
                (before + 1, self.revision(name))
            });
        }
        self.last_commit = Some(commit.clone());
        (first, self.log.len() as u64, writes, false)
    }

    /// Makes a call of a write, and says what it is to answer.
    pub(crate) fn call(&mut self, write: &Write) -> Option<(Call, Outcome)> {
        match write {
            Write::Append(writes) => {
                let commit = self.commit(writes);
                let outcome = self.append(&commit);
                Some((Call::Append(commit), Outcome::Append(outcome)))
            }
            Write::Again => {
                let commit = self.last_commit.clone()?;
                let outcome = self.append(&commit);
                Some((Call::Append(commit), Outcome::Append(outcome)))
            }
            Write::System => {
                self.log.push(None);
                Some((Call::System, Outcome::System(self.log.len() as u64)))
            }
            Write::Cross {
                records,
                wrong_cursor,
                wrong_sequence,
            } => self.cross(u64::from(*records), *wrong_cursor, *wrong_sequence),
            Write::Settle {
                events,
                wrong_cursor,
                unheard,
                parked,
            } => self.settle(u64::from(*events), *wrong_cursor, *unheard, *parked),
        }
    }
}
