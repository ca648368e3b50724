//! What a schema declares: the names, items and marks that data is measured against before it may cross or leave.
//!
//! Only `properties` and `items` (with `prefixItems`) declare. They are gathered over `$ref`, `allOf`, `anyOf`,
//! `oneOf`, `if`/`then`/`else` and dependencies, so a name is declared when any of them has it, and personal when any
//! of them, or anything above it, marks it. Names that only `patternProperties` or `additionalProperties` allow are
//! not declared; what these say of declared names counts, and so does `contains` for declared items.

mod declared;

use super::check;
use super::documents::{Documents, Spot};
use super::keywords::{PERSONAL, says_type};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) use declared::{Declared, Keep};

/// How many different places one schema may declare.
const MAX_PLACES: usize = 4096;

/// What a schema declares.
#[derive(Debug)]
pub(crate) struct Shape {
    places: Vec<Place>,
}

/// One place in the data.
#[derive(Debug, Default)]
struct Place {
    fields: HashMap<String, usize>,
    prefix: Vec<usize>,
    items: Option<usize>,
    personal: bool,
    /// It may be an array of which nothing is said.
    open_array: bool,
}

impl Shape {
    /// What the roots of documents declare together: a name is declared when any of them has it, and personal when any of
    /// them marks it. None when they declare too many places.
    pub(crate) fn of(documents: &Documents, roots: &[usize]) -> Option<Arc<Self>> {
        let mut build = Build {
            documents,
            known: BTreeMap::new(),
            queue: Vec::new(),
            places: Vec::new(),
        };
        let root = |document: &usize| Spot {
            document: *document,
            pointer: String::new(),
        };
        build.place(roots.iter().map(root).collect());
        while let Some((nth, spots)) = build.queue.pop() {
            if build.places.len() > MAX_PLACES {
                return None;
            }
            let place = build.declare(&spots);
            build.places[nth] = place;
        }
        Some(Arc::new(Self {
            places: build.places,
        }))
    }

    /// The root of the data.
    pub(crate) fn root(self: &Arc<Self>) -> Declared {
        Declared {
            shape: Arc::clone(self),
            place: 0,
            personal: self.places.first().is_some_and(|root| root.personal),
        }
    }
}

struct Build<'d> {
    documents: &'d Documents,
    known: BTreeMap<BTreeSet<Spot>, usize>,
    queue: Vec<(usize, BTreeSet<Spot>)>,
    places: Vec<Place>,
}

impl Build<'_> {
    /// The number of the place that the given schemas speak of together.
    fn place(&mut self, spots: BTreeSet<Spot>) -> usize {
        if let Some(nth) = self.known.get(&spots) {
            return *nth;
        }
        let nth = self.places.len();
        self.places.push(Place::default());
        self.known.insert(spots.clone(), nth);
        self.queue.push((nth, spots));
        nth
    }

    fn declare(&mut self, spots: &BTreeSet<Spot>) -> Place {
        let mut fields: BTreeMap<String, BTreeSet<Spot>> = BTreeMap::new();
        let mut prefix: Vec<BTreeSet<Spot>> = Vec::new();
        let mut items = BTreeSet::new();
        let mut place = Place::default();
        let mut says_array = false;
        for spot in self.together(spots) {
            let Some(Value::Object(schema)) = self.documents.schema(&spot) else {
                continue;
            };
            let below = |rest: String| Spot {
                document: spot.document,
                pointer: format!("{}/{rest}", spot.pointer),
            };
            place.personal |= schema
                .get(PERSONAL)
                .is_some_and(|mark| mark != &Value::Bool(false));
            says_array |= says_type(schema, "array");
            if let Some(Value::Object(properties)) = schema.get("properties") {
                for name in properties.keys() {
                    let spot = below(format!("properties/{}", crate::path::escape(name)));
                    fields.entry(name.clone()).or_default().insert(spot);
                }
            }
            for keyword in ["prefixItems", "items"] {
                if let Some(Value::Array(all)) = schema.get(keyword) {
                    prefix.resize(prefix.len().max(all.len()), BTreeSet::new());
                    for (nth, all_at) in prefix.iter_mut().enumerate().take(all.len()) {
                        all_at.insert(below(format!("{keyword}/{nth}")));
                    }
                }
            }
            for keyword in ["items", "additionalItems"] {
                let rest = keyword == "items" || schema.get("items").is_some_and(Value::is_array);
                if rest && schema.get(keyword).is_some_and(Value::is_object) {
                    items.insert(below(keyword.to_owned()));
                }
            }
        }
        self.apply_to_named(spots, &mut fields);
        for spot in self.together(spots) {
            let contains = Spot {
                document: spot.document,
                pointer: format!("{}/contains", spot.pointer),
            };
            if self.documents.schema(&contains).is_none() {
                continue;
            }
            // It speaks of items that are declared, and declares none itself.
            let rest = (!items.is_empty()).then_some(&mut items);
            for at in prefix.iter_mut().chain(rest) {
                at.insert(contains.clone());
            }
        }
        place.open_array = says_array && prefix.is_empty() && items.is_empty();
        // What speaks of all items speaks of the first ones too, marks included.
        place.prefix = prefix
            .into_iter()
            .map(|spots| self.place(spots.into_iter().chain(items.iter().cloned()).collect()))
            .collect();
        place.fields = fields
            .into_iter()
            .map(|(name, spots)| (name, self.place(spots)))
            .collect();
        place.items = (!items.is_empty()).then(|| self.place(items));
        place
    }

    /// Adds, to fields that are declared, what `patternProperties` and `additionalProperties` say of them: marks count
    /// however a schema comes to apply.
    fn apply_to_named(
        &self,
        spots: &BTreeSet<Spot>,
        fields: &mut BTreeMap<String, BTreeSet<Spot>>,
    ) {
        for spot in self.together(spots) {
            let Some(Value::Object(schema)) = self.documents.schema(&spot) else {
                continue;
            };
            let below = |rest: String| Spot {
                document: spot.document,
                pointer: format!("{}/{rest}", spot.pointer),
            };
            let own = schema.get("properties").and_then(Value::as_object);
            let patterns = schema.get("patternProperties").and_then(Value::as_object);
            let patterns: Vec<_> = patterns
                .into_iter()
                .flat_map(Map::keys)
                .map(|pattern| (pattern, check::pattern(pattern)))
                .collect();
            let additional = schema
                .get("additionalProperties")
                .is_some_and(Value::is_object);
            for (name, at) in fields.iter_mut() {
                let mut named = own.is_some_and(|own| own.contains_key(name));
                for (pattern, matches) in &patterns {
                    if matches
                        .as_ref()
                        .is_none_or(|matches| matches.is_valid(&Value::String(name.clone())))
                    {
                        at.insert(below(format!(
                            "patternProperties/{}",
                            crate::path::escape(pattern)
                        )));
                        named = true;
                    }
                }
                if additional && !named {
                    at.insert(below("additionalProperties".to_owned()));
                }
            }
        }
    }

    /// The given schemas and all that speak of the same place.
    fn together(&self, spots: &BTreeSet<Spot>) -> BTreeSet<Spot> {
        let mut all = spots.clone();
        let mut queue: Vec<Spot> = spots.iter().cloned().collect();
        while let Some(spot) = queue.pop() {
            // What `not` speaks of is what the data is not.
            let not = format!("{}/not", spot.pointer);
            let found = self
                .documents
                .at_same_place(&spot)
                .into_iter()
                .filter(|next| next.pointer != not);
            queue.extend(found.into_iter().filter(|spot| all.insert(spot.clone())));
        }
        all
    }
}
