//! The public schemas as parts of an AsyncAPI document, with their references led to where they stand in it.

use super::about::{Published, Within, lead};
use super::distinct::distinct;
use super::neutral;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The schemas' names among the components, by path.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn of(published: &Published) -> Self {
        let paths = published.keys();
        Self(distinct(paths.map(|path| (path.clone(), component(path)))))
    }

    pub(super) fn get(&self, path: &str) -> String {
        let known = self.0.get(path).cloned();
        known.unwrap_or_else(|| component(path))
    }
}

/// The name that a path asks for.
fn component(path: &str) -> String {
    let name = path.strip_prefix("public/").unwrap_or(path);
    name.strip_suffix(".json")
        .unwrap_or(name)
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c
            } else {
                '.'
            }
        })
        .collect()
}

/// The schemas in AsyncAPI's own format, with all that they refer to.
pub(super) fn components(
    published: &Published,
    names: &Names,
    used: BTreeSet<String>,
) -> Map<String, Value> {
    let mut made = Map::new();
    let mut wanted: Vec<String> = used
        .into_iter()
        .filter(|path| neutral::is_neutral(published, path))
        .collect();
    let mut next = 0;
    while let Some(path) = wanted.get(next).cloned() {
        next += 1;
        let Some(schema) = published.get(&path) else {
            continue;
        };
        let reached = RefCell::new(Vec::new());
        let value = neutral::beside_references(&schema.value, Within::Schema);
        let mut value = lead(&value, Within::Schema, &|reference| {
            let (path, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            reached.borrow_mut().push(path.to_owned());
            format!(
                "#/components/schemas/{}{}",
                names.get(path),
                encoded(pointer)
            )
        });
        for path in reached.into_inner() {
            if !wanted.contains(&path) {
                wanted.push(path);
            }
        }
        if let (Some(id), Value::Object(entries)) = (&schema.id, &mut value) {
            entries.insert("x-schema-id".to_owned(), id.clone().into());
        }
        made.insert(names.get(&path), value);
    }
    made
}

/// A schema of another draft, whole: as it is written, with all that it refers to under `x-parts`. `at` is its place in the
/// document, by which tools follow references.
pub(super) fn with_parts(published: &Published, names: &Names, path: &str, at: &str) -> Value {
    let mut wanted = vec![path.to_owned()];
    let mut parts = Map::new();
    let mut next = 0;
    let mut whole = Value::Null;
    while let Some(own) = wanted.get(next).cloned() {
        next += 1;
        let Some(schema) = published.get(&own) else {
            continue;
        };
        let reached = RefCell::new(Vec::new());
        let value = lead(&schema.value, Within::Schema, &|reference| {
            let (to, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            reached.borrow_mut().push(to.to_owned());
            let part = if to == path {
                String::new()
            } else {
                format!("/x-parts/{}", names.get(to))
            };
            format!("{at}{part}{}", encoded(pointer))
        });
        for to in reached.into_inner() {
            if !wanted.contains(&to) {
                wanted.push(to);
            }
        }
        if own == path {
            whole = value;
        } else {
            parts.insert(names.get(&own), value);
        }
    }
    if let (false, Value::Object(entries)) = (parts.is_empty(), &mut whole) {
        entries.insert("x-parts".to_owned(), parts.into());
    }
    whole
}

/// A JSON pointer as a fragment.
fn encoded(pointer: &str) -> String {
    pointer
        .replace('%', "%25")
        .replace(' ', "%20")
        .replace('"', "%22")
}
