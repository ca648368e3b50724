//! Running a checked expression.
//!
//! Every value that a part gives is handed to what comes after it, so nothing is gathered that is not needed. Each part
//! costs a step and each value that is made costs its bytes; when either is used up the run ends with an error. A
//! result therefore never depends on how busy the machine is. An error never repeats a value.

use super::compile::{Expr, Expression, Piece, Stretch, Stride};
use super::functions::{self, Function, compute, order, text_of, truth};
use super::number;
use crate::path::{Step, nth_of};
use jaq_core::ops::Cmp;
use serde_json::{Map, Value};
use std::cell::Cell;

/// How many steps one run may take.
pub(crate) const MAX_STEPS: usize = 20_000;
/// How many bytes one run may make.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The expression does not fit the data.
    Error(String),
    /// It costs more than it may.
    Limit,
}

impl Stop {
    /// Why, without any value.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Error(reason) => reason.clone(),
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

fn weight(value: &Value) -> usize {
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

/// What an expression gave.
#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    Nothing,
    One(Value),
    Several,
}

impl Expression {
    /// Runs the expression on `input`, which should hold nothing but what it [reads](Expression::reads).
    pub(crate) fn run(&self, input: &Value) -> Result<Given, Stop> {
        let budget = Budget {
            steps: Cell::new(MAX_STEPS),
            bytes: Cell::new(MAX_BYTES),
        };
        let mut given = Given::Nothing;
        let run = Run { budget: &budget };
        run.eval(&self.root, input, None, &mut |value| {
            given = match given {
                Given::Nothing => {
                    budget.charge(value)?;
                    Given::One(value.clone())
                }
                _ => Given::Several,
            };
            Ok(())
        })?;
        Ok(given)
    }
}

/// The variables bound so far, the last one first.
struct Bound<'e> {
    value: &'e Value,
    nth: usize,
    up: Option<&'e Bound<'e>>,
}

type Out<'o> = &'o mut dyn FnMut(&Value) -> Result<(), Stop>;
type Scope<'e> = Option<&'e Bound<'e>>;

struct Run<'b> {
    budget: &'b Budget,
}

impl Run<'_> {
    fn eval(&self, expr: &Expr, input: &Value, scope: Scope<'_>, out: Out<'_>) -> Result<(), Stop> {
        self.budget.steps(1)?;
        match expr {
            Expr::Input => out(input),
            Expr::Literal(value) => out(value),
            Expr::Text(pieces) => self.text(pieces, String::new(), input, scope, out),
            Expr::List(None) => out(&Value::Array(Vec::new())),
            Expr::List(Some(inner)) => out(&Value::Array(self.all(inner, input, scope)?)),
            Expr::Object(entries) => self.object(entries, Map::new(), input, scope, out),
            Expr::Negate(inner) => self.eval(inner, input, scope, &mut |value| match value {
                Value::Number(number) => out(&Value::Number(number::negate(number))),
                other => Err(Stop::Error(format!(
                    "`-` needs a number and was given {}",
                    type_name(other)
                ))),
            }),
            Expr::Pipe(left, right) => self.eval(left, input, scope, &mut |value| {
                self.eval(right, value, scope, out)
            }),
            Expr::Bind(left, right) => self.eval(left, input, scope, &mut |value| {
                let nth = scope.map_or(0, |bound| bound.nth + 1);
                self.eval(
                    right,
                    input,
                    Some(&Bound {
                        value,
                        nth,
                        up: scope,
                    }),
                    out,
                )
            }),
            Expr::Variable(nth) => out(variable(scope, *nth)),
            Expr::Comma(left, right) => {
                self.eval(left, input, scope, out)?;
                self.eval(right, input, scope, out)
            }
            Expr::Otherwise(left, right) => self.otherwise(left, right, input, scope, out),
            Expr::And(left, right) => self.logic(left, right, false, input, scope, out),
            Expr::Or(left, right) => self.logic(left, right, true, input, scope, out),
            Expr::Compute(operator, left, right) => {
                self.pairs(left, right, input, scope, &mut |a, b| {
                    self.budget.charge(a)?;
                    self.budget.charge(b)?;
                    out(&compute(*operator, a, b)?)
                })
            }
            Expr::Compare(operator, left, right) => {
                self.pairs(left, right, input, scope, &mut |a, b| {
                    self.budget.charge(a)?;
                    self.budget.charge(b)?;
                    out(&Value::Bool(compare(*operator, a, b)?))
                })
            }
            Expr::If(branches, otherwise) => {
                self.choose(branches, otherwise.as_deref(), input, scope, out)
            }
            Expr::Try(inner) => {
                let (values, _) = self.gathered(inner, input, scope)?;
                values.iter().try_for_each(out)
            }
            Expr::Walk(base, strides) => self.eval(base, input, scope, &mut |value| {
                self.walk(strides, value, out)
            }),
            Expr::Call(function, argument) => {
                self.call(*function, argument.as_deref(), input, scope, out)
            }
        }
    }

    /// Every value that a part gives.
    fn all(&self, expr: &Expr, input: &Value, scope: Scope<'_>) -> Result<Vec<Value>, Stop> {
        let mut values = Vec::new();
        self.eval(expr, input, scope, &mut |value| {
            self.budget.charge(value)?;
            values.push(value.clone());
            Ok(())
        })?;
        Ok(values)
    }

    /// The values that a part gives before it fails, and whether it did.
    fn gathered(
        &self,
        expr: &Expr,
        input: &Value,
        scope: Scope<'_>,
    ) -> Result<(Vec<Value>, bool), Stop> {
        let mut values = Vec::new();
        let ended = self.eval(expr, input, scope, &mut |value| {
            self.budget.charge(value)?;
            values.push(value.clone());
            Ok(())
        });
        match ended {
            Ok(()) => Ok((values, false)),
            Err(Stop::Error(_)) => Ok((values, true)),
            Err(Stop::Limit) => Err(Stop::Limit),
        }
    }

    fn otherwise(
        &self,
        left: &Expr,
        right: &Expr,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        let (mut values, _) = self.gathered(left, input, scope)?;
        values.retain(truth);
        if values.is_empty() {
            return self.eval(right, input, scope, out);
        }
        values.iter().try_for_each(out)
    }

    fn logic(
        &self,
        left: &Expr,
        right: &Expr,
        decides: bool,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        self.eval(left, input, scope, &mut |value| {
            if truth(value) == decides {
                return out(&Value::Bool(decides));
            }
            self.eval(right, input, scope, &mut |value| {
                out(&Value::Bool(truth(value)))
            })
        })
    }

    fn pairs(
        &self,
        left: &Expr,
        right: &Expr,
        input: &Value,
        scope: Scope<'_>,
        out: &mut dyn FnMut(&Value, &Value) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.eval(left, input, scope, &mut |a| {
            self.eval(right, input, scope, &mut |b| out(a, b))
        })
    }

    fn choose(
        &self,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        let Some(((condition, then), rest)) = branches.split_first() else {
            return match otherwise {
                Some(otherwise) => self.eval(otherwise, input, scope, out),
                None => out(input),
            };
        };
        self.eval(condition, input, scope, &mut |value| {
            if truth(value) {
                self.eval(then, input, scope, out)
            } else {
                self.choose(rest, otherwise, input, scope, out)
            }
        })
    }

    fn text(
        &self,
        pieces: &[Piece],
        made: String,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        let Some((piece, rest)) = pieces.split_first() else {
            return out(&Value::String(made));
        };
        let mut longer = |more: &str| {
            self.budget.bytes(made.len() + more.len())?;
            self.text(rest, format!("{made}{more}"), input, scope, out)
        };
        match piece {
            Piece::Text(text) => longer(text),
            Piece::Made(expr) => self.eval(expr, input, scope, &mut |value| {
                self.budget.charge(value)?;
                longer(&text_of(value))
            }),
        }
    }

    fn object(
        &self,
        entries: &[(String, Expr)],
        made: Map<String, Value>,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        let Some(((name, expr), rest)) = entries.split_first() else {
            return out(&Value::Object(made));
        };
        self.eval(expr, input, scope, &mut |value| {
            self.budget.bytes(
                name.len()
                    + made
                        .iter()
                        .map(|(name, value)| name.len() + weight(value))
                        .sum::<usize>(),
            )?;
            self.budget.charge(value)?;
            let mut larger = made.clone();
            larger.insert(name.clone(), value.clone());
            self.object(rest, larger, input, scope, out)
        })
    }

    fn walk(&self, strides: &[Stride], value: &Value, out: Out<'_>) -> Result<(), Stop> {
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
            (Stretch::Step(Step::Field(_) | Step::Item(_)) | Stretch::Slice(..), Value::Null) => {
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
            _ => astray("an array"),
        }
    }

    fn call(
        &self,
        function: Function,
        argument: Option<&Expr>,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        match (function, argument) {
            (Function::Empty, _) => Ok(()),
            (Function::Select, Some(condition)) => {
                self.eval(condition, input, scope, &mut |value| {
                    if truth(value) { out(input) } else { Ok(()) }
                })
            }
            (Function::Map, Some(each)) => {
                let mut values = Vec::new();
                for item in items(input)? {
                    values.extend(self.all(each, item, scope)?);
                }
                out(&Value::Array(values))
            }
            (Function::AnyOf | Function::AllOf, Some(each)) => {
                let decides = function == Function::AnyOf;
                for item in items(input)? {
                    if self
                        .all(each, item, scope)?
                        .iter()
                        .any(|value| truth(value) == decides)
                    {
                        return out(&Value::Bool(decides));
                    }
                }
                out(&Value::Bool(!decides))
            }
            (_, Some(argument)) => self.eval(argument, input, scope, &mut |value| {
                out(&function.apply_to(input, value, self.budget)?)
            }),
            (_, None) => out(&function.apply(input, self.budget)?),
        }
    }
}

fn items(input: &Value) -> Result<&Vec<Value>, Stop> {
    input.as_array().ok_or_else(|| {
        Stop::Error(format!(
            "the items of {} were asked for, not of an array",
            type_name(input)
        ))
    })
}

fn variable<'e>(mut scope: Scope<'e>, nth: usize) -> &'e Value {
    while let Some(bound) = scope {
        if bound.nth == nth {
            return bound.value;
        }
        scope = bound.up;
    }
    &Value::Null
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

fn compare(operator: Cmp, a: &Value, b: &Value) -> Result<bool, Stop> {
    let equal = || order(a, b).is_eq();
    match (operator, a, b) {
        (Cmp::Eq, _, _) => Ok(equal()),
        (Cmp::Ne, _, _) => Ok(!equal()),
        (_, Value::Number(_), Value::Number(_)) | (_, Value::String(_), Value::String(_)) => {
            let found = functions::order(a, b);
            Ok(match operator {
                Cmp::Lt => found.is_lt(),
                Cmp::Le => found.is_le(),
                Cmp::Gt => found.is_gt(),
                _ => found.is_ge(),
            })
        }
        _ => Err(Stop::Error(format!(
            "only two numbers or two texts have an order, not {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}
