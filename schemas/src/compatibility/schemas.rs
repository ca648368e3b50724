//! The public schemas of one side of a comparison.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::files::{self, Text};
use crate::schema::check;
use crate::schema::document::Document;
use crate::schema::documents::{Documents, Spot};
use crate::schema::shape::{Declared, Shape};
use crate::source::Source;
use jsonschema::{Registry, Validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The base of references that the comparison makes itself; no document has it.
const NOWHERE: &str = "horizon:///_/reference";

/// The public schemas of one side of a comparison: each sound, each reference resolved.
#[derive(Debug)]
pub struct Schemas {
    documents: Documents,
    registry: Registry<'static>,
}

impl Schemas {
    /// Reads `public/` of a schemas folder. A folder without one has no public schemas.
    ///
    /// # Errors
    /// All that is wrong with them, by file and place.
    pub fn load(folder: &Path) -> Result<Self, Diagnostics> {
        let public = folder.join("public");
        if !public.is_dir() {
            return Self::of([]);
        }
        let mut diagnostics = Diagnostics::default();
        let mut files = files::below(&public, "json", &mut diagnostics);
        for file in &mut files {
            file.path = format!("public/{}", file.path);
        }
        Self::checked(files, diagnostics)
    }

    /// Takes schemas by their paths below the schemas folder (`public/…`) and their text.
    ///
    /// # Errors
    /// All that is wrong with them, by file and place.
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, Diagnostics> {
        let files = files.into_iter().map(|(path, text)| Text {
            source: Arc::new(Source {
                name: path.clone(),
                text,
            }),
            path,
        });
        Self::checked(files.collect(), Diagnostics::default())
    }

    fn checked(files: Vec<Text>, mut diagnostics: Diagnostics) -> Result<Self, Diagnostics> {
        let documents = Documents::of(files, &mut diagnostics);
        if diagnostics.is_empty()
            && let Some(compiler) = check::Compiler::new(&documents, &mut diagnostics)
        {
            compiler.documents(&mut diagnostics);
        }
        let registry = match diagnostics.is_empty() {
            true => check::registry(&documents, &mut diagnostics),
            false => None,
        };
        match registry {
            Some(registry) if diagnostics.is_empty() => Ok(Self {
                documents,
                registry,
            }),
            _ => {
                diagnostics.sort();
                Err(diagnostics)
            }
        }
    }

    /// The paths of the schemas, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.documents.paths()
    }

    /// The schema of a file, as it is written.
    pub fn value(&self, path: &str) -> Option<&Value> {
        self.documents
            .at_path(path)
            .map(|nth| &self.documents.get(nth).value)
    }

    /// The `$id` of a file, when it has one: the `dataschema` of its events.
    pub fn id(&self, path: &str) -> Option<&str> {
        let nth = self.documents.at_path(path)?;
        self.documents.get(nth).id.as_deref()
    }

    /// A file and all that it refers to, by their paths.
    pub(super) fn reached(&self, path: &str) -> Option<BTreeMap<&str, &Value>> {
        let start = self.documents.at_path(path)?;
        let all = self.documents.reached_from(start).into_iter();
        Some(
            all.map(|nth| self.documents.get(nth))
                .map(|document| (document.path.as_str(), &document.value))
                .collect(),
        )
    }

    /// The revisions kept beside a file: for `public/c/opened.v1.json` those in `public/c/opened.v1/`, the last one first.
    pub(super) fn kept_beside(&self, path: &str) -> Vec<String> {
        let folder = format!("{}/", path.trim_end_matches(".json"));
        let mut kept: Vec<(u32, String)> = self
            .documents
            .paths()
            .filter_map(|other| {
                let number = other.strip_prefix(&folder)?.strip_suffix(".json")?;
                Some((number.parse().ok()?, other.to_owned()))
            })
            .collect();
        kept.sort_by(|a, b| b.cmp(a));
        kept.into_iter().map(|(_, path)| path).collect()
    }

    pub(super) fn at_path(&self, path: &str) -> Option<usize> {
        self.documents.at_path(path)
    }

    pub(super) fn document(&self, nth: usize) -> &Document {
        self.documents.get(nth)
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What a document declares, and with it what may leave.
    pub(super) fn declared(&self, document: usize) -> Option<Declared> {
        Shape::of(&self.documents, &[document]).map(|shape| shape.root())
    }

    /// The validator of the schema at a spot.
    pub(super) fn validator(&self, spot: &Spot) -> Option<Validator> {
        let document = self.documents.get(spot.document);
        if spot.pointer.is_empty() {
            let (base, draft) = (&document.base, document.draft);
            return check::build(base, draft, &document.value, &self.registry).ok();
        }
        let fragment: String = spot
            .pointer
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let reference = serde_json::json!({ "$ref": format!("{}#{fragment}", document.base) });
        // A base of its own: the reference leads into the document, not into itself.
        check::build(NOWHERE, document.draft, &reference, &self.registry).ok()
    }

    /// What is wrong when a file is asked for that is not there.
    pub(super) fn missing(path: &str) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::new("unknown-schema", format!("there is no schema {path}"))
                .mend("name a file below the schemas folder"),
        );
        diagnostics
    }
}
