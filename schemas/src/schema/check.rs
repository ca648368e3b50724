//! Compiling schemas, and checking data against them.
//!
//! Patterns run on the linear-time engine with a size limit, formats are asserted, nothing is fetched. A reason never
//! repeats a value of the data.

use super::documents::{Documents, Spot};
use super::examples;
use crate::crossing::Violation;
use crate::diagnostics::{Diagnostic, Diagnostics};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{
    Draft, PatternOptions, Regex, Registry, Retrieve, Uri, ValidationError, Validator,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The size of a compiled pattern.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// The cache of a pattern while it runs.
const MAX_PATTERN_CACHE_BYTES: usize = 1 << 20;
/// How many violations of one document are told.
pub(crate) const MAX_VIOLATIONS: usize = 20;

/// How many steps checking one document of data may take.
const MAX_STEPS: u64 = 100_000_000;
/// So many bytes of text are looked at in one step.
const BYTES_OF_A_STEP: usize = 64;

/// A schema that data is checked against.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
    /// How many steps each value of the data costs at most.
    steps: u64,
}

impl Schema {
    /// Whether data fits; what would cost too much to tell does not.
    pub(crate) fn fits(&self, data: &Value) -> bool {
        self.affords(data) && self.validator.is_valid(data)
    }

    fn affords(&self, data: &Value) -> bool {
        size(data).saturating_mul(self.steps) <= MAX_STEPS
    }
}

/// How much there is to look at in data: its values and names, and the bytes of long texts.
fn size(data: &Value) -> u64 {
    let text = |text: &str| (text.len() / BYTES_OF_A_STEP) as u64;
    1 + match data {
        Value::String(value) => text(value),
        Value::Number(number) => text(number.as_str()),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| text(name) + size(value))
            .sum(),
        Value::Null | Value::Bool(_) => 0,
    }
}

/// Compiles documents and what stands in them.
pub(crate) struct Compiler<'d> {
    pub(super) documents: &'d Documents,
    registry: Registry<'static>,
}

impl<'d> Compiler<'d> {
    /// Makes the documents ready; none if they do not fit together, which is reported.
    ///
    /// Must only be called with documents that passed [`Documents::load`] without a diagnostic.
    pub(crate) fn new(documents: &'d Documents, diagnostics: &mut Diagnostics) -> Option<Self> {
        let registry = registry(documents, diagnostics)?;
        Some(Self {
            documents,
            registry,
        })
    }

    /// Compiles every document; reports those that cannot be.
    pub(crate) fn documents(&self, diagnostics: &mut Diagnostics) -> Vec<(usize, Schema)> {
        let mut compiled = Vec::new();
        for (nth, document) in self.documents.iter().enumerate() {
            let steps = self.documents.costs.of(nth);
            match self.build(&document.value, &document.base, document.draft) {
                Ok(validator) => {
                    let part = |schema: &Value| {
                        let validator = self.build(schema, examples::BASE, document.draft).ok()?;
                        Some(Schema { validator, steps })
                    };
                    examples::check(self.documents, nth, &part, diagnostics);
                    compiled.push((nth, Schema { validator, steps }));
                }
                Err(error) => {
                    let reason = reason(&error);
                    diagnostics.push(
                        Diagnostic::new("schema", format!("not a schema of its draft: {reason}"))
                            .at(&document.span(error.instance_path().as_str())),
                    );
                }
            }
        }
        compiled
    }

    /// The schema that asks for all that the given ones ask for.
    pub(super) fn all_of(&self, spots: &BTreeSet<Spot>) -> Option<Schema> {
        let here = |spot: &Spot| examples::here(self.documents.get(spot.document), spot);
        let schema = json!({ "allOf": spots.iter().map(here).collect::<Vec<_>>() });
        let steps = spots
            .iter()
            .map(|spot| self.documents.costs.of(spot.document))
            .fold(0, u64::saturating_add);
        let validator = self
            .build(&schema, examples::BASE, Draft::Draft202012)
            .ok()?;
        Some(Schema { validator, steps })
    }

    fn build(
        &self,
        schema: &Value,
        base: &str,
        draft: Draft,
    ) -> Result<Validator, ValidationError<'static>> {
        build(base, draft, schema, &self.registry)
    }
}

/// All documents, as what references lead to.
pub(crate) fn registry(
    documents: &Documents,
    diagnostics: &mut Diagnostics,
) -> Option<Registry<'static>> {
    // References may name a document by its path and by its `$id`.
    let pairs = documents.iter().flat_map(|document| {
        let by_id =
            (document.id.is_some()).then(|| (document.base.clone(), document.value.clone()));
        [(document.file_uri(), document.value.clone())]
            .into_iter()
            .chain(by_id)
    });
    // No draft is set: that would be taken for each, whatever its `$schema` says.
    Registry::new()
        .retriever(Refuse)
        .extend(pairs)
        .and_then(jsonschema::RegistryBuilder::prepare)
        .map_err(|error| {
            let message = format!("the schemas do not fit together: {error}");
            diagnostics.push(Diagnostic::new("schema", message));
        })
        .ok()
}

/// The validator of a schema of the draft; its references are resolved against the base.
pub(crate) fn build(
    base: &str,
    draft: Draft,
    schema: &Value,
    registry: &Registry<'static>,
) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_registry(registry)
        .with_base_uri(base.to_owned())
        .with_draft(draft)
        .with_retriever(Refuse)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(linear_time())
        .build(schema)
        .map_err(ValidationError::to_owned)
}

/// How patterns run.
fn linear_time() -> PatternOptions<Regex> {
    PatternOptions::regex()
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_CACHE_BYTES)
}

/// Whether a name matches a pattern, as a schema; none when the pattern is none.
pub(crate) fn pattern(pattern: &str) -> Option<Validator> {
    jsonschema::options()
        .with_pattern_options(linear_time())
        .build(&json!({ "pattern": pattern }))
        .ok()
}

/// What a schema says against the data: nothing, or at most [`MAX_VIOLATIONS`].
pub(crate) fn violations(schema: &Schema, data: &Value) -> Vec<Violation> {
    let validator = &schema.validator;
    if !schema.affords(data) {
        return vec![Violation {
            pointer: String::new(),
            reason: format!(
                "has too many values to be checked: the schema costs up to {} steps for each, and {MAX_STEPS} in all are allowed",
                schema.steps
            ),
        }];
    }
    if validator.is_valid(data) {
        return Vec::new();
    }
    let mut violations: Vec<Violation> = Vec::new();
    for error in validator.iter_errors(data) {
        let violation = Violation {
            pointer: error.instance_path().as_str().to_owned(),
            reason: reason(&error),
        };
        if !violations.contains(&violation) {
            violations.push(violation);
        }
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
    }
    violations
}

/// How many properties are named, and how many characters of each.
const MAX_NAMED: (usize, usize) = (5, 64);

/// Names of properties, within bounds. They are the sender's own: a public schema never meets one that it does not declare.
fn named(properties: &[String]) -> String {
    let mut names: Vec<String> = properties
        .iter()
        .take(MAX_NAMED.0)
        .map(|name| format!("{:?}", name.chars().take(MAX_NAMED.1).collect::<String>()))
        .collect();
    if properties.len() > MAX_NAMED.0 {
        names.push("and more".to_owned());
    }
    names.join(", ")
}

/// Why, without any value of the data.
fn reason(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    match error.kind() {
        Kind::Type {
            kind: TypeKind::Single(kind),
        } => format!("must be {kind}"),
        Kind::Type {
            kind: TypeKind::Multiple(kinds),
        } => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("must be {}", kinds.join(" or "))
        }
        Kind::Required { property } => format!("{property} is required"),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has what the schema does not allow: {}", named(unexpected))
        }
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => {
            "has an item that the schema does not allow".to_owned()
        }
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Format { format } => format!("must be a {format}"),
        Kind::UniqueItems => "must not have the same item twice".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("fits none of the schemas of `{}`", error.kind().keyword())
        }
        Kind::OneOfMultipleValid { .. } => "fits more than one schema of `oneOf`".to_owned(),
        Kind::Referencing(error) => format!("a reference leads nowhere: {error}"),
        other => format!("breaks `{}`", other.keyword()),
    }
}

/// Fetches nothing.
struct Refuse;

impl Retrieve for Refuse {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is not in the schemas folder").into())
    }
}
