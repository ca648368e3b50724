//! Blocks: which of 256 consecutive positions of a log belong to a category, or hold an event of a type.

use crate::codec::Flaw;
use crate::place::Position;

/// Most offsets that are written as a list; more are written as a bitmap of 32 bytes.
const LIST_MAX: usize = 31;

/// Offsets in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block([u64; 4]);

/// The first position of the block that a position is in.
pub(crate) fn block_of(position: Position) -> Position {
    Position::new(position.get() & !0xff)
}

impl Block {
    pub(crate) fn insert(&mut self, position: Position) {
        let offset = (position.get() & 0xff) as usize;
        if let Some(word) = self.0.get_mut(offset / 64) {
            *word |= 1 << (offset % 64);
        }
    }

    /// The positions, ascending, of the block that begins at `first`.
    pub(crate) fn positions(self, first: Position) -> impl DoubleEndedIterator<Item = Position> {
        (0..256_u64)
            .filter(move |offset| {
                let word = self.0.get((offset / 64) as usize).copied();
                word.is_some_and(|word| word & (1 << (offset % 64)) != 0)
            })
            .map(move |offset| Position::new(first.get() | offset))
    }

    fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        if self.len() > LIST_MAX {
            return self.0.into_iter().flat_map(u64::to_le_bytes).collect();
        }
        let offset = |position: Position| (position.get() & 0xff) as u8;
        self.positions(Position::ZERO).map(offset).collect()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut block = Self::default();
        if let Ok(bitmap) = <[u8; 32]>::try_from(body) {
            for (word, bytes) in block.0.iter_mut().zip(bitmap.chunks_exact(8)) {
                *word = u64::from_le_bytes(*bytes.first_chunk().ok_or(Flaw::Short)?);
            }
        } else {
            for offset in body {
                block.insert(Position::new(u64::from(*offset)));
            }
        }
        // One way to write each block: anything else was not written by a store.
        if block.0 != [0; 4] && block.encode() == body {
            Ok(block)
        } else {
            Err(Flaw::Content("the block is not as a store writes it"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn blocks_come_back_as_lists_and_as_bitmaps() {
        let first = Position::new((1 << 40) + 512);
        let mut block = Block::default();
        let mut expected = Vec::new();
        for offset in (0..256).step_by(5) {
            let position = Position::new(first.get() + offset);
            assert_eq!(block_of(position), first);
            block.insert(position);
            expected.push(position);
            let body = block.encode();
            assert_eq!(body.len(), expected.len().min(32));
            let read = Block::decode(&body).unwrap();
            assert_eq!(read.positions(first).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_no_store_writes_is_refused() {
        for body in [&[][..], &[2, 1], &[1, 1], &[0; 32], &[1; 33]] {
            assert!(Block::decode(body).is_err(), "{body:?}");
        }
        let mut few = [0; 32];
        few[3] = 1;
        assert!(Block::decode(&few).is_err());
    }
}
