//! The contract language: from YAML to raw contracts, in which every word knows its place.
//!
//! What is here knows the grammar only. Whether a broker, a schema or a field exists is decided in `resolve`.

pub(crate) mod fields;
mod leaf;
mod outlet;
pub(crate) mod raw;
pub(crate) mod yaml;
