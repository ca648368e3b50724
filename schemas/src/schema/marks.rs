//! Horizon's own keywords, `x-personal` and `x-doors`, as they are written.

use super::document::Document;
use super::keywords::{DOORS, PERSONAL};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::doors::{Door, Unfit};
use crate::path::{Path, escape};
use serde_json::Value;

/// Checks a keyword of the writer's own (`x-…`) in the schema at `pointer`.
pub(super) fn check(
    document: &Document,
    pointer: &str,
    keyword: &str,
    value: &Value,
    diagnostics: &mut Diagnostics,
) {
    let at = format!("{pointer}/{}", escape(keyword));
    if keyword == PERSONAL {
        personal(document, &at, value, diagnostics);
    } else if keyword == DOORS {
        doors(document, pointer, &at, value, diagnostics);
    }
}

fn personal(document: &Document, at: &str, value: &Value, diagnostics: &mut Diagnostics) {
    let legal = match value {
        Value::Bool(value) => *value,
        Value::String(path) => Path::parse(path).is_ok(),
        _ => false,
    };
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "schema-personal",
                "`x-personal` is neither true nor the path of a subject",
            )
            .at(&document.span(at))
            .mend("write `true`, or the path of whom it is about, such as \".clientId\""),
        );
    }
}

fn doors(
    document: &Document,
    pointer: &str,
    at: &str,
    value: &Value,
    diagnostics: &mut Diagnostics,
) {
    const CODE: &str = "schema-doors";
    const MEND: &str = "such as \"x-doors\": {\"http\": \"flag\"}";
    let mut wrong = |diagnostic: Diagnostic, at: &str| {
        diagnostics.push(diagnostic.at(&document.span(at)).mend(MEND));
    };
    if !pointer.is_empty() || document.is_public() {
        let message = "`x-doors` is for the root of an event type's private schema";
        return wrong(Diagnostic::new(CODE, message), at);
    }
    let Value::Object(doors) = value else {
        let message = "`x-doors` says by door what becomes of an event that does not fit";
        return wrong(Diagnostic::new(CODE, message), at);
    };
    for (door, unfit) in doors {
        let at = format!("{at}/{}", escape(door));
        if Door::named(door).is_none() {
            let message = format!("`{door}` is no door");
            let known = Door::ALL.map(Door::name);
            wrong(Diagnostic::new(CODE, message).known(known, door), &at);
        }
        let word = unfit.as_str().unwrap_or_default();
        if Unfit::of_word(word).is_none() {
            let message = format!("{unfit} is nothing that a door can do");
            let known = Unfit::ALL.map(Unfit::word);
            wrong(Diagnostic::new(CODE, message).known(known, word), &at);
        }
    }
}
