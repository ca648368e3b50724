//! Whom personal fields are about: the path that an `x-personal` names is declared by each event type that has the mark.

use super::documents::{Documents, Spot};
use super::keywords::PERSONAL;
use super::shape::Shape;
use super::walk;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::{Path, escape};
use crate::private::EventTypes;
use serde_json::Value;
use std::sync::Arc;

/// Checks the marks of all event types, in each revision by itself.
///
/// Must only be called with documents that passed [`Documents::load`] without a diagnostic.
pub(crate) fn check(documents: &Documents, types: &EventTypes, diagnostics: &mut Diagnostics) {
    for ((_, event_type), newest) in &types.newest {
        let kept = types.kept.get(newest).into_iter().flatten();
        for document in kept.chain([newest]) {
            of(documents, *document, event_type, diagnostics);
        }
    }
}

fn of(documents: &Documents, document: usize, event_type: &str, diagnostics: &mut Diagnostics) {
    let mut shape: Option<Option<Arc<Shape>>> = None;
    let pointer = String::new();
    for spot in walk::applied(documents, Spot { document, pointer }) {
        let mark = documents
            .schema(&spot)
            .and_then(|schema| schema.get(PERSONAL));
        let Some(path) = mark.and_then(Value::as_str) else {
            continue;
        };
        let Ok(path) = Path::parse(path) else {
            continue;
        };
        let shape = shape.get_or_insert_with(|| Shape::of(documents, &[document]));
        let at = format!("{}/{}", spot.pointer, escape(PERSONAL));
        let at = documents.get(spot.document).span(&at);
        let Some(shape) = shape else {
            diagnostics.push(
                Diagnostic::new("schema-size", "this schema declares too many places").at(&at),
            );
            return;
        };
        if let Err(outside) = shape.root().find(&path) {
            let message = format!(
                "{path}, whom this personal field is about, is not declared by the schema of {event_type}"
            );
            diagnostics.push(
                Diagnostic::new("schema-subject", message)
                    .at(&at)
                    .known(outside.known, &outside.word)
                    .mend(format!(
                        "name a field that {} declares; the path begins at the root of the data",
                        documents.get(document).path
                    )),
            );
        }
    }
}
