//! The door through which private events come in: what was sent, to a checked [`NewEvent`].
//!
//! - The payload is kept as the bytes that were sent; number text is never rewritten.
//! - An event is either taken whole or refused with the pointer at fault; nothing is guessed or filled in.
//! - An event is the same however it was sent: as plain JSON, or as a CloudEvent in structured, batched or binary mode.

mod binary;
mod draft;
pub(crate) mod media_type;
mod raw;

use std::fmt;

use bytes::Bytes;
use horizon_schemas::{Admitted, Door, PrivateSchemas, Refusal, Violation};
use horizon_store::{NewEvent, StreamName};

pub(crate) use binary::{BinaryEvent, is_attribute_header};
use draft::Draft;
use draft::Payload;
pub(crate) use raw::{RawEvents, RawObject};

/// Why an event cannot be taken.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What kind of mistake it is.
    pub(crate) kind: RefusedKind,
    /// Each mistake, with the pointer to it inside the event.
    pub(crate) mistakes: Vec<Mistake>,
    /// What would mend it.
    pub(crate) mend: String,
    /// The event, where nothing but its private schema is against it.
    pub(crate) event: Option<Box<NewEvent>>,
}

/// The kinds of mistakes, as callers tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedKind {
    /// It is not an event: a part is missing or of the wrong shape.
    Malformed,
    /// It is an event, but its private schema refuses it.
    Schema,
    /// It is an event of a type that has no private schema, and such events are refused.
    NoSchema,
}

/// One mistake in an event.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// JSON pointer into the event (RFC 6901), as it would stand in JSON.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) reason: String,
}

impl Mistake {
    fn at(member: &str, reason: &str) -> Mistake {
        Mistake {
            pointer: format!("/{}", member.replace('~', "~0").replace('/', "~1")),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.pointer, self.reason)
    }
}

impl From<Violation> for Mistake {
    fn from(violation: Violation) -> Mistake {
        Mistake {
            pointer: format!("/data{}", violation.pointer),
            reason: violation.reason,
        }
    }
}

/// An event that may be recorded.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The event, flagged where it does not fit its private schema.
    pub(crate) event: NewEvent,
    /// Why it is flagged.
    pub(crate) unfit: Vec<Mistake>,
}

/// What an event must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `id`, `type` and data; the rest may be absent.
    Plain,
    /// What CloudEvents 1.0 requires: `specversion`, `id`, `source` and `type`. Data may be absent.
    CloudEvents,
}

/// An event as it was sent.
pub(crate) enum Sent<'a> {
    /// The members of a JSON object (`stream` taken out already).
    Json(Form, RawObject<'a>),
    /// CloudEvents' binary mode: attributes in headers, the body is the data.
    Binary(BinaryEvent),
}

/// Turns what was sent into an event for `stream`, checked by its private schema as the door does it.
///
/// # Errors
/// Every mistake that can be told at once, with its pointer.
pub(crate) fn take(
    stream: &StreamName,
    sent: Sent<'_>,
    schemas: &PrivateSchemas,
    door: Door,
) -> Result<Taken, Refused> {
    let (mut event, payload) = match sent {
        Sent::Json(form, object) => Draft::of_members(object).finish(form)?,
        Sent::Binary(event) => event.read()?,
    };
    let admitted = schemas.admit(door, stream.category(), &event.event_type, payload.json());
    match admitted {
        Ok(Admitted::Flagged(violations)) => {
            event.flagged = true;
            let unfit = told(&event, &payload, violations);
            Ok(Taken { event, unfit })
        }
        Ok(_) => Ok(Taken {
            event,
            unfit: Vec::new(),
        }),
        Err(refusal) => Err(unfit(stream, event, &payload, refusal)),
    }
}

/// An event that its private schema, or the lack of one, is against.
fn unfit(stream: &StreamName, event: NewEvent, payload: &Payload, refusal: Refusal) -> Refused {
    let mut mistakes = told(&event, payload, refusal.violations);
    let mut kind = RefusedKind::Schema;
    if mistakes.is_empty() {
        kind = RefusedKind::NoSchema;
        let reason = format!(
            "has no private schema in the category `{}`",
            stream.category()
        );
        mistakes.push(Mistake::at("type", &reason));
    }
    Refused {
        kind,
        mistakes,
        mend: refusal.help,
        event: Some(Box::new(event)),
    }
}

/// What a schema is against; where there is no JSON that it could look at, that.
fn told(event: &NewEvent, payload: &Payload, violations: Vec<Violation>) -> Vec<Mistake> {
    let reason = match (payload, &event.media_type) {
        (Payload::Json(_), _) => return violations.into_iter().map(Into::into).collect(),
        (Payload::Absent, _) => {
            "is missing, and the type has a private schema, which asks for JSON".to_owned()
        }
        (Payload::Other, Some(media_type)) => {
            format!("is {media_type}, and the type has a private schema, which asks for JSON")
        }
        (Payload::Other, None) => {
            "is not JSON, and the type has a private schema, which asks for JSON".to_owned()
        }
    };
    let of_one = |_: &Violation| Mistake::at("data", &reason);
    violations.first().map(of_one).into_iter().collect()
}

/// The bytes of `data_base64`.
fn decoded(text: &str) -> Option<Bytes> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests;
