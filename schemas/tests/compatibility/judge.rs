//! What `jsonschema` says of a pair of schemas and a value, and what is published of a schema: written without the engine.

use horizon_schemas::compatibility::{Direction, Finding, Published, Revision, Schemas, compare};
use serde_json::Value;

pub(crate) const PATH: &str = "public/one/it.v1.json";

/// One schema, by all that is asked of it.
pub(crate) struct Side {
    pub(crate) value: Value,
    schemas: Schemas,
    validator: jsonschema::Validator,
}

impl Side {
    /// None when Horizon refuses the schema.
    pub(crate) fn of(value: &Value) -> Result<Self, String> {
        let schemas =
            Schemas::of([(PATH.to_owned(), value.to_string())]).map_err(|all| all.to_string())?;
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(value)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            value: value.clone(),
            schemas,
            validator,
        })
    }

    pub(crate) fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// Whether a value is published: accepted and, where that is asked for, without anything that is not declared.
    pub(crate) fn publishes(&self, value: &Value, published: Published) -> bool {
        self.accepts(value)
            && (published == Published::AsWritten
                || declared_only(&self.value, &[&self.value], value))
    }
}

pub(crate) fn findings(
    old: &Side,
    new: &Side,
    direction: Direction,
    published: Published,
) -> Vec<Finding> {
    let revision = |side| Revision {
        schemas: side,
        path: PATH,
    };
    compare(
        revision(&old.schemas),
        revision(&new.schemas),
        direction,
        published,
    )
    .unwrap()
}

/// Every schema that speaks of the same place.
fn together<'v>(root: &'v Value, start: &[&'v Value]) -> Vec<&'v Value> {
    let mut all: Vec<&Value> = start.to_vec();
    let mut next = 0;
    while let Some(schema) = all.get(next).copied() {
        next += 1;
        let mut more: Vec<&Value> = Vec::new();
        for keyword in ["allOf", "anyOf", "oneOf"] {
            more.extend(
                schema
                    .get(keyword)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten(),
            );
        }
        more.extend(
            ["if", "then", "else"]
                .iter()
                .filter_map(|word| schema.get(word)),
        );
        for keyword in ["dependentSchemas", "dependencies"] {
            let by_name = schema.get(keyword).and_then(Value::as_object);
            more.extend(by_name.into_iter().flat_map(|all| all.values()));
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            more.extend(root.pointer(reference.trim_start_matches('#')));
        }
        for one in more {
            if !all.iter().any(|own| std::ptr::eq(*own, one)) {
                all.push(one);
            }
        }
    }
    all
}

fn declared_only(root: &Value, schemas: &[&Value], value: &Value) -> bool {
    let all = together(root, schemas);
    match value {
        Value::Object(fields) => fields.iter().all(|(name, field)| {
            let mut at: Vec<&Value> = all
                .iter()
                .filter_map(|schema| schema.get("properties")?.get(name))
                .collect();
            if at.is_empty() {
                return false;
            }
            for schema in &all {
                let named = schema
                    .get("properties")
                    .and_then(|all| all.get(name))
                    .is_some();
                let mut matched = false;
                let patterns = schema.get("patternProperties").and_then(Value::as_object);
                for (pattern, inner) in patterns.into_iter().flatten() {
                    let matches = jsonschema::options()
                        .build(&serde_json::json!({ "pattern": pattern }))
                        .unwrap()
                        .is_valid(&Value::String(name.clone()));
                    if matches {
                        matched = true;
                        at.push(inner);
                    }
                }
                if !named && !matched {
                    at.extend(
                        schema
                            .get("additionalProperties")
                            .filter(|one| one.is_object()),
                    );
                }
            }
            declared_only(root, &at, field)
        }),
        Value::Array(items) => items.iter().enumerate().all(|(nth, item)| {
            let mut at: Vec<&Value> = Vec::new();
            let mut declared = false;
            for schema in &all {
                let prefix = ["prefixItems", "items"]
                    .iter()
                    .filter_map(|word| schema.get(word)?.as_array()?.get(nth));
                let prefix: Vec<&Value> = prefix.collect();
                let rest = match schema.get("items") {
                    Some(Value::Array(_)) => schema.get("additionalItems"),
                    other => other,
                };
                declared |= !prefix.is_empty() || rest.is_some_and(Value::is_object);
                at.extend(prefix);
                at.extend(rest.filter(|rest| rest.is_object()));
            }
            // Where some items are declared, `contains` speaks of every item, also of those after the first ones.
            let some = all.iter().any(|schema| {
                let list = |word| schema.get(word).and_then(Value::as_array);
                let first = ["prefixItems", "items"].into_iter().filter_map(list);
                let rest = ["items", "additionalItems"].into_iter();
                let mut rest = rest.filter_map(|word| schema.get(word));
                first.into_iter().any(|all| !all.is_empty()) || rest.any(Value::is_object)
            });
            let contains: Vec<&Value> = all
                .iter()
                .filter_map(|schema| schema.get("contains"))
                .collect();
            declared |= some && !contains.is_empty();
            at.extend(contains);
            declared && declared_only(root, &at, item)
        }),
        _ => true,
    }
}
