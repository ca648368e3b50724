//! A checked mapping: how public data is made from private data, field by field.
//!
//! Nothing is copied that the contract does not name. A field whose path leads to nothing is left out, and the public
//! schema decides whether it may be.

use crate::crossing::Violation;
use crate::expression::Expression;
use crate::expression::eval::{Given, Told};
use crate::ids::IdSecret;
use crate::path::{Path, escape};
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

impl Mapping {
    /// Makes the public data; tells, with pointers into it, what cannot be made.
    pub(crate) fn make(
        &self,
        data: &Value,
        identity: &Identity<'_>,
    ) -> Result<Value, Vec<Violation>> {
        let mut violations = Vec::new();
        let made = self.fill(data, identity, &mut String::new(), &mut violations);
        if violations.is_empty() {
            Ok(made)
        } else {
            Err(violations)
        }
    }

    fn fill(
        &self,
        data: &Value,
        identity: &Identity<'_>,
        pointer: &mut String,
        violations: &mut Vec<Violation>,
    ) -> Value {
        let mut made = Map::with_capacity(self.fields.len());
        for (name, leaf) in &self.fields {
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
                    let length = pointer.len();
                    pointer.push('/');
                    pointer.push_str(&escape(name));
                    let value = leaf.build(data, identity, pointer, violations);
                    pointer.truncate(length);
                    value
                }
            };
            if let Some(value) = value {
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
        pointer: &mut String,
        violations: &mut Vec<Violation>,
    ) -> Option<Value> {
        let tell = |pointer: &str, reason: String, violations: &mut Vec<Violation>| {
            if violations.len() < MAX_VIOLATIONS {
                violations.push(Violation {
                    pointer: pointer.to_owned(),
                    reason,
                });
            }
            None
        };
        match self {
            Self::Const(value) => Some(value.clone()),
            Self::Copy {
                path,
                declared,
                keep,
            } => Some(declared.copy(path.find(data)?, *keep)),
            Self::Computed(computed) => computed
                .run(data, identity.told)
                .unwrap_or_else(|reason| tell(pointer, reason, violations)),
            Self::Object(mapping) => Some(mapping.fill(data, identity, pointer, violations)),
            Self::Each { path, mapping } => match path.find(data)? {
                Value::Array(items) => {
                    let mut made = Vec::with_capacity(items.len());
                    for (nth, item) in items.iter().enumerate() {
                        let length = pointer.len();
                        pointer.push_str(&format!("/{nth}"));
                        made.push(mapping.fill(item, identity, pointer, violations));
                        pointer.truncate(length);
                    }
                    Some(Value::Array(made))
                }
                Value::Null => None,
                _ => tell(pointer, format!("{path} is no array"), violations),
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
                    _ => return tell(pointer, format!("{of} is no id"), violations),
                };
                let source = match source {
                    None => identity.source,
                    Some(path) => match path.find(data) {
                        Some(Value::String(source)) => source,
                        _ => return tell(pointer, format!("{path} is no source"), violations),
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
