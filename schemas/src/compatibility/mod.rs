//! Whether a change of public contracts breaks their consumers.
//!
//! Two questions are asked of each pair of revisions. *Backward*: does the new schema accept what was published under the
//! old one? (Readers move to the new schema, and history is read again.) *Forward*: does the old schema accept what is
//! published under the new one? (Readers stay where they are.) Both are the inclusion of one set of values in another.
//!
//! What is published is closed on leaving: a property that the public schema does not declare never leaves. So on the side
//! that publishes only declared properties count ([`Published::ClosedOnLeaving`]), while the side that reads accepts
//! whatever its schema, as it is written, accepts. An optional property can then be added to an open schema without
//! breaking anybody, and one that may carry anything cannot be given a type later.
//!
//! - [`compare`]: two revisions of one schema in one direction.
//! - [`breaking`]: the contracts of a folder against their revisions before ([`Side`]), by [`Mode`], with [`Waiver`]s.
//!
//! It is sound: nothing is called compatible when a value exists that is published and refused. What cannot be decided is
//! told as such, and counts as breaking.

mod arena;
mod arrays;
mod choices;
mod clause;
mod compare;
mod composed;
mod empty;
mod engine;
mod equal;
mod facts;
mod mode;
mod numbers;
mod objects;
mod outline;
mod plain;
mod report;
mod rules;
mod samples;
mod schemas;
mod stream;
mod texts;
mod waivers;

pub use crate::contract::Waiver;
pub use compare::{Revision, compare};
pub use mode::{MODE_WORDS, Mode};
pub use outline::Side;
pub use report::{Change, ContractReport, Note, Question, breaking};
pub use rules::codes;
pub use schemas::Schemas;

use serde_json::Value;

/// Who reads what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Readers of the new revision read what was published under the old one.
    Backward,
    /// Readers of the old revision read what is published under the new one.
    Forward,
}

impl Direction {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
        }
    }
}

/// Which values the publishing side is taken to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// All that its schema accepts.
    AsWritten,
    /// Those that its schema accepts and that hold only what it declares, as Horizon publishes them.
    ClosedOnLeaving,
}

/// One way in which a revision breaks another.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Who reads what.
    pub direction: Direction,
    /// The stable code of the rule that is broken.
    pub rule: &'static str,
    /// The schema file, of the side that refuses, in which the keyword stands.
    pub document: String,
    /// The JSON pointer of the keyword in that file.
    pub pointer: String,
    /// What breaks, in one sentence.
    pub message: String,
    /// A value that the one side publishes and the other refuses; none where it could not be decided.
    pub counterexample: Option<Value>,
    /// What would mend it.
    pub mend: String,
}

impl Finding {
    /// Whether no value was found that shows it: it counts as breaking all the same.
    pub fn is_undecided(&self) -> bool {
        self.counterexample.is_none()
    }
}
