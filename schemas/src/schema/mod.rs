//! JSON Schemas: what is read, what is allowed in them, what they declare, and checking data against them.
//!
//! Nothing is fetched: every reference must lead to a document of the schemas folder. A keyword that would be skipped
//! is refused, so that a schema never seems to say more than is checked.

pub(crate) mod check;
mod cost;
pub(crate) mod document;
pub(crate) mod documents;
mod examples;
mod graph;
mod json_text;
pub(crate) mod keywords;
mod marks;
pub(crate) mod must;
pub(crate) mod shape;
pub(crate) mod subjects;
mod walk;
