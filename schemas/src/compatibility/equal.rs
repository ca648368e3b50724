//! Whether two schemas are the same, whatever their annotations and their place.

use super::arena::{Id, Side, silent};
use super::clause::Case;
use super::engine::Engine;
use crate::schema::keywords::{self, Holds, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;

impl Engine<'_> {
    /// Whether a schema that is the same as this one holds in the case.
    pub(super) fn has_equal(&mut self, case: &Case, id: Id) -> bool {
        case.all.contains(&id) || case.all.iter().any(|own| self.equal(*own, id))
    }

    /// Whether a schema that is the same as this one is known not to hold in the case.
    pub(super) fn has_opposite(&mut self, case: &Case, id: Id) -> bool {
        case.not.contains(&id) || case.not.iter().any(|own| self.equal(*own, id))
    }

    /// Whether some schema of the case says the same by the given keywords.
    pub(super) fn says_the_same(&mut self, case: &Case, id: Id, words: &[&str]) -> bool {
        case.all
            .iter()
            .any(|own| *own == id || self.equal_in(*own, id, words))
    }

    /// Whether two schemas are the same.
    pub(super) fn equal(&mut self, a: Id, b: Id) -> bool {
        if a == b {
            return true;
        }
        if let Some(known) = self.equal.get(&(a, b)) {
            return *known;
        }
        // A pair that comes up again deeper is the same unless something else differs.
        self.equal.insert((a, b), true);
        let (first, second) = (self.arena.get(a), self.arena.get(b));
        let words = |value: &Value| -> Option<BTreeSet<String>> {
            let entries = value.as_object()?.keys();
            Some(entries.filter(|word| !silent(word)).cloned().collect())
        };
        let same = match (words(&first.value), words(&second.value)) {
            (Some(one), Some(other)) if one == other => {
                let all: Vec<&str> = one.iter().map(String::as_str).collect();
                self.equal_in(a, b, &all)
            }
            (Some(_), Some(_)) => false,
            _ => first.value == second.value,
        };
        if !same {
            // Pairs that leaned on this one are asked again.
            self.equal.retain(|_, known| !*known);
            self.equal.insert((a, b), false);
        }
        same
    }

    fn equal_in(&mut self, a: Id, b: Id, words: &[&str]) -> bool {
        let (first, second) = (self.arena.get(a), self.arena.get(b));
        let alike = first.draft == second.draft
            || [first.side, second.side].contains(&Side::Made) && first.draft.min(second.draft) > 4;
        alike
            && words
                .iter()
                .all(|word| match (first.get(word), second.get(word)) {
                    (Some(one), Some(other)) => self.equal_word((a, one), (b, other), word),
                    (None, None) => true,
                    _ => false,
                })
    }

    fn equal_word(&mut self, a: (Id, &Value), b: (Id, &Value), word: &str) -> bool {
        if word == "$ref" {
            return match (self.arena.target(a.0), self.arena.target(b.0)) {
                (Some(one), Some(other)) => self.equal(one, other),
                _ => false,
            };
        }
        let holds = match keywords::verdict(jsonschema::Draft::Draft202012, word) {
            Verdict::Known(holds) => holds,
            _ if word == "dependencies" => Holds::Dependencies,
            _ if word == "additionalItems" => Holds::Schema,
            _ => return a.1 == b.1,
        };
        match (holds, a.1, b.1) {
            (Holds::Plain, Value::Array(one), Value::Array(other))
                if matches!(word, "required" | "enum" | "type") =>
            {
                one.iter().all(|item| other.contains(item))
                    && other.iter().all(|item| one.contains(item))
            }
            (Holds::Plain, one, other) => one == other,
            (Holds::Schemas | Holds::SchemaOrSchemas, Value::Array(one), Value::Array(other)) => {
                one.len() == other.len()
                    && (0..one.len())
                        .all(|nth| self.equal_below(a.0, b.0, &[word, &nth.to_string()]))
            }
            (
                Holds::SchemasByName | Holds::Dependencies,
                Value::Object(one),
                Value::Object(other),
            ) => {
                one.len() == other.len()
                    && one.iter().all(|(name, item)| match other.get(name) {
                        Some(same) if item.is_array() || same.is_array() => item == same,
                        Some(_) => self.equal_below(a.0, b.0, &[word, name]),
                        None => false,
                    })
            }
            (_, Value::Array(_), _) | (_, _, Value::Array(_)) => false,
            _ => self.equal_below(a.0, b.0, &[word]),
        }
    }

    fn equal_below(&mut self, a: Id, b: Id, words: &[&str]) -> bool {
        match (self.arena.below(a, words), self.arena.below(b, words)) {
            (Some(one), Some(other)) => self.equal(one, other),
            _ => false,
        }
    }
}
