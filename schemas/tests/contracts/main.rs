//! Contracts and schemas from folders to public events, as a platform team meets them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bank;
mod costly;
mod costly_generated;
mod crossing;
mod diagnostics;
mod drafts;
mod fixture;
mod hostile;
mod leaks;
mod revisions;
mod schemas;
