//! From schemas that hold together to cases: each with no choice left open.
//!
//! A [`Node`] is a place of the data and the schemas that hold there. [`Engine::cases`] follows `$ref` and `allOf` and takes
//! `anyOf`, `oneOf`, `if` and dependencies apart into [`Case`]s. Together the cases accept at least what the node accepts:
//! where they would become too many, or where something cannot be expressed, a case says less, never more.

use super::arena::Id;
use super::engine::Engine;
use crate::schema::shape::Declared;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many cases a node is taken apart into; choices beyond are left out.
const MAX_CASES: usize = 128;

/// A JSON type, in which integers are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

/// Every kind.
pub(super) const KINDS: [Kind; 6] = [
    Kind::Null,
    Kind::Bool,
    Kind::Number,
    Kind::Text,
    Kind::Array,
    Kind::Object,
];

impl Kind {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    /// The word for it in `type`; numbers may be called `integer` too.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Number => "number",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// What a `type` says, by words.
pub(super) fn type_words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What may stand at a place at all.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Whatever the schemas accept.
    Open,
    /// Only what is declared: closed on leaving.
    Closed(Declared),
}

impl Content {
    /// A number that tells places apart.
    pub(super) fn number(&self) -> Option<usize> {
        match self {
            Self::Open => None,
            Self::Closed(place) => Some(place.number()),
        }
    }

    /// Whether nothing would be taken away from the value.
    pub(super) fn keeps(&self, value: &Value) -> bool {
        match self {
            Self::Open => true,
            Self::Closed(place) => {
                let mut closed = value.clone();
                place.close(&mut closed);
                closed == *value
            }
        }
    }
}

/// A place of the data and the schemas that hold there.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) all: BTreeSet<Id>,
    pub(super) content: Content,
}

/// One case of a node.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The schemas that hold, and those that they lead to.
    pub(super) all: BTreeSet<Id>,
    /// The schemas that are known not to hold.
    pub(super) not: BTreeSet<Id>,
    pub(super) content: Content,
}

impl Case {
    /// This case with one more schema that holds.
    pub(super) fn and(&self, id: Id) -> Self {
        let mut case = self.clone();
        case.all.insert(id);
        case
    }
}

/// A way to go on: schemas that hold and schemas that do not.
type Choice = (Vec<Id>, Vec<Id>);

impl Engine<'_> {
    /// The cases of a node.
    pub(super) fn cases(&mut self, node: &Node) -> Vec<Case> {
        let start = Case {
            all: node.all.clone(),
            not: BTreeSet::new(),
            content: node.content.clone(),
        };
        self.unfold(start)
    }

    /// Takes a case apart whose schemas have not been looked into yet, or not all of them.
    pub(super) fn unfold(&mut self, start: Case) -> Vec<Case> {
        let pending: Vec<Id> = start.all.iter().copied().collect();
        let begun = Case {
            all: BTreeSet::new(),
            ..start
        };
        let mut open = vec![(begun, pending)];
        let mut done = Vec::new();
        while let Some((mut case, mut pending)) = open.pop() {
            self.steps += 1;
            let mut choices = Vec::new();
            let mut dead = false;
            while let Some(id) = pending.pop() {
                if !case.all.insert(id) {
                    continue;
                }
                if self.arena.get(id).is_false() {
                    dead = true;
                    break;
                }
                self.look_into(id, &mut case, &mut pending, &mut choices);
            }
            if dead || self.kinds(&case).is_empty() {
                continue;
            }
            self.choose(case, choices, open.len() + done.len(), &mut open, &mut done);
        }
        done
    }

    /// Goes on with each combination of choices, one choice at a time.
    fn choose(
        &mut self,
        case: Case,
        choices: Vec<Vec<Choice>>,
        others: usize,
        open: &mut Vec<(Case, Vec<Id>)>,
        done: &mut Vec<Case>,
    ) {
        let mut combined: Vec<(Case, Vec<Id>)> = vec![(case, Vec::new())];
        for choice in choices {
            // Decided already: one of its ways is how this case came about.
            let decided = choice.iter().any(|(hold, not)| {
                let (case, _) = &combined[0];
                hold.iter().all(|id| case.all.contains(id))
                    && not.iter().all(|id| case.not.contains(id))
            });
            if decided {
                continue;
            }
            if others + combined.len() * choice.len() > MAX_CASES {
                continue;
            }
            combined = combined
                .into_iter()
                .flat_map(|(case, pending)| {
                    choice.iter().map(move |(hold, not)| {
                        let mut case = case.clone();
                        case.not.extend(not);
                        let pending = pending.iter().chain(hold).copied().collect();
                        (case, pending)
                    })
                })
                .collect();
        }
        for (case, pending) in combined {
            match pending.iter().all(|id| case.all.contains(id)) {
                true => done.push(case),
                false => open.push((case, pending)),
            }
        }
    }

    /// What a schema leads to at the same place, and what it leaves open.
    fn look_into(
        &mut self,
        id: Id,
        case: &mut Case,
        pending: &mut Vec<Id>,
        choices: &mut Vec<Vec<Choice>>,
    ) {
        let schema = self.arena.get(id);
        pending.extend(self.arena.target(id));
        pending.extend(self.arena.list(id, "allOf"));
        if schema.get("not").is_some() {
            case.not.extend(self.arena.below(id, &["not"]));
        }
        let any = self.arena.list(id, "anyOf");
        if !any.is_empty() {
            choices.push(any.iter().map(|one| (vec![*one], Vec::new())).collect());
        }
        let one = self.arena.list(id, "oneOf");
        if !one.is_empty() {
            let others = |own: &Id| one.iter().filter(|id| *id != own).copied().collect();
            choices.push(one.iter().map(|own| (vec![*own], others(own))).collect());
        }
        if schema.get("then").is_some() || schema.get("else").is_some() {
            choices.extend(self.condition(id));
        }
        for keyword in ["dependencies", "dependentSchemas", "dependentRequired"] {
            for name in schema.names(keyword) {
                choices.extend(self.dependency(id, keyword, name));
            }
        }
    }

    fn condition(&mut self, id: Id) -> Option<Vec<Choice>> {
        let condition = self.arena.below(id, &["if"])?;
        let then = self.arena.below(id, &["then"]);
        let otherwise = self.arena.below(id, &["else"]);
        let holds = [condition].into_iter().chain(then).collect();
        Some(vec![
            (holds, Vec::new()),
            (otherwise.into_iter().collect(), vec![condition]),
        ])
    }

    /// A value that is no object is with those that lack the name.
    fn dependency(&mut self, id: Id, keyword: &str, name: &str) -> Option<Vec<Choice>> {
        let lacks = self.arena.make(json!({ "properties": { name: false } }))?;
        let has = self.has(name)?;
        let schema = self.arena.get(id);
        let then = match schema.get(keyword)?.get(name)? {
            Value::Array(required) => self.arena.make(json!({ "required": required })),
            _ => self.arena.below(id, &[keyword, name]),
        };
        Some(vec![
            (vec![lacks], Vec::new()),
            ([has].into_iter().chain(then).collect(), Vec::new()),
        ])
    }

    /// Objects that have the name.
    pub(super) fn has(&mut self, name: &str) -> Option<Id> {
        self.arena
            .make(json!({ "type": "object", "required": [name] }))
    }

    /// The kinds that a case's `type`s leave.
    pub(super) fn kinds(&mut self, case: &Case) -> Vec<Kind> {
        let mut kinds = KINDS.to_vec();
        for id in &case.all {
            let schema = self.arena.get(*id);
            if let Some(value) = schema.get("type") {
                let words = type_words(value);
                kinds.retain(|kind| says(&words, *kind));
            }
        }
        for id in &case.not {
            let schema = self.arena.get(*id);
            let Some(keywords) = schema.keywords() else {
                continue;
            };
            let only_type = keywords
                .keys()
                .all(|keyword| keyword == "type" || super::arena::silent(keyword));
            if let Some(value) = schema.get("type").filter(|_| only_type) {
                let words = type_words(value);
                kinds.retain(|kind| !words.contains(&kind.word()));
            }
        }
        kinds
    }
}

fn says(words: &[&str], kind: Kind) -> bool {
    words.contains(&kind.word()) || (kind == Kind::Number && words.contains(&"integer"))
}
