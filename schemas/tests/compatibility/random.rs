//! Small random schemas, changes to them, and random values. Everything comes from a seed.

use serde_json::{Map, Value, json};

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "ab"];
const PATTERNS: [&str; 6] = ["^a", "b$", "^[ab]+$", "", "^a$", "^.{2}$"];
const FORMATS: [&str; 3] = ["date", "ipv4", "email"];
const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

pub(crate) fn parsed(random: &mut Random, texts: &[&str]) -> Value {
    let text = *random.pick(texts);
    serde_json::from_str(text).unwrap()
}

fn scalar(random: &mut Random) -> Value {
    let texts = [
        "0",
        "1",
        "2",
        "3",
        "-1",
        "0.5",
        "1.0",
        "2.5",
        "4",
        "1e0",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"b\"",
        "\"ab\"",
        "\"aab\"",
        "\"1\"",
        "\"2024-01-02\"",
        "\"127.0.0.1\"",
        "\"é\"",
    ];
    parsed(random, &texts)
}

pub(crate) fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 3 } else { 6 }) {
        0..=2 => scalar(random),
        3 => {
            let count = random.below(4);
            (0..count).map(|_| value(random, depth - 1)).collect()
        }
        _ => {
            let count = random.below(4);
            let names = ["a", "b", "c", "ab", "d", "xb", ""];
            let fields = (0..count).map(|_| {
                let name = (*random.pick(&names)).to_owned();
                (name, value(random, depth - 1))
            });
            Value::Object(fields.collect())
        }
    }
}

/// What kind of schemas are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draft {
    Four,
    Seven,
    Latest,
}

pub(crate) fn document(random: &mut Random, draft: Draft) -> Value {
    // Half of them are about one property: what stands there is then seldom without values.
    let one = random.once_in(2);
    let mut schema = match schema(random, if one { 1 } else { 3 }, draft, true) {
        Value::Object(schema) if !one => schema,
        about => Map::from_iter([
            ("type".to_owned(), json!("object")),
            ("properties".to_owned(), json!({ "a": about })),
            ("required".to_owned(), json!(["a"])),
        ]),
    };
    let (uri, definitions) = match draft {
        Draft::Four => ("http://json-schema.org/draft-04/schema#", "definitions"),
        Draft::Seven => ("http://json-schema.org/draft-07/schema#", "definitions"),
        Draft::Latest => ("https://json-schema.org/draft/2020-12/schema", "$defs"),
    };
    if draft != Draft::Latest && schema.contains_key("$ref") {
        schema.retain(|word, _| word == "$ref");
    }
    if draft == Draft::Four
        && schema
            .get("properties")
            .is_some_and(|all| all["a"].is_boolean())
    {
        schema.remove("properties");
    }
    schema.insert("$schema".to_owned(), json!(uri));
    let mut defined = Map::new();
    for name in ["x", "y"] {
        defined.insert(name.to_owned(), self::schema(random, 1, draft, false));
    }
    if random.once_in(3) {
        let next = json!({ "$ref": "#" });
        defined["x"] = json!({ "type": ["object", "null"], "properties": { "a": next } });
    }
    schema.insert(definitions.to_owned(), Value::Object(defined));
    Value::Object(schema)
}

fn schema(random: &mut Random, depth: usize, draft: Draft, refers: bool) -> Value {
    if draft != Draft::Four && random.once_in(14) {
        return Value::Bool(!random.once_in(3));
    }
    let mut schema = Map::new();
    if random.below(8) > 0 {
        let kind = match depth {
            0 => random.pick(&TYPES[..5]),
            3 => &"object",
            _ => random.pick(&TYPES),
        };
        schema.insert("type".to_owned(), json!(kind));
        if random.once_in(5) {
            let other = random.pick(&TYPES);
            if other != kind {
                schema.insert("type".to_owned(), json!([kind, other]));
            }
        }
    }
    let count = 1 + random.below(3);
    for _ in 0..count {
        add(random, &mut schema, depth, draft, refers);
    }
    if draft != Draft::Latest && schema.contains_key("$ref") {
        schema.retain(|word, _| word == "$ref");
    }
    Value::Object(schema)
}

fn speaks_of(schema: &Map<String, Value>) -> Vec<&'static str> {
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec!["number", "string", "object", "array"],
    };
    let mut words = vec![
        "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "$ref",
    ];
    for kind in kinds {
        words.extend(match kind {
            "integer" | "number" => &[
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
                "minimum",
                "maximum",
            ][..],
            "string" => &["minLength", "maxLength", "pattern", "format", "minLength"][..],
            "array" => &[
                "items",
                "prefixItems",
                "minItems",
                "maxItems",
                "uniqueItems",
                "contains",
                "items",
                "unevaluatedItems",
            ][..],
            "object" => &[
                "properties",
                "properties",
                "properties",
                "properties",
                "required",
                "required",
                "additionalProperties",
                "patternProperties",
                "propertyNames",
                "minProperties",
                "maxProperties",
                "dependentRequired",
                "dependentSchemas",
                "unevaluatedProperties",
            ][..],
            _ => &[][..],
        });
    }
    words
}

fn add(
    random: &mut Random,
    schema: &mut Map<String, Value>,
    depth: usize,
    draft: Draft,
    refers: bool,
) {
    let words = speaks_of(schema);
    let word = *random.pick(&words);
    let deeper = depth.saturating_sub(1);
    let inner = |random: &mut Random| self::schema(random, deeper, draft, refers);
    if depth == 0
        && !matches!(
            word,
            "enum"
                | "const"
                | "minimum"
                | "maximum"
                | "exclusiveMinimum"
                | "exclusiveMaximum"
                | "multipleOf"
                | "minLength"
                | "maxLength"
                | "pattern"
                | "format"
        )
    {
        return;
    }
    let latest = draft == Draft::Latest;
    let value = match word {
        "enum" => {
            let count = 1 + random.below(3);
            let mut values: Vec<Value> = Vec::new();
            for _ in 0..count {
                let value = if random.once_in(6) {
                    value(random, 1)
                } else {
                    scalar(random)
                };
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Value::Array(values)
        }
        "const" if draft != Draft::Four => scalar(random),
        "minimum" | "maximum" => parsed(random, &["0", "1", "2", "0.5", "3", "-1", "1.0"]),
        "exclusiveMinimum" | "exclusiveMaximum" if draft == Draft::Four => {
            let limit = if word == "exclusiveMinimum" {
                "minimum"
            } else {
                "maximum"
            };
            schema.entry(limit).or_insert(json!(random.below(3)));
            json!(random.once_in(2))
        }
        "exclusiveMinimum" | "exclusiveMaximum" => json!(random.below(4)),
        "multipleOf" => parsed(random, &["1", "2", "0.5", "4", "0.1", "1.5"]),
        "minLength" | "minItems" | "minProperties" => json!(random.below(3)),
        "maxLength" | "maxItems" | "maxProperties" => json!(random.below(4)),
        "pattern" => json!(random.pick(&PATTERNS)),
        "format" => json!(random.pick(&FORMATS)),
        "items" if !latest && random.once_in(3) => {
            let count = 1 + random.below(2);
            if random.once_in(2) {
                let rest = if random.once_in(2) {
                    json!(false)
                } else {
                    inner(random)
                };
                schema.insert("additionalItems".to_owned(), rest);
            }
            (0..count).map(|_| inner(random)).collect()
        }
        "items" => inner(random),
        "prefixItems" if latest => {
            let count = 1 + random.below(2);
            (0..count).map(|_| inner(random)).collect()
        }
        "uniqueItems" => json!(true),
        "contains" if draft != Draft::Four => {
            if latest && random.once_in(3) {
                schema.insert("minContains".to_owned(), json!(random.below(3)));
            }
            if latest && random.once_in(3) {
                schema.insert("maxContains".to_owned(), json!(1 + random.below(2)));
            }
            inner(random)
        }
        "properties" | "patternProperties" => {
            let count = 1 + random.below(3);
            let names = if word == "properties" {
                &NAMES[..]
            } else {
                &PATTERNS[..3]
            };
            let mut fields = match schema.remove(word) {
                Some(Value::Object(fields)) => fields,
                _ => Map::new(),
            };
            for _ in 0..count {
                fields.insert((*random.pick(names)).to_owned(), inner(random));
            }
            Value::Object(fields)
        }
        "required" => json!([random.pick(&NAMES)]),
        "additionalProperties" => {
            if random.once_in(2) {
                json!(false)
            } else {
                inner(random)
            }
        }
        "unevaluatedProperties" | "unevaluatedItems" if latest => json!(false),
        "propertyNames" if draft != Draft::Four => match random.below(3) {
            0 => json!({ "enum": ["a", "b"] }),
            1 => json!({ "maxLength": 1 }),
            _ => json!({ "pattern": random.pick(&PATTERNS) }),
        },
        "dependentRequired" if latest => json!({ *random.pick(&NAMES): [random.pick(&NAMES)] }),
        "dependentSchemas" if latest => json!({ *random.pick(&NAMES): inner(random) }),
        "dependentRequired" | "dependentSchemas" if !latest => {
            let then = if random.once_in(2) {
                json!([random.pick(&NAMES)])
            } else {
                inner(random)
            };
            schema.insert(
                "dependencies".to_owned(),
                json!({ *random.pick(&NAMES): then }),
            );
            return;
        }
        "allOf" | "anyOf" | "oneOf" => {
            let count = 1 + random.below(3);
            (0..count).map(|_| inner(random)).collect()
        }
        "not" => inner(random),
        "if" if draft != Draft::Four => {
            schema.insert("then".to_owned(), inner(random));
            schema.insert("else".to_owned(), inner(random));
            inner(random)
        }
        "$ref" if refers => {
            let defined = if latest { "$defs" } else { "definitions" };
            json!(format!("#/{defined}/{}", random.pick(&["x", "y"])))
        }
        _ => return,
    };
    schema.insert(word.to_owned(), value);
}

/// The schema with one or more small changes.
pub(crate) fn changed(random: &mut Random, document: &Value, draft: Draft) -> Value {
    let mut document = document.clone();
    for _ in 0..1 + random.below(2) {
        let mut places = Vec::new();
        schemas(&document, "", &mut places);
        let place = random.pick(&places).clone();
        let defined = place.starts_with("/$defs") || place.starts_with("/definitions");
        let root = place.is_empty();
        if let Some(Value::Object(schema)) = document.pointer_mut(&place) {
            change(random, schema, draft, !defined, root);
        }
    }
    document
}

/// The pointers of the schemas in a schema.
fn schemas(schema: &Value, pointer: &str, places: &mut Vec<String>) {
    let Value::Object(entries) = schema else {
        return;
    };
    places.push(pointer.to_owned());
    for (word, value) in entries {
        let below = format!("{pointer}/{word}");
        match (word.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                Value::Object(all),
            ) => {
                for (name, inner) in all {
                    schemas(inner, &format!("{below}/{name}"), places);
                }
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Value::Array(all)) => {
                for (nth, inner) in all.iter().enumerate() {
                    schemas(inner, &format!("{below}/{nth}"), places);
                }
            }
            (
                "items"
                | "additionalProperties"
                | "additionalItems"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames",
                inner,
            ) => {
                schemas(inner, &below, places);
            }
            _ => {}
        }
    }
}

fn change(
    random: &mut Random,
    schema: &mut Map<String, Value>,
    draft: Draft,
    refers: bool,
    root: bool,
) {
    let words: Vec<String> = schema
        .keys()
        .filter(|word| !matches!(word.as_str(), "$schema" | "$defs" | "definitions"))
        .cloned()
        .collect();
    match random.below(6) {
        0 if !words.is_empty() => {
            schema.remove(random.pick(&words));
            if !schema.contains_key("if") {
                schema.remove("then");
                schema.remove("else");
            }
        }
        1 | 2 if !words.is_empty() => {
            let word = random.pick(&words).clone();
            tweak(random, &mut schema[&word]);
        }
        3 => {
            let fields = schema.entry("properties").or_insert(json!({}));
            let inner = self::schema(random, 1, draft, refers);
            fields[*random.pick(&NAMES)] = inner;
        }
        _ => add(random, schema, 2, draft, refers),
    }
    if draft != Draft::Latest && schema.contains_key("$ref") {
        schema.retain(|word, _| {
            word == "$ref" || (root && matches!(word.as_str(), "$schema" | "definitions"))
        });
    }
}

fn tweak(random: &mut Random, value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                let moved = if random.once_in(2) {
                    whole + 1
                } else {
                    (whole - 1).max(1)
                };
                *value = json!(moved);
            }
        }
        Value::Array(items) => {
            if items.len() > 1 && random.once_in(2) {
                let nth = random.below(items.len());
                items.remove(nth);
            } else if items.iter().all(Value::is_string) && !items.is_empty() {
                let own = items[0].clone();
                let next = if TYPES.contains(&own.as_str().unwrap()) {
                    *random.pick(&TYPES)
                } else {
                    *random.pick(&NAMES)
                };
                if !items.contains(&json!(next)) {
                    items.push(json!(next));
                }
            } else if !items
                .iter()
                .any(|item| item.is_object() || item.is_boolean())
            {
                let next = scalar(random);
                if !items.contains(&next) {
                    items.push(next);
                }
            } else if random.once_in(2) {
                items.reverse();
            }
        }
        Value::String(text) if TYPES.contains(&text.as_str()) => {
            *value = json!(random.pick(&TYPES));
        }
        _ => {}
    }
}
