//! The fields that a public schema declares, as rows of a table.

use super::about::{Published, REFERENCE, find};
use serde_json::Value;

/// How deep fields are told.
const MAX_DEPTH: usize = 6;
/// How many fields of one schema are told.
const MAX_FIELDS: usize = 300;

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its path, such as `lines[].sku`.
    pub(super) path: String,
    /// What it is: `string`, `number or null`.
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) description: String,
    /// What else holds of it, such as `at least 1`.
    pub(super) limits: Vec<String>,
}

/// The fields of the schema at a path.
pub(super) fn fields(published: &Published, path: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(schema) = published.get(path) {
        let parts = parts(published, &schema.value, 0);
        below(published, &parts, "", 0, &mut fields);
    }
    fields
}

/// The schemas that all hold of the same place: itself, what it refers to, and the branches of `allOf`.
fn parts<'p>(published: &'p Published, schema: &'p Value, depth: usize) -> Vec<&'p Value> {
    let mut all = vec![schema];
    if depth > MAX_DEPTH {
        return all;
    }
    if let Some((_, to)) = schema
        .get(REFERENCE)
        .and_then(Value::as_str)
        .and_then(|to| find(published, to))
    {
        all.extend(parts(published, to, depth + 1));
    }
    for branch in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        all.extend(parts(published, branch, depth + 1));
    }
    all
}

fn below(
    published: &Published,
    schemas: &[&Value],
    above: &str,
    depth: usize,
    fields: &mut Vec<Field>,
) {
    if depth >= MAX_DEPTH {
        return;
    }
    let required: Vec<&str> = schemas
        .iter()
        .filter_map(|one| one.get("required")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, schema) in schemas
        .iter()
        .filter_map(|one| one.get("properties")?.as_object())
        .flatten()
    {
        if fields.len() >= MAX_FIELDS {
            return;
        }
        let path = if above.is_empty() {
            name.clone()
        } else {
            format!("{above}.{name}")
        };
        let own = parts(published, schema, 0);
        fields.push(field(&path, required.contains(&name.as_str()), &own));
        below(published, &own, &path, depth + 1, fields);
        for items in own
            .iter()
            .filter_map(|one| one.get("items"))
            .filter(|items| items.is_object())
        {
            let items = parts(published, items, 0);
            below(published, &items, &format!("{path}[]"), depth + 1, fields);
        }
    }
}

fn field(path: &str, required: bool, schemas: &[&Value]) -> Field {
    let first = |keyword: &str| schemas.iter().find_map(|one| one.get(keyword));
    let description = first("description")
        .or_else(|| first("title"))
        .and_then(Value::as_str);
    Field {
        path: path.to_owned(),
        kind: kind(schemas),
        required,
        description: description.unwrap_or_default().to_owned(),
        limits: schemas.iter().flat_map(|one| limits(one)).collect(),
    }
}

fn kind(schemas: &[&Value]) -> String {
    let written = schemas.iter().find_map(|one| match one.get("type")? {
        Value::String(kind) => Some(kind.clone()),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            Some(kinds.join(" or "))
        }
        _ => None,
    });
    let has = |keyword: &str| schemas.iter().any(|one| one.get(keyword).is_some());
    written.unwrap_or_else(|| {
        if has("const") || has("enum") {
            "value".to_owned()
        } else if has("anyOf") || has("oneOf") {
            "one of several".to_owned()
        } else {
            "any".to_owned()
        }
    })
}

/// What a schema says beyond the type, in words.
fn limits(schema: &Value) -> Vec<String> {
    const WORDS: [(&str, &str); 14] = [
        ("const", "always"),
        ("format", "format"),
        ("pattern", "pattern"),
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("exclusiveMinimum", "more than"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "multiple of"),
        ("minLength", "length at least"),
        ("maxLength", "length at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
        ("default", "default"),
        ("contentEncoding", "encoding"),
    ];
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut told: Vec<String> = WORDS
        .iter()
        .filter_map(|(keyword, words)| Some(format!("{words} {}", plain(schema.get(keyword)?))))
        .collect();
    let listed = |values: &Value| {
        let values: Vec<String> = values.as_array().into_iter().flatten().map(plain).collect();
        values.join(", ")
    };
    told.extend(
        schema
            .get("enum")
            .map(|values| format!("one of {}", listed(values))),
    );
    told.extend(
        schema
            .get("examples")
            .map(|values| format!("such as {}", listed(values))),
    );
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        told.push("deprecated".to_owned());
    }
    told
}
