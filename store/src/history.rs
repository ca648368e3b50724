//! Threads for reads of long history: they give way to appends and crossings where processors are scarce.
//!
//! Each page of such a read is work for some milliseconds; beside what is written and read now it may take longer.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How much less they are given than others (nice, of 19): an eighth or so of a processor that everybody wants.
const NICE: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// Hands work to the threads, which end when this is dropped.
pub(crate) struct History(Sender<Work>);

impl History {
    /// Starts the threads: one for each two processors.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..processors.div_ceil(2) {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name("store-history".into())
                .spawn(move || run(&receiver))?;
        }
        Ok(Self(sender))
    }

    /// Has a thread do some work, when its turn has come.
    pub(crate) fn hand_over(&self, work: impl FnOnce() + Send + 'static) {
        // The threads are there for as long as this is.
        let _ = self.0.send(Box::new(work));
    }
}

fn run(receiver: &Mutex<Receiver<Work>>) {
    // Of this thread alone (setpriority(2), notes for Linux). Without it reads are as important as all else.
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(work) = next else { return };
        // Who waits for a panic's outcome is told that the read was interrupted.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    }
}
