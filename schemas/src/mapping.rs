//! A checked mapping: how public data is made from private data, field by field.
//!
//! Nothing is copied that the contract does not name. A field whose path leads to nothing is left out, and the public
//! schema decides whether it may be.

use crate::crossing::Violation;
use crate::expression::Expression;
use crate::expression::eval::{Given, Told};
use crate::ids::IdSecret;
use crate::path::{Path, escape};
use crate::public_event::{MAX_PUBLIC_EVENT_BYTES, TOO_LARGE};
use crate::schema::check::MAX_VIOLATIONS;
use crate::schema::shape::{Declared, Keep};
use crate::sight::Sight;
use serde_json::{Map, Value};

/// The public fields, in the order of the contract.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) fields: Vec<(String, Leaf)>,
}

/// What a public field is made of.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// What is declared at a path.
    Copy {
        path: Path,
        declared: Declared,
        keep: Keep,
    },
    Const(Value),
    Computed(Computed),
    /// One object for each item of an array.
    Each {
        path: Path,
        mapping: Mapping,
    },
    Object(Mapping),
    /// The public id of another event.
    PublicId {
        event_type: String,
        of: Path,
        source: Option<Path>,
    },
}

/// An expression and what it may see.
#[derive(Debug)]
pub(crate) struct Computed {
    pub(crate) expression: Expression,
    pub(crate) sight: Sight,
}

impl Computed {
    /// The one value that the expression gives, none when it gives none; otherwise why not.
    pub(crate) fn run(&self, data: &Value, told: Told<'_>) -> Result<Option<Value>, String> {
        match self.expression.run(&self.sight.of(data), told) {
            Ok(Given::Nothing) => Ok(None),
            Ok(Given::One(value)) => Ok(Some(value)),
            Ok(Given::Several) => Err("the expression gave more than one value".to_owned()),
            Err(stop) => Err(format!(
                "the expression cannot be computed: {}",
                stop.reason()
            )),
        }
    }
}

/// What public ids in the data are made with, and what expressions are told of the event.
pub(crate) struct Identity<'a> {
    pub(crate) secret: &'a IdSecret,
    pub(crate) public_stream: &'a str,
    pub(crate) source: &'a str,
    pub(crate) told: Told<'a>,
}

/// Public data while it is made.
#[derive(Default)]
pub(crate) struct Making {
    /// Where in the public data.
    pub(crate) pointer: String,
    pub(crate) violations: Vec<Violation>,
    bytes: usize,
    /// More was made than an event may have: nothing further is.
    is_full: bool,
}

impl Making {
    /// Tells what cannot be made here.
    fn tell(&mut self, reason: String) -> Option<Value> {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation {
                pointer: self.pointer.clone(),
                reason,
            });
        }
        None
    }

    /// Counts what was made, so that a mapping cannot make much of little.
    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_PUBLIC_EVENT_BYTES && !self.is_full {
            self.is_full = true;
            self.violations.truncate(MAX_VIOLATIONS - 1);
            self.violations.push(Violation {
                pointer: String::new(),
                reason: TOO_LARGE.to_owned(),
            });
        }
    }
}

/// About the bytes of a value in JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + weight(value) + 4)
            .sum(),
    }
}

impl Mapping {
    /// Makes the public data; tells, with pointers into it, what cannot be made.
    pub(crate) fn make(
        &self,
        data: &Value,
        identity: &Identity<'_>,
    ) -> Result<Value, Vec<Violation>> {
        let mut making = Making::default();
        let made = self.fill(data, identity, &mut making);
        if making.violations.is_empty() {
            Ok(made)
        } else {
            Err(making.violations)
        }
    }

    fn fill(&self, data: &Value, identity: &Identity<'_>, making: &mut Making) -> Value {
        let mut made = Map::with_capacity(self.fields.len());
        for (name, leaf) in &self.fields {
            if making.is_full {
                break;
            }
            let value = match leaf {
                Leaf::Const(value) => Some(value.clone()),
                Leaf::Copy {
                    path,
                    declared,
                    keep,
                } => path.find(data).map(|found| match found {
                    Value::Object(_) | Value::Array(_) => declared.copy(found, *keep),
                    scalar => scalar.clone(),
                }),
                _ => {
                    let length = making.pointer.len();
                    making.pointer.push('/');
                    making.pointer.push_str(&escape(name));
                    let value = leaf.build(data, identity, making);
                    making.pointer.truncate(length);
                    value
                }
            };
            if let Some(value) = value {
                // What is in objects and lists has been counted where it was made.
                let own = !matches!(leaf, Leaf::Object(_) | Leaf::Each { .. });
                making.count(name.len() + if own { weight(&value) } else { 1 });
                made.insert(name.clone(), value);
            }
        }
        Value::Object(made)
    }
}

impl Leaf {
    /// Makes the value; none where a path leads to nothing. What cannot be made is told.
    pub(crate) fn build(
        &self,
        data: &Value,
        identity: &Identity<'_>,
        making: &mut Making,
    ) -> Option<Value> {
        match self {
            Self::Const(value) => Some(value.clone()),
            Self::Copy {
                path,
                declared,
                keep,
            } => Some(declared.copy(path.find(data)?, *keep)),
            Self::Computed(computed) => computed
                .run(data, identity.told)
                .unwrap_or_else(|reason| making.tell(reason)),
            Self::Object(mapping) => Some(mapping.fill(data, identity, making)),
            Self::Each { path, mapping } => match path.find(data)? {
                Value::Array(items) => {
                    let mut made = Vec::with_capacity(items.len());
                    for (nth, item) in items.iter().enumerate() {
                        if making.is_full {
                            break;
                        }
                        let length = making.pointer.len();
                        making.pointer.push_str(&format!("/{nth}"));
                        made.push(mapping.fill(item, identity, making));
                        making.pointer.truncate(length);
                        making.count(1);
                    }
                    Some(Value::Array(made))
                }
                Value::Null => None,
                _ => making.tell(format!("{path} is no array")),
            },
            Self::PublicId {
                event_type,
                of,
                source,
            } => {
                let id = match of.find(data)? {
                    Value::Null => return None,
                    Value::String(id) if !id.is_empty() => id.clone(),
                    Value::Number(id) => id.to_string(),
                    _ => return making.tell(format!("{of} is no id")),
                };
                let source = match source {
                    None => identity.source,
                    Some(path) => match path.find(data) {
                        Some(Value::String(source)) => source,
                        _ => return making.tell(format!("{path} is no source")),
                    },
                };
                Some(
                    identity
                        .secret
                        .public_id(identity.public_stream, event_type, source, &id)
                        .into(),
                )
            }
        }
    }
}
