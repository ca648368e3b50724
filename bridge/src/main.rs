//! Skeleton.
#![expect(dead_code, unused_imports, reason = "nothing uses the outlets yet")]
mod outlets;
fn main() {}
