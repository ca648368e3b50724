//! `horizon import`: the events of a file of JSON lines, through the running daemon, in the file's order.
//!
//! - A line is one event: `{"stream", "id", "type", "data", …}`. Lines go in commits of a fixed size, one after the other.
//! - It can be run again at any time: what is stored already is recognised by `source` and `id` and left out.
//! - Lines come in by the door `import`: what does not fit its private schema is flagged, unless configured otherwise.
//! - While the daemon does not answer, or its disk is low, it waits, and sends the same commit again.
//! - The first line that cannot be stored ends it, with its number and the reason; everything before that line is stored.

pub(super) mod lines;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Failure, Format, How, plural, print};
use crate::address::Which;
use crate::client::{Client, ClientError};
use lines::{Chunk, Lines};

/// Pause before a call that was not answered is made again, in milliseconds.
const RETRY_PAUSE_MS: u64 = 250;

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// JSON lines, one event each with its `stream`; compressed by gzip if the name ends in .gz; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
    /// How long to wait for a daemon that does not answer, or whose disk is low, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

/// What became of the lines so far.
#[derive(Debug, Default)]
struct Tally {
    appended: u64,
    known: u64,
    /// Of those that were appended.
    flagged: u64,
    /// The line of the first that was flagged, and why.
    first_flagged: Option<(u64, String)>,
}

impl Tally {
    /// For programs.
    fn body(&self, seconds: f64) -> Value {
        let first = self.first_flagged.as_ref();
        json!({
            "appended": self.appended,
            "flagged": self.flagged,
            "known": self.known,
            "firstFlagged": first.map(|(line, reasons)| json!({"line": line, "reasons": reasons})),
            "seconds": seconds,
        })
    }

    /// Adds what the daemon answered to a chunk.
    fn add(&mut self, chunk: &Chunk, answer: &Value) {
        if answer.get("repeat") == Some(&Value::Bool(true)) {
            self.known += chunk.len();
            return;
        }
        self.appended += chunk.len();
        self.flagged += answer
            .get("flagged")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        if let (None, Some(first)) = (&self.first_flagged, answer.get("firstFlagged")) {
            let index = first.get("event").and_then(Value::as_u64);
            let index = index.and_then(|index| usize::try_from(index).ok());
            let errors = first.get("errors").and_then(Value::as_array);
            let word = |error: &Value, name: &str| error.get(name)?.as_str().map(str::to_owned);
            let reasons: Vec<String> = errors
                .into_iter()
                .flatten()
                .filter_map(|error| {
                    Some(format!(
                        "{} {}",
                        word(error, "pointer")?,
                        word(error, "reason")?
                    ))
                })
                .collect();
            self.first_flagged = Some((chunk.line_of(index.unwrap_or(0)), reasons.join("; ")));
        }
    }
}

impl Import {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.how.daemon.client(Which::Http)?;
        let mut lines = Lines::open(&self.file)?;
        let bar = progress_bar(lines.total_bytes());
        let begun = Instant::now();
        let mut tally = Tally::default();
        let outcome = self.append_all(&client, &mut lines, &bar, &mut tally);
        bar.finish_and_clear();
        let seconds = begun.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 {
            (tally.appended + tally.known) as f64 / seconds
        } else {
            0.0
        };
        if outcome.is_err() && tally.appended + tally.known == 0 {
            return outcome;
        }
        if self.how.format == Format::Json {
            print(&tally.body(seconds).to_string());
            return outcome;
        }
        if let Some((line, reasons)) = &tally.first_flagged {
            print(&format!(
                "line {line} is the first that was flagged: {reasons}"
            ));
        }
        print(&format!(
            "{} event{} appended, {} of them flagged, {} were stored already; {:.2} s, {} events/s",
            HumanCount(tally.appended),
            plural(tally.appended),
            HumanCount(tally.flagged),
            HumanCount(tally.known),
            seconds,
            HumanCount(rate as u64),
        ));
        outcome
    }

    fn append_all(
        &self,
        client: &Client,
        lines: &mut Lines,
        bar: &ProgressBar,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        while let Some(chunk) = lines.next_chunk()? {
            self.append(client, &chunk, tally)?;
            bar.set_position(lines.read_bytes());
            bar.set_message(HumanCount(tally.appended + tally.known).to_string());
        }
        Ok(())
    }

    /// Appends a chunk whole. Where some of it is stored already in other commits, the rest of it is appended.
    fn append(&self, client: &Client, chunk: &Chunk, tally: &mut Tally) -> Result<(), Failure> {
        match self.post(client, chunk) {
            Ok(answer) => {
                tally.add(chunk, &answer);
                Ok(())
            }
            Err(ClientError::Problem {
                status: 409,
                problem,
            }) => self.overlapping(client, chunk, problem, tally),
            Err(error) => self.refused(client, chunk, error, tally),
        }
    }

    /// Some of the chunk is stored already, and not as this commit: appends the rest of it.
    fn overlapping(
        &self,
        client: &Client,
        chunk: &Chunk,
        problem: Value,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let events: Vec<&Value> = problem
            .get("events")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        let is = |index: usize, state: &str| {
            events
                .get(index)
                .is_some_and(|event| event.get("state") == Some(&Value::from(state)))
        };
        let here = |index: usize| {
            events.get(index).and_then(|event| event.get("stream"))
                == chunk.stream_of(index).as_ref()
        };
        let other = (0..events.len())
            .find(|index| is(*index, "different") || is(*index, "stored") && !here(*index));
        if let Some(index) = other {
            let (_, before) = chunk.without(|line| line >= index);
            if before.len() > 0 {
                self.append(client, &before, tally)?;
            }
            return Err(Failure::Failed(format!(
                "line {}: another event with this source and id is stored already\n  = mend: an id names one event for good; give this one another id",
                chunk.line_of(index)
            )));
        }
        let (known, rest) = chunk.without(|index| is(index, "stored"));
        if known == 0 {
            return Err(self.explain(
                chunk,
                ClientError::Problem {
                    status: 409,
                    problem,
                },
            ));
        }
        tally.known += known;
        if rest.len() > 0 {
            self.append(client, &rest, tally)
        } else {
            Ok(())
        }
    }

    /// A refused chunk stores nothing; the lines before the one at fault are appended, so that the file is done up to there.
    fn refused(
        &self,
        client: &Client,
        chunk: &Chunk,
        error: ClientError,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        if let ClientError::Problem { problem, .. } = &error {
            let at = problem
                .get("event")
                .and_then(Value::as_u64)
                .and_then(|index| usize::try_from(index).ok());
            if let Some(index) = at.filter(|index| *index > 0) {
                let (_, before) = chunk.without(|other| other >= index);
                self.append(client, &before, tally)?;
            }
        }
        Err(self.explain(chunk, error))
    }

    fn explain(&self, chunk: &Chunk, error: ClientError) -> Failure {
        let at = match &error {
            ClientError::Problem { problem, .. } => problem.get("event").and_then(Value::as_u64),
            ClientError::Unusable(_) | ClientError::Unreachable(_) => {
                return Failure::Failed(format!(
                    "{error}\n  = everything before line {} is stored; run the same command again to go on",
                    chunk.line_of(0)
                ));
            }
        };
        Failure::Failed(match at.and_then(|index| usize::try_from(index).ok()) {
            Some(index) => format!("line {}: {error}", chunk.line_of(index)),
            None => format!(
                "lines {} to {}: {error}",
                chunk.line_of(0),
                chunk.last_line()
            ),
        })
    }

    /// Sends a chunk, again and again while nobody answers or the disk is low: a repeat is recognised.
    fn post(&self, client: &Client, chunk: &Chunk) -> Result<Value, ClientError> {
        let until = Instant::now() + Duration::from_secs(self.wait);
        loop {
            match client.post("/commits?door=import", chunk.body()) {
                Err(
                    ClientError::Unreachable(_)
                    | ClientError::Problem {
                        status: 503 | 507, ..
                    },
                ) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(RETRY_PAUSE_MS));
                }
                answer => return answer,
            }
        }
    }
}

fn progress_bar(total_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match total_bytes {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:40} {percent:>3} %  {msg} events  {elapsed} passed, {eta} to go",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {msg} events  {elapsed} passed",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
