//! The store through its public interface: what it promises, against models, races, kills and damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seed"
)]

mod backup;
mod backup_folder;
mod build;
mod conformance;
mod crash;
mod crash_child;
mod cut_list;
mod damage;
mod disk_faults;
mod disk_space;
mod epoch;
mod export;
mod frozen;
mod generated;
mod import_refused;
mod keep_killed;
mod memory;
mod opening;
mod oracle;
mod power;
mod race;
mod restored_epoch;
mod shim;
mod torn;
mod verify;
mod wal;
