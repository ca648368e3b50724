//! The store through its public interface: what it promises, against models, races, kills and damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seed"
)]

mod append;
mod build;
mod crash;
mod crash_child;
mod crossing;
mod crossing_refused;
mod damage;
mod disk_faults;
mod disk_space;
mod frozen;
mod generated;
mod idempotency;
mod model;
mod opening;
mod oracle;
mod power;
mod race;
mod reading;
mod relay;
mod shim;
mod torn;
