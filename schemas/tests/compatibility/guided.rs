//! Random values that have a chance to fit a schema: built along its keywords, at their bounds.

use crate::random::{Random, parsed, value};
use serde_json::{Map, Value, json};

/// A value that has a chance to fit the schema: built along its keywords, at their bounds.
pub(crate) fn guided(random: &mut Random, root: &Value, schema: &Value, depth: usize) -> Value {
    let Some(entries) = schema
        .as_object()
        .filter(|_| depth > 0 && random.below(8) > 0)
    else {
        return value(random, depth.min(2));
    };
    if let Some(values) = entries.get("enum").and_then(Value::as_array) {
        return random.pick(values).clone();
    }
    if let Some(value) = entries.get("const") {
        return value.clone();
    }
    if let Some(reference) = entries.get("$ref").and_then(Value::as_str)
        && random.below(3) > 0
        && let Some(target) = root.pointer(reference.trim_start_matches('#'))
    {
        return guided(random, root, target, depth - 1);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(branches)) = entries.get(word)
            && random.below(3) > 0
        {
            let branch = random.pick(branches).clone();
            let first = guided(random, root, &branch, depth - 1);
            let own: Map<String, Value> = entries
                .iter()
                .filter(|(key, _)| *key != word)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            return union(first, guided(random, root, &Value::Object(own), depth));
        }
    }
    for word in ["then", "else", "if"] {
        if let Some(branch) = entries.get(word)
            && random.once_in(3)
        {
            let own: Map<String, Value> = entries
                .iter()
                .filter(|(key, _)| !["if", "then", "else"].contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            return union(
                guided(random, root, branch, depth - 1),
                guided(random, root, &Value::Object(own), depth),
            );
        }
    }
    let kinds: Vec<&str> = match entries.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ if entries.contains_key("properties") || entries.contains_key("required") => {
            vec!["object"]
        }
        _ if entries.contains_key("items")
            || entries.contains_key("prefixItems")
            || entries.contains_key("contains") =>
        {
            vec!["array"]
        }
        _ => return value(random, depth.min(2)),
    };
    match *random.pick(&kinds) {
        "null" => Value::Null,
        "boolean" => json!(random.once_in(2)),
        "integer" | "number" => near(random, entries),
        "string" => {
            let texts = [
                "",
                "a",
                "b",
                "ab",
                "aa",
                "aab",
                "bb",
                "é",
                "2024-01-02",
                "127.0.0.1",
                "x@y.example",
                "abab",
                "aaa",
            ];
            json!(random.pick(&texts))
        }
        "array" => array(random, root, entries, depth),
        _ => object(random, root, entries, depth),
    }
}

fn near(random: &mut Random, entries: &Map<String, Value>) -> Value {
    let words = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ];
    let limits: Vec<f64> = words
        .iter()
        .filter_map(|word| entries.get(*word)?.as_f64())
        .collect();
    if limits.is_empty() || random.once_in(3) {
        return parsed(
            random,
            &[
                "0", "1", "-1", "2", "3", "0.5", "1.0", "1.5", "4", "100", "0.1", "0.3", "6",
                "-2.5",
            ],
        );
    }
    let limit = *random.pick(&limits);
    let moved = limit + random.pick(&[0.0, 1.0, -1.0, 0.5, -0.5, 2.0]);
    match moved.fract() == 0.0 && random.below(4) > 0 {
        true => serde_json::from_str(&format!("{moved:.0}").replace("-0", "0")).unwrap(),
        false => json!(moved),
    }
}

fn array(random: &mut Random, root: &Value, entries: &Map<String, Value>, depth: usize) -> Value {
    let first: Vec<&Value> = ["prefixItems", "items"]
        .iter()
        .filter_map(|word| entries.get(*word)?.as_array())
        .flatten()
        .collect();
    let rest = entries
        .get("items")
        .filter(|items| !items.is_array())
        .or(entries.get("additionalItems"));
    let count = random.below(4);
    let items = (0..count).map(|nth| {
        if let Some(contained) = entries.get("contains")
            && random.once_in(2)
        {
            return guided(random, root, contained, depth - 1);
        }
        match first.get(nth).copied().or(rest) {
            Some(schema) => guided(random, root, schema, depth - 1),
            None => value(random, 1),
        }
    });
    Value::Array(items.collect())
}

fn object(random: &mut Random, root: &Value, entries: &Map<String, Value>, depth: usize) -> Value {
    let mut fields = Map::new();
    let properties = entries.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        if random.below(3) > 0 {
            fields.insert(name.clone(), guided(random, root, schema, depth - 1));
        }
    }
    for name in entries
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = name.as_str().unwrap();
        if random.below(8) > 0 && !fields.contains_key(name) {
            let schema = properties
                .and_then(|all| all.get(name))
                .or(entries.get("additionalProperties"));
            let value = match schema {
                Some(schema) => guided(random, root, schema, depth - 1),
                None => value(random, 1),
            };
            fields.insert(name.to_owned(), value);
        }
    }
    for word in ["patternProperties", "additionalProperties"] {
        if let Some(schema) = entries.get(word)
            && random.once_in(2)
        {
            let schema = schema
                .as_object()
                .filter(|_| word == "patternProperties")
                .and_then(|all| all.values().next())
                .unwrap_or(schema);
            let name = *random.pick(&["a", "b", "ab", "d", "xb"]);
            let value = guided(random, root, schema, depth - 1);
            fields.entry(name).or_insert(value);
        }
    }
    if random.once_in(4) {
        fields.insert(
            (*random.pick(&["a", "b", "c", "ab", "d"])).to_owned(),
            value(random, 1),
        );
    }
    Value::Object(fields)
}

fn union(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Object(mut a), Value::Object(b)) => {
            for (name, value) in b {
                a.entry(name).or_insert(value);
            }
            Value::Object(a)
        }
        (a, _) => a,
    }
}
