//! Expressions in a small part of jq: what a contract may compute.
//!
//! The text is read by jq's own parser (`jaq`), and the syntax tree is translated construct by construct; whatever is
//! not on the allow-list is refused when the contract is loaded. There is nothing that defines, recurses, loops
//! without an end, reads the environment, the clock or another input.
//!
//! The translation also finds every path that the expression can read ([`Expression::reads`]). The caller checks these
//! against the private schema and hands over, when it runs, a copy of the data that holds nothing else: so even a path
//! that the analysis missed would find nothing.
//!
//! Running is bounded by steps and by bytes that are made ([`eval`]), never by time. What would decide silently in jq is an
//! error here: order and arithmetic on different types, or on what is missing.

mod apply;
mod compile;
pub(crate) mod eval;
mod functions;
mod limits;
pub(crate) mod number;
mod syntax;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests;
mod tree;
mod values;

pub(crate) use tree::Expression;

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where in the expression, in bytes.
    pub(crate) at: usize,
    /// How many bytes it covers.
    pub(crate) len: usize,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
    /// What is known there, and the word that was written.
    pub(crate) known: Option<(Vec<&'static str>, String)>,
}
