//! Whether a case holds no value at all, and whether it shares none with a schema.
//!
//! "Yes" is certain; "no" only means that nothing was found against it.

use super::arena::Id;
use super::clause::{Case, Kind, Node};
use super::engine::Engine;
use super::numbers::{End, excludes};

/// How deep in the data a contradiction is looked for.
const MAX_DEPTH: usize = 4;
/// How many items are looked at one by one.
const MAX_ITEMS: u64 = 16;

impl Engine<'_> {
    /// Whether a case holds no value of a kind.
    pub(super) fn is_empty(&mut self, case: &Case, kind: Kind) -> bool {
        self.empty_below(case, kind, 0)
    }

    fn empty_below(&mut self, case: &Case, kind: Kind, depth: usize) -> bool {
        self.steps += 1;
        if depth > MAX_DEPTH || self.exhausted() {
            return false;
        }
        if !self.kinds(case).contains(&kind) {
            return true;
        }
        let denied = case.not.iter().copied().collect::<Vec<_>>();
        for id in denied {
            if self.arena.get(id).is_true() || self.has_equal(case, id) {
                return true;
            }
        }
        if let Some(values) = self.listed(case, kind) {
            return values.is_empty();
        }
        match kind {
            Kind::Number => self.no_number(case),
            Kind::Text => self
                .at_most(case, "maxLength")
                .is_some_and(|most| most < self.at_least(case, "minLength")),
            Kind::Array => self.no_array(case, depth),
            Kind::Object => self.no_object(case, depth),
            Kind::Null | Kind::Bool => false,
        }
    }

    /// Whether a node holds no value.
    pub(super) fn is_empty_node(&mut self, node: &Node, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        self.cases(node).iter().all(|case| {
            self.kinds(case)
                .into_iter()
                .all(|kind| self.empty_below(case, kind, depth))
        })
    }

    fn no_number(&self, case: &Case) -> bool {
        match (self.bound(case, End::Lower), self.bound(case, End::Upper)) {
            (Some(lower), Some(upper)) => excludes(&lower, &upper),
            _ => false,
        }
    }

    fn no_array(&mut self, case: &Case, depth: usize) -> bool {
        let least = self.at_least(case, "minItems");
        if self.most_items(case).is_some_and(|most| most < least) {
            return true;
        }
        (0..least.min(MAX_ITEMS)).any(|nth| {
            let item = usize::try_from(nth)
                .ok()
                .and_then(|nth| self.item(case, nth));
            item.is_none_or(|item| self.is_empty_node(&item, depth + 1))
        })
    }

    fn no_object(&mut self, case: &Case, depth: usize) -> bool {
        let required = self.required(case);
        let names = self.names(case);
        let most = self.at_most(case, "maxProperties");
        if most.is_some_and(|most| {
            most < self.at_least(case, "minProperties") || most < required.len() as u64
        }) {
            return true;
        }
        if let Some(names) = &names
            && (!required.is_subset(names)
                || (names.len() as u64) < self.at_least(case, "minProperties"))
        {
            return true;
        }
        required.iter().any(|name| {
            let property = self.property(case, name);
            property.is_none_or(|property| self.is_empty_node(&property, depth + 1))
        })
    }

    /// Whether no value of a kind of the case is accepted by the schema.
    pub(super) fn is_disjoint(&mut self, case: &Case, kind: Kind, id: Id) -> bool {
        if self.arena.get(id).is_false() || self.has_opposite(case, id) {
            return true;
        }
        let both = case.and(id);
        let cases = self.unfold(both);
        cases.iter().all(|case| self.is_empty(case, kind))
    }
}
