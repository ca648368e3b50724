//! Arrays: items, tuples, `contains`.

use super::arena::Id;
use super::clause::{Case, Kind};
use super::engine::{Break, Engine, merge};
use serde_json::Value;

/// How many first items are looked at one by one.
const MAX_FIRST: usize = 256;

impl Engine<'_> {
    /// Measures each item. `prefixItems`, `items` and `additionalItems` belong together: it is done at the first of them.
    pub(super) fn items_in(&mut self, case: &Case, id: Id, keyword: &str) -> Vec<Break> {
        let schema = self.arena.get(id);
        let first = ["prefixItems", "items"]
            .into_iter()
            .find(|word| schema.get(word).is_some());
        if first != Some(keyword) {
            return Vec::new();
        }
        let most = self.most_items(case);
        let mut first = self.first_items(id).1;
        for (own, _) in self.schemas(case) {
            first = first.max(self.first_items(own).1);
        }
        let mut breaks = Vec::new();
        // One more than the first ones stands for all that follow.
        for nth in 0..=first.min(MAX_FIRST) {
            if most.is_some_and(|most| nth as u64 >= most) {
                return breaks;
            }
            let Some(node) = self.item(case, nth) else {
                return breaks;
            };
            if self.is_empty_node(&node, 0) {
                return breaks;
            }
            let Some(wanted) = self.item_in(id, nth) else {
                continue;
            };
            for one in self.node_in(&node, None, wanted) {
                let lifted = Break {
                    values: self.with_item(case, nth, &one.values),
                    ..one
                };
                merge(&mut breaks, vec![lifted]);
            }
        }
        if first > MAX_FIRST {
            breaks.push(super::engine::undecided(id, keyword));
        }
        breaks
    }

    pub(super) fn contains_in(&mut self, case: &Case, id: Id) -> Vec<Break> {
        let Some(wanted) = self.arena.below(id, &["contains"]) else {
            return Vec::new();
        };
        let schema = self.arena.get(id);
        let least = match schema.draft {
            8.. => schema.count("minContains").unwrap_or(1),
            _ => 1,
        };
        let most = schema.count("maxContains").filter(|_| schema.draft >= 8);
        let enough = least == 0 || self.contains_enough(case, wanted, least);
        let few = most.is_none_or(|most| self.contains_few(case, wanted, most));
        match enough && few {
            true => Vec::new(),
            false => {
                let keyword = if enough { "maxContains" } else { "contains" };
                vec![self.apart(case, Kind::Array, id, keyword)]
            }
        }
    }

    fn contains_enough(&mut self, case: &Case, wanted: Id, least: u64) -> bool {
        for (own, schema) in self.schemas(case) {
            let count = match schema.draft {
                8.. => schema.count("minContains").unwrap_or(1),
                _ => 1,
            };
            if let Some(contained) = self.arena.below(own, &["contains"])
                && count >= least
                && self.alone_in(contained, wanted)
            {
                return true;
            }
        }
        // Or all items are such, and there are enough of them.
        self.at_least(case, "minItems") >= least
            && self.each_item(case, |engine, node| {
                engine.node_in(node, None, wanted).is_empty()
            })
    }

    fn contains_few(&mut self, case: &Case, wanted: Id, most: u64) -> bool {
        if self.most_items(case).is_some_and(|own| own <= most) {
            return true;
        }
        for (own, schema) in self.schemas(case) {
            let count = schema.count("maxContains").filter(|_| schema.draft >= 8);
            if let Some(contained) = self.arena.below(own, &["contains"])
                && count.is_some_and(|count| count <= most)
                && self.equal(contained, wanted)
            {
                return true;
            }
        }
        self.each_item(case, |engine, node| {
            let mut node = node.clone();
            node.all.insert(wanted);
            engine.is_empty_node(&node, 0)
        })
    }

    /// Whether all that one schema accepts is accepted by another.
    fn alone_in(&mut self, id: Id, wanted: Id) -> bool {
        let node = super::clause::Node {
            all: [id].into(),
            content: super::clause::Content::Open,
        };
        self.quiet += 1;
        let included = self.equal(id, wanted) || self.node_in(&node, None, wanted).is_empty();
        self.quiet -= 1;
        included
    }

    fn each_item(
        &mut self,
        case: &Case,
        mut holds: impl FnMut(&mut Self, &super::clause::Node) -> bool,
    ) -> bool {
        let mut first = 0;
        for (own, _) in self.schemas(case) {
            first = first.max(self.first_items(own).1);
        }
        if first > MAX_FIRST {
            return false;
        }
        self.quiet += 1;
        let all = (0..=first).all(|nth| {
            let node = self.item(case, nth);
            node.is_none_or(|node| holds(self, &node))
        });
        self.quiet -= 1;
        all
    }

    /// Whether `unevaluatedItems: false` leaves every item of the case alone.
    pub(super) fn items_are_evaluated(&mut self, case: &Case, id: Id) -> bool {
        let schema = self.arena.get(id);
        if schema.get("unevaluatedItems") != Some(&Value::Bool(false)) {
            return schema.get("unevaluatedItems") == Some(&Value::Bool(true));
        }
        let mut evaluated = 0;
        for own in self.always(id) {
            let schema = self.arena.get(own);
            if self.rest_in(own).is_some()
                || (own != id && schema.get("unevaluatedItems").is_some())
            {
                return true;
            }
            evaluated = evaluated.max(self.first_items(own).1 as u64);
        }
        self.most_items(case).is_some_and(|most| most <= evaluated)
    }
}
