//! The schemas of both sides under one kind of name, so that a value can be asked to fit schemas of either.
//!
//! Beside the two sides stand schemas that the engine makes itself: `{"const": …}` and the like, to look at one case after
//! another. A number names a schema for as long as the comparison runs.

use super::schemas::Schemas;
use crate::path::escape;
use crate::schema::check;
use crate::schema::documents::Spot;
use crate::schema::keywords;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Where a schema comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// The side that publishes.
    Publisher,
    /// The side that reads.
    Reader,
    /// Made by the engine; read as of draft 2020-12.
    Made,
}

/// The number of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(usize);

/// A schema.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) side: Side,
    pub(super) spot: Spot,
    /// 4, 6, 7, 8 for 2019-09, 9 for 2020-12.
    pub(super) draft: u8,
    pub(super) value: Value,
}

impl Schema {
    /// The keywords; none for `true` and `false`.
    pub(super) fn keywords(&self) -> Option<&Map<String, Value>> {
        self.value.as_object()
    }

    pub(super) fn get(&self, keyword: &str) -> Option<&Value> {
        self.keywords()?.get(keyword)
    }

    /// A list of texts, such as `required`.
    pub(super) fn texts(&self, keyword: &str) -> impl Iterator<Item = &str> {
        let list = self.get(keyword).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The keys of a mapping, such as `properties`.
    pub(super) fn names(&self, keyword: &str) -> impl Iterator<Item = &str> {
        let map = self.get(keyword).and_then(Value::as_object);
        map.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// A number of things: whole, from 0.
    pub(super) fn count(&self, keyword: &str) -> Option<u64> {
        count(self.get(keyword)?)
    }

    pub(super) fn is_true(&self) -> bool {
        match &self.value {
            Value::Bool(value) => *value,
            Value::Object(entries) => !entries.keys().any(|keyword| !silent(keyword)),
            _ => false,
        }
    }

    pub(super) fn is_false(&self) -> bool {
        self.value == Value::Bool(false)
    }
}

/// Whether a keyword says nothing about values.
pub(super) fn silent(keyword: &str) -> bool {
    const SILENT: [&str; 13] = [
        "$schema",
        "$id",
        "id",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
        "writeOnly",
        "deprecated",
    ];
    keyword.starts_with("x-") || SILENT.contains(&keyword)
}

/// A whole number from 0, also where it is written `2.0`.
fn count(value: &Value) -> Option<u64> {
    let whole = |number: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and in range"
        )]
        (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

/// Both sides' schemas.
pub(super) struct Arena<'s> {
    publisher: &'s Schemas,
    reader: &'s Schemas,
    made: Vec<Value>,
    made_by_text: BTreeMap<String, usize>,
    ids: HashMap<(Side, Spot), Id>,
    all: Vec<Rc<Schema>>,
    validators: HashMap<Id, Option<Rc<Validator>>>,
    patterns: HashMap<String, Option<Rc<Validator>>>,
}

impl<'s> Arena<'s> {
    pub(super) fn new(publisher: &'s Schemas, reader: &'s Schemas) -> Self {
        Self {
            publisher,
            reader,
            made: Vec::new(),
            made_by_text: BTreeMap::new(),
            ids: HashMap::new(),
            all: Vec::new(),
            validators: HashMap::new(),
            patterns: HashMap::new(),
        }
    }

    pub(super) fn get(&self, id: Id) -> Rc<Schema> {
        Rc::clone(&self.all[id.0])
    }

    /// The schemas of a side; none of those made here.
    pub(super) fn side(&self, side: Side) -> Option<&'s Schemas> {
        match side {
            Side::Publisher => Some(self.publisher),
            Side::Reader => Some(self.reader),
            Side::Made => None,
        }
    }

    /// The schema at a spot; none when there is none.
    pub(super) fn at(&mut self, side: Side, spot: Spot) -> Option<Id> {
        if let Some(id) = self.ids.get(&(side, spot.clone())) {
            return Some(*id);
        }
        let (value, draft) = match self.side(side) {
            Some(schemas) => {
                let draft = schemas.document(spot.document).draft;
                let value = schemas.documents().schema(&spot)?.clone();
                (value, keywords::number(draft))
            }
            None => (
                self.made
                    .get(spot.document)?
                    .pointer(&spot.pointer)?
                    .clone(),
                9,
            ),
        };
        let id = Id(self.all.len());
        self.all.push(Rc::new(Schema {
            side,
            spot: spot.clone(),
            draft,
            value,
        }));
        self.ids.insert((side, spot), id);
        Some(id)
    }

    /// The schema inside a schema at words of a pointer.
    pub(super) fn below(&mut self, id: Id, words: &[&str]) -> Option<Id> {
        let schema = self.get(id);
        let mut spot = schema.spot.clone();
        for word in words {
            spot.pointer.push('/');
            spot.pointer.push_str(&escape(word));
        }
        self.at(schema.side, spot)
    }

    /// The schemas of a list inside a schema.
    pub(super) fn list(&mut self, id: Id, keyword: &str) -> Vec<Id> {
        let schema = self.get(id);
        let count = schema
            .get(keyword)
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        (0..count)
            .filter_map(|nth| self.below(id, &[keyword, &nth.to_string()]))
            .collect()
    }

    /// Where the schema's `$ref` leads.
    pub(super) fn target(&mut self, id: Id) -> Option<Id> {
        let schema = self.get(id);
        let reference = schema.get("$ref")?.as_str()?;
        let documents = self.side(schema.side)?.documents();
        let spot = documents.resolve(schema.spot.document, reference)?;
        self.at(schema.side, spot)
    }

    /// The schemas that may apply to the same place of the data through this one, itself included.
    pub(super) fn together(&mut self, id: Id) -> Vec<Id> {
        let mut all = vec![id];
        let mut next = 0;
        while let Some(id) = all.get(next).copied() {
            next += 1;
            let schema = self.get(id);
            let Some(side) = self.side(schema.side) else {
                continue;
            };
            for spot in side.documents().at_same_place(&schema.spot) {
                if let Some(found) = self.at(schema.side, spot)
                    && !all.contains(&found)
                {
                    all.push(found);
                }
            }
        }
        all
    }

    /// A schema of the engine's own.
    pub(super) fn make(&mut self, value: Value) -> Option<Id> {
        let text = value.to_string();
        let document = match self.made_by_text.get(&text) {
            Some(document) => *document,
            None => {
                self.made.push(value);
                self.made_by_text.insert(text, self.made.len() - 1);
                self.made.len() - 1
            }
        };
        let pointer = String::new();
        self.at(Side::Made, Spot { document, pointer })
    }

    /// Whether a schema accepts a value; none when it cannot be told.
    pub(super) fn accepts(&mut self, id: Id, value: &Value) -> Option<bool> {
        if !self.validators.contains_key(&id) {
            let schema = self.get(id);
            if let Value::Bool(verdict) = schema.value {
                return Some(verdict);
            }
            let validator = match self.side(schema.side) {
                Some(side) => side.validator(&schema.spot),
                None => jsonschema::options()
                    .with_draft(jsonschema::Draft::Draft202012)
                    .build(&schema.value)
                    .ok(),
            };
            self.validators.insert(id, validator.map(Rc::new));
        }
        let validator = self.validators.get(&id)?.as_ref()?;
        Some(validator.is_valid(value))
    }

    /// Whether a name matches a pattern.
    pub(super) fn matches(&mut self, pattern: &str, name: &str) -> bool {
        let matcher = self
            .patterns
            .entry(pattern.to_owned())
            .or_insert_with(|| check::pattern(pattern).map(Rc::new));
        matcher
            .as_ref()
            .is_some_and(|matcher| matcher.is_valid(&Value::String(name.to_owned())))
    }
}
