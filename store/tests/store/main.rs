//! The store through its public interface: what it promises, against models, races, kills and damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seed"
)]

mod build;
mod conformance;
mod crash;
mod crash_child;
mod damage;
mod generated;
mod memory;
mod opening;
mod race;
