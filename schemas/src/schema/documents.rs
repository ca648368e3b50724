//! The documents of the schemas folder, and the references between them.
//!
//! A document is known by its path below the folder and, where it has one, by its `$id`. Its base is its `$id`, or
//! `horizon:///` and its path. References resolve against the base and must lead to a document of the folder; a public
//! document may only refer to public ones.

use super::cost::{self, Costs};
use super::document::{self, Document};
use super::keywords::{self, Holds, Verdict};
use super::marks;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::files::{self, Text};
use crate::source::Span;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// A schema within a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) document: usize,
    pub(crate) pointer: String,
}

/// All documents of the schemas folder.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    all: Vec<Document>,
    by_path: BTreeMap<String, usize>,
    by_uri: HashMap<String, usize>,
    pub(crate) costs: Costs,
    /// Paths of files that are there and are no schemas, which has been told.
    broken: BTreeSet<String>,
}

impl Documents {
    /// Reads every `.json` file below the folder and checks what it says.
    pub(crate) fn load(folder: &Path, diagnostics: &mut Diagnostics) -> Self {
        Self::of(files::below(folder, "json", diagnostics), diagnostics)
    }

    /// Takes files, by their paths below the folder, and checks what they say.
    pub(crate) fn of(files: Vec<Text>, diagnostics: &mut Diagnostics) -> Self {
        let mut documents = Self::default();
        for file in files {
            match document::read(&file.path, file.source, diagnostics) {
                Some(document) => documents.add(document, diagnostics),
                None => {
                    documents.broken.insert(file.path);
                }
            }
        }
        for document in &documents.all {
            documents.check_schema(document, "", &document.value, diagnostics);
        }
        documents.costs = cost::check(&documents, diagnostics);
        documents
    }

    fn add(&mut self, document: Document, diagnostics: &mut Diagnostics) {
        let nth = self.all.len();
        if let Some(other) = self.by_uri.insert(document.base.clone(), nth) {
            diagnostics.push(
                Diagnostic::new(
                    "schema-id-taken",
                    format!("`{}` is the id of another schema too", document.base),
                )
                .at(&document.span("/$id"))
                .mend(format!(
                    "give it an id of its own; the other is {}",
                    self.all[other].path
                )),
            );
        }
        self.by_uri.insert(document.file_uri(), nth);
        self.by_path.insert(document.path.clone(), nth);
        self.all.push(document);
    }

    /// Each document.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.all.iter()
    }

    /// The document at a place in [`Documents::iter`].
    pub(crate) fn get(&self, nth: usize) -> &Document {
        &self.all[nth]
    }

    /// The document at a path below the folder.
    pub(crate) fn at_path(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Whether there is a file at a path, or one whose path begins with it, that could not be read as a schema.
    pub(crate) fn is_broken(&self, path: &str) -> bool {
        self.broken
            .range(path.to_owned()..)
            .next()
            .is_some_and(|found| found.starts_with(path))
    }

    /// Whether a reference leads to a file that could not be read as a schema.
    fn leads_to_broken(&self, document: &Document, reference: &str) -> bool {
        let target = jsonschema::uri::from_str(&document.file_uri())
            .and_then(|base| jsonschema::uri::resolve_against(&base.borrow(), reference));
        let Ok(target) = target else {
            return false;
        };
        let uri = target.as_str().split('#').next().unwrap_or("");
        self.broken
            .iter()
            .any(|path| document::file_uri(path) == uri)
    }

    /// The paths of all documents.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.keys().map(String::as_str)
    }

    /// The schema at a spot.
    pub(crate) fn schema(&self, spot: &Spot) -> Option<&Value> {
        self.all.get(spot.document)?.value.pointer(&spot.pointer)
    }

    /// Where a reference leads that stands in the given document.
    pub(crate) fn resolve(&self, document: usize, reference: &str) -> Option<Spot> {
        let base = jsonschema::uri::from_str(&self.all[document].base).ok()?;
        let target = jsonschema::uri::resolve_against(&base.borrow(), reference).ok()?;
        let fragment = target.fragment().map_or("", |fragment| fragment.as_str());
        let pointer = percent_decode(fragment)?;
        let uri = target.as_str().split('#').next().unwrap_or("");
        let document = *self.by_uri.get(uri)?;
        let spot = Spot { document, pointer };
        let is_pointer = spot.pointer.is_empty() || spot.pointer.starts_with('/');
        (is_pointer && self.schema(&spot).is_some()).then_some(spot)
    }

    /// The schemas that a schema applies to the same place of the data.
    pub(crate) fn at_same_place(&self, spot: &Spot) -> Vec<Spot> {
        let Some(Value::Object(schema)) = self.schema(spot) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut add = |rest: String| {
            found.push(Spot {
                document: spot.document,
                pointer: format!("{}/{rest}", spot.pointer),
            });
        };
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let branches = schema
                .get(keyword)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            (0..branches).for_each(|nth| add(format!("{keyword}/{nth}")));
        }
        for keyword in ["if", "then", "else", "not"] {
            if schema.contains_key(keyword) {
                add(keyword.to_owned());
            }
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            if let Some(Value::Object(by_name)) = schema.get(keyword) {
                by_name
                    .keys()
                    .for_each(|name| add(format!("{keyword}/{}", crate::path::escape(name))));
            }
        }
        if let Some(Value::String(reference)) = schema.get("$ref") {
            found.extend(self.resolve(spot.document, reference));
        }
        found
    }

    /// The documents that `start` refers to, itself included, in the order of their paths.
    pub(crate) fn reached_from(&self, start: usize) -> Vec<usize> {
        let mut reached = vec![start];
        let mut next = 0;
        while let Some(document) = reached.get(next).copied() {
            next += 1;
            let mut references = Vec::new();
            gather_references(&self.all[document].value, &mut references);
            for reference in references {
                if let Some(spot) = self.resolve(document, reference)
                    && !reached.contains(&spot.document)
                {
                    reached.push(spot.document);
                }
            }
        }
        reached.sort_by(|a, b| self.all[*a].path.cmp(&self.all[*b].path));
        reached
    }

    fn check_schema(
        &self,
        document: &Document,
        pointer: &str,
        schema: &Value,
        diagnostics: &mut Diagnostics,
    ) {
        let Value::Object(entries) = schema else {
            return;
        };
        let beside_reference =
            keywords::reference_stands_alone(document.draft) && entries.contains_key("$ref");
        for (keyword, value) in entries {
            let below = format!("{pointer}/{}", crate::path::escape(keyword));
            let at = document.span(&below);
            match keywords::verdict(document.draft, keyword) {
                Verdict::Known(_) if beside_reference && !keywords::may_stand_beside_reference(keyword) => diagnostics.push(
                    Diagnostic::new("schema-beside-ref", format!("in this draft `{keyword}` is skipped beside `$ref`"))
                        .at(&at)
                        .mend("put both in an `allOf`, or use draft 2019-09 or later"),
                ),
                Verdict::Known(_) if keyword.starts_with("unevaluated") && !value.is_boolean() => {
                    diagnostics.push(
                        Diagnostic::new("schema-keyword-refused", format!("`{keyword}` with a schema is not for schemas here"))
                            .at(&at)
                            .mend("write true or false: to which fields a schema would apply depends on the data"),
                    );
                }
                Verdict::Known(Holds::Plain) => self.check_plain(document, pointer, keyword, value, &at, diagnostics),
                Verdict::Known(holds) => keywords::inner(holds, value, &below, &mut |pointer, inner| {
                    self.check_schema(document, &pointer, inner, diagnostics);
                }),
                Verdict::Own => marks::check(document, pointer, keyword, value, diagnostics),
                Verdict::Refused(mend) => diagnostics.push(
                    Diagnostic::new("schema-keyword-refused", format!("the keyword `{keyword}` is not for schemas here"))
                        .at(&at)
                        .mend(mend),
                ),
                Verdict::Unknown => diagnostics.push(
                    Diagnostic::new(
                        "schema-keyword-unknown",
                        format!("`{keyword}` is no keyword of this draft; it would be skipped"),
                    )
                    .at(&at)
                    .known(keywords::of(document.draft), keyword)
                    .mend("write a keyword of the draft that `$schema` names, or begin your own with `x-`"),
                ),
            }
        }
    }

    fn check_plain(
        &self,
        document: &Document,
        pointer: &str,
        keyword: &str,
        value: &Value,
        at: &Span,
        diagnostics: &mut Diagnostics,
    ) {
        match (keyword, value) {
            ("$ref", Value::String(reference)) => {
                self.check_reference(document, reference, at, diagnostics)
            }
            ("$id" | "id" | "$schema", _) if !pointer.is_empty() => diagnostics.push(
                Diagnostic::new(
                    "schema-keyword-refused",
                    format!("`{keyword}` is for the root of a document"),
                )
                .at(at)
                .mend("make the part a document of its own and refer to it"),
            ),
            ("format", Value::String(format))
                if !jsonschema::options().is_known_format(document.draft, format) =>
            {
                diagnostics.push(
                    Diagnostic::new(
                        "schema-format-unknown",
                        format!("the format `{format}` cannot be checked"),
                    )
                    .at(at)
                    .mend("use a format of the draft, or a `pattern`"),
                );
            }
            _ => {}
        }
    }

    fn check_reference(
        &self,
        document: &Document,
        reference: &str,
        at: &Span,
        diagnostics: &mut Diagnostics,
    ) {
        let from = self.by_path.get(&document.path).copied().unwrap_or(0);
        match self.resolve(from, reference) {
            None if self.leads_to_broken(document, reference) => {}
            None => diagnostics.push(
                Diagnostic::new("schema-reference-unknown", format!("`{reference}` leads to no schema of this folder"))
                    .at(at)
                    .known(self.paths(), reference)
                    .mend("refer to a file of the schemas folder and a JSON pointer in it; nothing is fetched"),
            ),
            Some(spot) if document.is_public() && !self.all[spot.document].is_public() => diagnostics.push(
                Diagnostic::new("schema-reference-private", format!("`{reference}` leads out of the public schemas"))
                    .at(at)
                    .mend("a public schema is published: move what it refers to under public/"),
            ),
            Some(_) => {}
        }
    }
}

fn gather_references<'v>(schema: &'v Value, references: &mut Vec<&'v str>) {
    match schema {
        Value::Object(entries) => {
            for (keyword, value) in entries {
                match value {
                    Value::String(reference) if keyword == "$ref" => references.push(reference),
                    _ => gather_references(value, references),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| gather_references(item, references)),
        _ => {}
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
