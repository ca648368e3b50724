//! A checked expression: what is run, and what it reads.

use super::functions::Function;
use crate::path::{Path, Step};
use jaq_core::ops::Cmp;
use serde_json::Value;

/// A checked expression.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(super) root: Expr,
    pub(crate) reads: Vec<Read>,
}

/// A path that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) path: Path,
    /// Where in the expression, in bytes, and how many.
    pub(crate) at: usize,
    pub(crate) len: usize,
}

/// What `$event` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfEvent {
    Time,
    Type,
}

/// What is run.
#[derive(Debug)]
pub(super) enum Expr {
    Input,
    /// What may be shown of the event itself.
    Event(OfEvent),
    Literal(Value),
    Text(Vec<Piece>),
    List(Option<Box<Expr>>),
    Object(Vec<(String, Expr)>),
    Negate(Box<Expr>),
    Pipe(Box<Expr>, Box<Expr>),
    /// The second runs with each value of the first bound to a new variable.
    Bind(Box<Expr>, Box<Expr>),
    /// A variable, by how many were bound before it.
    Variable(usize),
    Comma(Box<Expr>, Box<Expr>),
    Otherwise(Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compute(char, Box<Expr>, Box<Expr>),
    Compare(Cmp, Box<Expr>, Box<Expr>),
    If(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Try(Box<Expr>),
    Walk(Box<Expr>, Vec<Stride>),
    Call(Function, Option<Box<Expr>>),
}

/// A piece of a text with computed parts.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Made(Expr),
}

/// One step of a path within an expression.
#[derive(Debug)]
pub(super) struct Stride {
    pub(super) part: Stretch,
    /// Nothing, instead of an error.
    pub(super) optional: bool,
}

/// Where one step leads.
#[derive(Debug)]
pub(super) enum Stretch {
    Step(Step),
    Slice(Option<i64>, Option<i64>),
}
