//! From jq's syntax tree to what is run, by an allow-list, finding every path that can be read on the way.
//!
//! Beside each part goes what it *is seen as*: places of the data that have not been read yet, or a value that was
//! made from places already noted. A place is noted as read where its value is needed: as an operand, an argument, a
//! condition or the result.

mod event;
mod paths;

use super::Problem;
use super::functions::{self, Takes};
use super::syntax::{self, literal_text, parts_str};
use super::tree::{Expr, Expression, Piece, Read};
use crate::path::{Path, Step};
use event::EVENT;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::load::span;
use jaq_core::ops::Math;
use serde_json::Value;

/// How many places a part may stand for at once.
const MAX_PLACES: usize = 64;

impl Expression {
    /// Reads and checks an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        syntax::parse(text, |tree| {
            let mut compiler = Compiler {
                text,
                reads: Vec::new(),
                scope: Vec::new(),
            };
            let root = Seen {
                places: vec![Read {
                    path: Path::default(),
                    at: 0,
                    len: text.len(),
                }],
            };
            let (root, seen) = compiler.term(tree, &root)?;
            compiler.read(seen)?;
            Ok(Self {
                root,
                reads: compiler.reads,
            })
        })
    }
}

/// What a part is seen as: places not read yet; none for a value that was made.
#[derive(Debug, Clone, Default)]
struct Seen {
    places: Vec<Read>,
}

impl Seen {
    fn and(mut self, other: Self) -> Self {
        for place in other.places {
            if !self.places.iter().any(|own| own.path == place.path) {
                self.places.push(place);
            }
        }
        self
    }
}

struct Compiler<'t> {
    text: &'t str,
    reads: Vec<Read>,
    scope: Vec<(&'t str, Seen)>,
}

type Compiled = Result<(Expr, Seen), Problem>;

const PATHS: &str = "name a path, such as `.amount`";

impl<'t> Compiler<'t> {
    fn problem(&self, part: &str, message: String, mend: &'static str) -> Problem {
        let inside = part.as_ptr() as usize >= self.text.as_ptr() as usize
            && part.as_ptr() as usize + part.len() <= self.text.as_ptr() as usize + self.text.len();
        let range = if inside {
            span(self.text, part)
        } else {
            0..self.text.len()
        };
        Problem {
            at: range.start,
            len: range.len(),
            code: "expression",
            message,
            mend,
            known: None,
        }
    }

    fn refuse<T>(&self, what: &str, mend: &'static str) -> Result<T, Problem> {
        Err(self.problem(self.text, format!("{what} not for contracts"), mend))
    }

    /// Notes that the places are read.
    fn read(&mut self, seen: Seen) -> Result<(), Problem> {
        for place in seen.places {
            if place.path.0.is_empty() {
                return Err(Problem {
                    at: place.at,
                    len: place.len,
                    code: "takes-everything",
                    message: "this expression takes the whole data and names nothing in it"
                        .to_owned(),
                    mend: "name each path that is needed, such as `.amount`",
                    known: None,
                });
            }
            if !self.reads.iter().any(|own| own.path == place.path) {
                self.reads.push(place);
            }
        }
        Ok(())
    }

    /// Translates a part whose value is needed.
    fn value(&mut self, term: &Term<&'t str>, input: &Seen) -> Result<Expr, Problem> {
        let (expr, seen) = self.term(term, input)?;
        self.read(seen)?;
        Ok(expr)
    }

    fn boxed(&mut self, term: &Term<&'t str>, input: &Seen) -> Result<Box<Expr>, Problem> {
        self.value(term, input).map(Box::new)
    }

    fn term(&mut self, term: &Term<&'t str>, input: &Seen) -> Compiled {
        let made = |expr| Ok((expr, Seen::default()));
        match term {
            Term::Id => Ok((Expr::Input, input.clone())),
            Term::Num(text) => match serde_json::from_str(text) {
                Ok(number) => made(Expr::Literal(Value::Number(number))),
                Err(_) => Err(self.problem(text, format!("`{text}` is no JSON number"), "")),
            },
            Term::Str(None, parts) => made(self.text_of(parts, input)?),
            Term::Arr(inner) => {
                let inner = inner
                    .as_ref()
                    .map(|inner| self.boxed(inner, input))
                    .transpose()?;
                made(Expr::List(inner))
            }
            Term::Obj(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| self.entry(key, value.as_ref(), input));
                made(Expr::Object(entries.collect::<Result<_, _>>()?))
            }
            Term::Neg(inner) => made(Expr::Negate(self.boxed(inner, input)?)),
            Term::BinOp(left, operator, right) => self.operation(left, operator, right, input),
            Term::TryCatch(inner, None) => {
                let (inner, seen) = self.term(inner, input)?;
                Ok((Expr::Try(Box::new(inner)), seen))
            }
            Term::IfThenElse(branches, otherwise) => {
                self.branches(branches, otherwise.as_deref(), input)
            }
            Term::Call(name, arguments) => self.call(name, arguments, input),
            Term::Var(name) if *name == EVENT => Err(self.event_problem(name, "")),
            Term::Var(name) => match self.scope.iter().rposition(|(own, _)| own == name) {
                Some(nth) => Ok((Expr::Variable(nth), self.scope[nth].1.clone())),
                None => Err(self.problem(
                    name,
                    format!("nothing is called `{name}`"),
                    "bind it first: `.a as $a | …`",
                )),
            },
            Term::Path(base, path) => self.path(base, path, input),
            Term::Recurse => self.refuse("`..` is", PATHS),
            Term::Str(Some(_), _) => {
                self.refuse("formats are", "use `tostring` or \\( ) in a text")
            }
            Term::Label(..) | Term::Break(_) => self.refuse("labels are", ""),
            Term::Fold(..) => self.refuse(
                "`reduce` and `foreach` are",
                "use `map`, `add`, `any` or `all`",
            ),
            Term::TryCatch(_, Some(_)) => self.refuse("`catch` is", "use `?` and `//`"),
            Term::Def(..) => self.refuse("definitions are", "write it out"),
        }
    }

    fn text_of(
        &mut self,
        parts: &[StrPart<&'t str, Term<&'t str>>],
        input: &Seen,
    ) -> Result<Expr, Problem> {
        if let Some(text) = literal_text(parts) {
            return Ok(Expr::Literal(Value::String(text)));
        }
        let mut pieces = Vec::new();
        for part in parts {
            pieces.push(match part {
                StrPart::Str(text) => Piece::Text((*text).to_owned()),
                StrPart::Char(one) => Piece::Text(one.to_string()),
                StrPart::Term(term) => Piece::Made(self.value(term, input)?),
            });
        }
        Ok(Expr::Text(pieces))
    }

    fn entry(
        &mut self,
        key: &Term<&'t str>,
        value: Option<&Term<&'t str>>,
        input: &Seen,
    ) -> Result<(String, Expr), Problem> {
        match (key, value) {
            (Term::Var(name), None) => Ok((
                name.trim_start_matches('$').to_owned(),
                self.value(key, input)?,
            )),
            (Term::Str(None, parts), _) => {
                let Some(name) = literal_text(parts) else {
                    return self.refuse("computed names are", "write the name");
                };
                let value = match value {
                    Some(value) => self.value(value, input)?,
                    None => {
                        let (step, seen) = self.stride_to(
                            Step::Field(name.clone()),
                            parts_str(parts),
                            input,
                            false,
                        )?;
                        self.read(seen)?;
                        Expr::Walk(Box::new(Expr::Input), vec![step])
                    }
                };
                Ok((name, value))
            }
            _ => self.refuse("computed names are", "write the name"),
        }
    }

    fn operation(
        &mut self,
        left: &Term<&'t str>,
        operator: &BinaryOp<&'t str>,
        right: &Term<&'t str>,
        input: &Seen,
    ) -> Compiled {
        let made = |expr| Ok((expr, Seen::default()));
        match operator {
            BinaryOp::Pipe(None) => {
                let (left, seen) = self.term(left, input)?;
                let (right, seen) = self.term(right, &seen)?;
                Ok((Expr::Pipe(Box::new(left), Box::new(right)), seen))
            }
            BinaryOp::Pipe(Some(Pattern::Var(name))) if *name == EVENT => {
                Err(self.event_taken(name))
            }
            BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                let (left, seen) = self.term(left, input)?;
                self.scope.push((name, seen));
                let right = self.term(right, input);
                self.scope.pop();
                let (right, seen) = right?;
                Ok((Expr::Bind(Box::new(left), Box::new(right)), seen))
            }
            BinaryOp::Pipe(Some(_)) => self.refuse(
                "taking apart by a pattern is",
                "bind one variable at a time",
            ),
            BinaryOp::Comma => {
                let (left, seen) = self.term(left, input)?;
                let (right, more) = self.term(right, input)?;
                let seen = seen.and(more);
                if seen.places.len() > MAX_PLACES {
                    return self.refuse("so many paths at once are", "");
                }
                Ok((Expr::Comma(Box::new(left), Box::new(right)), seen))
            }
            BinaryOp::Alt => made(Expr::Otherwise(
                self.boxed(left, input)?,
                self.boxed(right, input)?,
            )),
            BinaryOp::And => made(Expr::And(
                self.boxed(left, input)?,
                self.boxed(right, input)?,
            )),
            BinaryOp::Or => made(Expr::Or(
                self.boxed(left, input)?,
                self.boxed(right, input)?,
            )),
            BinaryOp::Math(operator) => {
                let sign = match operator {
                    Math::Add => '+',
                    Math::Sub => '-',
                    Math::Mul => '*',
                    Math::Div => '/',
                    Math::Rem => '%',
                };
                made(Expr::Compute(
                    sign,
                    self.boxed(left, input)?,
                    self.boxed(right, input)?,
                ))
            }
            BinaryOp::Cmp(operator) => made(Expr::Compare(
                *operator,
                self.boxed(left, input)?,
                self.boxed(right, input)?,
            )),
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.refuse("assignments are", "to compare, write `==`")
            }
        }
    }

    fn branches(
        &mut self,
        branches: &[(Term<&'t str>, Term<&'t str>)],
        otherwise: Option<&Term<&'t str>>,
        input: &Seen,
    ) -> Compiled {
        let mut seen = Seen::default();
        let mut all = Vec::new();
        for (condition, then) in branches {
            let condition = self.value(condition, input)?;
            let (then, more) = self.term(then, input)?;
            seen = seen.and(more);
            all.push((condition, then));
        }
        let otherwise = match otherwise {
            Some(otherwise) => {
                let (otherwise, more) = self.term(otherwise, input)?;
                seen = seen.and(more);
                Some(Box::new(otherwise))
            }
            None => {
                seen = seen.and(input.clone());
                None
            }
        };
        Ok((Expr::If(all, otherwise), seen))
    }

    fn call(&mut self, name: &'t str, arguments: &[Term<&'t str>], input: &Seen) -> Compiled {
        let Some(function) = functions::find(name, arguments.len()) else {
            let mut problem = self.problem(
                name,
                format!("`{name}/{}` is not for contracts", arguments.len()),
                functions::mend(name),
            );
            problem.code = "expression-function";
            problem.known = Some((functions::names().collect(), name.to_owned()));
            return Err(problem);
        };
        match (function.takes(), arguments) {
            (Takes::Nothing(value), _) => Ok((Expr::Literal(value), Seen::default())),
            (Takes::Input, _) => {
                self.read(input.clone())?;
                Ok((Expr::Call(function, None), Seen::default()))
            }
            (Takes::InputAndValue, [argument]) => {
                self.read(input.clone())?;
                let argument = self.boxed(argument, input)?;
                Ok((Expr::Call(function, Some(argument)), Seen::default()))
            }
            (Takes::Condition, [condition]) => {
                let condition = self.boxed(condition, input)?;
                Ok((Expr::Call(function, Some(condition)), input.clone()))
            }
            (Takes::EachItem, [each]) => {
                let (_, items) = self.stride_to(Step::Each, name, input, false)?;
                let each = self.boxed(each, &items)?;
                Ok((Expr::Call(function, Some(each)), Seen::default()))
            }
            (Takes::Name, [Term::Str(None, parts)]) if literal_text(parts).is_some() => {
                let field = literal_text(parts).unwrap_or_default();
                let (_, seen) =
                    self.stride_to(Step::Field(field.clone()), parts_str(parts), input, false)?;
                self.read(seen)?;
                Ok((
                    Expr::Call(
                        function,
                        Some(Box::new(Expr::Literal(Value::String(field)))),
                    ),
                    Seen::default(),
                ))
            }
            (Takes::Empty, _) => Ok((Expr::Call(function, None), Seen::default())),
            _ => self.refuse("a computed name is", "write the name as a text"),
        }
    }
}
