//! Places of a shape: where a path leads, and what is kept of data.

use super::{Place, Shape};
use crate::path::{Path, Step};
use serde_json::Value;
use std::sync::Arc;

/// A place of a shape.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(super) shape: Arc<Shape>,
    pub(super) place: usize,
    /// Marked personal, here or above.
    pub(crate) personal: bool,
}

/// Where a path leaves what is declared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undeclared {
    /// The declared part of the path.
    pub(crate) upto: Path,
    /// The word that is not declared, as written.
    pub(crate) word: String,
    /// The names that are declared there.
    pub(crate) known: Vec<String>,
}

/// Which declared places are kept when data is copied or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// All that are declared.
    Declared,
    /// Those that are declared and not personal.
    DeclaredAndNotPersonal,
}

impl Declared {
    fn here(&self) -> Option<&Place> {
        self.shape.places.get(self.place)
    }

    fn go(&self, place: usize) -> Self {
        let personal = self.personal
            || self
                .shape
                .places
                .get(place)
                .is_some_and(|there| there.personal);
        Self {
            shape: Arc::clone(&self.shape),
            place,
            personal,
        }
    }

    /// The place that a path leads to.
    pub(crate) fn find(&self, path: &Path) -> Result<Self, Undeclared> {
        let mut at = self.clone();
        for (nth, step) in path.0.iter().enumerate() {
            at = at
                .step(step)
                .ok_or_else(|| at.undeclared(path, nth, step))?;
        }
        Ok(at)
    }

    fn step(&self, step: &Step) -> Option<Self> {
        let here = self.here()?;
        let next = match step {
            Step::Field(name) => here.fields.get(name).copied(),
            Step::Item(nth) => usize::try_from(*nth)
                .ok()
                .and_then(|nth| here.prefix.get(nth).copied())
                .or(here.items),
            Step::Each => here.items,
        };
        // Counted from the end, or every one: an item may be any of the first ones, so their marks count.
        let mut found = self.go(next?);
        if !matches!(step, Step::Field(_)) {
            found.personal |= here.prefix.iter().any(|place| self.go(*place).personal);
        }
        Some(found)
    }

    fn undeclared(&self, path: &Path, nth: usize, step: &Step) -> Undeclared {
        let word = match step {
            Step::Field(name) => name.clone(),
            Step::Item(nth) => format!("[{nth}]"),
            Step::Each => "[]".to_owned(),
        };
        Undeclared {
            upto: Path(path.0[..nth].to_vec()),
            word,
            known: self.names(),
        }
    }

    /// The place's number in its shape.
    pub(crate) fn number(&self) -> usize {
        self.place
    }

    /// The place of a field; none when it is not declared.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        let place = self.here()?.fields.get(name).copied()?;
        Some(self.go(place))
    }

    /// The place of an item, counted from 0; none when it is not declared.
    pub(crate) fn item(&self, nth: usize) -> Option<Self> {
        let here = self.here()?;
        let place = here.prefix.get(nth).copied().or(here.items)?;
        Some(self.go(place))
    }

    /// How many items are declared; none when any number is.
    pub(crate) fn most_items(&self) -> Option<usize> {
        let here = self.here()?;
        here.items.is_none().then_some(here.prefix.len())
    }

    /// The names declared here.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .here()
            .map(|here| here.fields.keys().cloned().collect())
            .unwrap_or_default();
        names.sort();
        names
    }

    /// Whether it may be an array of whose items nothing is said.
    pub(crate) fn is_open_array(&self) -> bool {
        self.here().is_some_and(|here| here.open_array)
    }

    /// A copy of what is declared in the value.
    pub(crate) fn copy(&self, value: &Value, keep: Keep) -> Value {
        match value {
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .filter_map(|(name, value)| {
                        let below = self.kept(&Step::Field(name.clone()), keep)?;
                        Some((name.clone(), below.copy(value, keep)))
                    })
                    .collect(),
            ),
            Value::Array(items) => Value::Array(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(nth, item)| Some(self.kept_item(nth, keep)?.copy(item, keep)))
                    .collect(),
            ),
            scalar => scalar.clone(),
        }
    }

    fn kept(&self, step: &Step, keep: Keep) -> Option<Self> {
        self.step(step)
            .filter(|found| keep == Keep::Declared || !found.personal)
    }

    fn kept_item(&self, nth: usize, keep: Keep) -> Option<Self> {
        self.item(nth)
            .filter(|found| keep == Keep::Declared || !found.personal)
    }

    /// Takes away, in place, what is not declared.
    pub(crate) fn close(&self, value: &mut Value) {
        self.shape.close(self.place, value);
    }
}

impl Shape {
    fn close(&self, place: usize, value: &mut Value) {
        let Some(here) = self.places.get(place) else {
            return;
        };
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| {
                    let place = here.fields.get(name);
                    if let Some(place) = place {
                        self.close(*place, value);
                    }
                    place.is_some()
                });
            }
            Value::Array(items) => {
                let mut nth = 0;
                items.retain_mut(|item| {
                    let place = here.prefix.get(nth).copied().or(here.items);
                    nth += 1;
                    if let Some(place) = place {
                        self.close(place, item);
                    }
                    place.is_some()
                });
            }
            _ => {}
        }
    }
}
