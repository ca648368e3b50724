//! All schemas as a graph: which apply to the same data as another, and which to data below it.
//!
//! Schemas that reach each other are a *ring*: they can come back to themselves, deeper in the data. In a ring that
//! leads on in one way only, however deep the data is, each value is looked at once for each way into the ring.

use super::check;
use super::documents::{Documents, Spot};
use super::walk::{self, Below};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// How deep data is taken to follow a ring: each level may lead out of it anew.
const RING_LEVELS: u64 = 32;
/// How many ways are looked at before it is given up.
const MAX_LOOKS: usize = 10_000_000;
/// So many entries of a keyword are looked up in one step.
const ENTRIES_OF_A_STEP: usize = 8;

struct Node {
    spot: Spot,
    /// What it costs by itself.
    weight: u64,
    same: Vec<usize>,
    below: Vec<(Below, usize)>,
    /// Nodes with the same number are a ring, or it is alone. What is reached has a lower number.
    ring: usize,
}

/// The schemas of all documents.
pub(super) struct Graph<'d> {
    documents: &'d Documents,
    nodes: Vec<Node>,
    /// The members of each ring, by its number.
    rings: Vec<Vec<usize>>,
}

impl<'d> Graph<'d> {
    pub(super) fn of(documents: &'d Documents) -> Self {
        let mut known: HashMap<Spot, usize> = HashMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut add = |spot: Spot, nodes: &mut Vec<Node>| {
            *known.entry(spot.clone()).or_insert_with(|| {
                nodes.push(Node {
                    weight: weight(documents, &spot),
                    spot,
                    same: Vec::new(),
                    below: Vec::new(),
                    ring: 0,
                });
                nodes.len() - 1
            })
        };
        // The roots come first, so that a document's number is that of its root.
        for document in 0..documents.iter().count() {
            let pointer = String::new();
            add(Spot { document, pointer }, &mut nodes);
        }
        let mut next = 0;
        while let Some(spot) = nodes.get(next).map(|node| node.spot.clone()) {
            let same = documents.at_same_place(&spot).into_iter();
            let same = same.map(|spot| add(spot, &mut nodes)).collect();
            let mut below = Vec::new();
            for (of, spot) in walk::inside(documents, &spot) {
                let nth = add(spot, &mut nodes);
                if of != Below::Nothing {
                    below.push((of, nth));
                }
            }
            nodes[next].same = same;
            nodes[next].below = below;
            next += 1;
        }
        let mut graph = Self {
            documents,
            nodes,
            rings: Vec::new(),
        };
        graph.find_rings();
        graph
    }

    /// Where a node leads to.
    fn next(&self, node: usize) -> impl Iterator<Item = usize> {
        let node = &self.nodes[node];
        let below = node.below.iter().map(|(_, next)| *next);
        node.same.iter().copied().chain(below)
    }

    /// Tarjan's algorithm, without recursion: what a ring reaches has its number before it.
    fn find_rings(&mut self) {
        const NEW: usize = usize::MAX;
        let count = self.nodes.len();
        let (mut order, mut low) = (vec![NEW; count], vec![0; count]);
        let (mut stack, mut on_stack) = (Vec::new(), vec![false; count]);
        let mut seen = 0;
        for root in 0..count {
            if order[root] != NEW {
                continue;
            }
            let mut path: Vec<(usize, Vec<usize>)> = vec![(root, self.next(root).collect())];
            (order[root], low[root], on_stack[root]) = (seen, seen, true);
            seen += 1;
            stack.push(root);
            while let Some((node, rest)) = path.last_mut() {
                let node = *node;
                if let Some(next) = rest.pop() {
                    if order[next] == NEW {
                        (order[next], low[next], on_stack[next]) = (seen, seen, true);
                        seen += 1;
                        stack.push(next);
                        path.push((next, self.next(next).collect()));
                    } else if on_stack[next] {
                        low[node] = low[node].min(order[next]);
                    }
                    continue;
                }
                path.pop();
                if let Some((above, _)) = path.last() {
                    low[*above] = low[*above].min(low[node]);
                }
                if low[node] == order[node] {
                    let mut ring = Vec::new();
                    while let Some(member) = stack.pop() {
                        on_stack[member] = false;
                        self.nodes[member].ring = self.rings.len();
                        ring.push(member);
                        if member == node {
                            break;
                        }
                    }
                    self.rings.push(ring);
                }
            }
        }
    }

    fn is_ring(&self, ring: &[usize]) -> bool {
        ring.len() > 1 || (ring.iter()).any(|node| self.next(*node).any(|next| next == *node))
    }

    /// A schema that leads back to itself in more than one way for the same data below it, and which data that is.
    pub(super) fn doubles(&self) -> Option<(&Spot, String)> {
        let mut looks = MAX_LOOKS;
        for ring in self.rings.iter().filter(|ring| self.is_ring(ring)) {
            // Every way back leads below the data at least once, so it is enough to look where such a step ends.
            let entered: BTreeSet<usize> = ring
                .iter()
                .flat_map(|node| &self.nodes[*node].below)
                .map(|(_, next)| *next)
                .filter(|next| self.nodes[*next].ring == self.nodes[ring[0]].ring)
                .map(|next| self.beyond_reference(next))
                .collect();
            for node in entered {
                let mut ways = Vec::new();
                self.ways(node, &mut ways);
                let below = ways.iter().map(|ways| 1 + ways.below.len());
                looks = looks.saturating_sub(below.sum());
                let what = if looks == 0 {
                    Some("data that is too much to look through".to_owned())
                } else {
                    doubled(self, &ways)
                };
                if let Some(what) = what {
                    return Some((&self.nodes[node].spot, what));
                }
            }
        }
        None
    }

    /// Where a node leads that does nothing but refer to another one.
    fn beyond_reference(&self, node: usize) -> usize {
        let mut node = node;
        while let ([], [next]) = (&self.nodes[node].below[..], &self.nodes[node].same[..]) {
            node = *next;
        }
        node
    }

    /// The ways that stay in the ring, from all schemas that apply with a node: a list for each time that one applies.
    fn ways<'g>(&'g self, node: usize, ways: &mut Vec<Ways<'g>>) {
        let from = &self.nodes[node];
        let stays = |next: usize| self.nodes[next].ring == from.ring;
        let below = from.below.iter();
        ways.push(Ways {
            node,
            below: below
                .filter(|(of, next)| stays(*next) && *of != Below::Names)
                .map(|(of, _)| of)
                .collect(),
        });
        for next in from.same.iter().filter(|next| stays(**next)) {
            self.ways(*next, ways);
        }
    }

    /// Whether a node's schema names a property itself.
    fn names(&self, node: usize, name: &str) -> bool {
        let schema = self.documents.schema(&self.nodes[node].spot);
        schema
            .and_then(|schema| schema.get("properties")?.get(name))
            .is_some()
    }

    /// What asking each document's schema costs at most, for each value of the data.
    pub(super) fn steps(&self) -> Vec<u64> {
        let mut steps = vec![0_u64; self.nodes.len()];
        for ring in &self.rings {
            if !self.is_ring(ring) {
                for node in ring {
                    steps[*node] = self.own_steps(*node, &steps);
                }
                continue;
            }
            let mut known = HashMap::new();
            let levels = ring
                .iter()
                .map(|node| self.level(*node, &steps, &mut known));
            let most = levels.max().unwrap_or(1).saturating_mul(RING_LEVELS);
            for node in ring {
                steps[*node] = most;
            }
        }
        steps.truncate(self.documents.iter().count());
        steps
    }

    /// What one level of data costs that is in a ring at this node.
    fn level(&self, node: usize, steps: &[u64], known: &mut HashMap<usize, u64>) -> u64 {
        if let Some(known) = known.get(&node) {
            return *known;
        }
        let mut level = self.own_steps(node, steps);
        for next in &self.nodes[node].same {
            if self.nodes[*next].ring == self.nodes[node].ring {
                level = level.saturating_add(self.level(*next, steps, known));
            }
        }
        known.insert(node, level);
        level
    }

    /// The steps of a node and of all that it leads to outside of its ring; of what speaks of different data, the most.
    fn own_steps(&self, node: usize, steps: &[u64]) -> u64 {
        let from = &self.nodes[node];
        let outside = |next: usize| (self.nodes[next].ring != from.ring).then(|| steps[next]);
        let (mut named, mut matching, mut item, mut items) = (0_u64, 0_u64, 0_u64, 0_u64);
        for (of, next) in &from.below {
            let next = outside(*next).unwrap_or(0);
            match of {
                Below::Name(_) | Below::Further => named = named.max(next),
                Below::Pattern(_) | Below::Names => matching = matching.saturating_add(next),
                Below::Item(_) => item = item.max(next),
                Below::Items(_) => items = items.saturating_add(next),
                Below::Nothing => {}
            }
        }
        let same = from.same.iter().filter_map(|next| outside(*next));
        let same = same.fold(from.weight, u64::saturating_add);
        let deeper = named
            .saturating_add(matching)
            .max(item.saturating_add(items));
        same.saturating_add(deeper)
    }
}

/// The ways from one schema that stay in its ring.
struct Ways<'g> {
    node: usize,
    below: Vec<&'g Below>,
}

/// The data that more than one of the ways leads to.
fn doubled(graph: &Graph<'_>, ways: &[Ways<'_>]) -> Option<String> {
    let all = || {
        ways.iter()
            .flat_map(|ways| ways.below.iter().map(move |of| (ways.node, *of)))
    };
    let (mut items, mut from_items) = (BTreeSet::new(), None);
    let (mut names, mut others) = (BTreeSet::new(), Vec::new());
    let mut twice = None;
    for (node, of) in all() {
        let new = match of {
            Below::Item(nth) => items.insert(*nth),
            Below::Items(from) => from_items.replace(*from).is_none(),
            Below::Name(name) => names.insert(name),
            Below::Pattern(_) | Below::Further => {
                others.push((node, of));
                true
            }
            Below::Names | Below::Nothing => true,
        };
        match of {
            _ if new => {}
            Below::Name(name) => twice = Some(format!("the property `{name}`")),
            _ => twice = Some("the items of an array".to_owned()),
        }
    }
    if from_items.is_some_and(|from| items.range(from..).next().is_some()) {
        twice = Some("the items of an array".to_owned());
    }
    // Of one schema, names that it does not match are further ones: it leads there in one way, unless it has two patterns.
    let patterns = others.iter().filter(|(_, of)| **of != Below::Further);
    let schemas: BTreeSet<usize> = others.iter().map(|(node, _)| *node).collect();
    if schemas.len().max(patterns.count()) > 1 || ways_of_one(&others) {
        twice = Some("properties that it does not name".to_owned());
    }
    let compiled = others.iter().find_map(|(_, of)| match of {
        Below::Pattern(pattern) => Some(check::pattern(pattern)),
        _ => None,
    });
    // A pattern that cannot be compiled is told elsewhere.
    let matches = |name: &str| {
        let pattern = compiled.as_ref().and_then(Option::as_ref);
        pattern.is_none_or(|pattern| pattern.is_valid(&Value::from(name)))
    };
    let leads = |name: &str| {
        others.iter().any(|(node, of)| match of {
            Below::Pattern(_) => matches(name),
            _ => !graph.names(*node, name),
        })
    };
    twice.or_else(|| {
        let name = names.into_iter().find(|name| leads(name))?;
        Some(format!("the property `{name}`"))
    })
}

/// Whether one of the ways is there more than once: its schema applies in several ways itself.
fn ways_of_one(others: &[(usize, &Below)]) -> bool {
    (1..others.len()).any(|nth| others[..nth].contains(&others[nth]))
}

/// What a schema costs by itself: each pattern is tried, and of what is looked up [`ENTRIES_OF_A_STEP`] are a step.
fn weight(documents: &Documents, spot: &Spot) -> u64 {
    let Some(Value::Object(schema)) = documents.schema(spot) else {
        return 1;
    };
    let entries = |keyword: &str| match schema.get(keyword) {
        Some(Value::Array(entries)) => entries.len(),
        Some(Value::Object(entries)) => entries.len(),
        _ => 0,
    };
    let looked_up = [
        "enum",
        "required",
        "properties",
        "dependentRequired",
        "dependencies",
    ];
    let looked_up: usize = looked_up.into_iter().map(entries).sum();
    let steps = 1 + looked_up / ENTRIES_OF_A_STEP + entries("patternProperties");
    u64::try_from(steps).unwrap_or(u64::MAX)
}
