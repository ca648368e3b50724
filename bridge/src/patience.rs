//! Calling the store again while it says that trying again is right: a full queue or a slow disk delays, and ends nothing.

use std::fmt::Display;

use horizon_store::{Advice, CrossError, ResolveError, SettleError, StoreError};

use crate::relay::backoff;

/// Errors of the store that say what the caller can do.
pub(crate) trait Advised: Display {
    /// Whether the same call may succeed later, and nothing of this one was done.
    fn is_passing(&self) -> bool;
}

impl Advised for StoreError {
    fn is_passing(&self) -> bool {
        self.advice() == Advice::TryAgain
    }
}

impl Advised for CrossError {
    fn is_passing(&self) -> bool {
        matches!(self, CrossError::Unavailable(error) if error.is_passing())
    }
}

impl Advised for SettleError {
    fn is_passing(&self) -> bool {
        matches!(self, SettleError::Unavailable(error) if error.is_passing())
    }
}

impl Advised for ResolveError {
    fn is_passing(&self) -> bool {
        matches!(self, ResolveError::Unavailable(error) if error.is_passing())
    }
}

/// Makes a call until it is answered with something that does not pass by itself. One log line when that begins, one when it ends.
pub(crate) async fn patiently<T, E: Advised, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut call: impl FnMut() -> F,
) -> Result<T, E> {
    let mut attempts = 0;
    loop {
        match call().await {
            Err(error) if error.is_passing() => {
                attempts += 1;
                if attempts == 1 {
                    tracing::warn!(what, %error, "the store asks to try again");
                }
                tokio::time::sleep(backoff::delay(attempts)).await;
            }
            result => {
                if attempts > 0 && result.is_ok() {
                    tracing::info!(what, attempts, "the store has answered");
                }
                return result;
            }
        }
    }
}
