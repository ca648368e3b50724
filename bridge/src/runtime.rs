//! The threads that the daemon's tasks run on.

use std::ffi::OsString;
use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// Says how many workers there are, as for any program on Tokio.
const WORKERS: &str = "TOKIO_WORKER_THREADS";

/// A runtime with one worker fewer than processors, but at least one, unless `TOKIO_WORKER_THREADS` gives a number.
///
/// The store's writer, which every append waits for, is a thread of its own, as is whatever may block. With a worker for each
/// processor they take processors from each other, and workers are woken to find that another one has done what there was.
///
/// # Errors
/// If the variable is no number from 1 on, or if the operating system refuses what the runtime waits with.
pub(crate) fn start() -> io::Result<Runtime> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let workers = workers(std::env::var_os(WORKERS), processors)?;
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}

fn workers(given: Option<OsString>, processors: usize) -> io::Result<usize> {
    let Some(given) = given else {
        return Ok(processors.saturating_sub(1).max(1));
    };
    let number = given.to_str().and_then(|text| text.parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        io::Error::other(format!(
            "{WORKERS} is {given:?}; give a number from 1 on, or leave it out"
        ))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_left_to_the_writer_unless_a_number_is_given() {
        for (processors, expected) in [(1, 1), (2, 1), (3, 2), (64, 63)] {
            assert_eq!(workers(None, processors).unwrap(), expected);
            assert_eq!(workers(Some("5".into()), processors).unwrap(), 5);
        }
        for wrong in ["0", "", "many", "-1"] {
            let error = workers(Some(wrong.into()), 2).unwrap_err().to_string();
            assert!(
                error.contains(WORKERS) && error.contains("from 1"),
                "{error}"
            );
        }
    }
}
