//! CloudEvents attributes as they are written, at a contract, a type or in the defaults.

use super::fields::{self, Fields};
use super::raw::{Attributes, Deprecation};
use super::{leaf, words};
use crate::diagnostics::{Diagnostic, Diagnostics};

/// How many further attributes a contract or a type may add.
const MAX_FURTHER: usize = 32;

/// Reads the attributes of a mapping; keys that it does not have are not there.
pub(super) fn attributes(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Attributes {
    let mut leaf_of = |key| Some(leaf::leaf_at(fields.get(key)?, diagnostics));
    let subject = leaf_of("subject");
    let correlationid = leaf_of("correlationid");
    let causationid = leaf_of("causationid");
    let further = fields
        .get("attributes")
        .and_then(|node| fields::named(node, "`attributes`", diagnostics))
        .unwrap_or_default();
    if let Some((name, _)) = further.get(MAX_FURTHER) {
        let message = format!("`attributes` has at most {MAX_FURTHER} entries");
        diagnostics.push(Diagnostic::new("too-many", message).at(&name.span));
    }
    let further = further
        .into_iter()
        .map(|(name, node)| (name.clone(), leaf::leaf_at(node, diagnostics)))
        .collect();
    Attributes {
        subject,
        time: fields.text("time", diagnostics),
        dataschema: fields.text("dataschema", diagnostics),
        correlationid,
        causationid,
        traceparent: fields.word("traceparent", words::PASS, diagnostics),
        tracestate: fields.word("tracestate", words::PASS, diagnostics),
        deprecation: deprecation(fields, diagnostics),
        further,
    }
}

fn deprecation(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Deprecation> {
    let node = fields.get("deprecation")?;
    let fields = Fields::read(node, &words::DEPRECATION, diagnostics)?;
    Some(Deprecation {
        span: node.span.clone(),
        from: fields.text("from", diagnostics),
        sunset: fields.text("sunset", diagnostics),
        migration: fields.text("migration", diagnostics),
    })
}

impl Attributes {
    /// These, and key by key what they do not say from `above`.
    pub(crate) fn over(&self, above: &Self) -> Self {
        let mut further = above.further.clone();
        for (name, leaf) in &self.further {
            match further.iter_mut().find(|(own, _)| own.value == name.value) {
                Some(place) => *place = (name.clone(), leaf.clone()),
                None => further.push((name.clone(), leaf.clone())),
            }
        }
        Self {
            subject: self.subject.as_ref().or(above.subject.as_ref()).cloned(),
            time: self.time.as_ref().or(above.time.as_ref()).cloned(),
            dataschema: self
                .dataschema
                .as_ref()
                .or(above.dataschema.as_ref())
                .cloned(),
            correlationid: self
                .correlationid
                .as_ref()
                .or(above.correlationid.as_ref())
                .cloned(),
            causationid: self
                .causationid
                .as_ref()
                .or(above.causationid.as_ref())
                .cloned(),
            traceparent: self
                .traceparent
                .as_ref()
                .or(above.traceparent.as_ref())
                .cloned(),
            tracestate: self
                .tracestate
                .as_ref()
                .or(above.tracestate.as_ref())
                .cloned(),
            deprecation: self
                .deprecation
                .as_ref()
                .or(above.deprecation.as_ref())
                .cloned(),
            further,
        }
    }
}
