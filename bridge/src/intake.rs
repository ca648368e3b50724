//! The door through which private events come in: JSON text to a checked [`NewEvent`].
//!
//! - The payload is kept as the bytes that were sent; number text is never rewritten.
//! - An event is either taken whole or refused with the pointer at fault; nothing is guessed or filled in.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use horizon_schemas::{Admitted, Door, PrivateSchemas, Refusal, Violation};
use horizon_store::{AttributeValue, NewEvent, StreamName};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock;
use crate::http::OWN_PREFIX;

/// Longest attribute name, in characters. CloudEvents advises 20 at most; longer ones are taken, but not without end.
const ATTRIBUTE_NAME_LIMIT_CHARACTERS: usize = 64;

/// Most members of an event: attributes and `data`.
const MEMBERS_LIMIT: usize = 128;
/// Most events of a request: as many as the store takes in one commit.
const EVENTS_LIMIT: usize = 1_000;
/// Most mistakes that are told of one event.
const TOLD_LIMIT_MISTAKES: usize = 20;

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
    /// JSON pointer into the event (RFC 6901).
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) reason: String,
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

/// A JSON object whose members are kept as text, in order, without duplicates.
pub(crate) struct RawObject<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = RawObject<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'a RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'a RawValue>()? {
                    if members.len() == MEMBERS_LIMIT {
                        return Err(serde::de::Error::custom(format_args!(
                            "an event has at most {MEMBERS_LIMIT} members"
                        )));
                    }
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format_args!(
                            "the member `{name}` is there twice"
                        )));
                    }
                    members.push((name, value));
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// The events of one request, refused as soon as there are too many.
pub(crate) struct RawEvents<'a>(pub(crate) Vec<RawObject<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for RawEvents<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Events<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Events<'a> {
            type Value = RawEvents<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut sequence: A,
            ) -> Result<Self::Value, A::Error> {
                let mut events = Vec::new();
                while let Some(event) = sequence.next_element()? {
                    if events.len() == EVENTS_LIMIT {
                        return Err(serde::de::Error::custom(format_args!(
                            "a request has at most {EVENTS_LIMIT} events"
                        )));
                    }
                    events.push(event);
                }
                Ok(RawEvents(events))
            }
        }
        deserializer.deserialize_seq(Events(PhantomData))
    }
}

/// Turns the members of an event (`stream` taken out already) into an event for `stream`, checked by its private schema as
/// the door does it.
///
/// # Errors
/// Every mistake that can be told at once, with its pointer.
pub(crate) fn take(
    stream: &StreamName,
    object: RawObject<'_>,
    schemas: &PrivateSchemas,
    door: Door,
) -> Result<Taken, Refused> {
    let (mut event, data) = read(object)?;
    let admitted = schemas.admit(door, stream.category(), &event.event_type, Some(&data));
    match admitted {
        Ok(Admitted::Flagged(violations)) => {
            event.flagged = true;
            let unfit = violations.into_iter().map(Into::into).collect();
            Ok(Taken { event, unfit })
        }
        Ok(_) => Ok(Taken {
            event,
            unfit: Vec::new(),
        }),
        Err(refusal) => Err(unfit(stream, event, refusal)),
    }
}

/// An event that its private schema, or the lack of one, is against.
fn unfit(stream: &StreamName, event: NewEvent, refusal: Refusal) -> Refused {
    let mut mistakes: Vec<Mistake> = refusal.violations.into_iter().map(Into::into).collect();
    let mut kind = RefusedKind::Schema;
    if mistakes.is_empty() {
        kind = RefusedKind::NoSchema;
        let reason = format!(
            "has no private schema in the category `{}`",
            stream.category()
        );
        mistakes.push(mistake("type", &reason));
    }
    Refused {
        kind,
        mistakes,
        mend: refusal.help,
        event: Some(Box::new(event)),
    }
}

/// Reads the members without looking at any schema.
fn read(object: RawObject<'_>) -> Result<(NewEvent, Value), Refused> {
    let mut mistakes = Vec::new();
    let (mut id, mut event_type, mut source, mut media_type) = (None, None, None, None);
    let (mut data, mut parsed) = (None, Value::Null);
    let mut attributes = Vec::new();
    for (name, raw) in object.0 {
        match name.as_str() {
            "id" => id = text(&name, raw, &mut mistakes),
            "type" => event_type = text(&name, raw, &mut mistakes),
            "source" => source = text(&name, raw, &mut mistakes),
            "datacontenttype" => media_type = json_media_type(raw, &mut mistakes),
            "specversion" => {
                if text(&name, raw, &mut mistakes).is_some_and(|version| version != "1.0") {
                    mistakes.push(mistake(&name, "only version 1.0 of CloudEvents is known"));
                }
            }
            "data" => {
                // The text is sound JSON already; what can fail is nesting deeper than the parser's bound.
                match serde_json::from_str(raw.get()) {
                    Ok(value) => parsed = value,
                    Err(error) => {
                        mistakes.push(mistake(&name, &format!("is not usable JSON: {error}")))
                    }
                }
                data = Some(Bytes::copy_from_slice(raw.get().as_bytes()));
            }
            "data_base64" => mistakes.push(mistake(
                &name,
                "binary data is not taken by this version; send JSON in `data`",
            )),
            _ => attributes.extend(attribute(name, raw, &mut mistakes)),
        }
    }
    for (name, missing) in [
        ("id", id.is_none()),
        ("type", event_type.is_none()),
        ("data", data.is_none()),
    ] {
        if missing
            && !mistakes
                .iter()
                .any(|mistake| mistake.pointer == format!("/{name}"))
        {
            mistakes.push(mistake(name, "is missing"));
        }
    }
    match (id, event_type, data) {
        (Some(id), Some(event_type), Some(data)) if mistakes.is_empty() => {
            Ok((NewEvent { id, source, event_type, attributes, media_type, data: Some(data), flagged: false }, parsed))
        }
        _ => Err(Refused {
            kind: RefusedKind::Malformed,
            mistakes: {
                mistakes.truncate(TOLD_LIMIT_MISTAKES);
                mistakes
            },
            mend: "an event is {\"id\": \"…\", \"type\": \"…\", \"data\": …}, and may have further CloudEvents attributes".to_owned(),
            event: None,
        }),
    }
}

fn mistake(member: &str, reason: &str) -> Mistake {
    Mistake {
        pointer: format!("/{}", member.replace('~', "~0").replace('/', "~1")),
        reason: reason.to_owned(),
    }
}

/// A non-empty string without control characters.
fn text(name: &str, raw: &RawValue, mistakes: &mut Vec<Mistake>) -> Option<String> {
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) if text.is_empty() => mistakes.push(mistake(name, "is empty")),
        Ok(text) if text.chars().any(char::is_control) => {
            mistakes.push(mistake(name, "holds a control character"))
        }
        Ok(text) => return Some(text),
        Err(_) => mistakes.push(mistake(name, "must be a string")),
    }
    None
}

/// `datacontenttype`, as long as it says JSON (CloudEvents 1.0, JSON format, section 3.1).
fn json_media_type(raw: &RawValue, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let media_type = text("datacontenttype", raw, mistakes)?;
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence.ends_with("/json") || essence.ends_with("+json") {
        return Some(media_type);
    }
    mistakes.push(mistake(
        "datacontenttype",
        "only JSON data is taken by this version",
    ));
    None
}

/// A further CloudEvents attribute (CloudEvents 1.0, section 3.1).
fn attribute(
    name: String,
    raw: &RawValue,
    mistakes: &mut Vec<Mistake>,
) -> Option<(String, AttributeValue)> {
    let legal = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    if name.is_empty() || name.len() > ATTRIBUTE_NAME_LIMIT_CHARACTERS || !name.chars().all(legal) {
        mistakes.push(mistake(
            &name,
            "is no CloudEvents attribute: names are of a to z and 0 to 9; the domain's own fields belong into `data`",
        ));
        return None;
    }
    if name.starts_with(OWN_PREFIX) {
        mistakes.push(mistake(
            &name,
            "is a name that the store gives; leave it out, or name your attribute otherwise",
        ));
        return None;
    }
    let value = match serde_json::from_str::<Value>(raw.get()) {
        Ok(Value::Null) => return None,
        Ok(Value::Bool(value)) => AttributeValue::Bool(value),
        Ok(Value::Number(number)) => {
            match number
                .as_i64()
                .and_then(|number| i32::try_from(number).ok())
            {
                Some(number) => AttributeValue::Int(number),
                None => {
                    mistakes.push(mistake(&name, "is a number that is no 32-bit integer; send it as a string or inside `data`"));
                    return None;
                }
            }
        }
        Ok(Value::String(_)) => AttributeValue::Text(text(&name, raw, mistakes)?.into()),
        _ => {
            mistakes.push(mistake(
                &name,
                "must be a string, a boolean or a 32-bit integer",
            ));
            return None;
        }
    };
    if name == "time" && !matches!(&value, AttributeValue::Text(text) if clock::is_rfc3339(text)) {
        mistakes.push(mistake(
            &name,
            "must be a timestamp by RFC 3339, such as 2026-01-31T12:00:00Z",
        ));
        return None;
    }
    Some((name, value))
}

#[cfg(test)]
mod tests;
