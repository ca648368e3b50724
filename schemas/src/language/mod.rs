//! The contract language: from YAML to raw contracts, in which every word knows its place.
//!
//! What is here knows the grammar only. Whether a broker, a schema or a field exists is decided in `resolve`.

mod attributes;
pub(crate) mod fields;
mod leaf;
mod outlet;
pub(crate) mod raw;
pub(crate) mod schema;
mod shared;
mod waiver;
pub(crate) mod words;
pub(crate) mod yaml;
