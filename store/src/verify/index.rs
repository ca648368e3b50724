//! The indexes of a log: what entries its records must have, and whether there are others.

use std::ops::ControlFlow;

use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::{NewEvent, Record};
use crate::keys::{self, Family, Key, LogId};
use crate::place::Position;
use crate::record;
use crate::state::{self, IdEntry};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Stream,
    Id,
    Category,
    Type,
}

/// How many entries each index must have.
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
        match self {
            Self::Stream => keys::all_of(Family::StreamIndex, log),
            Self::Id => keys::all_of(Family::IdIndex, log),
            Self::Category => keys::all_of(Family::CategoryIndex, log),
            Self::Type => keys::all_of(Family::TypeIndex, log),
        }
    }

    /// The entries of a record, to the byte.
    pub(super) fn entries(
        record: Record,
        log: LogId,
        secrets: &Secrets,
    ) -> Vec<(Self, Key, Vec<u8>)> {
        let event = match record {
            Record::Event(event) => event,
            Record::System { position, kind, .. } => {
                let key = keys::system_index(log, &kind, position);
                return vec![(Self::Type, key, Vec::new())];
            }
            Record::Marker { .. } => return Vec::new(),
        };
        let position = event.position;
        let identity = secrets.identity(&event.id, &event.source);
        let by_stream = keys::stream_index(log, &event.stream, event.revision);
        let by_category = keys::category_index(log, event.stream.category(), position);
        let by_type = keys::type_index(log, &event.event_type, position);
        let content = secrets.content(&NewEvent {
            id: event.id,
            source: Some(event.source),
            event_type: event.event_type,
            attributes: event.attributes,
            media_type: event.media_type,
            data: event.data,
        });
        let entry = IdEntry { position, content };
        vec![
            (
                Self::Stream,
                by_stream,
                state::encode_number(position.get()),
            ),
            (Self::Id, keys::id_index(log, &identity), entry.encode()),
            (Self::Category, by_category, Vec::new()),
            (Self::Type, by_type, Vec::new()),
        ]
    }

    /// Which position an entry speaks of.
    fn position(self, key: &[u8], body: &[u8]) -> Result<Position, Flaw> {
        match self {
            Self::Stream => state::decode_number(body),
            Self::Id => IdEntry::decode(body).map(|entry| entry.position.get()),
            Self::Category | Self::Type => {
                state::decode_empty(body)?;
                keys::last_number(key).ok_or(Flaw::Content("the key has no position"))
            }
        }
        .map(Position::new)
    }
}

impl Checker<'_> {
    /// Reads all entries of all indexes. Each record's own were found; so there are others if there are more.
    pub(super) fn indexes(&mut self, log: LogId, expected: &Expected) -> Result<(), StoreError> {
        for index in Index::ALL {
            let all = index.all_of(log);
            let (mut count, mut stream, mut revision) = (0_u64, Vec::new(), 0_u64);
            self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
                count += 1;
                index.position(key, body)?;
                if index == Index::Stream {
                    let (name, number) = key
                        .split_last_chunk::<8>()
                        .ok_or(Flaw::Content("the key has no revision"))?;
                    if name != stream.as_slice() {
                        stream = name.to_vec();
                        revision = 0;
                    }
                    let number = u64::from_be_bytes(*number);
                    if Some(number) != u64::checked_add(revision, 1) {
                        let problem = format!("the revisions after {revision} are missing");
                        checker.found_at(key, problem, Mend::Derived);
                    }
                    revision = number;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if count != expected.of(index) {
                self.others(log, index)?;
            }
        }
        Ok(())
    }

    /// Looks for entries that are of no record.
    fn others(&mut self, log: LogId, index: Index) -> Result<(), StoreError> {
        let (all, database, secrets) = (index.all_of(log), self.database, self.secrets);
        let mut failed = None;
        self.walk(&all, &all.bytes, Mend::Derived, |checker, key, body| {
            // What is wrong with the entry itself was told before.
            let Ok(position) = index.position(key, body) else {
                return Ok(ControlFlow::Continue(()));
            };
            let found = database.get(&keys::log_record(log, position), |body| {
                record::decode(position, body)
            });
            let own = match found {
                Ok(Some(record)) => Index::entries(record, log, secrets)
                    .into_iter()
                    .any(|(of, own, _)| of == index && own.bytes == key),
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
                    "the {} index has it, and the record at position {position} is not of it",
                    index.name()
                );
                checker.found_at(key, problem, Mend::Derived);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }
}
