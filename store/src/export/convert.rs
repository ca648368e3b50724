//! Between lines and what the store holds.
//!
//! Payloads are never parsed: bytes that are UTF-8 text without control characters (but tab, line feed and carriage
//! return) are a JSON string, all others base64 in a member of another name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::line::{EventLine, Line, PublicLine, Scope, Text};
use crate::event::{AttributeRef, AttributeValue, Event};
use crate::names::LogName;
use crate::parked::{ParkOutcome, ParkScope};
use crate::public::PublicEvent;

/// How every line begins.
const OPENING: &[u8] = b"{\"kind\":\"";

/// Whether a line is the last one.
pub(crate) fn is_end(line: &[u8]) -> bool {
    line.strip_prefix(OPENING)
        .is_some_and(|rest| rest.starts_with(b"end\""))
}

impl<'a> Line<'a> {
    /// Reads a line without its check. The line is altered where its `kind` stands.
    pub(crate) fn parse(line: &'a mut [u8]) -> Result<Self, String> {
        let rest = line
            .strip_prefix(OPENING)
            .ok_or("it does not begin with {\"kind\":\"")?;
        let kind_end = rest.iter().position(|byte| *byte == b'"');
        let kind_bytes = kind_end.and_then(|end| rest.get(..end)).unwrap_or_default();
        let kind = String::from_utf8_lossy(kind_bytes).into_owned();
        // What follows the kind becomes an object of its own: its comma turns into a brace.
        let members_at = OPENING.len() + kind_bytes.len() + 1;
        let members = line.get_mut(members_at..).ok_or("it ends after its kind")?;
        match members.first_mut() {
            Some(comma) if *comma == b',' => *comma = b'{',
            _ => return Err(format!("no member follows its kind {kind:?}")),
        }
        let members: &'a [u8] = members;
        Ok(match kind.as_str() {
            "export" => Self::Export(read(members)?),
            "log" => Self::Log(read(members)?),
            "publicStream" => Self::PublicStream(read(members)?),
            "cursor" => Self::Cursor(read(members)?),
            "relay" => Self::Relay(read(members)?),
            "parked" => Self::Parked(read(members)?),
            "resolution" => Self::Resolution(read(members)?),
            "event" => Self::Event(read(members)?),
            "system" => Self::System(read(members)?),
            "marker" => Self::Marker(read(members)?),
            "public" => Self::Public(read(members)?),
            "settlement" => Self::Settlement(read(members)?),
            "end" => Self::End(read(members)?),
            _ => return Err(format!("its kind {kind:?} is unknown")),
        })
    }
}

fn read<'a, T: Deserialize<'a>>(members: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(members).map_err(|error| {
        let text = error.to_string();
        // There is one line only, and its columns are not those of the file.
        match text.split_once(" at line ") {
            Some((reason, _)) => reason.to_owned(),
            None => text,
        }
    })
}

/// Bytes as a JSON string, or as base64.
pub(crate) fn split(bytes: &[u8]) -> (Option<Text<'_>>, Option<Text<'_>>) {
    let printable = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(printable) => (Some(text.into()), None),
        _ => (None, Some(STANDARD.encode(bytes).into())),
    }
}

/// The bytes that [`split`] was given; none if there were none.
pub(crate) fn join(
    text: Option<Text<'_>>,
    base64: Option<Text<'_>>,
) -> Result<Option<Bytes>, String> {
    match (text, base64) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(text.into_owned().into())),
        (None, Some(base64)) => decode_base64(&base64).map(Some),
        (Some(_), Some(_)) => Err("it has bytes as text and as base64".into()),
    }
}

pub(crate) fn decode_base64(base64: &str) -> Result<Bytes, String> {
    let bytes = STANDARD.decode(base64);
    bytes
        .map(Bytes::from)
        .map_err(|error| format!("its base64 cannot be read: {error}"))
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn event<'a>(log: &'a LogName, event: &'a Event) -> Line<'a> {
    let (data, data_base64) = event.data().map_or((None, None), split);
    let value = |value: AttributeRef<'_>| match value {
        AttributeRef::Bool(value) => Value::from(value),
        AttributeRef::Int(value) => Value::from(value),
        AttributeRef::Text(value) => Value::from(value),
    };
    Line::Event(EventLine {
        log: log.as_str().into(),
        position: event.position.get(),
        stream: event.stream().into(),
        revision: event.revision.get(),
        source: event.source().into(),
        id: event.id().into(),
        r#type: event.event_type().into(),
        attributes: event
            .attributes()
            .map(|(name, of)| (name.into(), value(of)))
            .collect(),
        media_type: event.media_type().map(Into::into),
        recorded_ms: event.recorded_ms,
        commit_index: event.commit_index,
        commit_len: event.commit_len,
        flagged: event.flagged,
        data,
        data_base64,
    })
}

/// An attribute's value as it was.
pub(crate) fn attribute(value: Value) -> Result<AttributeValue, String> {
    match value {
        Value::Bool(value) => Ok(AttributeValue::Bool(value)),
        Value::String(value) => Ok(AttributeValue::Text(value)),
        Value::Number(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .map(AttributeValue::Int)
            .ok_or_else(|| format!("an attribute is {number}, which is no integer of 32 bits")),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err("an attribute is neither a Boolean nor a number nor a string".into())
        }
    }
}

pub(crate) fn public<'a>(log: &'a LogName, public: &'a PublicEvent) -> Line<'a> {
    let (event, event_base64) = split(&public.event);
    Line::Public(PublicLine {
        log: log.as_str().into(),
        stream: public.stream.as_str().into(),
        sequence: public.sequence.get(),
        origin: public.origin.get(),
        crossed_ms: public.crossed_ms,
        contract_version: public.contract_version.as_str().into(),
        r#type: public.event_type.as_str().into(),
        name: public.name.as_str().into(),
        id: public.id.as_str().into(),
        key: public.key.as_str().into(),
        event,
        event_base64,
    })
}

pub(crate) fn scope(scope: &ParkScope) -> Scope<'_> {
    match scope {
        ParkScope::Crossing(stream) => Scope::Crossing(stream.as_str().into()),
        ParkScope::Relay(relay) => Scope::Relay(relay.as_str().into()),
    }
}

/// The name of what became of a parked entry, and the reason if it has one.
pub(crate) fn outcome(outcome: &ParkOutcome) -> (&'static str, Option<&str>) {
    match outcome {
        ParkOutcome::Crossed => ("crossed", None),
        ParkOutcome::Filtered => ("filtered", None),
        ParkOutcome::Confirmed => ("confirmed", None),
        ParkOutcome::Unheard => ("unheard", None),
        ParkOutcome::Skipped { reason } => ("skipped", Some(reason)),
    }
}

/// What became of a parked entry, by its name: what can become of one in its scope.
pub(crate) fn outcome_of(
    scope: &ParkScope,
    name: &str,
    reason: Option<Text<'_>>,
) -> Result<ParkOutcome, String> {
    match (scope, name, reason) {
        (ParkScope::Crossing(_), "crossed", None) => Ok(ParkOutcome::Crossed),
        (ParkScope::Crossing(_), "filtered", None) => Ok(ParkOutcome::Filtered),
        (ParkScope::Relay(_), "confirmed", None) => Ok(ParkOutcome::Confirmed),
        (ParkScope::Relay(_), "unheard", None) => Ok(ParkOutcome::Unheard),
        (_, "skipped", Some(reason)) => Ok(ParkOutcome::Skipped {
            reason: reason.into_owned(),
        }),
        _ => Err(format!(
            "its outcome {name:?} is none in {scope}, or has a reason where only \"skipped\" has one"
        )),
    }
}
