//! The only place where the bridge asks what time it is, and how times are written.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}

/// A moment as RFC 3339 text in UTC.
pub(crate) fn rfc3339(ms: u64) -> String {
    i64::try_from(ms / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map(|moment| moment + time::Duration::milliseconds((ms % 1000).cast_signed()))
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Whether `text` is a timestamp by RFC 3339.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    OffsetDateTime::parse(text, &Rfc3339).is_ok()
}

/// The moment that an RFC 3339 text names, in milliseconds since 1970, rounded up; one before 1970 is 0. None: it names none.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanoseconds = u128::try_from(moment.unix_timestamp_nanos().max(0)).ok()?;
    u64::try_from(nanoseconds.div_ceil(1_000_000)).ok()
}
