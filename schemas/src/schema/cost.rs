//! What checking one place of the data can cost: schemas that apply to the same place, one through another.
//!
//! A schema that comes back to itself without going deeper into the data would never end, and schemas that each refer
//! to the next one twice double the work at every step. Both are refused before anything is compiled.

use super::documents::{Documents, Spot};
use super::keywords::{self, Verdict};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::escape;
use serde_json::Value;
use std::collections::HashMap;

/// How many schemas may apply to one place, counted as often as they are reached.
const MAX_COST: u64 = 10_000;
/// How long a chain of schemas that apply to one place may be.
const MAX_CHAIN: usize = 200;

/// Checks every schema of every document.
pub(super) fn check(documents: &Documents, diagnostics: &mut Diagnostics) {
    let mut costs = Costs {
        documents,
        known: HashMap::new(),
    };
    for nth in 0..documents.iter().count() {
        let mut queue = vec![Spot {
            document: nth,
            pointer: String::new(),
        }];
        while let Some(spot) = queue.pop() {
            if let Err(why) = costs.of(&spot, 0) {
                let at = documents.get(nth).span(&spot.pointer);
                diagnostics.push(Diagnostic::new("schema-cost", why).at(&at).mend(
                    "let schemas refer to each other only through `properties`, `items` and the like",
                ));
                break;
            }
            inside(documents, &spot, &mut queue);
        }
    }
}

/// The schemas directly inside a schema.
fn inside(documents: &Documents, spot: &Spot, queue: &mut Vec<Spot>) {
    let Some(Value::Object(schema)) = documents.schema(spot) else {
        return;
    };
    let draft = documents.get(spot.document).draft;
    for (keyword, value) in schema {
        if let Verdict::Known(holds) = keywords::verdict(draft, keyword) {
            let below = format!("{}/{}", spot.pointer, escape(keyword));
            keywords::inner(holds, value, &below, &mut |pointer, _| {
                queue.push(Spot {
                    document: spot.document,
                    pointer,
                });
            });
        }
    }
}

struct Costs<'d> {
    documents: &'d Documents,
    /// None while it is being counted.
    known: HashMap<Spot, Option<u64>>,
}

impl Costs<'_> {
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
