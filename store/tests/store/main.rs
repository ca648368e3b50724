//! The store through its public interface: what it promises, against models, races, kills and damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seed"
)]

mod backup;
mod build;
mod conformance;
mod crash;
mod crash_child;
mod damage;
mod epoch;
mod export;
mod generated;
mod import_refused;
mod keep_killed;
mod model;
mod opening;
mod race;
mod verify;
mod wal;
