//! The keywords of each draft, and what each holds.
//!
//! A keyword that a draft does not have is refused, and so is one that would be read and not checked.

use jsonschema::Draft;
use serde_json::{Map, Value};

/// What a keyword's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// No schema.
    Plain,
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// A schema, or a list of schemas.
    SchemaOrSchemas,
    /// Schemas by name.
    SchemasByName,
    /// Schemas or lists of names, by name.
    Dependencies,
}

use Holds::{Dependencies, Plain, Schema, SchemaOrSchemas, Schemas, SchemasByName};

/// The keywords: since which draft, until which draft, what they hold. Drafts: 4, 6, 7, 2019-09 (8), 2020-12 (9).
const KEYWORDS: &[(&str, u8, u8, Holds)] = &[
    ("$schema", 4, 9, Plain),
    ("id", 4, 4, Plain),
    ("$id", 6, 9, Plain),
    ("$ref", 4, 9, Plain),
    ("$comment", 7, 9, Plain),
    ("$defs", 8, 9, SchemasByName),
    ("definitions", 4, 9, SchemasByName),
    ("title", 4, 9, Plain),
    ("description", 4, 9, Plain),
    ("default", 4, 9, Plain),
    ("examples", 6, 9, Plain),
    ("readOnly", 7, 9, Plain),
    ("writeOnly", 7, 9, Plain),
    ("deprecated", 8, 9, Plain),
    ("type", 4, 9, Plain),
    ("enum", 4, 9, Plain),
    ("const", 6, 9, Plain),
    ("format", 4, 9, Plain),
    ("multipleOf", 4, 9, Plain),
    ("maximum", 4, 9, Plain),
    ("exclusiveMaximum", 4, 9, Plain),
    ("minimum", 4, 9, Plain),
    ("exclusiveMinimum", 4, 9, Plain),
    ("maxLength", 4, 9, Plain),
    ("minLength", 4, 9, Plain),
    ("pattern", 4, 9, Plain),
    ("items", 4, 9, SchemaOrSchemas),
    ("additionalItems", 4, 8, Schema),
    ("prefixItems", 9, 9, Schemas),
    ("contains", 6, 9, Schema),
    ("minContains", 8, 9, Plain),
    ("maxContains", 8, 9, Plain),
    ("maxItems", 4, 9, Plain),
    ("minItems", 4, 9, Plain),
    ("uniqueItems", 4, 9, Plain),
    ("unevaluatedItems", 8, 9, Schema),
    ("properties", 4, 9, SchemasByName),
    ("patternProperties", 4, 9, SchemasByName),
    ("additionalProperties", 4, 9, Schema),
    ("unevaluatedProperties", 8, 9, Schema),
    ("propertyNames", 6, 9, Schema),
    ("maxProperties", 4, 9, Plain),
    ("minProperties", 4, 9, Plain),
    ("required", 4, 9, Plain),
    ("dependencies", 4, 7, Dependencies),
    ("dependentRequired", 8, 9, Plain),
    ("dependentSchemas", 8, 9, SchemasByName),
    ("allOf", 4, 9, Schemas),
    ("anyOf", 4, 9, Schemas),
    ("oneOf", 4, 9, Schemas),
    ("not", 4, 9, Schema),
    ("if", 7, 9, Schema),
    ("then", 7, 9, Schema),
    ("else", 7, 9, Schema),
];

/// Keywords that exist and are refused, and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "$anchor",
        "refer by a JSON pointer, such as `#/$defs/money`",
    ),
    (
        "$dynamicAnchor",
        "refer by `$ref` and a JSON pointer, such as `#/$defs/money`",
    ),
    (
        "$dynamicRef",
        "refer by `$ref` and a JSON pointer, such as `#/$defs/money`",
    ),
    (
        "$recursiveAnchor",
        "refer by `$ref` and a JSON pointer, such as `#/$defs/money`",
    ),
    ("$recursiveRef", "refer by `$ref`, such as `#`"),
    (
        "$vocabulary",
        "schemas of the five drafts only, no dialects of one's own",
    ),
    (
        "contentEncoding",
        "it would be read and not checked; use `pattern`",
    ),
    ("contentMediaType", "it would be read and not checked"),
    (
        "contentSchema",
        "it would be read and not checked; describe the content as part of the schema",
    ),
];

/// The mark of personal data.
pub(crate) const PERSONAL: &str = "x-personal";

/// What the doors do with events of the type that do not fit.
pub(crate) const DOORS: &str = "x-doors";

/// What is to be said of a keyword.
pub(crate) enum Verdict {
    /// It is one of the draft's.
    Known(Holds),
    /// It is the writer's own (`x-…`).
    Own,
    /// It is refused, and this is what would mend it.
    Refused(&'static str),
    /// The draft does not have it.
    Unknown,
}

/// Looks a keyword up.
pub(crate) fn verdict(draft: Draft, keyword: &str) -> Verdict {
    if keyword.starts_with("x-") {
        return Verdict::Own;
    }
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == keyword) {
        return Verdict::Refused(why);
    }
    let number = number(draft);
    KEYWORDS
        .iter()
        .find(|(name, since, until, _)| *name == keyword && (*since..=*until).contains(&number))
        .map_or(Verdict::Unknown, |(_, _, _, holds)| Verdict::Known(*holds))
}

/// The keywords of a draft.
pub(crate) fn of(draft: Draft) -> impl Iterator<Item = &'static str> {
    let number = number(draft);
    KEYWORDS
        .iter()
        .filter(move |(_, since, until, _)| (*since..=*until).contains(&number))
        .map(|(name, ..)| *name)
}

/// The draft that `$schema` names; none when it is not supported.
pub(crate) fn draft_of(schema: &Value) -> Option<Draft> {
    let Some(named) = schema.get("$schema") else {
        return Some(Draft::Draft202012);
    };
    let named = named.as_str()?.trim_end_matches('#');
    let (scheme, rest) = named.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    match rest {
        "json-schema.org/draft-04/schema" => Some(Draft::Draft4),
        "json-schema.org/draft-06/schema" => Some(Draft::Draft6),
        "json-schema.org/draft-07/schema" => Some(Draft::Draft7),
        "json-schema.org/draft/2019-09/schema" => Some(Draft::Draft201909),
        "json-schema.org/draft/2020-12/schema" => Some(Draft::Draft202012),
        _ => None,
    }
}

/// Whether the draft reads nothing else beside a `$ref`.
pub(crate) fn reference_stands_alone(draft: Draft) -> bool {
    number(draft) <= 7
}

/// Whether a keyword says nothing that would be missed when it is skipped.
pub(crate) fn may_stand_beside_reference(keyword: &str) -> bool {
    const SILENT: [&str; 11] = [
        "$ref",
        "$schema",
        "$id",
        "id",
        "$comment",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
    ];
    SILENT.contains(&keyword)
}

/// The keyword that gives a document its identity.
pub(crate) fn id_keyword(draft: Draft) -> &'static str {
    if number(draft) == 4 { "id" } else { "$id" }
}

/// The draft as a number: 4, 6, 7, 8 for 2019-09, 9 for 2020-12.
pub(crate) fn number(draft: Draft) -> u8 {
    match draft {
        Draft::Draft4 => 4,
        Draft::Draft6 => 6,
        Draft::Draft7 => 7,
        Draft::Draft201909 => 8,
        _ => 9,
    }
}

/// Calls `each` with every schema directly inside `value`, the value of a keyword that holds schemas, and its pointer.
pub(crate) fn inner<'v>(
    holds: Holds,
    value: &'v Value,
    pointer: &str,
    each: &mut dyn FnMut(String, &'v Value),
) {
    let by_index = |items: &'v [Value], each: &mut dyn FnMut(String, &'v Value)| {
        for (nth, item) in items.iter().enumerate() {
            each(format!("{pointer}/{nth}"), item);
        }
    };
    match (holds, value) {
        (Schema, _) => each(pointer.to_owned(), value),
        (Schemas | SchemaOrSchemas, Value::Array(items)) => by_index(items, each),
        (SchemaOrSchemas, _) => each(pointer.to_owned(), value),
        (SchemasByName | Dependencies, Value::Object(by_name)) => {
            for (name, item) in by_name {
                if !item.is_array() {
                    each(format!("{pointer}/{}", crate::path::escape(name)), item);
                }
            }
        }
        _ => {}
    }
}

/// Whether a schema allows a type by name.
pub(crate) fn says_type(schema: &Map<String, Value>, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    }
}
