//! Walking a path through a value.

use super::super::limits::{Stop, type_name};
use super::super::tree::{Stretch, Stride};
use super::{Out, Run};
use crate::path::{Step, nth_of};
use serde_json::Value;

impl Run<'_> {
    pub(super) fn walk(&self, strides: &[Stride], value: &Value, out: Out<'_>) -> Result<(), Stop> {
        let Some((stride, rest)) = strides.split_first() else {
            return out(value);
        };
        self.budget.steps(1)?;
        let astray = |what: &str| {
            if stride.optional {
                return Ok(());
            }
            Err(Stop::Error(format!(
                "a path goes into {} as if it were {what}",
                type_name(value)
            )))
        };
        match (&stride.part, value) {
            (Stretch::Step(Step::Field(name)), Value::Object(fields)) => {
                self.walk(rest, fields.get(name).unwrap_or(&Value::Null), out)
            }
            (Stretch::Step(Step::Item(nth)), Value::Array(items)) => {
                self.walk(rest, nth_of(items, *nth).unwrap_or(&Value::Null), out)
            }
            (Stretch::Step(Step::Field(_) | Step::Item(_)), Value::Null) => {
                self.walk(rest, &Value::Null, out)
            }
            (Stretch::Step(Step::Each), Value::Array(items)) => {
                items.iter().try_for_each(|item| self.walk(rest, item, out))
            }
            (Stretch::Slice(from, to), Value::Array(items)) => {
                let (from, to) = bounds(*from, *to, items.len());
                let slice = Value::Array(items[from..to].to_vec());
                self.budget.charge(&slice)?;
                self.walk(rest, &slice, out)
            }
            (Stretch::Slice(from, to), Value::String(text)) => {
                let (from, to) = bounds(*from, *to, text.chars().count());
                self.budget.charge(value)?;
                self.walk(
                    rest,
                    &text
                        .chars()
                        .skip(from)
                        .take(to - from)
                        .collect::<String>()
                        .into(),
                    out,
                )
            }
            (Stretch::Step(Step::Field(_)), _) => astray("an object"),
            (Stretch::Step(Step::Each), Value::Object(_)) => Err(Stop::Strict(
                "`[]` is for arrays, not for objects".to_owned(),
            )),
            _ => astray("an array"),
        }
    }
}

/// jq's bounds of a slice: below zero from the end, and never outside.
fn bounds(from: Option<i64>, to: Option<i64>, len: usize) -> (usize, usize) {
    let len_i = i64::try_from(len).unwrap_or(i64::MAX);
    let place = |at: i64| {
        usize::try_from(if at < 0 { at.saturating_add(len_i) } else { at }.clamp(0, len_i))
            .unwrap_or(0)
    };
    let from = from.map_or(0, place);
    let to = to.map_or(len, place);
    (from.min(to), to)
}
