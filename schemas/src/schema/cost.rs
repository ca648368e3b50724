//! What checking data can cost: schemas that apply to the same place, one through another, and all over again deeper down.
//!
//! A schema that comes back to itself without going deeper into the data would never end, and schemas that each refer
//! to the next one twice double the work at every step; so do schemas that come back to themselves twice at each step
//! into the data. All of them are refused before anything is compiled. For the others, [`Costs`] tells how many steps a
//! value of the data may cost at most, so that data of any size can be refused before it costs too much.

use super::documents::{Documents, Spot};
use super::graph::Graph;
use super::walk;
use crate::diagnostics::{Diagnostic, Diagnostics};
use std::collections::HashMap;

/// How many schemas may apply to one place, counted as often as they are reached.
const MAX_COST: u64 = 10_000;
/// How long a chain of schemas that apply to one place may be.
const MAX_CHAIN: usize = 200;
/// How many steps a value of the data may cost.
const MAX_STEPS: u64 = 1_000_000;

/// How many steps a value of the data costs at most, by document.
#[derive(Debug, Default)]
pub(crate) struct Costs(Vec<u64>);

impl Costs {
    /// How many steps each value of data costs at most that the document's schema is asked about.
    pub(crate) fn of(&self, document: usize) -> u64 {
        self.0.get(document).copied().unwrap_or(1)
    }
}

/// Checks every schema of every document.
pub(super) fn check(documents: &Documents, diagnostics: &mut Diagnostics) -> Costs {
    let before = diagnostics.len();
    let mut places = Places {
        documents,
        known: HashMap::new(),
    };
    for nth in 0..documents.iter().count() {
        let mut queue = vec![Spot {
            document: nth,
            pointer: String::new(),
        }];
        while let Some(spot) = queue.pop() {
            if let Err(why) = places.of(&spot, 0) {
                let at = documents.get(nth).span(&spot.pointer);
                diagnostics.push(Diagnostic::new("schema-cost", why).at(&at).mend(
                    "let schemas refer to each other only through `properties`, `items` and the like",
                ));
                break;
            }
            queue.extend(walk::inside(documents, &spot).into_iter().map(|(_, at)| at));
        }
    }
    // What comes back to itself at the same place has no end that could be counted.
    if diagnostics.len() > before {
        return Costs::default();
    }
    let graph = Graph::of(documents);
    if let Some((spot, what)) = graph.doubles() {
        let at = documents.get(spot.document).span(&spot.pointer);
        let message = format!(
            "this schema comes back to itself in several ways for {what}: each level of the data would double the work"
        );
        diagnostics.push(Diagnostic::new("schema-cost", message).at(&at).mend(
            "let one schema alone lead back: write the property or the items once, beside `allOf`, `anyOf`, `oneOf` and `if`, and not in several of their branches",
        ));
        return Costs::default();
    }
    let costs = graph.steps();
    for (nth, steps) in costs.iter().enumerate() {
        if *steps > MAX_STEPS {
            let message = "too many schemas apply to places deep in the data, one through another";
            let at = documents.get(nth).span("");
            diagnostics.push(
                Diagnostic::new("schema-cost", message)
                    .at(&at)
                    .mend("let fewer schemas speak of the same place"),
            );
        }
    }
    Costs(costs)
}

struct Places<'d> {
    documents: &'d Documents,
    /// None while it is being counted.
    known: HashMap<Spot, Option<u64>>,
}

impl Places<'_> {
    fn of(&mut self, spot: &Spot, chain: usize) -> Result<u64, &'static str> {
        match self.known.get(spot) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => {
                return Err("this schema comes back to itself at the same place of the data");
            }
            None => {}
        }
        if chain > MAX_CHAIN {
            return Err("the chain of schemas that apply to this place is too long");
        }
        self.known.insert(spot.clone(), None);
        let mut cost = 1_u64;
        for next in self.documents.at_same_place(spot) {
            cost = cost.saturating_add(self.of(&next, chain + 1)?);
        }
        if cost > MAX_COST {
            return Err("too many schemas apply to this place of the data, one through another");
        }
        self.known.insert(spot.clone(), Some(cost));
        Ok(cost)
    }
}
