//! The indexes of a log: which entries its records must be in, and whether these say anything else.

use std::ops::ControlFlow;

use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::Record;
use crate::index::block::{Block, block_of};
use crate::index::run::{self, RUN, run_of};
use crate::keys::{self, Family, Indexed, Key, LogId};
use crate::place::{Position, Revision};
use crate::record::{self, Pool};
use crate::state::IdEntry;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Stream,
    Id,
    Category,
    Type,
}

/// How many positions each index must tell of.
#[derive(Debug, Default)]
pub(super) struct Expected([u64; 4]);

impl Expected {
    pub(super) fn add(&mut self, index: Index) {
        if let Some(count) = self.0.get_mut(index as usize) {
            *count += 1;
        }
    }

    fn of(&self, index: Index) -> u64 {
        self.0.get(index as usize).copied().unwrap_or_default()
    }
}

/// What an entry must say of a record.
#[derive(Debug)]
pub(super) enum Said {
    /// A run: the position of its n-th event.
    Run {
        first: Revision,
        nth: usize,
        position: Position,
    },
    /// All of it.
    Id(IdEntry),
    /// A block: that the position is in it.
    Block(Position),
}

impl Said {
    pub(super) fn by(&self, body: &[u8]) -> Result<bool, Flaw> {
        Ok(match self {
            Self::Run {
                first,
                nth,
                position,
            } => run::decode(*first, body)?.get(*nth) == Some(position),
            Self::Id(entry) => IdEntry::decode(body)? == *entry,
            Self::Block(position) => Block::decode(body)?
                .positions(block_of(*position))
                .any(|found| found == *position),
        })
    }
}

impl Index {
    pub(super) const ALL: [Self; 4] = [Self::Stream, Self::Id, Self::Category, Self::Type];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Id => "id",
            Self::Category => "category",
            Self::Type => "type",
        }
    }

    fn all_of(self, log: LogId) -> Key {
        let family = match self {
            Self::Stream => Family::StreamIndex,
            Self::Id => Family::IdIndex,
            Self::Category => Family::CategoryIndex,
            Self::Type => Family::TypeIndex,
        };
        keys::all_of(family, log)
    }

    /// The entries that must tell of a record, and what they must say.
    pub(super) fn entries(record: Record, log: LogId, secrets: &Secrets) -> Vec<(Self, Key, Said)> {
        let block = |of: Indexed<'_>, position: Position| keys::block(log, of, block_of(position));
        let event = match record {
            Record::Event(event) => event,
            Record::System { position, kind, .. } => {
                let key = block(Indexed::System(&kind), position);
                return vec![(Self::Type, key, Said::Block(position))];
            }
            Record::Marker { .. } => return Vec::new(),
        };
        let position = event.position;
        let identity = secrets.identity(event.id(), event.source());
        let first = run_of(event.revision);
        let run = Said::Run {
            first,
            nth: event.revision.get().saturating_sub(first.get()) as usize,
            position,
        };
        let by_stream = keys::stream_index(log, event.stream(), first);
        let by_category = block(Indexed::Category(event.category()), position);
        let by_type = block(Indexed::Type(event.event_type()), position);
        let content = secrets.stored_content(&event);
        let entry = IdEntry { position, content };
        vec![
            (Self::Stream, by_stream, run),
            (Self::Id, keys::id_index(log, &identity), Said::Id(entry)),
            (Self::Category, by_category, Said::Block(position)),
            (Self::Type, by_type, Said::Block(position)),
        ]
    }

    /// Which positions an entry tells of.
    fn positions(self, key: &[u8], body: &[u8]) -> Result<Vec<Position>, Flaw> {
        let number = || keys::last_number(key).ok_or(Flaw::Content("the key has no number"));
        match self {
            Self::Stream => run::decode(Revision::new(number()?), body),
            Self::Id => Ok(vec![IdEntry::decode(body)?.position]),
            Self::Category | Self::Type => {
                let first = Position::new(number()?);
                if block_of(first) != first {
                    return Err(Flaw::Content("the key has no first position of a block"));
                }
                Ok(Block::decode(body)?.positions(first).collect())
            }
        }
    }
}

impl Checker<'_> {
    /// Reads all entries of all indexes. Each record's own were found; so there are others if they tell of more.
    pub(super) fn indexes(&mut self, log: LogId, expected: &Expected) -> Result<(), StoreError> {
        for index in Index::ALL {
            let all = index.all_of(log);
            let (mut count, mut runs) = (0_u64, Runs::default());
            self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
                let positions = index.positions(key, body)?.len() as u64;
                count += positions;
                if index == Index::Stream {
                    runs.next(checker, key, positions)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if count != expected.of(index) {
                self.others(log, index)?;
            }
        }
        Ok(())
    }

    /// Looks for positions that are of no record.
    fn others(&mut self, log: LogId, index: Index) -> Result<(), StoreError> {
        let (all, database, secrets) = (index.all_of(log), self.database, self.secrets);
        let mut failed = None;
        self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
            // What is wrong with the entry itself was told before.
            let positions = index.positions(key, body).unwrap_or_default();
            for (nth, position) in positions.into_iter().enumerate() {
                let found = database.get(&keys::log_record(log, position), |body| {
                    record::decode(position, body, &mut Pool::default())
                });
                let own = match found {
                    Ok(Some(record)) => Index::entries(record, log, secrets)
                        .into_iter()
                        .any(|(of, own, said)| {
                            of == index
                                && own.bytes == key
                                && !matches!(said, Said::Run { nth: own, .. } if own != nth)
                        }),
                    Ok(None) => false,
                    // Told with the log.
                    Err(StoreError::Damaged { .. }) => true,
                    Err(error) => {
                        failed = Some(error);
                        return Ok(ControlFlow::Break(()));
                    }
                };
                if !own {
                    let problem = format!(
                        "the {} index tells of position {position}, and the record there is not of it",
                        index.name()
                    );
                    checker.found_at(key, problem, Mend::Derived);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// The runs of the streams, one after the other.
#[derive(Default)]
struct Runs {
    stream: Vec<u8>,
    /// The stream's revision so far.
    revision: u64,
}

impl Runs {
    /// Whether a run begins where the one before it ends: only a stream's last may be not whole.
    fn next(&mut self, checker: &mut Checker<'_>, key: &[u8], events: u64) -> Result<(), Flaw> {
        let (stream, first) = key
            .split_last_chunk::<8>()
            .ok_or(Flaw::Content("the key has no revision"))?;
        let first = u64::from_be_bytes(*first);
        if stream != self.stream {
            self.stream = stream.to_vec();
            self.revision = 0;
        }
        if Some(first) != self.revision.checked_add(1) || !self.revision.is_multiple_of(RUN) {
            let problem = format!("the revisions after {} are missing", self.revision);
            checker.found_at(key, problem, Mend::Derived);
        }
        self.revision = first.saturating_add(events).saturating_sub(1);
        Ok(())
    }
}
