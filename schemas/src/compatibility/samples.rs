//! Values of a case, at and beside the bounds that either side sets: to show by one that something breaks.

use super::arena::Id;
use super::clause::{Case, KINDS, Kind, Node};
use super::engine::Engine;
use super::facts::Whole;
use super::numbers::near;
use super::texts;
use serde_json::{Number, Value};
use std::collections::BTreeSet;

/// How many values of a node are kept.
const MAX_SAMPLES: usize = 10;
/// How many candidates are tried.
const MAX_CANDIDATES: usize = 160;
/// How many separating values of one place are kept.
const MAX_SEPARATING: usize = 3;
/// How deep samples are built.
const MAX_DEPTH: usize = 6;
/// How long texts are made.
const MAX_LENGTH: u64 = 4096;

/// A text of each format that is worth trying.
const FORMATS: [&str; 22] = [
    "2024-05-06",
    "2024-05-06T07:08:09Z",
    "07:08:09Z",
    "P1D",
    "a@b.example",
    "é@b.example",
    "b.example",
    "é.example",
    "127.0.0.1",
    "::1",
    "https://b.example/a",
    "https://b.example/é",
    "/a",
    "a/é",
    "/a/0",
    "0/a",
    "a{b}",
    "6f1e1d7c-6f3b-4c55-9d0b-0e2f6d8b9a10",
    "^a$",
    "(",
    "a b",
    "\u{fe0f}",
];

/// What the schemas around a place say that is worth trying.
#[derive(Debug, Default)]
pub(super) struct Hints {
    numbers: Vec<Number>,
    pub(super) counts: BTreeSet<u64>,
    values: Vec<Value>,
    pub(super) names: BTreeSet<String>,
    patterns: BTreeSet<String>,
    pub(super) name_patterns: BTreeSet<String>,
    formats: bool,
}

impl Engine<'_> {
    /// Values of a kind of the case that the schema refuses.
    pub(super) fn separating(&mut self, case: &Case, kind: Kind, reader: Id) -> Vec<Value> {
        let candidates = self.candidates(case, kind, &[reader], 0);
        let mut found: Vec<Value> = Vec::new();
        for value in candidates {
            if found.len() < MAX_SEPARATING
                && !found.contains(&value)
                && self.arena.accepts(reader, &value) == Some(false)
                && self.holds(case, &value)
            {
                found.push(value);
            }
        }
        found
    }

    /// Objects of the case that have one of the values at one of the names.
    pub(super) fn with_property(
        &mut self,
        case: &Case,
        names: &[String],
        values: &[Value],
    ) -> Vec<Value> {
        if self.quiet > 0 || values.is_empty() {
            return Vec::new();
        }
        let hints = self.hints(case, &[]);
        let mut found = Vec::new();
        for base in self.objects(case, &hints, 0).into_iter().take(8) {
            for name in names {
                for value in values {
                    let mut object = base.clone();
                    object.insert(name.clone(), value.clone());
                    let object = Value::Object(object);
                    if found.len() < MAX_SEPARATING && self.holds(case, &object) {
                        found.push(object);
                    }
                }
            }
        }
        found
    }

    /// Arrays of the case that have one of the values at an item.
    pub(super) fn with_item(&mut self, case: &Case, nth: usize, values: &[Value]) -> Vec<Value> {
        if self.quiet > 0 || values.is_empty() {
            return Vec::new();
        }
        let hints = self.hints(case, &[]);
        let mut found = Vec::new();
        for mut base in self.arrays(case, &hints, Some(nth as u64 + 1), 0) {
            for value in values {
                if let Some(item) = base.get_mut(nth) {
                    *item = value.clone();
                }
                let array = Value::Array(base.clone());
                if base.len() > nth && found.len() < MAX_SEPARATING && self.holds(case, &array) {
                    found.push(array);
                }
            }
        }
        found
    }

    /// Names that match a pattern and that no side mentions.
    pub(super) fn names_like(&mut self, pattern: &str) -> Vec<String> {
        let mut names = texts::matching(pattern);
        for before in ["", "x", "_"] {
            names.push(format!("{before}{pattern}"));
        }
        names.retain(|name| self.arena.matches(pattern, name));
        names.dedup();
        names
    }

    /// Names that the case has no words on, as far as is known.
    pub(super) fn free_names(&mut self, case: &Case) -> Vec<String> {
        let patterns = self.patterns(case);
        let mut names: Vec<String> = ["other", "x", "1", "Z", "_", "", "a b"]
            .map(str::to_owned)
            .into();
        for pattern in &patterns {
            names.extend(self.names_like(pattern));
        }
        names
    }

    /// Some values of a node.
    pub(super) fn samples(&mut self, node: &Node, depth: usize) -> Vec<Value> {
        let key = (node.all.clone(), node.content.number());
        if let Some(known) = self.samples.get(&key) {
            return known.clone();
        }
        if depth > MAX_DEPTH || self.exhausted() {
            return Vec::new();
        }
        // What refers to itself finds nothing there, so that samples end.
        self.samples.insert(key.clone(), Vec::new());
        let mut found: Vec<Value> = Vec::new();
        for case in self.cases(node) {
            let kinds = self.kinds(&case);
            for kind in kinds.iter() {
                let mut own = 0;
                for value in self.candidates(&case, *kind, &[], depth) {
                    if own < MAX_SAMPLES.div_ceil(kinds.len()).max(2)
                        && !found.contains(&value)
                        && self.holds(&case, &value)
                    {
                        own += 1;
                        found.push(value);
                    }
                }
            }
        }
        self.samples.insert(key, found.clone());
        found
    }

    /// Values that may be of the case and are worth trying, those that say the least first.
    fn candidates(&mut self, case: &Case, kind: Kind, readers: &[Id], depth: usize) -> Vec<Value> {
        if let Some(values) = self.listed(case, kind) {
            return values;
        }
        let hints = self.hints(case, readers);
        let listed = hints.values.iter().filter(|value| Kind::of(value) == kind);
        let mut values: Vec<Value> = match kind {
            Kind::Null | Kind::Bool => Vec::new(),
            Kind::Number => self.some_numbers(case, &hints),
            Kind::Text => self.some_texts(case, &hints),
            Kind::Array => {
                let arrays = self.arrays(case, &hints, None, depth);
                arrays.into_iter().map(Value::Array).collect()
            }
            Kind::Object => {
                let objects = self.objects(case, &hints, depth);
                objects.into_iter().map(Value::Object).collect()
            }
        };
        values.truncate(MAX_CANDIDATES);
        values.extend(listed.cloned());
        values
    }

    fn hints(&mut self, case: &Case, readers: &[Id]) -> Hints {
        let mut hints = Hints::default();
        let mut all: Vec<Id> = case.all.iter().chain(&case.not).copied().collect();
        for reader in readers {
            all.extend(self.arena.together(*reader));
        }
        for id in all {
            let schema = self.arena.get(id);
            for (keyword, value) in schema.keywords().into_iter().flatten() {
                match (keyword.as_str(), value) {
                    ("const", value) => hints.values.push(value.clone()),
                    ("enum" | "examples", Value::Array(values)) => {
                        hints.values.extend(values.iter().cloned());
                    }
                    ("default", value) => hints.values.push(value.clone()),
                    ("pattern", Value::String(pattern)) => {
                        hints.patterns.insert(pattern.clone());
                    }
                    ("format", _) => hints.formats = true,
                    ("required", _) => {
                        hints
                            .names
                            .extend(schema.texts("required").map(str::to_owned));
                    }
                    (
                        "properties" | "dependencies" | "dependentSchemas" | "dependentRequired",
                        _,
                    ) => {
                        hints.names.extend(schema.names(keyword).map(str::to_owned));
                    }
                    ("patternProperties", _) => {
                        let names = schema.names(keyword).map(str::to_owned);
                        hints.name_patterns.extend(names);
                    }
                    (_, Value::Number(number)) => {
                        hints.numbers.push(number.clone());
                        hints.counts.extend(schema.count(keyword));
                    }
                    ("prefixItems" | "items", Value::Array(first)) => {
                        hints.counts.insert(first.len() as u64);
                    }
                    _ => {}
                }
            }
        }
        hints
    }

    fn some_numbers(&mut self, case: &Case, hints: &Hints) -> Vec<Value> {
        let mut numbers: Vec<Number> = vec![0.into(), 1.into()];
        for number in &hints.numbers {
            for tenths in [0, 10, -10, 5, -5, 1, -1] {
                numbers.extend(near(number, tenths));
            }
            for times in [2_i64, 3, 5, -1] {
                let product = number.as_i64().and_then(|own| own.checked_mul(times));
                numbers.extend(product.map(Number::from));
            }
        }
        let texts = [
            "-1", "0.5", "1.5", "2", "3", "0.25", "7", "1000003", "-1000003",
        ];
        numbers.extend(texts.iter().filter_map(|text| text.parse::<Number>().ok()));
        if self.whole(case) == Whole::ByValue {
            numbers.sort_by_key(|number| number.to_string().contains('.'));
        }
        let mut values: Vec<Value> = numbers.into_iter().map(Value::Number).collect();
        if self.mixed_integers {
            values.extend(
                ["1.0", "0.0", "2.0", "10.0"]
                    .iter()
                    .filter_map(|text| text.parse().ok().map(Value::Number)),
            );
        }
        values
    }

    fn some_texts(&mut self, case: &Case, hints: &Hints) -> Vec<Value> {
        let mut found: Vec<String> = Vec::new();
        for pattern in &hints.patterns {
            found.extend(texts::matching(pattern));
        }
        if hints.formats {
            found.extend(FORMATS.map(str::to_owned));
        }
        let least = self.at_least(case, "minLength");
        let around = |count: &u64| [count.saturating_sub(1), *count, count + 1];
        let mut lengths: BTreeSet<u64> = hints.counts.iter().flat_map(around).collect();
        lengths.extend([least, 0, 1, 2, 5]);
        for length in lengths.into_iter().filter(|length| *length <= MAX_LENGTH) {
            let length = usize::try_from(length).unwrap_or(0);
            found.extend(["a", "A", "0", "é"].map(|c| c.repeat(length)));
        }
        found.extend(["a b", "Other", "\n", "x-"].map(str::to_owned));
        found.into_iter().map(Value::String).collect()
    }

    /// Values of a node as a whole, for a last look: with the reading side's bounds in mind.
    pub(super) fn many(&mut self, node: &Node, reader: Id) -> Vec<Value> {
        let mut found = Vec::new();
        for case in self.cases(node) {
            for kind in KINDS {
                if self.kinds(&case).contains(&kind) {
                    found.extend(self.candidates(&case, kind, &[reader], 0));
                }
            }
        }
        found
    }
}
