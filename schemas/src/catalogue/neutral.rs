//! Whether a schema means the same to a reader of draft 7, which is what AsyncAPI reads schemas as unless told otherwise.

use super::about::{Published, REFERENCE, Within, within};
use jsonschema::Draft;
use serde_json::{Map, Value, json};

/// Keywords of later drafts, or with another meaning there, that a reader of draft 7 would skip or misread.
const NOT_IN_DRAFT_7: [&str; 13] = [
    "prefixItems",
    "minContains",
    "maxContains",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$vocabulary",
];

/// Whether the schema, and every schema it refers to, means the same in draft 7.
pub(super) fn is_neutral(published: &Published, path: &str) -> bool {
    let mut reached = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = reached.get(next).cloned() {
        next += 1;
        let Some(schema) = published.get(&path) else {
            return false;
        };
        if !means_the_same(&schema.value, Within::Schema, &mut reached) {
            return false;
        }
    }
    true
}

fn means_the_same(value: &Value, at: Within, reached: &mut Vec<String>) -> bool {
    match value {
        _ if at == Within::Value => true,
        Value::Object(entries) => entries.iter().all(|(keyword, value)| {
            let keyword = keyword.as_str();
            let below = within(at, keyword);
            match (keyword, value) {
                _ if at == Within::Names => means_the_same(value, below, reached),
                (REFERENCE, Value::String(reference)) => {
                    let path = reference.split('#').next().unwrap_or_default();
                    if !reached.iter().any(|known| known == path) {
                        reached.push(path.to_owned());
                    }
                    true
                }
                // In draft 4 these are flags beside the limit.
                ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(_)) => false,
                _ => !NOT_IN_DRAFT_7.contains(&keyword) && means_the_same(value, below, reached),
            }
        }),
        Value::Array(items) => items.iter().all(|item| means_the_same(item, at, reached)),
        _ => true,
    }
}

/// The schema with what stands beside a reference in an `allOf` with it: readers of draft 7 skip it otherwise.
pub(super) fn beside_references(value: &Value, at: Within) -> Value {
    match value {
        _ if at == Within::Value => value.clone(),
        Value::Object(entries) => {
            let mut made: Map<String, Value> = entries
                .iter()
                .map(|(keyword, value)| {
                    let below = within(at, keyword);
                    (keyword.clone(), beside_references(value, below))
                })
                .collect();
            if at == Within::Schema
                && made.len() > 1
                && let Some(Value::String(reference)) = made.get(REFERENCE).cloned()
            {
                made.shift_remove(REFERENCE);
                let mut all = vec![json!({REFERENCE: reference})];
                if let Some(Value::Array(own)) = made.shift_remove("allOf") {
                    all.extend(own);
                }
                made.insert("allOf".to_owned(), all.into());
            }
            Value::Object(made)
        }
        Value::Array(items) => items
            .iter()
            .map(|item| beside_references(item, at))
            .collect(),
        other => other.clone(),
    }
}

/// The media type of a schema of a draft, for AsyncAPI's multi-format schema object.
pub(super) fn media_type(draft: Draft) -> &'static str {
    match draft {
        Draft::Draft4 => "application/schema+json;version=draft-04",
        Draft::Draft6 => "application/schema+json;version=draft-06",
        Draft::Draft7 => "application/schema+json;version=draft-07",
        Draft::Draft201909 => "application/schema+json;version=draft-2019-09",
        _ => "application/schema+json;version=draft-2020-12",
    }
}
