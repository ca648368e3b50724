//! Source text and places in it, so that every diagnostic can point.
//!
//! Spans are byte offsets into the text that was read; lines and columns (both from 1, columns in characters) are
//! worked out only when a diagnostic is made.

use std::fmt;
use std::sync::Arc;

/// A file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A stretch of a source.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) source: Arc<Source>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}..{}", self.source.name, self.start, self.end)
    }
}

impl Span {
    /// A stretch of `source`; offsets outside it or inside a character are moved to where they are legal.
    pub(crate) fn new(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let start = floor_boundary(&source.text, start);
        let end = floor_boundary(&source.text, end.max(start));
        Self {
            source: Arc::clone(source),
            start,
            end,
        }
    }

    /// The text of the span.
    pub(crate) fn text(&self) -> &str {
        self.source.text.get(self.start..self.end).unwrap_or("")
    }

    /// Line, column, the line's text, and how many of its characters the span covers (at least 1).
    pub(crate) fn locate(&self) -> (usize, usize, &str, usize) {
        let text = &self.source.text;
        let before = &text[..self.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[self.start..]
            .find('\n')
            .map_or(text.len(), |at| self.start + at);
        let line = before.matches('\n').count() + 1;
        let column = text[line_start..self.start].chars().count() + 1;
        let covered = text[self.start..self.end.min(line_end).max(self.start)]
            .trim_end()
            .chars()
            .count()
            .max(1);
        (
            line,
            column,
            text[line_start..line_end].trim_end_matches('\r'),
            covered,
        )
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A value and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub(crate) fn map<U>(self, to: impl FnOnce(T) -> U) -> At<U> {
        At {
            value: to(self.value),
            span: self.span,
        }
    }
}
