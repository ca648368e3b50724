//! Compatibility of public contracts: a table of pairs with their verdicts, and a search for values that prove a verdict wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its seeds"
)]

mod contracts;
mod generated;
mod guided;
mod hostile;
mod judge;
mod random;
mod table;
