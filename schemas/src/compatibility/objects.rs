//! Objects: properties in open and closed content models, names, dependencies.

use super::arena::Id;
use super::clause::{Case, Content, Kind, Node};
use super::engine::{Break, Engine, merge, undecided};
use crate::path::escape;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Engine<'_> {
    /// Measures what stands at each name. `properties`, `patternProperties` and `additionalProperties` belong together: it is
    /// done at the first of them that the schema has.
    pub(super) fn properties_in(&mut self, case: &Case, id: Id, keyword: &str) -> Vec<Break> {
        const WORDS: [&str; 3] = ["properties", "patternProperties", "additionalProperties"];
        let schema = self.arena.get(id);
        let first = WORDS.iter().find(|word| schema.get(word).is_some());
        if first != Some(&keyword) {
            return Vec::new();
        }
        let mut breaks = Vec::new();
        let names = self.names(case);
        let known = names.clone().unwrap_or_else(|| self.mentioned(case, id));
        for name in &known {
            let found = self.property_in(case, id, name);
            merge(&mut breaks, found);
        }
        if names.is_none() {
            let found = self.unmentioned_in(case, id);
            merge(&mut breaks, found);
        }
        breaks
    }

    /// The names that the case or the schema has words on.
    fn mentioned(&mut self, case: &Case, id: Id) -> BTreeSet<String> {
        let mut names = self.required(case);
        for (_, schema) in self.schemas(case) {
            names.extend(schema.names("properties").map(str::to_owned));
        }
        let schema = self.arena.get(id);
        names.extend(schema.names("properties").map(str::to_owned));
        names
    }

    fn property_in(&mut self, case: &Case, id: Id, name: &str) -> Vec<Break> {
        let Some(node) = self.property(case, name) else {
            return Vec::new();
        };
        let mut breaks = Vec::new();
        for wanted in self.named_in(id, name) {
            let found = self.node_in(&node, None, wanted);
            let found = self.at_name(case, &[name.to_owned()], found);
            merge(&mut breaks, found);
        }
        breaks
    }

    /// Names that neither side mentions: those of each pattern, and all others.
    fn unmentioned_in(&mut self, case: &Case, id: Id) -> Vec<Break> {
        let own: Vec<String> = self.patterns(case).into_iter().collect();
        let schema = self.arena.get(id);
        let wanted: Vec<String> = schema
            .names("patternProperties")
            .map(str::to_owned)
            .collect();
        let others = self.other_names(case);
        let by_pattern: Vec<(String, Node)> = own
            .iter()
            .map(|pattern| (pattern.clone(), self.pattern_names(case, pattern)))
            .collect();
        let mut breaks = Vec::new();
        for pattern in &wanted {
            let Some(reader) = self.arena.below(id, &["patternProperties", pattern]) else {
                continue;
            };
            // A name that matches may match any of the case's own patterns, or none.
            let nodes: Vec<&Node> = match by_pattern.iter().find(|(own, _)| own == pattern) {
                Some((_, node)) => vec![node],
                None => by_pattern
                    .iter()
                    .map(|(_, node)| node)
                    .chain([&others])
                    .collect(),
            };
            let names = self.names_like(pattern);
            for node in nodes {
                let found = self.node_in(node, None, reader);
                let found = self.at_name(case, &names, found);
                merge(&mut breaks, found);
            }
        }
        let Some(reader) = self.arena.below(id, &["additionalProperties"]) else {
            return breaks;
        };
        let rest = by_pattern
            .iter()
            .filter(|(pattern, _)| !wanted.contains(pattern));
        let rest: Vec<(Vec<String>, &Node)> = rest
            .map(|(pattern, node)| (self.names_like(pattern), node))
            .collect();
        let free = (self.free_names(case), &others);
        for (names, node) in rest.into_iter().chain([free]) {
            let found = self.node_in(node, None, reader);
            let found = self.at_name(case, &names, found);
            merge(&mut breaks, found);
        }
        breaks
    }

    /// Lifts breaks at a name to the object: the values within objects of the case.
    fn at_name(&mut self, case: &Case, names: &[String], found: Vec<Break>) -> Vec<Break> {
        let lift = |one: Break, engine: &mut Self| Break {
            values: engine.with_property(case, names, &one.values),
            ..one
        };
        found.into_iter().map(|one| lift(one, self)).collect()
    }

    pub(super) fn names_in(&mut self, case: &Case, id: Id) -> Vec<Break> {
        let Some(reader) = self.arena.below(id, &["propertyNames"]) else {
            return Vec::new();
        };
        if let Some(names) = self.names(case) {
            let refused = names.into_iter().find(|name| {
                let value = Value::String(name.clone());
                let possible = self.property(case, name);
                self.arena.accepts(reader, &value) != Some(true)
                    && possible.is_some_and(|node| !self.is_empty_node(&node, 0))
            });
            return match refused {
                Some(_) => vec![self.apart(case, Kind::Object, id, "propertyNames")],
                None => Vec::new(),
            };
        }
        let mut all = BTreeSet::new();
        for (own, _) in self.schemas(case) {
            all.extend(self.arena.below(own, &["propertyNames"]));
        }
        let node = Node {
            all,
            content: Content::Open,
        };
        match self.node_in(&node, Some(Kind::Text), reader).is_empty() {
            true => Vec::new(),
            false => vec![self.apart(case, Kind::Object, id, "propertyNames")],
        }
    }

    pub(super) fn dependencies_in(&mut self, case: &Case, id: Id, keyword: &str) -> Vec<Break> {
        let schema = self.arena.get(id);
        let mut breaks = Vec::new();
        for name in schema.names(keyword) {
            let Some(has) = self.has(name) else {
                continue;
            };
            let dependent = match schema.get(keyword).and_then(|all| all.get(name)) {
                Some(Value::Array(required)) => self.arena.make(json!({ "required": required })),
                _ => self.arena.below(id, &[keyword, name]),
            };
            let Some(reader) = dependent else {
                breaks.push(undecided(id, keyword));
                continue;
            };
            let cases = self.unfold(case.and(has));
            for case in cases {
                if !self.case_in(&case, Kind::Object, reader).is_empty() {
                    let word = format!("{keyword}/{}", escape(name));
                    let found = self.apart(&case, Kind::Object, id, &word);
                    merge(&mut breaks, vec![found]);
                }
            }
        }
        breaks
    }

    /// Whether `unevaluatedProperties: false` leaves every name of the case alone.
    pub(super) fn names_are_evaluated(&mut self, case: &Case, id: Id) -> bool {
        let schema = self.arena.get(id);
        if schema.get("unevaluatedProperties") != Some(&Value::Bool(false)) {
            return schema.get("unevaluatedProperties") == Some(&Value::Bool(true));
        }
        let always = self.always(id);
        let sweeping = always.iter().any(|own| {
            let schema = self.arena.get(*own);
            schema.get("additionalProperties").is_some()
                || (*own != id && schema.get("unevaluatedProperties").is_some())
        });
        if sweeping {
            return true;
        }
        let Some(names) = self.names(case) else {
            return false;
        };
        names.iter().all(|name| {
            let named = always
                .iter()
                .any(|own| !self.named_in(*own, name).is_empty());
            named
                || self
                    .property(case, name)
                    .is_none_or(|node| self.is_empty_node(&node, 0))
        })
    }

    /// The schemas that always apply with this one, itself included.
    pub(super) fn always(&mut self, id: Id) -> Vec<Id> {
        let mut all = vec![id];
        let mut next = 0;
        while let Some(id) = all.get(next).copied() {
            next += 1;
            let mut more = self.arena.list(id, "allOf");
            more.extend(self.arena.target(id));
            more.retain(|one| !all.contains(one));
            all.extend(more);
        }
        all
    }
}
