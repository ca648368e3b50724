//! An event while its parts come in: each is checked by itself, and at the end what is missing is told with the rest.

use bytes::Bytes;
use horizon_schemas::parse_json;
use horizon_store::{AttributeValue, NewEvent};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Form, Mistake, RawObject, Refused, RefusedKind, decoded, media_type};
use crate::clock;
use crate::http::OWN_PREFIX;

/// Longest attribute name, in characters. CloudEvents advises 20 at most; longer ones are taken, but not without end.
const ATTRIBUTE_NAME_LIMIT_CHARACTERS: usize = 64;
/// Most mistakes that are told of one event.
const TOLD_LIMIT_MISTAKES: usize = 20;

/// What a private schema can look at.
#[derive(Debug)]
pub(crate) enum Payload {
    /// The data, parsed.
    Json(Value),
    /// Data that is not JSON.
    Other,
    /// No data at all.
    Absent,
}

impl Payload {
    pub(super) fn json(&self) -> Option<&Value> {
        match self {
            Payload::Json(value) => Some(value),
            Payload::Other | Payload::Absent => None,
        }
    }
}

/// The data as it came.
enum Data<'a> {
    /// A JSON value.
    Value(&'a RawValue),
    Bytes(Bytes),
}

/// An event that is not whole yet.
#[derive(Default)]
pub(super) struct Draft<'a> {
    id: Option<String>,
    event_type: Option<String>,
    source: Option<String>,
    specversion: Option<String>,
    media_type: Option<String>,
    attributes: Vec<(String, AttributeValue)>,
    data: Option<Data<'a>>,
    mistakes: Vec<Mistake>,
}

impl<'a> Draft<'a> {
    /// The members of a JSON object.
    pub(super) fn of_members(object: RawObject<'a>) -> Draft<'a> {
        let mut draft = Draft::default();
        for (name, raw) in object.0 {
            match &*name {
                "data" => draft.give_data(&name, Data::Value(raw)),
                "data_base64" => match serde_json::from_str::<String>(raw.get()) {
                    Ok(text) => match decoded(&text) {
                        Some(bytes) => draft.give_data(&name, Data::Bytes(bytes)),
                        None => draft.mistake(&name, "is not Base64 (RFC 4648, section 4)"),
                    },
                    Err(_) => draft.mistake(&name, "must be a string of Base64"),
                },
                _ => draft.attribute(&name, raw),
            }
        }
        draft
    }

    /// An attribute (CloudEvents 1.0, section 3.1). One that is null is absent.
    fn attribute(&mut self, name: &str, raw: &RawValue) {
        if let Some(text) = plain_text(raw) {
            return self.text(name, text);
        }
        match parse_json(raw.get().as_bytes()) {
            Ok(Value::Null) if !is_text(name) => {}
            Ok(Value::String(text)) => self.text(name, &text),
            _ if is_text(name) => self.mistake(name, "must be a string"),
            Ok(Value::Bool(value)) => self.extension(name, AttributeValue::Bool(value)),
            Ok(Value::Number(number)) => match integer(number.as_str()) {
                Some(number) => self.extension(name, AttributeValue::Int(number)),
                None => self.mistake(
                    name,
                    "is a number that is no 32-bit integer; send it as a string or inside `data`",
                ),
            },
            _ => self.mistake(name, "must be a string, a boolean or a 32-bit integer"),
        }
    }

    /// An attribute whose value is text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return self.mistake(name, "is empty");
        }
        if text.chars().any(char::is_control) {
            return self.mistake(name, "holds a control character");
        }
        match name {
            "id" => self.id = Some(text.to_owned()),
            "type" => self.event_type = Some(text.to_owned()),
            "source" => self.source = Some(text.to_owned()),
            "specversion" if text == "1.0" => self.specversion = Some(text.to_owned()),
            "specversion" => self.mistake(name, "only version 1.0 of CloudEvents is known"),
            "datacontenttype" if media_type::essence(text).is_some() => {
                self.media_type = Some(text.to_owned());
            }
            "datacontenttype" => {
                self.mistake(name, "is no media type, such as application/json");
            }
            "time" if !clock::is_rfc3339(text) => self.mistake(
                name,
                "must be a timestamp by RFC 3339, such as 2026-01-31T12:00:00Z",
            ),
            _ => self.extension(name, AttributeValue::Text(text.into())),
        }
    }

    fn extension(&mut self, name: &str, value: AttributeValue) {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let length = 1..=ATTRIBUTE_NAME_LIMIT_CHARACTERS;
        if name == "data" || !length.contains(&name.len()) || !name.bytes().all(legal) {
            return self.mistake(
                name,
                "is no CloudEvents attribute: names are of a to z and 0 to 9; the domain's own fields belong into `data`",
            );
        }
        if name.starts_with(OWN_PREFIX) {
            return self.mistake(
                name,
                "is a name that the store gives; leave it out, or name your attribute otherwise",
            );
        }
        self.attributes.push((name.to_owned(), value));
    }

    /// The data as bytes.
    pub(super) fn bytes(&mut self, bytes: Bytes) {
        self.give_data("data", Data::Bytes(bytes));
    }

    fn give_data(&mut self, name: &str, data: Data<'a>) {
        if self.data.is_some() {
            self.mistake(name, "is there beside the other form of data; `data` and `data_base64` exclude each other");
        }
        self.data = Some(data);
    }

    pub(super) fn mistake(&mut self, member: &str, reason: &str) {
        self.mistakes.push(Mistake::at(member, reason));
    }

    /// Tells what is missing, if nothing else was wrong with it.
    fn need(&mut self, name: &str, is_there: bool) {
        if is_there {
            return;
        }
        let told = |mistake: &Mistake| mistake.pointer.strip_prefix('/') == Some(name);
        if !self.mistakes.iter().any(told) {
            self.mistake(name, "is missing");
        }
    }

    /// Whether the media type says JSON; without one, what CloudEvents assumes is JSON.
    pub(super) fn says_json(&self) -> bool {
        let essence = self.media_type.as_deref().and_then(media_type::essence);
        essence.is_none_or(|essence| media_type::is_json(&essence))
    }

    /// The data's bytes, and what of them a schema can look at.
    fn payload(&mut self) -> (Option<Bytes>, Payload) {
        let Some(data) = self.data.take() else {
            return (None, Payload::Absent);
        };
        let bytes = match data {
            Data::Value(raw) if self.says_json() => Bytes::copy_from_slice(raw.get().as_bytes()),
            // The text of another media type (CloudEvents 1.0, JSON format, section 3.1.1).
            Data::Value(raw) => match serde_json::from_str::<String>(raw.get()) {
                Ok(text) => text.into(),
                Err(_) => {
                    self.mistake(
                        "data",
                        "must be a string (or `data_base64`), as `datacontenttype` is not JSON",
                    );
                    return (None, Payload::Other);
                }
            },
            Data::Bytes(bytes) => bytes,
        };
        if !self.says_json() {
            return (Some(bytes), Payload::Other);
        }
        match parse_json(&bytes) {
            Ok(value) => (Some(bytes), Payload::Json(value)),
            // Bytes without a media type may be anything.
            Err(_) if self.media_type.is_none() => (Some(bytes), Payload::Other),
            Err(error) => {
                // Of a JSON value, what fails is nesting deeper than the parser's bound, or half of a surrogate pair.
                self.mistake("data", &format!("is not usable JSON: {error}"));
                (None, Payload::Other)
            }
        }
    }

    /// The event, if it is whole.
    pub(super) fn finish(mut self, form: Form) -> Result<(NewEvent, Payload), Refused> {
        let has_data = self.data.is_some();
        let (data, payload) = self.payload();
        self.need("id", self.id.is_some());
        self.need("type", self.event_type.is_some());
        match form {
            Form::Plain => {
                let told = |mistake: &Mistake| mistake.pointer == "/data_base64";
                let told = self.mistakes.iter().any(told);
                self.need("data", has_data || told);
            }
            Form::CloudEvents => {
                self.need("source", self.source.is_some());
                self.need("specversion", self.specversion.is_some());
            }
        }
        match (self.id, self.event_type) {
            (Some(id), Some(event_type)) if self.mistakes.is_empty() => {
                let event = NewEvent {
                    id,
                    source: self.source,
                    event_type,
                    attributes: self.attributes,
                    media_type: self.media_type,
                    data,
                    flagged: false,
                };
                Ok((event, payload))
            }
            _ => Err(refused(self.mistakes, form)),
        }
    }
}

/// The text of a string without escapes, and without the `$` that the names begin with which the parser keeps for itself. Most are such,
/// and are taken as they stand.
fn plain_text(raw: &RawValue) -> Option<&str> {
    let text = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains(['\\', '$'])).then_some(text)
}

/// A CloudEvents Integer. `5.0` is one as well: some clients write whole numbers so.
fn integer(text: &str) -> Option<i32> {
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    text.parse().ok()
}

/// Attributes whose value is text always.
fn is_text(name: &str) -> bool {
    matches!(
        name,
        "id" | "type" | "source" | "specversion" | "datacontenttype"
    )
}

fn refused(mut mistakes: Vec<Mistake>, form: Form) -> Refused {
    mistakes.truncate(TOLD_LIMIT_MISTAKES);
    let mend = match form {
        Form::Plain => {
            "an event is {\"id\": \"…\", \"type\": \"…\", \"data\": …}, and may have further CloudEvents attributes"
        }
        Form::CloudEvents => {
            "a CloudEvent has `specversion` 1.0, `id`, `source` and `type`, in binary mode as headers that begin with `ce-`"
        }
    };
    Refused {
        kind: RefusedKind::Malformed,
        mistakes,
        mend: mend.to_owned(),
        event: None,
    }
}
