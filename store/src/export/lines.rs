//! Writing and reading the lines of an export.
//!
//! Each line ends with its check, the CRC-32C of all bytes of the export before the check itself: a line that was
//! altered, moved, repeated or left out is told where it stands. The last line has a BLAKE3 of all bytes before it.

use std::io::{self, BufRead, Read, Write};

use super::convert::is_end;
use super::line::{Counts, End, Line};

/// Longest first line, in bytes: what is no export is told before much of it is in memory.
const FIRST_LINE_MAX_BYTES: u64 = 64 * 1024;
/// Longest line, in bytes: twice the largest body that a store takes, as escapes double it at most.
const LINE_MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024 + FIRST_LINE_MAX_BYTES;
/// What stands around a check: `,"check":"` before, `"}` after its eight digits.
const CHECK_OPENING: &[u8] = b",\"check\":\"";
const CHECK_BYTES: usize = CHECK_OPENING.len() + 8 + 2;

/// Writes lines.
pub(crate) struct LineWriter<W> {
    to: W,
    line: Vec<u8>,
    crc: u32,
    hasher: blake3::Hasher,
    pub(crate) counts: Counts,
    bytes: u64,
}

impl<W: Write> LineWriter<W> {
    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            line: Vec::new(),
            crc: 0,
            hasher: blake3::Hasher::new(),
            counts: Counts::default(),
            bytes: 0,
        }
    }

    pub(crate) fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        // The object is closed after its check.
        self.line.pop();
        self.crc = crc32c::crc32c_append(self.crc, &self.line);
        let begun = self.line.len();
        write!(self.line, ",\"check\":\"{:08x}\"}}", self.crc)?;
        self.line.push(b'\n');
        let check = self.line.get(begun..).unwrap_or_default();
        self.crc = crc32c::crc32c_append(self.crc, check);
        self.hasher.update(&self.line);
        self.to.write_all(&self.line)?;
        self.bytes = self.bytes.saturating_add(self.line.len() as u64);
        self.counts.count(line);
        Ok(())
    }

    /// Writes the last line. Gives back what was written to, the BLAKE3 in hexadecimal digits, and how many bytes there are.
    pub(crate) fn end(mut self) -> io::Result<(W, String, u64)> {
        let blake3 = self.hasher.finalize().to_hex().to_string();
        let counts = self.counts;
        self.line(&Line::End(End {
            blake3: blake3.as_str().into(),
            counts,
        }))?;
        self.to.flush()?;
        Ok((self.to, blake3, self.bytes))
    }
}

/// Why the next line could not be had.
#[derive(Debug)]
pub(crate) enum LineError {
    /// The line is not as it was written.
    Wrong(String),
    /// The system refused.
    Io(io::Error),
}

/// Reads lines, and holds each against its check.
pub(crate) struct LineReader<R> {
    from: R,
    line: Vec<u8>,
    crc: u32,
    hasher: blake3::Hasher,
    /// The last line's number, from 1.
    pub(crate) number: u64,
    pub(crate) counts: Counts,
    ended: Option<String>,
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            line: Vec::new(),
            crc: 0,
            hasher: blake3::Hasher::new(),
            number: 0,
            counts: Counts::default(),
            ended: None,
        }
    }

    /// The BLAKE3 of all lines before the last one; none until that was read.
    pub(crate) fn blake3(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// The next line; none after the last one. An export that is cut off is wrong where it ends.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, LineError> {
        self.number = self.number.saturating_add(1);
        self.read()?;
        if self.line.is_empty() {
            return match self.ended {
                Some(_) => Ok(None),
                None => Err(wrong(
                    "the export ends here, without its last line: it was cut off",
                )),
            };
        }
        if self.ended.is_some() {
            return Err(wrong("something follows the last line"));
        }
        let end = is_end(&self.line);
        if !end {
            self.hasher.update(&self.line);
        }
        let members = self.check()?;
        let text = self.line.get_mut(..members).unwrap_or_default();
        let line = Line::parse(text).map_err(LineError::Wrong)?;
        match &line {
            Line::End(told) => self.ended = Some(finish(told, &self.hasher, &self.counts)?),
            line => self.counts.count(line),
        }
        Ok(Some(line))
    }

    fn read(&mut self) -> Result<(), LineError> {
        let limit_bytes = if self.number == 1 {
            FIRST_LINE_MAX_BYTES
        } else {
            LINE_MAX_BYTES
        };
        self.line.clear();
        (&mut self.from)
            .take(limit_bytes)
            .read_until(b'\n', &mut self.line)
            .map_err(LineError::Io)?;
        if self.line.len() as u64 == limit_bytes {
            return Err(wrong(&format!(
                "it has over {limit_bytes} bytes: this is no line of an export"
            )));
        }
        Ok(())
    }

    /// Holds the line against its check. Gives the length of what it says, with a brace at its end.
    fn check(&mut self) -> Result<usize, LineError> {
        let text = self
            .line
            .strip_suffix(b"\n")
            .ok_or_else(|| wrong("it ends without a line feed: the export was cut off"))?;
        let begun = text.len().saturating_sub(CHECK_BYTES);
        let (said, check) = text.split_at(begun);
        let digits = check
            .strip_prefix(CHECK_OPENING)
            .and_then(|rest| rest.strip_suffix(b"\"}"))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .ok_or_else(|| {
                wrong("it does not end with its check: it is no line of an export, or was altered")
            })?;
        self.crc = crc32c::crc32c_append(self.crc, said);
        if digits != format!("{:08x}", self.crc) {
            return Err(wrong(&format!(
                "its check is {digits}, and should be {:08x}: it was altered, or lines before it were left out, repeated or moved",
                self.crc
            )));
        }
        let rest = self.line.get(begun..).unwrap_or_default();
        self.crc = crc32c::crc32c_append(self.crc, rest);
        if let Some(comma) = self.line.get_mut(begun) {
            *comma = b'}';
        }
        Ok(begun + 1)
    }
}

/// Holds the last line against what was read. Gives the BLAKE3.
fn finish(told: &End<'_>, hasher: &blake3::Hasher, counts: &Counts) -> Result<String, LineError> {
    let found = hasher.finalize().to_hex().to_string();
    if told.blake3 != found {
        return Err(wrong(&format!(
            "the BLAKE3 of all lines before is {found}, and should be {}: the export was altered",
            told.blake3
        )));
    }
    if told.counts != *counts {
        return Err(wrong(&format!(
            "there were {counts:?}, and should be {:?}",
            told.counts
        )));
    }
    Ok(found)
}

fn wrong(reason: &str) -> LineError {
    LineError::Wrong(reason.into())
}
