//! The indexes as a batch leaves them: runs of streams, blocks of categories and types. An entry is written once a batch,
//! whatever number of events it gains.

use std::collections::HashMap;

use super::draft::LogDraft;
use crate::database::{Batch, Database};
use crate::error::StoreError;
use crate::index::block::{Block, block_of};
use crate::keys::{self, Indexed, LogId};
use crate::place::Position;

/// Blocks of a name that a batch adds to, in order: a batch may reach over several.
type Grown = HashMap<String, Vec<(Position, Block)>>;

/// Blocks that a batch adds to.
#[derive(Default)]
pub(super) struct Blocks {
    categories: Grown,
    types: Grown,
    systems: Grown,
}

impl Blocks {
    fn of(&mut self, of: Indexed<'_>) -> &mut Grown {
        match of {
            Indexed::Category(_) => &mut self.categories,
            Indexed::Type(_) => &mut self.types,
            Indexed::System(_) => &mut self.systems,
        }
    }

    /// Takes up the block that a position is in, so that the position can be added. Positions only grow.
    pub(super) fn take_up(
        &mut self,
        database: &Database,
        log: Option<LogId>,
        of: Indexed<'_>,
        position: Position,
    ) -> Result<(), StoreError> {
        let first = block_of(position);
        let name = name(of);
        let known = self.of(of).get(name).and_then(|blocks| blocks.last());
        if known.is_some_and(|(at, _)| *at == first) {
            return Ok(());
        }
        let stored = match log {
            Some(log) => database.get(&keys::block(log, of, first), Block::decode)?,
            None => None,
        };
        let blocks = self.of(of).entry(name.to_owned()).or_default();
        blocks.push((first, stored.unwrap_or_default()));
        Ok(())
    }

    /// Adds a position to its block, which was taken up.
    pub(super) fn insert(&mut self, of: Indexed<'_>, position: Position) {
        let blocks = self.of(of).get_mut(name(of)).into_iter().flatten().rev();
        for (first, block) in blocks {
            if *first == block_of(position) {
                return block.insert(position);
            }
        }
    }

    fn put(&self, log: LogId, batch: &mut Batch) {
        let mut put = |of: Indexed<'_>, blocks: &[(Position, Block)]| {
            for (first, block) in blocks {
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
            batch.put(keys::stream_index(id, stream, first), body);
        }
    }
    log.blocks.put(id, batch);
}
