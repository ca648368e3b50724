//! What an expression is given to see: a copy of the data that holds only what it was found to read.
//!
//! Every path in it is declared by the private schema and not personal; below a path, only what is declared and not
//! personal is copied. What lies outside is not there at all.

use crate::path::{Path, Step};
use crate::schema::shape::{Declared, Keep};
use serde_json::{Map, Value};

/// Which parts of the data are shown.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    whole: Option<Declared>,
    fields: Vec<(String, Sight)>,
    items: Vec<(i64, Sight)>,
    each: Option<Box<Sight>>,
}

impl Sight {
    /// Shows one more path, whose place has been checked.
    pub(crate) fn show(&mut self, path: &Path, declared: Declared) {
        let mut at = self;
        for step in &path.0 {
            at = match step {
                Step::Field(name) => entry(&mut at.fields, name.clone()),
                Step::Item(nth) => entry(&mut at.items, *nth),
                Step::Each => at.each.get_or_insert_default(),
            };
        }
        at.whole = Some(declared);
    }

    /// The copy.
    pub(crate) fn of(&self, data: &Value) -> Value {
        if let Some(declared) = &self.whole {
            return match data {
                Value::Object(_) | Value::Array(_) => {
                    declared.copy(data, Keep::DeclaredAndNotPersonal)
                }
                scalar => scalar.clone(),
            };
        }
        match data {
            Value::Object(fields) if !self.fields.is_empty() || !self.shows_items() => {
                Value::Object(
                    self.fields
                        .iter()
                        .filter_map(|(name, below)| {
                            Some((name.clone(), below.of(fields.get(name)?)))
                        })
                        .collect::<Map<_, _>>(),
                )
            }
            Value::Array(items) if self.shows_items() => items
                .iter()
                .enumerate()
                .map(|(nth, item)| self.item(nth, items.len(), item))
                .collect(),
            _ => Value::Null,
        }
    }

    fn shows_items(&self) -> bool {
        self.each.is_some() || !self.items.is_empty()
    }

    fn item(&self, nth: usize, len: usize, item: &Value) -> Value {
        let (nth, len) = (
            i64::try_from(nth).unwrap_or(i64::MAX),
            i64::try_from(len).unwrap_or(i64::MAX),
        );
        let named = self
            .items
            .iter()
            .filter(|(at, _)| *at == nth || *at == nth - len)
            .map(|(_, below)| below);
        named
            .chain(self.each.as_deref())
            .map(|below| below.of(item))
            .fold(Value::Null, merge)
    }
}

fn entry<K: PartialEq>(entries: &mut Vec<(K, Sight)>, key: K) -> &mut Sight {
    let at = entries
        .iter()
        .position(|(own, _)| *own == key)
        .unwrap_or_else(|| {
            entries.push((key, Sight::default()));
            entries.len() - 1
        });
    &mut entries[at].1
}

/// Two views of the same value as one.
fn merge(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Object(mut a), Value::Object(b)) => {
            for (name, value) in b {
                let own = a.remove(&name).unwrap_or(Value::Null);
                a.insert(name, merge(own, value));
            }
            Value::Object(a)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.into_iter().zip(b).map(|(a, b)| merge(a, b)).collect()
        }
        (Value::Null, b) => b,
        (a, _) => a,
    }
}
