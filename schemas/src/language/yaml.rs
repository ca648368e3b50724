//! A YAML document as a tree in which every key and value knows its place.
//!
//! Hostile documents cost a bounded error: aliases, anchors, merge keys and tags are refused, and size, depth and the
//! number of nodes are limited. Number text is kept as it is written.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{At, Source, Span};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use std::fmt;
use std::sync::Arc;

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 24;
/// How many keys, values, lists and mappings a document may have.
const MAX_NODES: usize = 20_000;

/// A value and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(At<String>, Node)>),
}

impl Node {
    /// A word for what the value is.
    pub(crate) fn is_a(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The value in JSON, without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.value.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Parses one document; reports why not, and gives none.
pub(crate) fn parse(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Node> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<serde_saphyr::Spanned<Parsed>>(
        &source.text,
        options,
    ) {
        Ok(parsed) => Some(place(parsed, source)),
        Err(error) => {
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or("not readable").to_owned();
            let diagnostic = Diagnostic::new(
                "yaml",
                format!("not a YAML document of this language: {message}"),
            )
            .mend("text that holds `{`, `}`, `: ` or `#` stands between quotes; a contract is one document without anchors, aliases, merge keys and tags");
            diagnostics.push(match error.location() {
                Some(location) if location.line() > 0 => diagnostic.at(&span_of(&location, source)),
                _ => diagnostic.in_file(&source.name),
            });
            None
        }
    }
}

/// The tree before places are worked out.
enum Parsed {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<serde_saphyr::Spanned<Parsed>>),
    Map(Vec<(serde_saphyr::Spanned<String>, serde_saphyr::Spanned<Parsed>)>),
}

fn place(parsed: serde_saphyr::Spanned<Parsed>, source: &Arc<Source>) -> Node {
    let span = span_of(&parsed.referenced, source);
    let kind = match parsed.value {
        Parsed::Null => Kind::Null,
        Parsed::Bool(value) => Kind::Bool(value),
        Parsed::Integer(value) => {
            Kind::Number(number_as_written(&span).unwrap_or_else(|| number(&value.to_string())))
        }
        Parsed::Float(value) => {
            Kind::Number(number_as_written(&span).unwrap_or_else(|| number(&value.to_string())))
        }
        Parsed::Text(text) => Kind::Text(text),
        Parsed::List(items) => {
            Kind::List(items.into_iter().map(|item| place(item, source)).collect())
        }
        Parsed::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let span = span_of(&key.referenced, source);
                    (
                        At {
                            value: key.value,
                            span,
                        },
                        place(value, source),
                    )
                })
                .collect(),
        ),
    };
    Node { kind, span }
}

/// The number with the very text of the document, where that is a JSON number.
fn number_as_written(span: &Span) -> Option<Number> {
    serde_json::from_str(span.text().trim()).ok()
}

fn number(text: &str) -> Number {
    serde_json::from_str(text).unwrap_or_else(|_| Number::from(0))
}

fn span_of(location: &serde_saphyr::Location, source: &Arc<Source>) -> Span {
    let span = location.span();
    let (start, len) = match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(len)) => (start as usize, len as usize),
        _ => (
            offset_of(&source.text, location.line(), location.column()),
            1,
        ),
    };
    // A list or mapping spans lines: its first character is enough to point at.
    Span::new(source, start, start + len)
}

fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let within: usize = text
        .get(start..)
        .unwrap_or("")
        .chars()
        .take(column - 1)
        .map(char::len_utf8)
        .sum();
    start + within
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Parsed::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parsed, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Parsed::Map(all))
    }
}
