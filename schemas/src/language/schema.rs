//! The JSON Schema of the language, written from the same words that the parser reads by, so that editors help.
//!
//! It says what a contract looks like, not whether it is right: whether names, paths and schemas exist is checked when the
//! contract is loaded.

use super::words::{self, Form, Key, Words};
use serde_json::{Map, Value, json};

/// The JSON Schema (2020-12) of a contract, for editors.
pub fn contract_language_schema() -> Value {
    document(&words::CONTRACT, "A contract of Horizon: one public stream")
}

/// The JSON Schema (2020-12) of `_defaults.yaml`, for editors.
pub fn defaults_language_schema() -> Value {
    document(
        &words::DEFAULTS,
        "What every contract of a folder has unless it says otherwise",
    )
}

fn document(root: &'static Words, title: &str) -> Value {
    let mut definitions = Map::new();
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), title.into());
    schema.extend(mapping(root, &mut definitions));
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn mapping(words: &'static Words, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in words.keys {
        properties.insert(key.name.to_owned(), property(key, definitions));
    }
    let required: Vec<&str> = words
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), required.into());
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    schema
}

fn property(key: &Key, definitions: &mut Map<String, Value>) -> Value {
    let Value::Object(mut schema) = form(&key.form, definitions) else {
        return Value::Bool(true);
    };
    schema.insert("description".to_owned(), key.about.into());
    if let Ok(example) = serde_json::from_str::<Value>(key.example) {
        schema.insert("examples".to_owned(), Value::Array(vec![example]));
    }
    Value::Object(schema)
}

fn form(form: &Form, definitions: &mut Map<String, Value>) -> Value {
    match form {
        Form::Any => json!({}),
        Form::Text => json!({"type": "string"}),
        Form::Boolean => json!({"type": "boolean"}),
        Form::Scalar => json!({"type": ["string", "integer", "boolean"]}),
        Form::Integer(least, most) if least == most => json!({"const": least}),
        Form::Integer(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Form::Word(known) => json!({"enum": known}),
        Form::List(item) => json!({"type": "array", "items": self::form(item, definitions)}),
        Form::Named(value) => {
            json!({"type": "object", "additionalProperties": self::form(value, definitions)})
        }
        Form::Either(forms) => {
            let all: Vec<Value> = forms
                .iter()
                .map(|one| self::form(one, definitions))
                .collect();
            json!({"anyOf": all})
        }
        Form::Of(words) => {
            if !definitions.contains_key(words.name) {
                // The place is taken before it is filled: a field may hold fields.
                definitions.insert(words.name.to_owned(), Value::Null);
                let schema = Value::Object(mapping(words, definitions));
                definitions.insert(words.name.to_owned(), schema);
            }
            json!({"$ref": format!("#/$defs/{}", words.name)})
        }
    }
}
