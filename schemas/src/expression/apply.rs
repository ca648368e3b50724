//! Applying functions to values.

use super::functions::Function;
use super::limits::{Budget, Stop, type_name};
use super::number;
use super::values::{order, plus, text_of, truth};
use serde_json::{Number, Value};
use std::cmp::Ordering;

impl Function {
    fn needs(self, what: &str, value: &Value) -> Stop {
        Stop::Strict(format!(
            "`{}` needs {what} and was given {}",
            self.name(),
            type_name(value)
        ))
    }

    fn text(self, value: &Value) -> Result<&str, Stop> {
        value.as_str().ok_or_else(|| self.needs("text", value))
    }

    fn list(self, value: &Value) -> Result<&Vec<Value>, Stop> {
        value
            .as_array()
            .ok_or_else(|| self.needs("an array", value))
    }

    fn number(self, value: &Value) -> Result<&Number, Stop> {
        match value {
            Value::Number(number) => Ok(number),
            _ => Err(self.needs("a number", value)),
        }
    }

    /// Applies a function of its input alone.
    pub(super) fn apply(self, input: &Value, budget: &Budget) -> Result<Value, Stop> {
        budget.charge(input)?;
        Ok(match self {
            Self::Not => Value::Bool(!truth(input)),
            Self::Type => type_word(input).into(),
            Self::Length => {
                length(input).ok_or_else(|| self.needs("something with a length", input))?
            }
            Self::ToString => text_of(input).into(),
            Self::ToNumber => match input {
                Value::Number(_) => input.clone(),
                _ => serde_json::from_str::<Number>(self.text(input)?.trim())
                    .map(Value::Number)
                    .map_err(|_| {
                        Stop::Error("`tonumber` was given a text that is no number".to_owned())
                    })?,
            },
            Self::AsciiDowncase => self.text(input)?.to_ascii_lowercase().into(),
            Self::AsciiUpcase => self.text(input)?.to_ascii_uppercase().into(),
            Self::Trim => self.text(input)?.trim().into(),
            Self::Any => Value::Bool(self.list(input)?.iter().any(truth)),
            Self::All => Value::Bool(self.list(input)?.iter().all(truth)),
            Self::Add => self
                .list(input)?
                .iter()
                .try_fold(Value::Null, |sum, item| match sum {
                    Value::Null => Ok(item.clone()),
                    sum => {
                        budget.charge(&sum)?;
                        plus(&sum, item)
                    }
                })?,
            Self::Min => self
                .list(input)?
                .iter()
                .min_by(|a, b| order(a, b))
                .cloned()
                .unwrap_or(Value::Null),
            Self::Max => self
                .list(input)?
                .iter()
                .max_by(|a, b| order(a, b))
                .cloned()
                .unwrap_or(Value::Null),
            Self::Sort | Self::Unique => {
                let mut items = self.list(input)?.clone();
                budget.steps(items.len())?;
                items.sort_by(order);
                if self == Self::Unique {
                    items.dedup_by(|a, b| order(a, b) == Ordering::Equal);
                }
                Value::Array(items)
            }
            Self::Reverse => self.list(input)?.iter().rev().cloned().collect(),
            Self::First => self.list(input)?.first().cloned().unwrap_or(Value::Null),
            Self::Last => self.list(input)?.last().cloned().unwrap_or(Value::Null),
            Self::Floor => self.rounded(input, f64::floor)?,
            Self::Ceil => self.rounded(input, f64::ceil)?,
            Self::Round => self.rounded(input, f64::round)?,
            Self::Abs => Value::Number(number::absolute(self.number(input)?)),
            _ => {
                return Err(Stop::Strict(
                    "a function was called in a way that it is not made for".to_owned(),
                ));
            }
        })
    }

    fn rounded(self, input: &Value, round: fn(f64) -> f64) -> Result<Value, Stop> {
        let given = self.number(input)?;
        if given.is_i64() || given.is_u64() {
            return Ok(input.clone());
        }
        given
            .as_f64()
            .map(round)
            .and_then(number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| self.needs("a number of 64 bits", input))
    }

    /// Applies a function of its input and one value.
    pub(super) fn apply_to(
        self,
        input: &Value,
        argument: &Value,
        budget: &Budget,
    ) -> Result<Value, Stop> {
        budget.charge(input)?;
        Ok(match self {
            Self::Has => match (input, argument) {
                (Value::Object(fields), Value::String(name)) => {
                    Value::Bool(fields.contains_key(name))
                }
                _ => return Err(self.needs("an object", input)),
            },
            Self::StartsWith => Value::Bool(self.text(input)?.starts_with(self.text(argument)?)),
            Self::EndsWith => Value::Bool(self.text(input)?.ends_with(self.text(argument)?)),
            Self::LeftTrimText => {
                let text = self.text(input)?;
                text.strip_prefix(self.text(argument)?)
                    .unwrap_or(text)
                    .into()
            }
            Self::RightTrimText => {
                let text = self.text(input)?;
                text.strip_suffix(self.text(argument)?)
                    .unwrap_or(text)
                    .into()
            }
            Self::Split => split(self.text(input)?, self.text(argument)?),
            Self::Join => {
                let separator = self.text(argument)?;
                let items = self.list(input)?;
                budget.bytes(items.len().saturating_mul(separator.len()))?;
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    match item {
                        Value::Null => texts.push(String::new()),
                        Value::Array(_) | Value::Object(_) => {
                            return Err(self.needs("an array of texts", input));
                        }
                        _ => texts.push(text_of(item)),
                    }
                }
                texts.join(separator).into()
            }
            _ => {
                return Err(Stop::Strict(
                    "a function was called in a way that it is not made for".to_owned(),
                ));
            }
        })
    }
}

fn split(text: &str, separator: &str) -> Value {
    if text.is_empty() {
        return Value::Array(Vec::new());
    }
    if separator.is_empty() {
        return text
            .chars()
            .map(|one| Value::String(one.to_string()))
            .collect();
    }
    text.split(separator).map(Value::from).collect()
}

fn length(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => 0.into(),
        Value::String(text) => text.chars().count().into(),
        Value::Array(items) => items.len().into(),
        Value::Object(fields) => fields.len().into(),
        Value::Number(number) => Value::Number(number::absolute(number)),
        Value::Bool(_) => return None,
    })
}

fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
