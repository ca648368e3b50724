//! The indexes as a batch leaves them: runs of streams, blocks of categories and types. An entry is written once a batch,
//! whatever number of events it gains.

use super::draft::LogDraft;
use crate::database::{Batch, Database};
use crate::error::StoreError;
use crate::index::block::{Block, block_of};
use crate::keys::{self, Indexed, LogId};
use crate::names::ByName;
use crate::place::Position;

/// A block that was taken up.
struct TakenUp {
    first: Position,
    block: Block,
    /// Whether the batch has added to it. A commit may be refused after its blocks were taken up.
    grown: bool,
}

/// Blocks by name; of each name in order, as a batch may reach over several.
type Named = ByName<String, Vec<TakenUp>>;

/// Blocks that a batch adds to.
#[derive(Default)]
pub(super) struct Blocks {
    categories: Named,
    types: Named,
    systems: Named,
}

impl Blocks {
    fn of(&mut self, of: Indexed<'_>) -> &mut Named {
        match of {
            Indexed::Category(_) => &mut self.categories,
            Indexed::Type(_) => &mut self.types,
            Indexed::System(_) => &mut self.systems,
        }
    }

    fn get(&self, of: Indexed<'_>, first: Position) -> Option<&TakenUp> {
        let named = match of {
            Indexed::Category(_) => &self.categories,
            Indexed::Type(_) => &self.types,
            Indexed::System(_) => &self.systems,
        };
        let mut known = named.get(name(of)).into_iter().flatten().rev();
        known.find(|known| known.first == first)
    }

    /// Takes up the block that a position is in, so that the position can be added. Positions only grow. `before` are the blocks of the
    /// batch before: most batches go on where that one ended.
    pub(super) fn take_up(
        &mut self,
        database: &Database,
        before: Option<&Self>,
        log: Option<LogId>,
        of: Indexed<'_>,
        position: Position,
    ) -> Result<(), StoreError> {
        let first = block_of(position);
        if self.get(of, first).is_some() {
            return Ok(());
        }
        let stored = match (before.and_then(|before| before.get(of, first)), log) {
            (Some(before), _) => Some(before.block),
            (None, Some(log)) => database.get(&keys::block(log, of, first), Block::decode)?,
            (None, None) => None,
        };
        let blocks = self.of(of).entry(name(of).to_owned()).or_default();
        blocks.push(TakenUp {
            first,
            block: stored.unwrap_or_default(),
            grown: false,
        });
        Ok(())
    }

    /// Adds a position to its block, which was taken up.
    pub(super) fn insert(&mut self, of: Indexed<'_>, position: Position) {
        let first = block_of(position);
        let mut blocks = self.of(of).get_mut(name(of)).into_iter().flatten().rev();
        if let Some(own) = blocks.find(|taken| taken.first == first) {
            own.block.insert(position);
            own.grown = true;
        }
    }

    fn put(&self, log: LogId, batch: &mut Batch) {
        let mut put = |of: Indexed<'_>, blocks: &[TakenUp]| {
            for TakenUp { first, block, .. } in blocks.iter().filter(|taken| taken.grown) {
                batch.put(keys::block(log, of, *first), &block.encode());
            }
        };
        for (name, blocks) in &self.categories {
            put(Indexed::Category(name), blocks);
        }
        for (name, blocks) in &self.types {
            put(Indexed::Type(name), blocks);
        }
        for (name, blocks) in &self.systems {
            put(Indexed::System(name), blocks);
        }
    }
}

fn name(of: Indexed<'_>) -> &str {
    match of {
        Indexed::Category(name) | Indexed::Type(name) | Indexed::System(name) => name,
    }
}

/// Adds the entries of all indexes of a log; to be called once, before the batch is written.
pub(super) fn put(log: &LogDraft, id: LogId, batch: &mut Batch) {
    for (identity, (entry, _)) in &log.ids {
        batch.put(keys::id_index(id, identity), &entry.encode());
    }
    for (stream, tail) in &log.streams {
        for (first, body) in tail.grown() {
            batch.put(keys::stream_index(id, stream.as_str(), first), body);
        }
    }
    log.blocks.put(id, batch);
}
