//! `$event`: what may be shown of the event itself beside its data.

use super::super::Problem;
use super::super::syntax::{literal_text, parts_str};
use super::super::tree::OfEvent;
use super::Compiler;
use jaq_core::load::parse::Term;
use jaq_core::path::Part;

/// The variable of what may be shown of the event itself.
pub(super) const EVENT: &str = "$event";

impl<'t> Compiler<'t> {
    /// Why something of `$event` cannot be read.
    pub(super) fn event_problem(&self, part: &str, word: &str) -> Problem {
        let message = match word {
            "" => format!("`{EVENT}` is read by one of its fields"),
            _ => format!("`{EVENT}` has no `{word}` that may be shown"),
        };
        Problem {
            code: "expression-event",
            known: Some((vec!["time", "type"], word.to_owned())),
            ..self.problem(
                part,
                message,
                "write `$event.time` or `$event.type`: nothing else of an event is shown",
            )
        }
    }

    /// Why nothing else can be called `$event`.
    pub(super) fn event_taken(&self, name: &str) -> Problem {
        self.problem(
            name,
            format!("`{EVENT}` is what may be shown of the event"),
            "give the variable another name",
        )
    }

    /// The field of `$event` that a path begins with.
    pub(super) fn of_event(
        &self,
        event: &str,
        part: &Part<Term<&'t str>>,
    ) -> Result<OfEvent, Problem> {
        let Part::Index(Term::Str(None, text)) = part else {
            return Err(self.event_problem(event, ""));
        };
        match literal_text(text).as_deref() {
            Some("time") => Ok(OfEvent::Time),
            Some("type") => Ok(OfEvent::Type),
            word => Err(self.event_problem(parts_str(text), word.unwrap_or(""))),
        }
    }
}
