//! The CloudEvents attributes that a contract sets: checked when it is loaded where they are known, otherwise when an event crosses.
//!
//! CloudEvents 1.0, sections 3 and 3.1: names of a-z and 0-9, values that are a Boolean, a 32-bit Integer or a String without control
//! characters; `subject` is not empty. They are written in one fixed order.

use crate::crossing::{PrivateEvent, Violation};
use crate::key::is_refused;
use crate::mapping::{Identity, Leaf, Making};
use crate::path::Path;
use crate::public_event::quoted;
use crate::timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// The length of an attribute's text, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 1024;
/// The length of a `tracestate`, in bytes (W3C Trace Context, 3.3.1.5).
const MAX_TRACESTATE_BYTES: usize = 512;

/// What a public event's `time` is.
#[derive(Debug)]
pub(crate) enum Time {
    /// The private event's own; when it was recorded where that is none.
    Own,
    /// When it was recorded.
    Recorded,
    /// What is at a path.
    At(Path),
}

impl Time {
    /// The time in RFC 3339, or why there is none.
    pub(crate) fn of<'e>(&self, event: &PrivateEvent<'e>) -> Result<Cow<'e, str>, Violation> {
        let recorded = || Cow::Owned(timestamp::of_milliseconds(event.recorded_ms));
        match self {
            Self::Own => Ok(event
                .time
                .filter(|time| timestamp::is_rfc3339(time))
                .map_or_else(recorded, Cow::Borrowed)),
            Self::Recorded => Ok(recorded()),
            Self::At(path) => match path.find(event.data) {
                Some(Value::String(time)) if timestamp::is_rfc3339(time) => {
                    Ok(Cow::Borrowed(time.as_str()))
                }
                found => {
                    let what = match found {
                        None | Some(Value::Null) => "is missing",
                        Some(_) => "is no time in RFC 3339",
                    };
                    Err(violation("time", what))
                }
            },
        }
    }
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that is not empty; a number is taken as it is written.
    Text,
    /// A boolean, a 32-bit integer or text.
    Any,
    /// A time in RFC 3339.
    Timestamp,
    /// A URI-reference.
    Reference,
}

impl Kind {
    /// What an extension must be, by its name: those with agreed meanings have agreed types.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "recordedtime" | "expirytime" => Self::Timestamp,
            "dataref" => Self::Reference,
            _ => Self::Any,
        }
    }

    /// The value as it is written in JSON, or what is wrong with it.
    pub(crate) fn written(self, value: &Value) -> Result<String, &'static str> {
        let text = match (self, value) {
            (Self::Any, Value::Bool(value)) => return Ok(value.to_string()),
            (Self::Any, Value::Number(number)) => {
                return match number.as_str().parse::<i32>() {
                    Ok(integer) => Ok(integer.to_string()),
                    Err(_) => Err("is a number that is no 32-bit integer"),
                };
            }
            (Self::Text, Value::Number(number)) => Cow::Borrowed(number.as_str()),
            (_, Value::String(text)) => Cow::Borrowed(text.as_str()),
            (Self::Any, _) => return Err("is neither boolean, 32-bit integer nor text"),
            _ => return Err("is not text"),
        };
        if text.is_empty() && self != Self::Any {
            return Err("is empty");
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err("has more than 1024 bytes");
        }
        if text.chars().any(is_refused) {
            return Err("has a control character or a noncharacter");
        }
        match self {
            Self::Timestamp if !timestamp::is_rfc3339(&text) => Err("is no time in RFC 3339"),
            Self::Reference if !is_reference(&text) => Err("is no URI-reference"),
            _ => Ok(quoted(&text)),
        }
    }
}

/// Whether the text is a URI-reference of visible characters (RFC 3986, 4.1).
pub(crate) fn is_reference(text: &str) -> bool {
    let visible = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    visible
        && jsonschema::uri::from_str("horizon:///")
            .is_ok_and(|base| jsonschema::uri::resolve_against(&base.borrow(), text).is_ok())
}

/// Whether the text is a URI with a scheme (RFC 3986, 3).
pub(crate) fn is_absolute(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    scheme && is_reference(text)
}

/// What an attribute is made of.
#[derive(Debug)]
pub(crate) enum Made {
    /// The same for every event, in JSON.
    Fixed(String),
    Leaf(Kind, Leaf),
    /// The private event's own trace context.
    Traceparent,
    /// The private event's own trace state, where its trace context passes.
    Tracestate,
}

/// One attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) made: Made,
}

/// The attributes that a contract sets for one way.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) time: Time,
    pub(crate) subject: Option<Attribute>,
    /// What follows `partitionkey`, in the order in which it is written.
    pub(crate) more: Vec<Attribute>,
}

/// Attributes in JSON, each with a comma before it.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) subject: String,
    pub(crate) more: String,
}

impl Attributes {
    /// Writes them; tells what cannot be written.
    pub(crate) fn write(
        &self,
        event: &PrivateEvent<'_>,
        identity: &Identity<'_>,
        violations: &mut Vec<Violation>,
    ) -> Written {
        let mut written = Written::default();
        if let Some(subject) = &self.subject {
            subject.write(event, identity, &mut written.subject, violations);
        }
        for attribute in &self.more {
            attribute.write(event, identity, &mut written.more, violations);
        }
        written
    }
}

impl Attribute {
    fn write(
        &self,
        event: &PrivateEvent<'_>,
        identity: &Identity<'_>,
        out: &mut String,
        violations: &mut Vec<Violation>,
    ) {
        let value = match &self.made {
            Made::Fixed(json) => Some(Cow::Borrowed(json.as_str())),
            Made::Leaf(kind, leaf) => self
                .value(*kind, leaf, event, identity, violations)
                .map(Cow::Owned),
            Made::Traceparent => traceparent(event).map(|own| Cow::Owned(quoted(own))),
            Made::Tracestate => tracestate(event).map(|own| Cow::Owned(quoted(own))),
        };
        if let Some(value) = value {
            out.push_str(",\"");
            out.push_str(&self.name);
            out.push_str("\":");
            out.push_str(&value);
        }
    }

    fn value(
        &self,
        kind: Kind,
        leaf: &Leaf,
        event: &PrivateEvent<'_>,
        identity: &Identity<'_>,
        violations: &mut Vec<Violation>,
    ) -> Option<String> {
        let mut making = Making::default();
        let value = leaf.build(event.data, identity, &mut making);
        let untold = making.violations.iter();
        violations.extend(untold.map(|one| violation(&self.name, &one.reason)));
        let value = value.filter(|value| !value.is_null())?;
        match kind.written(&value) {
            Ok(json) => Some(json),
            Err(what) => {
                violations.push(violation(&self.name, what));
                None
            }
        }
    }
}

fn violation(name: &str, what: &str) -> Violation {
    Violation {
        pointer: String::new(),
        reason: format!("the attribute `{name}`: {what}"),
    }
}

/// The trace context, if it is well-formed (W3C Trace Context, 3.2): a broken one is worth nothing, and is no reason to park a key.
fn traceparent<'e>(event: &PrivateEvent<'e>) -> Option<&'e str> {
    event.traceparent.filter(|text| {
        let parts: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        lengths == [2, 32, 16, 2]
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
    })
}

fn tracestate<'e>(event: &PrivateEvent<'e>) -> Option<&'e str> {
    traceparent(event)?;
    event.tracestate.filter(|text| {
        !text.is_empty()
            && text.len() <= MAX_TRACESTATE_BYTES
            && text
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    })
}
