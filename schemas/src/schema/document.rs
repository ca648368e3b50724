//! One schema document: its text, its draft, and what it is known by.

use super::json_text::{self, Places};
use super::keywords;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{Source, Span};
use jsonschema::Draft;
use serde_json::Value;
use std::sync::Arc;

/// One schema document.
#[derive(Debug)]
pub(crate) struct Document {
    /// The path below the schemas folder, with `/`.
    pub(crate) path: String,
    pub(crate) value: Value,
    pub(crate) draft: Draft,
    /// The URI that references in it resolve against.
    pub(crate) base: String,
    /// Its `$id`, when that is an absolute URI.
    pub(crate) id: Option<String>,
    source: Arc<Source>,
    places: Places,
}

impl Document {
    /// The place of a JSON pointer in the document's text.
    pub(crate) fn span(&self, pointer: &str) -> Span {
        let (start, end) = self.places.find(pointer);
        Span::new(&self.source, start, end)
    }

    /// The document as it was read.
    pub(crate) fn text(&self) -> &str {
        &self.source.text
    }

    /// The URI of the file.
    pub(crate) fn file_uri(&self) -> String {
        file_uri(&self.path)
    }

    /// Whether it is published.
    pub(crate) fn is_public(&self) -> bool {
        self.path.starts_with("public/")
    }
}

/// Reads a document; reports why it is none.
pub(super) fn read(
    path: &str,
    source: Arc<Source>,
    diagnostics: &mut Diagnostics,
) -> Option<Document> {
    let value: Value = match serde_json::from_str(&source.text) {
        Ok(value) => value,
        Err(error) => {
            let start: usize = source
                .text
                .split_inclusive('\n')
                .take(error.line().max(1) - 1)
                .map(str::len)
                .sum();
            let at = Span::new(
                &source,
                start + error.column().saturating_sub(1),
                start + error.column(),
            );
            let message = format!(
                "not JSON: {}",
                error.to_string().split(" at line").next().unwrap_or("")
            );
            diagnostics.push(Diagnostic::new("schema-json", message).at(&at));
            return None;
        }
    };
    let places = json_text::places(&source.text);
    let whole = Span::new(&source, 0, 1);
    if places.too_deep {
        diagnostics.push(Diagnostic::new("schema-depth", "the document nests too deep").at(&whole));
        return None;
    }
    for (_, start, end) in &places.repeated {
        diagnostics.push(
            Diagnostic::new("schema-key-twice", "this key is written twice")
                .at(&Span::new(&source, *start, *end)),
        );
    }
    let Some(draft) = keywords::draft_of(&value) else {
        let (start, end) = places.find("/$schema");
        diagnostics.push(
            Diagnostic::new("schema-draft", "this draft of JSON Schema is not supported")
                .at(&Span::new(&source, start, end))
                .mend("draft 4, 6, 7, 2019-09 or 2020-12, by the URI of its own meta-schema"),
        );
        return None;
    };
    let id = value
        .get(keywords::id_keyword(draft))
        .and_then(Value::as_str)
        .map(|id| id.trim_end_matches('#').to_owned());
    let document = Document {
        path: path.to_owned(),
        draft,
        base: file_uri(path),
        id,
        value,
        source,
        places,
    };
    with_id(document, diagnostics)
}

/// Takes the document's `$id` as its base, if it is one that a document may have.
fn with_id(mut document: Document, diagnostics: &mut Diagnostics) -> Option<Document> {
    let Some(id) = &document.id else {
        return Some(document);
    };
    let absolute = id.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.len() > 1
    });
    let taken = id.starts_with("horizon:") || id.contains("json-schema.org/") || id.contains('#');
    match jsonschema::uri::from_str(id) {
        Ok(uri) if absolute && !taken => {
            document.base = uri.as_str().to_owned();
            Some(document)
        }
        _ => {
            let pointer = format!("/{}", keywords::id_keyword(document.draft));
            diagnostics.push(
                Diagnostic::new("schema-id", format!("`{id}` is no id of a schema of one's own"))
                    .at(&document.span(&pointer))
                    .mend("an absolute URI without a fragment, such as https://bank.example/schemas/opened.v1.json, or none"),
            );
            None
        }
    }
}

/// Text as it may stand in the path or the fragment of a URI.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

pub(super) fn file_uri(path: &str) -> String {
    let uri = format!("horizon:///{}", encoded(path));
    jsonschema::uri::from_str(&uri).map_or(uri, |normal| normal.as_str().to_owned())
}
