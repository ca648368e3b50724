//! Arrays and objects of a case, made from samples of what they hold.

use super::clause::{Case, Content, Node};
use super::engine::Engine;
use super::samples::Hints;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How long arrays may be made.
const MAX_LENGTH: u64 = 4096;
/// How many items and names are told apart.
const MAX_MEMBERS: u64 = 40;

impl Engine<'_> {
    pub(super) fn arrays(
        &mut self,
        case: &Case,
        hints: &Hints,
        at_least: Option<u64>,
        depth: usize,
    ) -> Vec<Vec<Value>> {
        let least = self.at_least(case, "minItems").max(at_least.unwrap_or(0));
        let around = |count: &u64| [count.saturating_sub(1), *count, count + 1];
        let mut lengths: BTreeSet<u64> = hints.counts.iter().flat_map(around).collect();
        lengths.extend([least, least + 1, 0, 1, 2, 3]);
        lengths.retain(|length| (least..=MAX_MEMBERS.max(least)).contains(length));
        lengths.retain(|length| *length <= MAX_LENGTH);
        let longest = lengths.last().copied().unwrap_or(0).min(MAX_MEMBERS);
        let mut items: Vec<Vec<Value>> = Vec::new();
        for nth in 0..usize::try_from(longest).unwrap_or(0) {
            let node = self.item(case, nth);
            items.push(node.map_or_else(Vec::new, |node| self.samples(&node, depth + 1)));
        }
        let mut contained = Vec::new();
        for (id, _) in self.schemas(case) {
            let Some(id) = self.arena.below(id, &["contains"]) else {
                continue;
            };
            let node = Node {
                all: [id].into(),
                content: Content::Open,
            };
            contained.extend(self.samples(&node, depth + 1).into_iter().take(3));
        }
        let mut found = Vec::new();
        for length in lengths {
            let length = usize::try_from(length).unwrap_or(0);
            for step in [0, 1, 2, 3] {
                let pick = |nth: usize| {
                    let samples = items.get(nth.min(items.len().checked_sub(1)?))?;
                    samples
                        .get((nth * step + step / 2) % samples.len().max(1))
                        .cloned()
                };
                let Some(array) = (0..length).map(pick).collect::<Option<Vec<Value>>>() else {
                    continue;
                };
                for value in &contained {
                    let mut with = array.clone();
                    if let Some(last) = with.last_mut() {
                        *last = value.clone();
                        found.push(with);
                    }
                }
                found.push(array);
            }
        }
        found.dedup();
        found
    }

    pub(super) fn objects(
        &mut self,
        case: &Case,
        hints: &Hints,
        depth: usize,
    ) -> Vec<Map<String, Value>> {
        let Some(base) = self.least_object(case, hints, depth) else {
            return Vec::new();
        };
        let mut found = vec![base.clone()];
        let mut full = base.clone();
        let possible = self.names(case);
        let mut names: Vec<String> = hints.names.iter().cloned().collect();
        names.extend(possible.into_iter().flatten());
        for pattern in &hints.name_patterns {
            names.extend(self.names_like(pattern).into_iter().take(2));
        }
        names.extend(self.free_names(case).into_iter().take(3));
        names.dedup();
        for name in names.into_iter().take(24) {
            let Some(node) = self.property(case, &name) else {
                continue;
            };
            let samples = self.samples(&node, depth + 1);
            for value in samples.iter().take(6) {
                let mut object = base.clone();
                object.insert(name.clone(), value.clone());
                found.push(object);
            }
            if let Some(value) = samples.into_iter().next() {
                full.entry(name).or_insert(value);
                found.push(full.clone());
            }
        }
        found
    }

    /// An object with what the case requires, and as many more names as it wants.
    fn least_object(
        &mut self,
        case: &Case,
        hints: &Hints,
        depth: usize,
    ) -> Option<Map<String, Value>> {
        let mut object = Map::new();
        for name in self.required(case) {
            let node = self.property(case, &name)?;
            let value = self.samples(&node, depth + 1).into_iter().next()?;
            object.insert(name, value);
        }
        let least = self.at_least(case, "minProperties").min(MAX_MEMBERS);
        let mut names: Vec<String> = hints.names.iter().cloned().collect();
        names.extend(self.names(case).into_iter().flatten());
        names.extend(self.free_names(case));
        names.extend((0..least).map(|nth| format!("x{nth}")));
        for name in names {
            if object.len() as u64 >= least {
                break;
            }
            let Some(node) = self.property(case, &name) else {
                continue;
            };
            if let Some(value) = self.samples(&node, depth + 1).into_iter().next() {
                object.entry(name).or_insert(value);
            }
        }
        Some(object)
    }
}
