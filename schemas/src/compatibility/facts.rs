//! What a case says of the data: bounds, names, what stands at a name or an item.
//!
//! Every answer holds for all values of the case, and may hold for more.

use super::arena::{Id, Schema};
use super::clause::{Case, Content, Node, type_words};
use super::engine::Engine;
use super::numbers::{self, Bound, End};
use serde_json::{Number, Value};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How many names are looked at one by one.
const MAX_NAMES: usize = 2048;

/// How surely numbers are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whole {
    /// They may have a fraction.
    No,
    /// They have none, and may be written with one: `1.0`.
    ByValue,
    /// They are written without one, as draft 4 wants.
    AsWritten,
}

impl Engine<'_> {
    /// The schemas of a case that have keywords.
    pub(super) fn schemas(&self, case: &Case) -> Vec<(Id, Rc<Schema>)> {
        case.all
            .iter()
            .map(|id| (*id, self.arena.get(*id)))
            .filter(|(_, schema)| schema.keywords().is_some())
            .collect()
    }

    /// Whether the case's numbers are whole.
    pub(super) fn whole(&self, case: &Case) -> Whole {
        self.schemas(case)
            .iter()
            .map(|(_, schema)| {
                let words = schema.get("type").map(type_words).unwrap_or_default();
                let integers = words.contains(&"integer") && !words.contains(&"number");
                let step = match schema.get("multipleOf") {
                    Some(Value::Number(step)) => numbers::floor(step).is_some_and(|(_, own)| own),
                    _ => false,
                };
                match (integers, schema.draft) {
                    (true, 4) => Whole::AsWritten,
                    (true, _) => Whole::ByValue,
                    (false, _) if step => Whole::ByValue,
                    _ => Whole::No,
                }
            })
            .max()
            .unwrap_or(Whole::No)
    }

    /// The narrowest bound of one end.
    pub(super) fn bound(&self, case: &Case, end: End) -> Option<Bound> {
        let whole = self.whole(case) > Whole::No;
        self.schemas(case)
            .iter()
            .filter_map(|(_, schema)| {
                let keywords = schema.keywords()?;
                Some(numbers::bounds(keywords, schema.draft, end))
            })
            .flatten()
            .map(|(bound, _)| if whole { bound.whole(end) } else { bound })
            .reduce(|a, b| if a.within(&b, end) { a } else { b })
    }

    /// The steps of `multipleOf`.
    pub(super) fn steps_of(&self, case: &Case) -> Vec<Number> {
        self.schemas(case)
            .iter()
            .filter_map(|(_, schema)| match schema.get("multipleOf") {
                Some(Value::Number(step)) => Some(step.clone()),
                _ => None,
            })
            .collect()
    }

    /// The largest of a keyword's counts.
    pub(super) fn at_least(&self, case: &Case, keyword: &str) -> u64 {
        let counts = self.schemas(case);
        counts
            .iter()
            .filter_map(|(_, schema)| schema.count(keyword))
            .max()
            .unwrap_or(0)
    }

    /// The smallest of a keyword's counts.
    pub(super) fn at_most(&self, case: &Case, keyword: &str) -> Option<u64> {
        let counts = self.schemas(case);
        counts
            .iter()
            .filter_map(|(_, schema)| schema.count(keyword))
            .min()
    }

    /// The names that every object of the case has.
    pub(super) fn required(&self, case: &Case) -> BTreeSet<String> {
        self.schemas(case)
            .iter()
            .flat_map(|(_, schema)| {
                schema
                    .texts("required")
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// All names that an object of the case may have; none when there is no end of them.
    pub(super) fn names(&mut self, case: &Case) -> Option<BTreeSet<String>> {
        let mut found: Option<BTreeSet<String>> = match &case.content {
            Content::Open => None,
            Content::Closed(place) => Some(place.names().into_iter().collect()),
        };
        for (id, schema) in self.schemas(case) {
            let own = self.names_of(id, &schema);
            found = match (found, own) {
                (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
                (a, b) => a.or(b),
            };
        }
        found.filter(|names| names.len() <= MAX_NAMES)
    }

    fn names_of(&mut self, id: Id, schema: &Schema) -> Option<BTreeSet<String>> {
        if schema.get("additionalProperties") == Some(&Value::Bool(false))
            && schema.names("patternProperties").next().is_none()
        {
            return Some(schema.names("properties").map(str::to_owned).collect());
        }
        if let Some(Value::Object(of_names)) = schema.get("propertyNames") {
            let list = of_names.get("enum").and_then(Value::as_array).cloned();
            let one = of_names.get("const").map(|one| vec![one.clone()]);
            if let Some(values) = list.or(one) {
                let texts = values.iter().filter_map(Value::as_str);
                return Some(texts.map(str::to_owned).collect());
            }
        }
        if schema.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
            let together = self.arena.together(id);
            let mut names = BTreeSet::new();
            for other in together {
                let other_schema = self.arena.get(other);
                let open = ["patternProperties", "additionalProperties"]
                    .iter()
                    .any(|keyword| other_schema.get(keyword).is_some())
                    || (other != id && other_schema.get("unevaluatedProperties").is_some());
                if open {
                    return None;
                }
                names.extend(other_schema.names("properties").map(str::to_owned));
            }
            return Some(names);
        }
        None
    }

    /// The patterns that the case's schemas have words on.
    pub(super) fn patterns(&self, case: &Case) -> BTreeSet<String> {
        self.schemas(case)
            .iter()
            .flat_map(|(_, schema)| {
                let names = schema.names("patternProperties");
                names.map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    /// What stands at a name; none when nothing can.
    pub(super) fn property(&mut self, case: &Case, name: &str) -> Option<Node> {
        let content = match &case.content {
            Content::Open => Content::Open,
            Content::Closed(place) => Content::Closed(place.field(name)?),
        };
        let mut all = BTreeSet::new();
        for (id, _) in self.schemas(case) {
            all.extend(self.named_in(id, name));
        }
        Some(Node { all, content })
    }

    /// What one schema says of a name.
    pub(super) fn named_in(&mut self, id: Id, name: &str) -> Vec<Id> {
        let schema = self.arena.get(id);
        let mut found = Vec::new();
        found.extend(self.arena.below(id, &["properties", name]));
        for pattern in schema.names("patternProperties") {
            if self.arena.matches(pattern, name) {
                found.extend(self.arena.below(id, &["patternProperties", pattern]));
            }
        }
        if found.is_empty() {
            found.extend(self.arena.below(id, &["additionalProperties"]));
        }
        found
    }

    /// What stands at names of which neither `properties` nor a pattern has a word.
    pub(super) fn other_names(&mut self, case: &Case) -> Node {
        let mut all = BTreeSet::new();
        for (id, _) in self.schemas(case) {
            all.extend(self.arena.below(id, &["additionalProperties"]));
        }
        Node {
            all,
            content: Content::Open,
        }
    }

    /// What stands at names that match a pattern, as far as the schemas with this pattern say.
    pub(super) fn pattern_names(&mut self, case: &Case, pattern: &str) -> Node {
        let mut all = BTreeSet::new();
        for (id, _) in self.schemas(case) {
            all.extend(self.arena.below(id, &["patternProperties", pattern]));
        }
        Node {
            all,
            content: Content::Open,
        }
    }

    /// What stands at an item, counted from 0; none when nothing can.
    pub(super) fn item(&mut self, case: &Case, nth: usize) -> Option<Node> {
        let content = match &case.content {
            Content::Open => Content::Open,
            Content::Closed(place) => Content::Closed(place.item(nth)?),
        };
        let mut all = BTreeSet::new();
        for (id, _) in self.schemas(case) {
            all.extend(self.item_in(id, nth));
        }
        Some(Node { all, content })
    }

    /// What one schema says of an item.
    pub(super) fn item_in(&mut self, id: Id, nth: usize) -> Option<Id> {
        let (keyword, first) = self.first_items(id);
        if nth < first {
            return self.arena.below(id, &[keyword, &nth.to_string()]);
        }
        self.rest_in(id)
    }

    /// The keyword that says what the first items are, and how many these are.
    pub(super) fn first_items(&self, id: Id) -> (&'static str, usize) {
        let schema = self.arena.get(id);
        let length = |keyword| schema.get(keyword).and_then(Value::as_array).map(Vec::len);
        match (length("prefixItems"), length("items")) {
            (Some(count), _) => ("prefixItems", count),
            (None, Some(count)) => ("items", count),
            (None, None) => ("prefixItems", 0),
        }
    }

    /// What one schema says of the items after the first ones.
    pub(super) fn rest_in(&mut self, id: Id) -> Option<Id> {
        let schema = self.arena.get(id);
        match schema.get("items") {
            Some(Value::Array(_)) => self.arena.below(id, &["additionalItems"]),
            Some(_) => self.arena.below(id, &["items"]),
            None => None,
        }
    }

    /// How many items an array of the case has at most.
    pub(super) fn most_items(&mut self, case: &Case) -> Option<u64> {
        let mut most = self.at_most(case, "maxItems");
        let mut take = |count: usize| {
            let count = count as u64;
            most = Some(most.map_or(count, |most| most.min(count)));
        };
        if let Content::Closed(place) = &case.content
            && let Some(count) = place.most_items()
        {
            take(count);
        }
        for (id, schema) in self.schemas(case) {
            if self
                .rest_in(id)
                .is_some_and(|rest| self.arena.get(rest).is_false())
            {
                take(self.first_items(id).1);
            }
            if schema.get("unevaluatedItems") == Some(&Value::Bool(false))
                && let Some(count) = self.evaluated_items(id)
            {
                take(count);
            }
        }
        most
    }

    /// How many first items anything at the place may have words on; none when it may be all.
    fn evaluated_items(&mut self, id: Id) -> Option<usize> {
        let mut most = 0;
        for other in self.arena.together(id) {
            let schema = self.arena.get(other);
            let open = self.rest_in(other).is_some()
                || schema.get("contains").is_some()
                || (other != id && schema.get("unevaluatedItems").is_some());
            if open {
                return None;
            }
            most = most.max(self.first_items(other).1);
        }
        Some(most)
    }
}
