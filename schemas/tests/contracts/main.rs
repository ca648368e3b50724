//! Contracts and schemas from folders to public events, as a platform team meets them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attributes;
mod bank;
mod cases;
mod catalogue;
mod claims;
mod costly;
mod costly_generated;
mod crossing;
mod defaults;
mod diagnostics;
mod drafts;
mod fits;
mod fixture;
mod hostile;
mod language;
mod leaks;
mod life;
mod mutations;
mod revisions;
mod schemas;
mod told;
