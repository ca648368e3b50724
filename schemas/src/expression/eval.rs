//! Running a checked expression.
//!
//! Every value that a part gives is handed to what comes after it, so nothing is gathered that is not needed. Each part
//! costs a step and each value that is made costs its bytes; when either is used up the run ends with an error. A
//! result therefore never depends on how busy the machine is. An error never repeats a value.

mod walk;

use super::functions::Function;
use super::limits::{Budget, Stop, type_name, weight};
use super::number;
use super::tree::{Expr, Expression, OfEvent, Piece};
use super::values::{compute, order, text_of, truth};
use jaq_core::ops::Cmp;
use serde_json::{Map, Value};

/// What an expression gave.
#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    Nothing,
    One(Value),
    Several,
}

/// What an expression is told of the event beside its data: `$event`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'t> {
    /// The public time; none where the event has no usable one.
    pub(crate) time: Option<&'t str>,
    /// The public type.
    pub(crate) event_type: &'t str,
}

impl Expression {
    /// Runs the expression on `input`, which should hold nothing but what it [reads](Expression::reads).
    pub(crate) fn run(&self, input: &Value, told: Told<'_>) -> Result<Given, Stop> {
        let budget = Budget::full();
        let mut given = Given::Nothing;
        let run = Run {
            budget: &budget,
            told,
        };
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
    told: Told<'b>,
}

impl Run<'_> {
    fn eval(&self, expr: &Expr, input: &Value, scope: Scope<'_>, out: Out<'_>) -> Result<(), Stop> {
        self.budget.steps(1)?;
        match expr {
            Expr::Input => out(input),
            Expr::Event(of) => {
                let text = match of {
                    OfEvent::Time => self.told.time.ok_or_else(|| {
                        Stop::Strict("the event has no time that can be told".to_owned())
                    })?,
                    OfEvent::Type => self.told.event_type,
                };
                self.budget.bytes(text.len())?;
                out(&Value::String(text.to_owned()))
            }
            Expr::Literal(value) => out(value),
            Expr::Text(pieces) => self.text(pieces, String::new(), input, scope, out),
            Expr::List(None) => out(&Value::Array(Vec::new())),
            Expr::List(Some(inner)) => out(&Value::Array(self.all(inner, input, scope)?)),
            Expr::Object(entries) => self.object(entries, Map::new(), input, scope, out),
            Expr::Negate(inner) => self.eval(inner, input, scope, &mut |value| match value {
                Value::Number(number) => out(&Value::Number(number::negate(number))),
                other => Err(Stop::Strict(format!(
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
                let values = self.before_error(inner, input, scope)?;
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

    /// The values that a part gives before it fails, if it does.
    fn before_error(
        &self,
        expr: &Expr,
        input: &Value,
        scope: Scope<'_>,
    ) -> Result<Vec<Value>, Stop> {
        let mut values = Vec::new();
        let ended = self.eval(expr, input, scope, &mut |value| {
            self.budget.charge(value)?;
            values.push(value.clone());
            Ok(())
        });
        match ended {
            Ok(()) | Err(Stop::Error(_)) => Ok(values),
            Err(stop) => Err(stop),
        }
    }

    /// `//`: as in jq, an error on its left is an error.
    fn otherwise(
        &self,
        left: &Expr,
        right: &Expr,
        input: &Value,
        scope: Scope<'_>,
        out: Out<'_>,
    ) -> Result<(), Stop> {
        let mut values = self.all(left, input, scope)?;
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
        Stop::Strict(format!(
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

fn compare(operator: Cmp, a: &Value, b: &Value) -> Result<bool, Stop> {
    let equal = || order(a, b).is_eq();
    match (operator, a, b) {
        (Cmp::Eq, _, _) => Ok(equal()),
        (Cmp::Ne, _, _) => Ok(!equal()),
        (_, Value::Number(_), Value::Number(_)) | (_, Value::String(_), Value::String(_)) => {
            let found = order(a, b);
            Ok(match operator {
                Cmp::Lt => found.is_lt(),
                Cmp::Le => found.is_le(),
                Cmp::Gt => found.is_gt(),
                _ => found.is_ge(),
            })
        }
        _ => Err(Stop::Strict(format!(
            "only two numbers or two texts have an order, not {} and {}",
            type_name(a),
            type_name(b)
        ))),
    }
}
