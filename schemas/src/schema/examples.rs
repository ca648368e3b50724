//! The `examples` in schemas: each fits the schema that it stands in.

use super::check::{Schema, violations};
use super::document::{Document, encoded};
use super::documents::{Documents, Spot};
use super::walk;
use crate::diagnostics::{Diagnostic, Diagnostics};
use serde_json::{Value, json};

/// The base of a schema that is made to lead to another one: that of no document, so that it does not stand in its place.
pub(super) const BASE: &str = "horizon:///-/example";
/// How many schemas may be looked through for the examples of one document, counted for each schema that has any.
const MAX_LOOKED_THROUGH: usize = 200_000;

/// Checks the examples of a document; `compile` makes a schema that stands in it.
pub(super) fn check(
    documents: &Documents,
    nth: usize,
    compile: &dyn Fn(&Value) -> Option<Schema>,
    diagnostics: &mut Diagnostics,
) {
    let document = documents.get(nth);
    let pointer = String::new();
    let mut queue = vec![Spot {
        document: nth,
        pointer,
    }];
    let mut looked_through = 0_usize;
    while let Some(spot) = queue.pop() {
        queue.extend(walk::inside(documents, &spot).into_iter().map(|(_, at)| at));
        let Some(Value::Object(schema)) = documents.schema(&spot) else {
            continue;
        };
        let examples = schema.get("examples").and_then(Value::as_array);
        let Some(examples) = examples.filter(|examples| !examples.is_empty()) else {
            continue;
        };
        looked_through =
            looked_through.saturating_add(walk::applied(documents, spot.clone()).len());
        if looked_through > MAX_LOOKED_THROUGH {
            let message = "the examples of this document are too many to be checked";
            diagnostics.push(
                Diagnostic::new("schema-examples", message)
                    .at(&document.span(&spot.pointer))
                    .mend("keep them at the root, or in a document of their own"),
            );
            return;
        }
        match compile(&here(document, &spot)) {
            Some(schema) => each(document, &spot, &schema, examples, diagnostics),
            None => diagnostics.push(
                Diagnostic::new(
                    "schema-examples",
                    "the schema of these examples is none by itself",
                )
                .at(&document.span(&spot.pointer)),
            ),
        }
    }
}

/// A schema that leads to the one at a spot of its own document.
pub(super) fn here(document: &Document, spot: &Spot) -> Value {
    json!({ "$ref": format!("{}#{}", document.base, encoded(&spot.pointer)) })
}

fn each(
    document: &Document,
    spot: &Spot,
    schema: &Schema,
    examples: &[Value],
    diagnostics: &mut Diagnostics,
) {
    for (nth, example) in examples.iter().enumerate() {
        let at = format!("{}/examples/{nth}", spot.pointer);
        for violation in violations(schema, example) {
            let place = format!("{at}{}", violation.pointer);
            diagnostics.push(
                Diagnostic::new(
                    "schema-example",
                    format!("the example at {place} does not fit: {}", violation.reason),
                )
                .at(&document.span(&place))
                .mend("mend the example, or what the schema asks for"),
            );
        }
    }
}
