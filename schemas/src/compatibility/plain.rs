//! The keywords that hold no schema: types, lists of values, bounds, lengths, patterns, formats, counts.

use super::arena::Id;
use super::clause::{Case, Kind, type_words};
use super::engine::Engine;
use super::facts::Whole;
use super::numbers::{self, End};
use serde_json::Value;

/// Patterns that every text matches.
const EVERY_TEXT: [&str; 6] = ["", "^", "$", ".*", "^.*", ".*$"];

impl Engine<'_> {
    /// Whether a keyword of a schema that is no schema itself holds for all values of a kind of the case.
    pub(super) fn plain_holds(&mut self, case: &Case, kind: Kind, id: Id, keyword: &str) -> bool {
        let schema = self.arena.get(id);
        let Some(value) = schema.get(keyword) else {
            return true;
        };
        match (keyword, kind) {
            // Draft 4's word belongs to `minimum` or `maximum`, where it is looked at.
            ("exclusiveMinimum" | "exclusiveMaximum", _) if value.is_boolean() => true,
            ("type", _) => self.type_holds(case, kind, id),
            ("const", _) => self.list_holds(case, kind, std::slice::from_ref(value)),
            ("enum", _) => {
                let allowed = value.as_array().map_or(&[][..], Vec::as_slice);
                self.list_holds(case, kind, allowed)
            }
            ("minimum" | "exclusiveMinimum", Kind::Number) => {
                self.bound_holds(case, id, End::Lower)
            }
            ("maximum" | "exclusiveMaximum", Kind::Number) => {
                self.bound_holds(case, id, End::Upper)
            }
            ("multipleOf", Kind::Number) => self.step_holds(case, value),
            ("minLength", Kind::Text) => schema
                .count(keyword)
                .is_some_and(|least| self.at_least(case, keyword) >= least),
            ("maxLength", Kind::Text) => schema
                .count(keyword)
                .is_some_and(|most| self.at_most(case, keyword).is_some_and(|own| own <= most)),
            ("pattern", Kind::Text) => self.pattern_holds(case, value),
            ("format", Kind::Text) => self.format_holds(case, id, value),
            ("minItems", Kind::Array) => schema
                .count(keyword)
                .is_some_and(|least| self.at_least(case, keyword) >= least),
            ("maxItems", Kind::Array) => schema
                .count(keyword)
                .is_some_and(|most| self.most_items(case).is_some_and(|own| own <= most)),
            ("uniqueItems", Kind::Array) => {
                *value == Value::Bool(false)
                    || self.says_the_same(case, id, &["uniqueItems"])
                    || self.most_items(case).is_some_and(|most| most <= 1)
                    || self
                        .schemas(case)
                        .iter()
                        .any(|(_, schema)| schema.get("uniqueItems") == Some(&Value::Bool(true)))
            }
            ("unevaluatedItems", Kind::Array) => self.items_are_evaluated(case, id),
            ("required", Kind::Object) => {
                let required = self.required(case);
                schema.texts("required").all(|name| required.contains(name))
            }
            ("minProperties", Kind::Object) => schema.count(keyword).is_some_and(|least| {
                let required = self.required(case).len() as u64;
                self.at_least(case, keyword).max(required) >= least
            }),
            ("maxProperties", Kind::Object) => schema.count(keyword).is_some_and(|most| {
                let names = self.names(case).map(|names| names.len() as u64);
                let own = self.at_most(case, keyword);
                names.is_some_and(|own| own <= most) || own.is_some_and(|own| own <= most)
            }),
            ("unevaluatedProperties", Kind::Object) => self.names_are_evaluated(case, id),
            // What is said of another kind says nothing of this one.
            (word, kind) => kind_of_keyword(word).is_some_and(|own| own != kind),
        }
    }

    fn type_holds(&mut self, case: &Case, kind: Kind, id: Id) -> bool {
        let schema = self.arena.get(id);
        let words = schema.get("type").map(type_words).unwrap_or_default();
        if words.contains(&kind.word()) {
            return true;
        }
        let wanted = if schema.draft == 4 {
            Whole::AsWritten
        } else {
            Whole::ByValue
        };
        kind == Kind::Number && words.contains(&"integer") && self.whole(case) >= wanted
    }

    fn list_holds(&mut self, case: &Case, kind: Kind, allowed: &[Value]) -> bool {
        self.schemas(case).iter().any(|(_, schema)| {
            let list = schema.get("enum").and_then(Value::as_array);
            let list = list.map(Vec::as_slice);
            let list = list.or(schema.get("const").map(std::slice::from_ref));
            list.is_some_and(|list| {
                list.iter()
                    .all(|own| Kind::of(own) != kind || allowed.contains(own))
            })
        })
    }

    fn bound_holds(&mut self, case: &Case, id: Id, end: End) -> bool {
        let schema = self.arena.get(id);
        let Some(keywords) = schema.keywords() else {
            return true;
        };
        let own = self.bound(case, end);
        numbers::bounds(keywords, schema.draft, end)
            .iter()
            .all(|(wanted, _)| own.as_ref().is_some_and(|own| own.within(wanted, end)))
    }

    fn step_holds(&mut self, case: &Case, value: &Value) -> bool {
        let Value::Number(wanted) = value else {
            return false;
        };
        let mut own = self.steps_of(case);
        if self.whole(case) > Whole::No {
            own.push(1.into());
        }
        own.iter()
            .any(|own| own == wanted || numbers::is_multiple(own, wanted) == Some(true))
    }

    fn pattern_holds(&mut self, case: &Case, value: &Value) -> bool {
        value
            .as_str()
            .is_some_and(|text| EVERY_TEXT.contains(&text))
            || self
                .schemas(case)
                .iter()
                .any(|(_, schema)| schema.get("pattern") == Some(value))
    }

    fn format_holds(&mut self, case: &Case, id: Id, value: &Value) -> bool {
        let reader = self.arena.get(id).draft;
        // Drafts 4 and 6 know host names of another kind than the later ones.
        let alike = |draft: u8| value != "hostname" || (draft < 7) == (reader < 7);
        self.schemas(case)
            .iter()
            .any(|(_, schema)| schema.get("format") == Some(value) && alike(schema.draft))
    }
}

/// The kind of values that a keyword speaks of; none where it is not known or speaks of all.
fn kind_of_keyword(word: &str) -> Option<Kind> {
    Some(match word {
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            Kind::Number
        }
        "minLength" | "maxLength" | "pattern" | "format" => Kind::Text,
        "items" | "prefixItems" | "additionalItems" | "contains" | "minItems" | "maxItems"
        | "uniqueItems" | "unevaluatedItems" => Kind::Array,
        "properties"
        | "patternProperties"
        | "additionalProperties"
        | "propertyNames"
        | "required"
        | "minProperties"
        | "maxProperties"
        | "unevaluatedProperties"
        | "dependencies"
        | "dependentRequired"
        | "dependentSchemas" => Kind::Object,
        _ => return None,
    })
}
