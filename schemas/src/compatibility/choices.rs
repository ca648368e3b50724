//! `anyOf`, `oneOf`, `not` and `if` of the reading side.
//!
//! A case fits a choice when it fits one branch as a whole. Where it does not, it is split by what tells branches apart (a
//! property with few values, or of several types), and each part is tried.

use super::arena::Id;
use super::clause::{Case, Kind, Node};
use super::engine::{Break, Engine};
use serde_json::{Value, json};

/// How often a case is split.
const MAX_SPLITS: usize = 3;
/// Into how many parts.
const MAX_PARTS: usize = 24;

impl Engine<'_> {
    pub(super) fn choice_in(
        &mut self,
        case: &Case,
        kind: Kind,
        id: Id,
        keyword: &str,
    ) -> Vec<Break> {
        let words: &[&str] = match keyword {
            "if" => &["if", "then", "else"],
            "anyOf" => &["anyOf"],
            "oneOf" => &["oneOf"],
            _ => &["not"],
        };
        if self.says_the_same(case, id, words) {
            return Vec::new();
        }
        self.quiet += 1;
        let apart = self.apart_by_choice(case, kind, id, keyword, 0);
        self.quiet -= 1;
        match apart {
            None => Vec::new(),
            Some(part) => self.explained(case, &part, kind, id, keyword),
        }
    }

    /// A part of the case that does not fit; none when all of it fits.
    fn apart_by_choice(
        &mut self,
        case: &Case,
        kind: Kind,
        id: Id,
        keyword: &str,
        splits: usize,
    ) -> Option<Case> {
        if self.exhausted() {
            return Some(case.clone());
        }
        if self.is_empty(case, kind) || self.fits(case, kind, id, keyword) {
            return None;
        }
        if splits < MAX_SPLITS && kind == Kind::Object {
            for part in self.split(case, id) {
                if let Some(apart) = self.apart_by_choice(&part, kind, id, keyword, splits + 1) {
                    return Some(apart);
                }
            }
            return None;
        }
        Some(case.clone())
    }

    fn fits(&mut self, case: &Case, kind: Kind, id: Id, keyword: &str) -> bool {
        match keyword {
            "anyOf" => {
                let branches = self.arena.list(id, keyword);
                branches
                    .into_iter()
                    .any(|branch| self.case_in(case, kind, branch).is_empty())
            }
            "oneOf" => {
                let branches = self.arena.list(id, keyword);
                branches.iter().enumerate().any(|(nth, branch)| {
                    self.case_in(case, kind, *branch).is_empty()
                        && branches.iter().enumerate().all(|(other, branch)| {
                            other == nth || self.is_disjoint(case, kind, *branch)
                        })
                })
            }
            "not" => match self.arena.below(id, &["not"]) {
                Some(not) => self.is_disjoint(case, kind, not),
                None => true,
            },
            _ => self.condition_fits(case, kind, id),
        }
    }

    fn condition_fits(&mut self, case: &Case, kind: Kind, id: Id) -> bool {
        let Some(condition) = self.arena.below(id, &["if"]) else {
            return true;
        };
        let branch = |engine: &mut Self, word: &str| match engine.arena.below(id, &[word]) {
            Some(branch) => engine.case_in(case, kind, branch).is_empty(),
            None => true,
        };
        (branch(self, "then") || self.is_disjoint(case, kind, condition))
            && (branch(self, "else") || self.case_in(case, kind, condition).is_empty())
    }

    /// The parts of a case by the first property that can tell its objects apart; the case itself when none can.
    fn split(&mut self, case: &Case, id: Id) -> Vec<Case> {
        let mut names = self.required(case);
        for branch in self.arena.together(id) {
            let schema = self.arena.get(branch);
            names.extend(schema.names("properties").map(str::to_owned));
            names.extend(schema.texts("required").map(str::to_owned));
        }
        let required = self.required(case);
        let possible = self.names(case);
        for name in names {
            if possible.as_ref().is_some_and(|all| !all.contains(&name)) {
                continue;
            }
            let Some(node) = self.property(case, &name) else {
                continue;
            };
            let Some(mut parts) = self.parts(&node) else {
                continue;
            };
            for part in &mut parts {
                *part = json!({ "properties": { &name: part }, "required": [&name] });
            }
            if !required.contains(&name) {
                parts.push(json!({ "properties": { &name: false } }));
            }
            let made: Vec<Id> = parts
                .into_iter()
                .filter_map(|part| self.arena.make(part))
                .collect();
            if made.len() < 2 || made.iter().any(|one| case.all.contains(one)) {
                continue;
            }
            let cases = made.into_iter().flat_map(|one| self.unfold(case.and(one)));
            return cases.collect();
        }
        vec![case.clone()]
    }

    /// Schemas that a node's values fall under, one each; none when there are too many.
    fn parts(&mut self, node: &Node) -> Option<Vec<Value>> {
        let mut parts: Vec<Value> = Vec::new();
        for case in self.cases(node) {
            for kind in self.kinds(&case) {
                if self.is_empty(&case, kind) {
                    continue;
                }
                match self.listed(&case, kind) {
                    Some(values) if !self.mixed_integers => {
                        parts.extend(values.into_iter().map(|value| json!({ "const": value })));
                    }
                    _ => parts.push(json!({ "type": kind.word() })),
                }
                if parts.len() > MAX_PARTS {
                    return None;
                }
            }
        }
        parts.sort_by_key(Value::to_string);
        parts.dedup();
        Some(parts)
    }

    /// The break of a part of a case, told by the branch that the case comes closest to where there is only one.
    fn explained(
        &mut self,
        case: &Case,
        part: &Case,
        kind: Kind,
        id: Id,
        keyword: &str,
    ) -> Vec<Break> {
        if matches!(keyword, "anyOf" | "oneOf") {
            let mut near = Vec::new();
            for branch in self.arena.list(id, keyword) {
                if !self.is_disjoint(case, kind, branch) {
                    near.push(branch);
                }
            }
            if let [only] = near[..] {
                let found = self.case_in(case, kind, only);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        vec![self.apart(part, kind, id, keyword)]
    }
}
