//! Whether every value of one schema is accepted by another.
//!
//! The publishing side is taken apart into cases ([`super::clause`]), each of one JSON type; each case is measured against each
//! keyword of the reading side. The rule that everything here keeps: a case may say less than its schemas do, so it may
//! hold more values, never fewer; and a keyword holds only where every value of the case keeps it. So what is found included
//! is included; what is not found so may still be, and is told as undecided unless a value shows that it is not.
//!
//! Schemas that refer to themselves are followed once: a question that comes up again while it is being answered is taken as
//! answered with yes. That is right because it can only come up again deeper in the data, and data ends.

use super::arena::{Arena, Id, Side, silent};
use super::clause::{Case, Content, Kind, Node};
use super::schemas::Schemas;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// How many steps a comparison may take; what has not been answered by then is undecided.
const MAX_STEPS: usize = 60_000;
/// How many values a case is listed by.
const MAX_LISTED: usize = 512;
/// How many numbers of a listed value are also tried in their other writing.
const MAX_REWRITTEN: usize = 6;
/// How deep in the data an answer is looked for.
const MAX_DEPTH: usize = 48;

/// A place where the reading side may refuse what the other publishes.
#[derive(Debug, Clone)]
pub(super) struct Break {
    /// The schema that may refuse.
    pub(super) reader: Id,
    /// Its keyword, with what is below it; empty for the schema as a whole.
    pub(super) keyword: String,
    /// Values of the place asked about that are published and refused.
    pub(super) values: Vec<Value>,
}

/// A question that has come up.
type Question = (BTreeSet<Id>, Option<usize>, Option<Kind>, Id);

/// What is known of a question.
#[derive(Debug, Clone)]
enum Known {
    /// Being answered, or answered with yes.
    Included,
    /// Answered with no; whether values were looked for.
    Apart(Vec<Break>, bool),
}

/// A comparison of two schemas in one direction.
pub(super) struct Engine<'s> {
    pub(super) arena: Arena<'s>,
    pub(super) steps: usize,
    /// Above 0, no values are looked for.
    pub(super) quiet: usize,
    pub(super) depth: usize,
    /// Draft 4 tells `1` from `1.0`; other drafts do not.
    pub(super) mixed_integers: bool,
    pub(super) equal: HashMap<(Id, Id), bool>,
    pub(super) samples: HashMap<(BTreeSet<Id>, Option<usize>), Vec<Value>>,
    known: HashMap<Question, Known>,
    asked: Vec<Question>,
}

impl<'s> Engine<'s> {
    pub(super) fn new(publisher: &'s Schemas, reader: &'s Schemas) -> Self {
        let drafts = |side: &Schemas| {
            let drafts = side.documents().iter().map(|document| document.draft);
            drafts.collect::<Vec<_>>()
        };
        let all = [drafts(publisher), drafts(reader)].concat();
        let fours = all
            .iter()
            .filter(|draft| **draft == jsonschema::Draft::Draft4);
        let fours = fours.count();
        Self {
            arena: Arena::new(publisher, reader),
            steps: 0,
            quiet: 0,
            depth: 0,
            mixed_integers: fours > 0,
            equal: HashMap::new(),
            samples: HashMap::new(),
            known: HashMap::new(),
            asked: Vec::new(),
        }
    }

    /// Whether the comparison has taken all the steps it may.
    pub(super) fn exhausted(&self) -> bool {
        self.steps > MAX_STEPS
    }

    /// Where a node, or what it holds of one kind, is not included in a schema.
    pub(super) fn node_in(&mut self, node: &Node, only: Option<Kind>, reader: Id) -> Vec<Break> {
        let question = (node.all.clone(), node.content.number(), only, reader);
        match self.known.get(&question) {
            Some(Known::Included) => return Vec::new(),
            Some(Known::Apart(breaks, _)) if self.quiet > 0 => return breaks.clone(),
            Some(Known::Apart(breaks, true)) => return breaks.clone(),
            _ => {}
        }
        if self.depth >= MAX_DEPTH {
            return vec![undecided(reader, "")];
        }
        self.depth += 1;
        let first = self.asked.len();
        self.asked.push(question.clone());
        self.known.insert(question.clone(), Known::Included);
        let mut breaks: Vec<Break> = Vec::new();
        for case in self.cases(node) {
            for kind in self.kinds(&case) {
                if only.is_none_or(|only| only == kind) {
                    let found = self.case_in(&case, kind, reader);
                    merge(&mut breaks, found);
                }
            }
        }
        self.depth -= 1;
        if !breaks.is_empty() {
            // What was answered with yes meanwhile may have leaned on this one.
            for question in self.asked.drain(first..) {
                if matches!(self.known.get(&question), Some(Known::Included)) {
                    self.known.remove(&question);
                }
            }
            let looked = self.quiet == 0;
            self.known
                .insert(question, Known::Apart(breaks.clone(), looked));
        }
        breaks
    }

    /// Where the values of one kind of a case are not included in a schema.
    pub(super) fn case_in(&mut self, case: &Case, kind: Kind, reader: Id) -> Vec<Break> {
        self.steps += 1;
        if self.exhausted() {
            return vec![undecided(reader, "")];
        }
        let schema = self.arena.get(reader);
        if schema.is_true() || self.has_equal(case, reader) || self.is_empty(case, kind) {
            return Vec::new();
        }
        if schema.is_false() {
            return vec![self.apart(case, kind, reader, "")];
        }
        if let Some(values) = self.listed(case, kind) {
            return self.values_in(&values, reader);
        }
        let mut breaks = Vec::new();
        for keyword in schema.keywords().into_iter().flat_map(|all| all.keys()) {
            if !silent(keyword) {
                let found = self.keyword_in(case, kind, reader, keyword);
                merge(&mut breaks, found);
            }
        }
        breaks
    }

    fn keyword_in(&mut self, case: &Case, kind: Kind, reader: Id, keyword: &str) -> Vec<Break> {
        match keyword {
            "$ref" => match self.arena.target(reader) {
                Some(target) => self.case_in(case, kind, target),
                None => vec![undecided(reader, keyword)],
            },
            "allOf" => {
                let mut breaks = Vec::new();
                for one in self.arena.list(reader, keyword) {
                    let found = self.case_in(case, kind, one);
                    merge(&mut breaks, found);
                }
                breaks
            }
            "anyOf" | "oneOf" | "not" | "if" => self.choice_in(case, kind, reader, keyword),
            // These say something only beside another keyword, where they are looked at.
            "then" | "else" | "minContains" | "maxContains" | "additionalItems" => Vec::new(),
            "properties" | "patternProperties" | "additionalProperties" if kind == Kind::Object => {
                self.properties_in(case, reader, keyword)
            }
            "propertyNames" if kind == Kind::Object => self.names_in(case, reader),
            "dependencies" | "dependentRequired" | "dependentSchemas" if kind == Kind::Object => {
                self.dependencies_in(case, reader, keyword)
            }
            "items" | "prefixItems" if kind == Kind::Array => self.items_in(case, reader, keyword),
            "contains" if kind == Kind::Array => self.contains_in(case, reader),
            _ => match self.plain_holds(case, kind, reader, keyword) {
                true => Vec::new(),
                false => vec![self.apart(case, kind, reader, keyword)],
            },
        }
    }

    /// A break, with values that show it where some are found.
    pub(super) fn apart(&mut self, case: &Case, kind: Kind, reader: Id, keyword: &str) -> Break {
        let mut found = undecided(reader, keyword);
        if self.quiet == 0 {
            found.values = self.separating(case, kind, reader);
        }
        found
    }

    /// Whether a value is one of the case's.
    pub(super) fn holds(&mut self, case: &Case, value: &Value) -> bool {
        case.content.keeps(value)
            && case
                .all
                .iter()
                .all(|id| self.arena.accepts(*id, value) != Some(false))
            && case
                .not
                .iter()
                .all(|id| self.arena.accepts(*id, value) != Some(true))
    }

    /// All values of a case, where it is a list.
    pub(super) fn listed(&mut self, case: &Case, kind: Kind) -> Option<Vec<Value>> {
        let mut values = match kind {
            Kind::Null => vec![Value::Null],
            Kind::Bool => vec![Value::Bool(true), Value::Bool(false)],
            _ => self.shortest_list(case)?,
        };
        values.retain(|value| Kind::of(value) == kind);
        if self.mixed_integers {
            values = rewritten(values)?;
        }
        values.retain(|value| self.holds(case, value));
        Some(values)
    }

    fn shortest_list(&self, case: &Case) -> Option<Vec<Value>> {
        let lists = self.schemas(case).into_iter().filter_map(|(_, schema)| {
            let list = schema.get("enum").and_then(Value::as_array).cloned();
            schema.get("const").map(|one| vec![one.clone()]).or(list)
        });
        lists
            .min_by_key(Vec::len)
            .filter(|list| list.len() <= MAX_LISTED)
    }

    /// Where listed values are refused.
    fn values_in(&mut self, values: &[Value], reader: Id) -> Vec<Break> {
        let mut breaks = Vec::new();
        for value in values {
            if self.arena.accepts(reader, value) != Some(true) {
                let mut found = self.refusal(reader, value, 0);
                found.values = vec![value.clone()];
                merge(&mut breaks, vec![found]);
            }
        }
        breaks
    }

    /// The keyword by which a schema refuses a value.
    pub(super) fn refusal(&mut self, reader: Id, value: &Value, depth: usize) -> Break {
        let mut inner: Vec<(Id, Value)> = Vec::new();
        let mut same = self.arena.list(reader, "allOf");
        same.extend(self.arena.target(reader));
        inner.extend(same.into_iter().map(|id| (id, value.clone())));
        if let Value::Object(fields) = value {
            for (name, field) in fields {
                let named = self.named_in(reader, name);
                inner.extend(named.into_iter().map(|id| (id, field.clone())));
            }
        }
        if let Value::Array(items) = value {
            for (nth, item) in items.iter().enumerate() {
                inner.extend(self.item_in(reader, nth).map(|id| (id, item.clone())));
            }
        }
        for (id, value) in inner {
            if depth < MAX_DEPTH && self.arena.accepts(id, &value) == Some(false) {
                return self.refusal(id, &value, depth + 1);
            }
        }
        let schema = self.arena.get(reader);
        let keywords = schema.keywords();
        for (keyword, word) in keywords.into_iter().flatten() {
            let alone = match keyword.as_str() {
                "$ref" | "allOf" | "anyOf" | "oneOf" | "if" | "not" | "then" | "else" => continue,
                _ if silent(keyword) => continue,
                _ => self.arena.make(json!({ keyword: word })),
            };
            if alone.is_some_and(|alone| self.arena.accepts(alone, value) == Some(false)) {
                return undecided(reader, keyword);
            }
        }
        let choice = ["anyOf", "oneOf", "not", "if"].into_iter();
        let mut choice = choice.filter(|keyword| schema.get(keyword).is_some());
        undecided(reader, choice.next_back().unwrap_or(""))
    }

    /// The node of a document's root.
    pub(super) fn root(&mut self, document: usize, content: Content) -> Option<Node> {
        let spot = crate::schema::documents::Spot {
            document,
            pointer: String::new(),
        };
        let all = BTreeSet::from([self.arena.at(Side::Publisher, spot)?]);
        Some(Node { all, content })
    }
}

/// A break that no value shows yet.
pub(super) fn undecided(reader: Id, keyword: &str) -> Break {
    Break {
        reader,
        keyword: keyword.to_owned(),
        values: Vec::new(),
    }
}

/// How many values of one break are kept.
const MAX_VALUES: usize = 3;

/// Takes breaks in; the same place is told once, with the values of all.
pub(super) fn merge(breaks: &mut Vec<Break>, found: Vec<Break>) {
    for one in found {
        let known = breaks
            .iter_mut()
            .find(|known| known.reader == one.reader && known.keyword == one.keyword);
        match known {
            Some(known) => {
                known.values.extend(one.values);
                known.values.truncate(MAX_VALUES);
            }
            None => breaks.push(one),
        }
    }
}

/// The values, and the same values with whole numbers in their other writing; none when there are too many.
fn rewritten(values: Vec<Value>) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for value in values {
        let mut numbers = 0;
        rewrite(&mut value.clone(), &mut numbers, 0);
        if numbers > MAX_REWRITTEN {
            return None;
        }
        for which in 0..(1_usize << numbers) {
            let mut value = value.clone();
            rewrite(&mut value, &mut 0, which);
            all.push(value);
        }
    }
    Some(all)
}

/// Writes the numbers whose bit is set with a fraction, or without one.
fn rewrite(value: &mut Value, numbers: &mut usize, which: usize) {
    match value {
        Value::Number(number) => {
            if which >> *numbers & 1 == 1 {
                let text = number.to_string();
                let other = match super::numbers::floor(number) {
                    Some((whole, true)) if text.contains(['.', 'e', 'E']) => whole.to_string(),
                    Some((_, true)) => format!("{text}.0"),
                    _ => text,
                };
                if let Ok(other) = other.parse() {
                    *number = other;
                }
            }
            *numbers += 1;
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| rewrite(item, numbers, which)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| rewrite(field, numbers, which)),
        _ => {}
    }
}
