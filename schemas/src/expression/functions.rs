//! The functions that expressions may call: total, bounded by their input, and without any source of their own.

use super::eval::{Budget, Stop, type_name};
use super::number;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Null,
    True,
    False,
    Empty,
    Select,
    Map,
    AnyOf,
    AllOf,
    Has,
    Not,
    Length,
    Type,
    ToString,
    ToNumber,
    AsciiDowncase,
    AsciiUpcase,
    Trim,
    LeftTrimText,
    RightTrimText,
    StartsWith,
    EndsWith,
    Split,
    Join,
    Any,
    All,
    Add,
    Min,
    Max,
    Sort,
    Unique,
    Reverse,
    First,
    Last,
    Floor,
    Ceil,
    Round,
    Abs,
}

/// What a function reads.
pub(super) enum Takes {
    /// Nothing: it is a constant.
    Nothing(Value),
    /// Nothing, and it gives nothing.
    Empty,
    /// Its input.
    Input,
    /// Its input and the value of its argument.
    InputAndValue,
    /// What its argument reads; its input goes through.
    Condition,
    /// What its argument reads of each item of its input.
    EachItem,
    /// One field of its input, named by a literal text.
    Name,
}

const TABLE: &[(&str, usize, Function)] = &[
    ("null", 0, Function::Null),
    ("true", 0, Function::True),
    ("false", 0, Function::False),
    ("empty", 0, Function::Empty),
    ("select", 1, Function::Select),
    ("map", 1, Function::Map),
    ("any", 1, Function::AnyOf),
    ("all", 1, Function::AllOf),
    ("has", 1, Function::Has),
    ("not", 0, Function::Not),
    ("length", 0, Function::Length),
    ("type", 0, Function::Type),
    ("tostring", 0, Function::ToString),
    ("tonumber", 0, Function::ToNumber),
    ("ascii_downcase", 0, Function::AsciiDowncase),
    ("ascii_upcase", 0, Function::AsciiUpcase),
    ("trim", 0, Function::Trim),
    ("ltrimstr", 1, Function::LeftTrimText),
    ("rtrimstr", 1, Function::RightTrimText),
    ("startswith", 1, Function::StartsWith),
    ("endswith", 1, Function::EndsWith),
    ("split", 1, Function::Split),
    ("join", 1, Function::Join),
    ("any", 0, Function::Any),
    ("all", 0, Function::All),
    ("add", 0, Function::Add),
    ("min", 0, Function::Min),
    ("max", 0, Function::Max),
    ("sort", 0, Function::Sort),
    ("unique", 0, Function::Unique),
    ("reverse", 0, Function::Reverse),
    ("first", 0, Function::First),
    ("last", 0, Function::Last),
    ("floor", 0, Function::Floor),
    ("ceil", 0, Function::Ceil),
    ("round", 0, Function::Round),
    ("abs", 0, Function::Abs),
];

/// The function of that name with so many arguments.
pub(super) fn find(name: &str, arguments: usize) -> Option<Function> {
    TABLE
        .iter()
        .find(|(own, arity, _)| *own == name && *arity == arguments)
        .map(|(_, _, function)| *function)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let mut seen = Vec::new();
    TABLE.iter().map(|(name, _, _)| *name).filter(move |name| {
        let new = !seen.contains(name);
        seen.push(*name);
        new
    })
}

/// What would mend a call of a function that is not for contracts.
pub(super) fn mend(name: &str) -> &'static str {
    match name {
        "keys" | "keys_unsorted" | "to_entries" | "from_entries" | "with_entries" | "paths"
        | "getpath" | "del" | "walk" | "recurse" | "tojson" | "path" => {
            "name each path that is needed: a contract cannot take what it does not name"
        }
        "now" | "input" | "inputs" | "env" | "input_filename" | "debug" | "error" | "halt"
        | "localtime" | "mktime" => {
            "the same event must always cross in the same way: use only its data"
        }
        "range" | "repeat" | "until" | "while" | "limit" | "first" | "nth" | "splits" => {
            "use `map`, `select`, `any` or `all`"
        }
        "test" | "match" | "capture" | "scan" | "sub" | "gsub" => {
            "patterns cannot be used in expressions yet; use `startswith`, `endswith` or `split`"
        }
        _ => "use a function of the list",
    }
}

impl Function {
    /// What it reads.
    pub(super) fn takes(self) -> Takes {
        match self {
            Self::Null => Takes::Nothing(Value::Null),
            Self::True => Takes::Nothing(Value::Bool(true)),
            Self::False => Takes::Nothing(Value::Bool(false)),
            Self::Empty => Takes::Empty,
            Self::Select => Takes::Condition,
            Self::Map | Self::AnyOf | Self::AllOf => Takes::EachItem,
            Self::Has => Takes::Name,
            Self::LeftTrimText
            | Self::RightTrimText
            | Self::StartsWith
            | Self::EndsWith
            | Self::Split
            | Self::Join => Takes::InputAndValue,
            _ => Takes::Input,
        }
    }

    fn name(self) -> &'static str {
        TABLE
            .iter()
            .find(|(_, _, function)| *function == self)
            .map_or("", |(name, _, _)| name)
    }

    fn needs(self, what: &str, value: &Value) -> Stop {
        Stop::Error(format!(
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
                return Err(Stop::Error(
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
                return Err(Stop::Error(
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

/// Neither null nor false.
pub(super) fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
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

/// A text as it is, anything else as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `a + b`.
pub(super) fn plus(a: &Value, b: &Value) -> Result<Value, Stop> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::compute('+', a, b)
            .map(Value::Number)
            .ok_or_else(no_result),
        (Value::String(a), Value::String(b)) => Ok(Value::String(format!("{a}{b}"))),
        (Value::Array(a), Value::Array(b)) => Ok(a.iter().chain(b).cloned().collect()),
        _ => Err(Stop::Error(format!(
            "`+` needs two numbers, texts or arrays and was given {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}

/// `a - b`, `a * b`, `a / b`, `a % b`.
pub(super) fn compute(operator: char, a: &Value, b: &Value) -> Result<Value, Stop> {
    match (operator, a, b) {
        ('+', _, _) => plus(a, b),
        (_, Value::Number(a), Value::Number(b)) => number::compute(operator, a, b)
            .map(Value::Number)
            .ok_or_else(no_result),
        _ => Err(Stop::Error(format!(
            "`{operator}` needs two numbers and was given {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}

fn no_result() -> Stop {
    Stop::Error("a computation has no result that is a number".to_owned())
}

/// jq's order over all values: null, false, true, numbers, texts, arrays, objects.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::compare(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(a, b))
            .find(|found| found.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => {
            let sorted = |fields: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = fields.keys().cloned().collect();
                names.sort();
                names
            };
            let (names, others) = (sorted(a), sorted(b));
            names.cmp(&others).then_with(|| {
                let pairs = names
                    .iter()
                    .filter_map(|name| Some((a.get(name)?, b.get(name)?)));
                pairs
                    .map(|(a, b)| order(a, b))
                    .find(|found| found.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
        }
        _ => rank(a).cmp(&rank(b)),
    }
}
