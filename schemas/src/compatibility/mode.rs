//! Which changes a contract promises not to make.

use super::Direction;

/// The direction or directions in which revisions must be compatible, and whether with all revisions or the last one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Readers of the new revision read what was published before.
    pub backward: bool,
    /// Readers of a revision before read what is published under the new one.
    pub forward: bool,
    /// With every revision that is kept, not only with the last one.
    pub transitive: bool,
}

/// The words of `compatibility`.
pub const MODE_WORDS: [&str; 6] = [
    "backward",
    "backward_transitive",
    "forward",
    "forward_transitive",
    "full",
    "full_transitive",
];

/// Each mode, by its word.
const MODES: [(&str, Mode); 6] = [
    (MODE_WORDS[0], mode(true, false, false)),
    (MODE_WORDS[1], mode(true, false, true)),
    (MODE_WORDS[2], mode(false, true, false)),
    (MODE_WORDS[3], mode(false, true, true)),
    (MODE_WORDS[4], mode(true, true, false)),
    (MODE_WORDS[5], mode(true, true, true)),
];

const fn mode(backward: bool, forward: bool, transitive: bool) -> Mode {
    Mode {
        backward,
        forward,
        transitive,
    }
}

impl Default for Mode {
    /// `full_transitive`: consumers move at their own pace, and history is read again.
    fn default() -> Self {
        mode(true, true, true)
    }
}

impl Mode {
    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        MODES
            .iter()
            .find(|(own, _)| *own == word)
            .map(|(_, mode)| *mode)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        MODES
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("none", |(word, _)| word)
    }

    /// All words, for a message.
    pub fn words() -> String {
        MODE_WORDS.join(", ")
    }

    /// The directions that count.
    pub fn directions(self) -> impl Iterator<Item = Direction> {
        let backward = self.backward.then_some(Direction::Backward);
        let forward = self.forward.then_some(Direction::Forward);
        backward.into_iter().chain(forward)
    }
}
