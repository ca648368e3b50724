//! The leaves of a mapping: each path, expression and name measured against both schemas.

use super::{declared_at, path};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::expression::{Expression, Problem};
use crate::language::raw::{Data, Leaf as RawLeaf};
use crate::mapping::{Computed, Leaf, Mapping};
use crate::path::{Path, Step};
use crate::schema::shape::{Declared, Keep};
use crate::sight::Sight;
use crate::source::{At, Span};

/// Where the leaves stand.
pub(super) struct Context<'c> {
    /// The private event type.
    pub(super) event: &'c str,
    /// The public types of the contract.
    pub(super) public_types: &'c [String],
}

/// Checks a mapping from what `private` declares to what `public` declares.
pub(super) fn mapping(
    fields: &[&(At<String>, At<RawLeaf>)],
    private: &Declared,
    public: Option<&Declared>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Mapping> {
    let mut checked = Vec::with_capacity(fields.len());
    let mut whole = true;
    for (name, raw) in fields {
        let there = public.and_then(|public| public_place(public, name, diagnostics));
        whole &= public.is_none() || there.is_some();
        match leaf(raw, private, there.as_ref(), context, diagnostics) {
            Some(leaf) => checked.push((name.value.clone(), leaf)),
            None => whole = false,
        }
    }
    whole.then_some(Mapping { fields: checked })
}

fn public_place(
    public: &Declared,
    name: &At<String>,
    diagnostics: &mut Diagnostics,
) -> Option<Declared> {
    let place = public
        .find(&Path(vec![Step::Field(name.value.clone())]))
        .ok();
    match &place {
        None => diagnostics.push(
            Diagnostic::new(
                "public-undeclared",
                format!(
                    "the public schema does not declare `{}`, so it would never leave",
                    name.value
                ),
            )
            .at(&name.span)
            .known(public.names(), &name.value)
            .mend("declare it in the public schema's `properties`, or take it out"),
        ),
        Some(place) if place.is_open_array() => diagnostics.push(
            Diagnostic::new(
                "open-array",
                format!(
                    "the public schema says nothing of the items of `{}`, so none would leave",
                    name.value
                ),
            )
            .at(&name.span)
            .mend("declare its `items` in the public schema"),
        ),
        Some(_) => {}
    }
    place
}

/// Checks one leaf.
pub(super) fn leaf(
    raw: &At<RawLeaf>,
    private: &Declared,
    public: Option<&Declared>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Leaf> {
    match &raw.value {
        RawLeaf::Unreadable => None,
        RawLeaf::Const(value) => Some(Leaf::Const(value.clone())),
        RawLeaf::Path(text) => {
            let (path, declared) = open_path(&at(text, &raw.span), private, context, diagnostics)?;
            Some(Leaf::Copy {
                path,
                declared,
                keep: Keep::DeclaredAndNotPersonal,
            })
        }
        RawLeaf::Reveal { path: text } => reveal(text, private, context, diagnostics),
        RawLeaf::Jq(text) => Some(Leaf::Computed(computed(
            text,
            private,
            context,
            diagnostics,
        )?)),
        RawLeaf::Data(data) => Some(Leaf::Object(mapping(
            &all(data),
            private,
            public,
            context,
            diagnostics,
        )?)),
        RawLeaf::Each { over, data } => each(over, data, private, public, context, diagnostics),
        RawLeaf::PublicId {
            event_type,
            of,
            source,
        } => {
            if !context.public_types.contains(&event_type.value) {
                diagnostics.push(
                    Diagnostic::new(
                        "unknown-type",
                        format!("this contract has no public type `{}`", event_type.value),
                    )
                    .at(&event_type.span)
                    .known(context.public_types, &event_type.value),
                );
                return None;
            }
            let (of, _) = open_path(of, private, context, diagnostics)?;
            let source = match source {
                Some(source) => Some(open_path(source, private, context, diagnostics)?.0),
                None => None,
            };
            Some(Leaf::PublicId {
                event_type: event_type.value.clone(),
                of,
                source,
            })
        }
    }
}

fn each(
    over: &At<String>,
    data: &Data,
    private: &Declared,
    public: Option<&Declared>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Leaf> {
    let (path, list) = open_path(over, private, context, diagnostics)?;
    let mut items = path.clone();
    items.0.push(Step::Each);
    let item = declared_at(private, &items, &over.span, context.event, diagnostics)?;
    if item.personal && !list.personal {
        diagnostics.push(personal(&items, context).at(&over.span));
        return None;
    }
    let there = public.and_then(|public| public.find(&Path(vec![Step::Each])).ok());
    Some(Leaf::Each {
        path,
        mapping: mapping(&all(data), &item, there.as_ref(), context, diagnostics)?,
    })
}

fn all(data: &Data) -> Vec<&(At<String>, At<RawLeaf>)> {
    data.iter().collect()
}

fn at(text: &str, span: &Span) -> At<String> {
    At {
        value: text.to_owned(),
        span: span.clone(),
    }
}

/// A path that may cross.
pub(super) fn open_path(
    text: &At<String>,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Path, Declared)> {
    let path = path(text, diagnostics)?;
    let declared = declared_at(private, &path, &text.span, context.event, diagnostics)?;
    may_cross(&path, &declared, context).map_or(Some((path, declared)), |diagnostic| {
        diagnostics.push(diagnostic.at(&text.span));
        None
    })
}

/// What is against letting a declared path cross.
fn may_cross(path: &Path, declared: &Declared, context: &Context<'_>) -> Option<Diagnostic> {
    if declared.personal {
        return Some(personal(path, context));
    }
    declared.is_open_array().then(|| open_array(path, context))
}

fn open_array(path: &Path, context: &Context<'_>) -> Diagnostic {
    let message = format!(
        "the private schema of {} says nothing of the items of {path}",
        context.event
    );
    Diagnostic::new("open-array", message)
        .mend("declare its `items` in the private schema: only what is declared is copied")
}

fn personal(path: &Path, context: &Context<'_>) -> Diagnostic {
    Diagnostic::new(
        "personal",
        format!(
            "{path} is marked personal in the private schema of {}",
            context.event
        ),
    )
    .mend(format!(
        "leave it out; if it may be public, write {{ reveal: {path}, reason: why }}"
    ))
}

fn reveal(
    text: &At<String>,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Leaf> {
    let path = path(text, diagnostics)?;
    let declared = declared_at(private, &path, &text.span, context.event, diagnostics)?;
    if !declared.personal {
        diagnostics.push(
            Diagnostic::new(
                "reveal",
                format!("{path} is not marked personal: there is nothing to reveal"),
            )
            .at(&text.span)
            .mend(format!("write {path} alone")),
        );
        return None;
    }
    if declared.is_open_array() {
        diagnostics.push(open_array(&path, context).at(&text.span));
        return None;
    }
    Some(Leaf::Copy {
        path,
        declared,
        keep: Keep::Declared,
    })
}

/// Checks an expression and everything it reads.
pub(super) fn computed(
    text: &At<String>,
    private: &Declared,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Computed> {
    let expression = match Expression::parse(&text.value) {
        Ok(expression) => expression,
        Err(problem) => {
            diagnostics.push(explain(&problem, text));
            return None;
        }
    };
    let mut sight = Sight::default();
    let mut legal = true;
    for read in &expression.reads {
        let span = within(text, read.at, read.len);
        let Some(declared) = declared_at(private, &read.path, &span, context.event, diagnostics)
        else {
            legal = false;
            continue;
        };
        match may_cross(&read.path, &declared, context) {
            None => sight.show(&read.path, declared),
            Some(diagnostic) => {
                diagnostics.push(diagnostic.at(&span));
                legal = false;
            }
        }
    }
    legal.then_some(Computed { expression, sight })
}

fn explain(problem: &Problem, text: &At<String>) -> Diagnostic {
    let diagnostic = Diagnostic::new(problem.code, problem.message.clone()).at(&within(
        text,
        problem.at,
        problem.len,
    ));
    let diagnostic = match &problem.known {
        Some((known, word)) => diagnostic.known(known, word),
        None => diagnostic,
    };
    if problem.mend.is_empty() {
        diagnostic
    } else {
        diagnostic.mend(problem.mend)
    }
}

/// A part of a text, where the document has the text as it is; otherwise all of it.
pub(super) fn within(text: &At<String>, at: usize, len: usize) -> Span {
    let span = &text.span;
    match span.text().find(text.value.as_str()) {
        Some(offset) if !text.value.is_empty() => Span::new(
            &span.source,
            span.start + offset + at,
            span.start + offset + at + len,
        ),
        _ => span.clone(),
    }
}
