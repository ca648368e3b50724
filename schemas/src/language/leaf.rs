//! The leaves of a mapping as they are written.

use super::fields::{self, Fields};
use super::raw::{Data, Leaf};
use super::words;
use super::yaml::{Kind, Node};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::At;

/// How many fields a mapping may have.
const MAX_FIELDS: usize = 256;

/// Reads a mapping of public fields.
pub(super) fn data(node: &Node, diagnostics: &mut Diagnostics) -> Option<Data> {
    let entries = fields::named(node, "`data`", diagnostics)?;
    if entries.len() > MAX_FIELDS {
        let message = format!(
            "`data` has {} fields; {MAX_FIELDS} are allowed",
            entries.len()
        );
        diagnostics.push(Diagnostic::new("too-many", message).at(&node.span));
        return None;
    }
    let leaf = |(name, node): (&At<String>, &Node)| (name.clone(), leaf_at(node, diagnostics));
    Some(entries.into_iter().map(leaf).collect())
}

/// Reads one leaf; what could not be read has been told.
pub(super) fn leaf_at(node: &Node, diagnostics: &mut Diagnostics) -> At<Leaf> {
    At {
        value: leaf(node, diagnostics).unwrap_or(Leaf::Unreadable),
        span: node.span.clone(),
    }
}

fn leaf(node: &Node, diagnostics: &mut Diagnostics) -> Option<Leaf> {
    match &node.kind {
        Kind::Text(text) => Some(Leaf::Path(text.clone())),
        Kind::Map(_) => built_leaf(node, diagnostics),
        _ => {
            let message = format!(
                "a public field is made of a path or a mapping, not of {}",
                node.is_a()
            );
            let mend = format!(
                "if a constant is meant, write {{ const: {} }}",
                node.to_json()
            );
            diagnostics.push(Diagnostic::new("leaf", message).at(&node.span).mend(mend));
            None
        }
    }
}

fn built_leaf(node: &Node, diagnostics: &mut Diagnostics) -> Option<Leaf> {
    let fields = Fields::read(node, &words::LEAF, diagnostics)?;
    let has = |key: &str| fields.get(key).is_some();
    let companions: &[&str] = match () {
        () if has("const") => &["const"],
        () if has("jq") => &["jq"],
        () if has("each") => &["each", "data"],
        () if has("public_id") => &["public_id"],
        () if has("reveal") => &["reveal", "reason"],
        () if has("data") => &["data"],
        () => {
            diagnostics.push(
                Diagnostic::new("leaf", "nothing says what this field is made of")
                    .at(&node.span)
                    .mend("a path, { const: … }, { jq: … }, { each: .items, data: {…} }, { data: {…} }, { public_id: {…} } or { reveal: .path, reason: … }"),
            );
            return None;
        }
    };
    for key in words::LEAF
        .keys
        .iter()
        .map(|key| key.name)
        .filter(|key| has(key) && !companions.contains(key))
    {
        let first = companions.first().unwrap_or(&"");
        diagnostics.push(
            Diagnostic::new("leaf", format!("`{key}` does not go with `{first}`")).at(&node.span),
        );
    }
    let mut text = |key, mend: &str| fields.require_text(key, mend, diagnostics);
    match *companions.first()? {
        "const" => Some(Leaf::Const(fields.get("const")?.to_json())),
        "jq" => Some(Leaf::Jq(text("jq", "")?)),
        "each" => {
            let over = text("each", "");
            let found = fields.require("data", "say what is made of each item", diagnostics);
            Some(Leaf::Each {
                data: data(found?, diagnostics)?,
                over: over?,
            })
        }
        "data" => Some(Leaf::Data(data(fields.get("data")?, diagnostics)?)),
        "public_id" => public_id(fields.get("public_id")?, diagnostics),
        _ => {
            let path = text("reveal", "");
            let reason = text(
                "reason",
                "say why this personal field may be public, such as `reason: published by law`",
            );
            if reason
                .as_ref()
                .is_some_and(|reason| reason.value.trim().len() < 3)
            {
                diagnostics
                    .push(Diagnostic::new("reveal", "the reason says nothing").at(&reason?.span));
            }
            Some(Leaf::Reveal { path: path? })
        }
    }
}

fn public_id(node: &Node, diagnostics: &mut Diagnostics) -> Option<Leaf> {
    let fields = Fields::read(node, &words::PUBLIC_ID, diagnostics)?;
    let mut text = |key, mend: &str| fields.require_text(key, mend, diagnostics);
    let event_type = text("type", "the public type of the event that is referred to");
    let of = text(
        "of",
        "the path of the private id of the event that is referred to",
    );
    let source = fields.text("source", diagnostics);
    Some(Leaf::PublicId {
        event_type: event_type?,
        of: of?,
        source,
    })
}
