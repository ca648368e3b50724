//! The given events of a case, as the rest of the case speaks of them.

use super::read::Given;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::fields::{self, Fields};
use crate::language::yaml::{Kind, Node};
use crate::source::At;
use std::collections::HashSet;

/// The id of a given event: text, or a number as it is written.
pub(super) fn reference(
    node: &Node,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<At<String>> {
    match &node.kind {
        Kind::Number(number) => Some(At {
            value: number.to_string(),
            span: node.span.clone(),
        }),
        _ => fields::text(node, what, diagnostics),
    }
}

/// The given events of a case, and which of them have been spoken of.
pub(super) struct Listed<'g> {
    events: &'g [Given],
    told: HashSet<String>,
}

impl<'g> Listed<'g> {
    pub(super) fn new(events: &'g [Given]) -> Self {
        Self {
            events,
            told: HashSet::new(),
        }
    }

    /// The given event whose id stands here; reports that there is none.
    pub(super) fn find(&self, node: &Node, diagnostics: &mut Diagnostics) -> Option<String> {
        let id = reference(node, "the id of a given event", diagnostics)?;
        if !self.events.iter().any(|event| event.id == id.value) {
            diagnostics.push(
                Diagnostic::new("unknown-given", format!("no given event has the id `{}`", id.value))
                    .at(&id.span)
                    .known(self.events.iter().map(|event| &event.id), &id.value)
                    .mend("write the `id` of a given event; without one, an event has its place in the list, from 1"),
            );
            return None;
        }
        Some(id.value)
    }

    /// Like [`Listed::find`], for what speaks of the event's outcome: that can be done only once.
    pub(super) fn outcome(&mut self, node: &Node, diagnostics: &mut Diagnostics) -> Option<String> {
        let id = self.find(node, diagnostics)?;
        if !self.told.insert(id.clone()) {
            diagnostics.push(
                Diagnostic::new("outcome-twice", format!("the outcome of `{id}` is told twice"))
                    .at(&node.span)
                    .mend("an event crosses, is filtered, is unmatched or is a violation: keep one of them"),
            );
        }
        Some(id)
    }

    /// The given events that a key lists as having an outcome.
    pub(super) fn events_of(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Vec<String> {
        fields
            .list(key, diagnostics)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| self.outcome(node, diagnostics))
            .collect()
    }
}
