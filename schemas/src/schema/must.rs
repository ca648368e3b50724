//! What a place of the data must fulfil, as far as its schemas say it for certain: what cannot be decided simply is
//! taken as allowed. So a value that is refused here is refused for sure.

use super::check::{self, Compiler, Schema};
use super::documents::{Documents, Spot};
use crate::path::{Path, Step, escape};
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

/// A set of JSON types; a whole number is of another one than a number that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types(u8);

/// The types by the names that schemas have for them.
const TYPES: [(&str, Types); 7] = [
    ("null", Types(1)),
    ("boolean", Types(2)),
    ("string", Types(4)),
    ("array", Types(8)),
    ("object", Types(16)),
    ("number", Types(32 | 64)),
    ("integer", Types(32)),
];

impl Types {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(127);
    pub(crate) const STRING: Self = Self(4);
    pub(crate) const ARRAY: Self = Self(8);
    pub(crate) const OBJECT: Self = Self(16);

    fn named(name: &str) -> Self {
        let found = TYPES.iter().find(|(own, _)| *own == name);
        found.map_or(Self::ALL, |(_, types)| *types)
    }

    /// The type of a value; `1` and `1.0` are the same number, so both are of both.
    fn of(value: &Value) -> Self {
        Self::named(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Number(_) => "number",
        })
    }
}

impl BitAnd for Types {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Types {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = *self;
        let mut names = Vec::new();
        for (name, types) in TYPES {
            if left & types == types {
                names.push(name);
                left = Self(left.0 & !types.0);
            }
        }
        match names.as_slice() {
            [] => f.write_str("nothing"),
            names => f.write_str(&names.join(" or ")),
        }
    }
}

/// How many schemas deep the types of one are asked for; what lies deeper is taken to allow all of them.
const MAX_DEPTH: usize = 64;

/// A place of the data, by the schemas that it must fit, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place(usize);

/// Asks schemas what a place must fulfil. Nothing is asked twice.
pub(crate) struct Must<'d> {
    compiler: &'d Compiler<'d>,
    places: Vec<BTreeSet<Spot>>,
    known: HashMap<BTreeSet<Spot>, Place>,
    steps: HashMap<(Place, Step), Place>,
    types: HashMap<Place, Types>,
    types_of: HashMap<Spot, Types>,
    schemas: HashMap<Place, Option<Arc<Schema>>>,
    patterns: HashMap<String, Option<Validator>>,
}

impl<'d> Must<'d> {
    pub(crate) fn new(compiler: &'d Compiler<'d>) -> Self {
        Self {
            compiler,
            places: Vec::new(),
            known: HashMap::new(),
            steps: HashMap::new(),
            types: HashMap::new(),
            types_of: HashMap::new(),
            schemas: HashMap::new(),
            patterns: HashMap::new(),
        }
    }

    /// The root of the data of a document.
    pub(crate) fn root(&mut self, document: usize) -> Place {
        let pointer = String::new();
        self.place(BTreeSet::from([Spot { document, pointer }]))
    }

    /// Where a path leads; it may lead to a place of which nothing is said.
    pub(crate) fn at(&mut self, place: Place, path: &Path) -> Place {
        path.0
            .iter()
            .fold(place, |place, step| self.step(place, step))
    }

    /// One step further.
    pub(crate) fn step(&mut self, place: Place, step: &Step) -> Place {
        let key = (place, step.clone());
        if let Some(known) = self.steps.get(&key) {
            return *known;
        }
        let mut next = BTreeSet::new();
        for spot in self.all_of(place) {
            let Some(Value::Object(schema)) = self.compiler.documents.schema(&spot) else {
                continue;
            };
            let below = match step {
                Step::Field(name) => self.field(schema, name),
                Step::Item(nth) => item(schema, usize::try_from(*nth).ok())
                    .into_iter()
                    .collect(),
                Step::Each => item(schema, None).into_iter().collect(),
            };
            next.extend(below.into_iter().map(|rest| Spot {
                document: spot.document,
                pointer: format!("{}/{rest}", spot.pointer),
            }));
        }
        let next = self.place(next);
        self.steps.insert(key, next);
        next
    }

    /// The types that a value may have there.
    pub(crate) fn types(&mut self, place: Place) -> Types {
        if let Some(known) = self.types.get(&place) {
            return *known;
        }
        let spots = self.places[place.0].clone();
        let types = spots
            .iter()
            .fold(Types::ALL, |types, spot| types & self.types_of(spot, 0));
        self.types.insert(place, types);
        types
    }

    /// The only values that may stand there, where the schemas name them.
    pub(crate) fn values(&self, place: Place) -> Option<Vec<Value>> {
        self.all_of(place).iter().find_map(|spot| {
            let schema = self.compiler.documents.schema(spot)?;
            match (schema.get("const"), schema.get("enum")) {
                (Some(one), _) => Some(vec![one.clone()]),
                (None, Some(Value::Array(several))) => Some(several.clone()),
                _ => None,
            }
        })
    }

    /// What is to be fulfilled there, as a schema of its own; none where nothing is.
    pub(crate) fn schema(&mut self, place: Place) -> Option<Arc<Schema>> {
        let spots = &self.places[place.0];
        let compiler = self.compiler;
        let schema = self.schemas.entry(place).or_insert_with(|| {
            (!spots.is_empty()).then(|| compiler.all_of(spots).map(Arc::new))?
        });
        schema.clone()
    }

    fn place(&mut self, spots: BTreeSet<Spot>) -> Place {
        if let Some(known) = self.known.get(&spots) {
            return *known;
        }
        let place = Place(self.places.len());
        self.places.push(spots.clone());
        self.known.insert(spots, place);
        place
    }

    fn types_of(&mut self, spot: &Spot, depth: usize) -> Types {
        if let Some(known) = self.types_of.get(spot) {
            return *known;
        }
        if depth > MAX_DEPTH {
            return Types::ALL;
        }
        let types = match self.compiler.documents.schema(spot) {
            Some(Value::Bool(false)) => Types::NONE,
            Some(Value::Object(schema)) => self.types_by(spot, schema, depth + 1),
            _ => Types::ALL,
        };
        self.types_of.insert(spot.clone(), types);
        types
    }

    fn types_by(&mut self, spot: &Spot, schema: &Map<String, Value>, depth: usize) -> Types {
        let any = |values: &[Value], of: &dyn Fn(&Value) -> Types| {
            let joined = values.iter().map(of).reduce(BitOr::bitor);
            joined.unwrap_or(Types::ALL)
        };
        let name = |value: &Value| value.as_str().map_or(Types::ALL, Types::named);
        let mut types = match schema.get("type") {
            Some(Value::Array(names)) => any(names, &name),
            Some(one) => name(one),
            None => Types::ALL,
        };
        if let Some(Value::Array(values)) = schema.get("enum") {
            types = types & any(values, &Types::of);
        }
        if let Some(value) = schema.get("const") {
            types = types & Types::of(value);
        }
        for keyword in ["anyOf", "oneOf"] {
            let branches = branches(self.compiler.documents, spot, keyword);
            let allowed = branches.iter().map(|branch| self.types_of(branch, depth));
            types = types & allowed.reduce(BitOr::bitor).unwrap_or(Types::ALL);
        }
        for also in self.beside(spot) {
            types = types & self.types_of(&also, depth);
        }
        types
    }

    /// The schemas of a place and those that they ask for at the same place, whatever the data.
    fn all_of(&self, place: Place) -> BTreeSet<Spot> {
        let mut all = self.places[place.0].clone();
        let mut queue: Vec<Spot> = all.iter().cloned().collect();
        while let Some(spot) = queue.pop() {
            let beside = self.beside(&spot);
            queue.extend(beside.into_iter().filter(|one| all.insert(one.clone())));
        }
        all
    }

    /// What a schema asks for itself at the same place: its reference and its `allOf`.
    fn beside(&self, spot: &Spot) -> Vec<Spot> {
        let documents = self.compiler.documents;
        let mut beside = branches(documents, spot, "allOf");
        let reference = documents.schema(spot).and_then(|schema| schema.get("$ref"));
        let target = reference
            .and_then(Value::as_str)
            .and_then(|text| documents.resolve(spot.document, text));
        beside.extend(target);
        beside
    }

    /// The schemas inside one that a property must fit, by their pointers.
    fn field(&mut self, schema: &Map<String, Value>, name: &str) -> Vec<String> {
        let named = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
        let mut found = Vec::new();
        let mut covered = false;
        if named("properties").is_some_and(|own| own.contains_key(name)) {
            found.push(format!("properties/{}", escape(name)));
            covered = true;
        }
        let text = Value::String(name.to_owned());
        for pattern in named("patternProperties").into_iter().flat_map(Map::keys) {
            let compiled = self
                .patterns
                .entry(pattern.clone())
                .or_insert_with(|| check::pattern(pattern));
            match compiled.as_ref().map(|pattern| pattern.is_valid(&text)) {
                Some(true) => {
                    found.push(format!("patternProperties/{}", escape(pattern)));
                    covered = true;
                }
                Some(false) => {}
                None => covered = true,
            }
        }
        if !covered && schema.contains_key("additionalProperties") {
            found.push("additionalProperties".to_owned());
        }
        found
    }
}

fn branches(documents: &Documents, spot: &Spot, keyword: &str) -> Vec<Spot> {
    let branches = documents
        .schema(spot)
        .and_then(|schema| schema.get(keyword))
        .and_then(Value::as_array);
    (0..branches.map_or(0, Vec::len))
        .map(|nth| Spot {
            document: spot.document,
            pointer: format!("{}/{keyword}/{nth}", spot.pointer),
        })
        .collect()
}

/// The schema inside one that an item must fit; `nth` is none where it may be any of them.
fn item(schema: &Map<String, Value>, nth: Option<usize>) -> Option<String> {
    let tuple = [("prefixItems", "items"), ("items", "additionalItems")]
        .into_iter()
        .find_map(|(keyword, rest)| Some((keyword, schema.get(keyword)?.as_array()?.len(), rest)));
    let rest = match (tuple, nth) {
        (None, _) => "items",
        (Some((keyword, length, _)), Some(nth)) if nth < length => {
            return Some(format!("{keyword}/{nth}"));
        }
        (Some((_, _, rest)), Some(_)) => rest,
        (Some(_), None) => return None,
    };
    schema.contains_key(rest).then(|| rest.to_owned())
}
