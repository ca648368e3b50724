//! Paths within expressions: where each step leads from the places seen.

use super::super::Problem;
use super::super::syntax::{literal_text, parts_str};
use super::super::tree::{Expr, Read, Stretch, Stride};
use super::event::EVENT;
use super::{Compiled, Compiler, Seen};
use crate::path::Step;
use jaq_core::load::parse::Term;
use jaq_core::path::{Opt, Part};

impl<'t> Compiler<'t> {
    pub(super) fn path(
        &mut self,
        base: &Term<&'t str>,
        path: &jaq_core::path::Path<Term<&'t str>>,
        input: &Seen,
    ) -> Compiled {
        let mut parts = path.0.as_slice();
        let (base, mut seen) = match base {
            Term::Var(name) if *name == EVENT => {
                let (first, rest) = parts
                    .split_first()
                    .ok_or_else(|| self.event_problem(name, ""))?;
                parts = rest;
                (Expr::Event(self.of_event(name, &first.0)?), Seen::default())
            }
            _ => self.term(base, input)?,
        };
        let mut strides = Vec::new();
        for (part, optional) in parts {
            let optional = matches!(optional, Opt::Optional);
            let stride = match part {
                Part::Index(Term::Str(None, parts)) if literal_text(parts).is_some() => {
                    let name = literal_text(parts).unwrap_or_default();
                    let (stride, next) =
                        self.stride_to(Step::Field(name), parts_str(parts), &seen, optional)?;
                    seen = next;
                    stride
                }
                Part::Index(index) => {
                    let Some(nth) = literal_integer(index) else {
                        return self.refuse(
                            "computed indices are",
                            "name the field, or the item by its number",
                        );
                    };
                    let (stride, next) =
                        self.stride_to(Step::Item(nth), self.text, &seen, optional)?;
                    seen = next;
                    stride
                }
                Part::Range(None, None) => {
                    let (stride, next) = self.stride_to(Step::Each, self.text, &seen, optional)?;
                    seen = next;
                    stride
                }
                Part::Range(from, to) => {
                    let bound = |term: &Option<Term<&str>>| match term {
                        None => Some(None),
                        Some(term) => literal_integer(term).map(Some),
                    };
                    let (Some(from), Some(to)) = (bound(from), bound(to)) else {
                        return self.refuse("computed slices are", "write the numbers");
                    };
                    self.read(std::mem::take(&mut seen))?;
                    Stride {
                        part: Stretch::Slice(from, to),
                        optional,
                    }
                }
            };
            strides.push(stride);
        }
        Ok((Expr::Walk(Box::new(base), strides), seen))
    }

    /// A step from each of the places seen, and the places that it leads to.
    pub(super) fn stride_to(
        &self,
        step: Step,
        word: &str,
        seen: &Seen,
        optional: bool,
    ) -> Result<(Stride, Seen), Problem> {
        let at = self.problem(word, String::new(), "");
        let mut places = Vec::new();
        for place in &seen.places {
            if matches!(step, Step::Each) && place.path.0.is_empty() {
                return Err(Problem {
                    code: "takes-everything",
                    message: "this expression takes every field and names none".to_owned(),
                    mend: "name each path that is needed, such as `.amount`",
                    ..at
                });
            }
            let mut path = place.path.clone();
            path.0.push(step.clone());
            // Point at the first word of the path, to what was written last.
            let first = if place.path.0.is_empty() {
                at.at
            } else {
                place.at
            };
            let end = (at.at + at.len).max(
                place.at
                    + if place.path.0.is_empty() {
                        0
                    } else {
                        place.len
                    },
            );
            places.push(Read {
                path,
                at: first,
                len: end.saturating_sub(first),
            });
        }
        Ok((
            Stride {
                part: Stretch::Step(step),
                optional,
            },
            Seen { places },
        ))
    }
}

fn literal_integer(term: &Term<&str>) -> Option<i64> {
    match term {
        Term::Num(text) => text.parse().ok(),
        Term::Neg(inner) => literal_integer(inner)?.checked_neg(),
        _ => None,
    }
}
