//! Contracts and schemas from folders to public events, as a platform team meets them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attributes;
mod bank;
mod cases;
mod crossing;
mod defaults;
mod diagnostics;
mod fixture;
mod hostile;
mod language;
mod leaks;
mod life;
mod schemas;
mod told;
