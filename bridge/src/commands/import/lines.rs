//! A file of JSON lines as commits to send: chunks of a fixed size, so that a second run makes the same ones.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::commands::Failure;

/// Most events of one commit.
const CHUNK_LIMIT_EVENTS: usize = 500;
/// Bytes of events after which a commit ends.
const CHUNK_LIMIT_BYTES: usize = 1024 * 1024;

/// Some lines of the file, and where they stand in it.
pub(in crate::commands) struct Chunk {
    lines: Vec<(u64, String)>,
    body: Vec<u8>,
}

impl Chunk {
    fn new(lines: Vec<(u64, String)>) -> Chunk {
        let mut body = b"{\"events\":[".to_vec();
        for (index, (_, line)) in lines.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(line.as_bytes());
        }
        body.extend_from_slice(b"]}");
        Chunk { lines, body }
    }

    /// The lines with their numbers, from 1.
    pub(in crate::commands) fn lines(&self) -> &[(u64, String)] {
        &self.lines
    }

    pub(super) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// The commit as the daemon takes it.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The number of the line with this index, from 1.
    pub(super) fn line_of(&self, index: usize) -> u64 {
        self.lines
            .get(index)
            .or(self.lines.last())
            .map_or(0, |(number, _)| *number)
    }

    /// The stream that the line with this index names.
    pub(super) fn stream_of(&self, index: usize) -> Option<Value> {
        let (_, line) = self.lines.get(index)?;
        serde_json::from_str::<Value>(line)
            .ok()?
            .get("stream")
            .cloned()
    }

    pub(super) fn last_line(&self) -> u64 {
        self.line_of(usize::MAX)
    }

    /// How many lines `left_out` names, and the chunk without them.
    pub(super) fn without(&self, left_out: impl Fn(usize) -> bool) -> (u64, Chunk) {
        let kept: Vec<_> = self
            .lines
            .iter()
            .enumerate()
            .filter(|(index, _)| !left_out(*index))
            .map(|(_, line)| line.clone())
            .collect();
        ((self.lines.len() - kept.len()) as u64, Chunk::new(kept))
    }
}

/// The lines of a file.
pub(in crate::commands) struct Lines {
    reader: Box<dyn BufRead>,
    name: String,
    number: u64,
    total_bytes: Option<u64>,
    read_bytes: Rc<Cell<u64>>,
    /// A line that ends the import, once those before it are stored.
    unsound: Option<String>,
}

impl Lines {
    pub(in crate::commands) fn open(path: &Path) -> Result<Lines, Failure> {
        let read_bytes = Rc::new(Cell::new(0));
        let name = path.display().to_string();
        if name == "-" {
            let reader = Box::new(BufReader::new(std::io::stdin()));
            return Ok(Lines {
                reader,
                name: "standard input".to_owned(),
                number: 0,
                total_bytes: None,
                read_bytes,
                unsound: None,
            });
        }
        let file = File::open(path)
            .map_err(|error| Failure::Mend(format!("cannot open {name}: {error}")))?;
        let total_bytes = file.metadata().ok().map(|metadata| metadata.len());
        let counted = Counted {
            inner: file,
            read_bytes: Rc::clone(&read_bytes),
        };
        let reader: Box<dyn BufRead> =
            if path.extension().is_some_and(|extension| extension == "gz") {
                Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(counted)))
            } else {
                Box::new(BufReader::new(counted))
            };
        Ok(Lines {
            reader,
            name,
            number: 0,
            total_bytes,
            read_bytes,
            unsound: None,
        })
    }

    /// The file's size, where it has one; compressed as it lies there.
    pub(in crate::commands) fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// How much of the file was read.
    pub(in crate::commands) fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }

    /// The next lines; `None` at the end. Empty lines are passed over. A line that is no JSON object ends the chunk before it and
    /// is told when its turn comes.
    pub(in crate::commands) fn next_chunk(&mut self) -> Result<Option<Chunk>, Failure> {
        if let Some(failure) = self.unsound.take() {
            return Err(Failure::Failed(failure));
        }
        let mut lines = Vec::new();
        let mut bytes = 0;
        while lines.len() < CHUNK_LIMIT_EVENTS && bytes < CHUNK_LIMIT_BYTES {
            let mut line = String::new();
            let read = self
                .reader
                .by_ref()
                .take(CHUNK_LIMIT_BYTES as u64 * 4)
                .read_line(&mut line)
                .map_err(|error| {
                    Failure::Failed(format!(
                        "{}, after line {}: {error}",
                        self.name, self.number
                    ))
                })?;
            if read == 0 {
                break;
            }
            self.number += 1;
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            // A line that is not sound by itself must not be joined with others.
            if let Err(reason) = sound(text) {
                return self.unsound(lines, &reason);
            }
            bytes += text.len();
            lines.push((self.number, text.to_owned()));
        }
        Ok(if lines.is_empty() {
            None
        } else {
            Some(Chunk::new(lines))
        })
    }

    fn unsound(
        &mut self,
        before: Vec<(u64, String)>,
        reason: &str,
    ) -> Result<Option<Chunk>, Failure> {
        let failure = format!(
            "line {}: {reason}\n  = mend: each line of the file is one event, {{\"stream\": \"…\", \"id\": \"…\", \"type\": \"…\", \"data\": …}}",
            self.number
        );
        if before.is_empty() {
            return Err(Failure::Failed(failure));
        }
        // The lines before it are stored first.
        self.unsound = Some(failure);
        Ok(Some(Chunk::new(before)))
    }
}

/// Whether a line is a JSON object that names its stream.
fn sound(text: &str) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Line {
        stream: Option<IgnoredAny>,
    }
    if !text.starts_with('{') {
        return Err("it is no JSON object".to_owned());
    }
    let line: Line = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON, from column {} on", error.column()))?;
    line.stream
        .map(|_| ())
        .ok_or_else(|| "it names no `stream`".to_owned())
}

/// Counts what is read from the file itself, so that the progress bar is true for compressed files too.
struct Counted {
    inner: File,
    read_bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read_bytes.set(self.read_bytes.get() + read as u64);
        Ok(read)
    }
}
