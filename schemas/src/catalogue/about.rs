//! What a contract says of itself to readers, and the public schemas it names, as they are published.
//!
//! Nothing private is here: neither private event types nor their schemas, nor paths into private data.

use crate::schema::documents::Documents;
use jsonschema::Draft;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The keyword that stands for a reference while a schema is not part of a document: path of the file, `#`, JSON pointer.
pub(super) const REFERENCE: &str = "$ref";

/// What a contract says of itself.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// The contract's file, as it was named when it was read.
    pub(crate) file: String,
    pub(crate) team: Option<Team>,
    pub(crate) description: Option<String>,
    pub(crate) deprecation: Option<Value>,
    pub(crate) types: Vec<AboutType>,
}

/// Whom consumers ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Team {
    pub(crate) name: String,
    pub(crate) contact: String,
}

/// What a contract says of one public type, in the order of the file.
#[derive(Debug)]
pub(crate) struct AboutType {
    pub(crate) event_type: String,
    pub(crate) name: String,
    /// The path of its schema.
    pub(crate) schema: String,
    pub(crate) status: Option<String>,
    pub(crate) deprecation: Option<Value>,
}

impl About {
    /// Reads what a sound contract and its defaults say.
    ///
    /// `content` is the contract's own first, then the defaults that it inherits from.
    pub(crate) fn of(file: &str, content: &[(&str, &Value)]) -> Self {
        let text =
            |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = |name: &str| content.first().and_then(|(_, contract)| contract.get(name));
        let team = content.iter().find_map(|(_, one)| one.get("team"));
        let types = own("types").and_then(Value::as_object);
        Self {
            file: file.to_owned(),
            team: team.and_then(|team| {
                Some(Team {
                    name: text(team, "name")?,
                    contact: text(team, "contact")?,
                })
            }),
            description: own("description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            deprecation: own("deprecation").cloned(),
            types: types
                .into_iter()
                .flatten()
                .map(|(event_type, public)| AboutType {
                    event_type: event_type.clone(),
                    name: text(public, "name").unwrap_or_default(),
                    schema: text(public, "schema").unwrap_or_default(),
                    status: text(public, "status"),
                    deprecation: public.get("deprecation").cloned(),
                })
                .collect(),
        }
    }
}

/// A public schema.
#[derive(Debug)]
pub(crate) struct PublishedSchema {
    pub(crate) draft: Draft,
    /// Its `$id`.
    pub(crate) id: Option<String>,
    /// The schema without `$id` and `$schema`; its references are paths and pointers.
    pub(crate) value: Value,
}

/// The public schemas, by their paths below the schemas folder.
pub(crate) type Published = BTreeMap<String, PublishedSchema>;

/// All public schemas.
pub(crate) fn published(documents: &Documents) -> Published {
    documents
        .iter()
        .enumerate()
        .filter(|(_, document)| document.is_public())
        .map(|(nth, document)| {
            let mut value = with_paths(documents, nth, &document.value);
            if let Value::Object(entries) = &mut value {
                for keyword in ["$id", "id", "$schema"] {
                    if entries.get(keyword).is_some_and(Value::is_string) {
                        entries.shift_remove(keyword);
                    }
                }
            }
            let schema = PublishedSchema {
                draft: document.draft,
                id: document.id.clone(),
                value,
            };
            (document.path.clone(), schema)
        })
        .collect()
}

/// What a keyword of a schema holds, as far as walking through schemas asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A schema, or a list of schemas.
    Schema,
    /// Schemas by names that the writer chose.
    Names,
    /// A value that only may look like a schema.
    Value,
}

/// What stands below an entry of what stands `within`.
pub(super) fn within(within: Within, keyword: &str) -> Within {
    match (within, keyword) {
        (Within::Names, _) => Within::Schema,
        (Within::Value, _) | (_, "const" | "enum" | "default" | "examples") => Within::Value,
        (
            _,
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
            | "dependencies",
        ) => Within::Names,
        _ => Within::Schema,
    }
}

/// The schema with each reference led elsewhere.
pub(super) fn lead(value: &Value, at: Within, to: &dyn Fn(&str) -> String) -> Value {
    match value {
        _ if at == Within::Value => value.clone(),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(keyword, value)| {
                    let value = match (keyword.as_str(), value) {
                        (REFERENCE, Value::String(reference)) if at == Within::Schema => {
                            to(reference).into()
                        }
                        (keyword, value) => lead(value, within(at, keyword), to),
                    };
                    (keyword.clone(), value)
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => items.iter().map(|item| lead(item, at, to)).collect(),
        other => other.clone(),
    }
}

/// The schema with each reference as a path and a pointer.
fn with_paths(documents: &Documents, nth: usize, schema: &Value) -> Value {
    lead(schema, Within::Schema, &|reference| {
        documents.resolve(nth, reference).map_or_else(
            || reference.to_owned(),
            |spot| format!("{}#{}", documents.get(spot.document).path, spot.pointer),
        )
    })
}

/// What a reference leads to, and the path of the file it stands in.
pub(super) fn find<'p>(published: &'p Published, reference: &str) -> Option<(&'p str, &'p Value)> {
    let (path, pointer) = reference.split_once('#')?;
    let (path, schema) = published.get_key_value(path)?;
    Some((path, schema.value.pointer(pointer)?))
}
