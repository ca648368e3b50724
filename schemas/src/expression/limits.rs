//! What a run may cost, and why it ends early.

use serde_json::Value;
use std::cell::Cell;

/// How many steps one run may take.
const MAX_STEPS: usize = 20_000;

/// How many bytes one run may make.
const MAX_BYTES: usize = 1 << 20;

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The expression does not fit the data, in jq neither: `?` passes over it.
    Error(String),
    /// jq would go on with a value that says little. Nothing passes over it.
    Strict(String),
    /// It costs more than it may.
    Limit,
}

impl Stop {
    /// Why, without any value.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Error(reason) | Self::Strict(reason) => reason.clone(),
            Self::Limit => {
                format!("it takes more than {MAX_STEPS} steps or makes more than {MAX_BYTES} bytes")
            }
        }
    }
}

/// What a run may still cost.
pub(super) struct Budget {
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    /// What one run may cost.
    pub(super) fn full() -> Self {
        Self {
            steps: Cell::new(MAX_STEPS),
            bytes: Cell::new(MAX_BYTES),
        }
    }

    pub(super) fn steps(&self, count: usize) -> Result<(), Stop> {
        self.steps
            .set(self.steps.get().checked_sub(count).ok_or(Stop::Limit)?);
        Ok(())
    }

    pub(super) fn bytes(&self, count: usize) -> Result<(), Stop> {
        self.bytes
            .set(self.bytes.get().checked_sub(count).ok_or(Stop::Limit)?);
        Ok(())
    }

    /// Pays for a copy of the value.
    pub(super) fn charge(&self, value: &Value) -> Result<(), Stop> {
        self.bytes(weight(value))
    }
}

/// About how many bytes a copy of a value takes.
pub(super) fn weight(value: &Value) -> usize {
    8 + match value {
        Value::String(text) => text.len(),
        Value::Number(number) => number.as_str().len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + weight(value))
            .sum(),
        _ => 0,
    }
}

/// A word for what a value is.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null (or nothing)",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
