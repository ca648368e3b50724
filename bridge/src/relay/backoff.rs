//! Jittered exponential back-off with a ceiling, for ever.

use std::time::Duration;

/// First delay, in milliseconds.
const FIRST_DELAY_MS: u64 = 100;
/// Longest delay, in milliseconds.
const LONGEST_DELAY_MS: u64 = 15_000;

/// How long to wait before attempt number `attempts + 1`: doubled each time, between half of it and all of it by chance, so that
/// relays that failed together do not come back together.
pub(crate) fn delay(attempts: u32) -> Duration {
    let full = FIRST_DELAY_MS
        .saturating_mul(1 << attempts.saturating_sub(1).min(20))
        .min(LONGEST_DELAY_MS);
    Duration::from_millis(fastrand::u64(full / 2..=full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_the_ceiling_and_is_never_less_than_half_of_it() {
        for attempts in 1..100 {
            let full = Duration::from_millis(
                (FIRST_DELAY_MS << (attempts - 1).min(20)).min(LONGEST_DELAY_MS),
            );
            let delay = delay(attempts);
            assert!(
                delay <= full && delay >= full / 2,
                "attempt {attempts}: {delay:?} of {full:?}"
            );
        }
    }
}
