//! CloudEvents' binary mode over HTTP: attributes in `ce-` headers, the body is the data (HTTP protocol binding 1.0, section 3.1).

use axum::http::{HeaderMap, HeaderName, header};
use bytes::Bytes;
use horizon_store::NewEvent;
use percent_encoding::percent_decode;

use super::draft::Draft;
use super::raw::MEMBERS_LIMIT;
use super::{Form, Payload, Refused};

/// What headers with attributes begin with.
const PREFIX: &str = "ce-";

/// Whether a header holds an attribute.
pub(crate) fn is_attribute_header(name: &HeaderName) -> bool {
    name.as_str().starts_with(PREFIX)
}

/// An event in binary mode.
pub(crate) struct BinaryEvent {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl BinaryEvent {
    /// Reads the headers without looking at any schema.
    pub(super) fn read(self) -> Result<(NewEvent, Payload), Refused> {
        let mut draft = Draft::default();
        let names = self.headers.keys().filter(|name| is_attribute_header(name));
        for (nth, name) in names.enumerate() {
            let attribute = &name.as_str()[PREFIX.len()..];
            if nth == MEMBERS_LIMIT {
                draft.mistake(
                    attribute,
                    &format!("is more than {MEMBERS_LIMIT} attributes"),
                );
                break;
            }
            if attribute == "datacontenttype" {
                draft.mistake(attribute, "is the header `content-type` in binary mode");
                continue;
            }
            if let Some(text) = single(&self.headers, name, attribute, &mut draft) {
                draft.text(attribute, &text);
            }
        }
        let content_type = header::CONTENT_TYPE;
        let has_type = self.headers.contains_key(&content_type);
        if has_type
            && let Some(text) = single(&self.headers, &content_type, "datacontenttype", &mut draft)
        {
            draft.text("datacontenttype", &text);
        }
        // No bytes are no data, unless they are declared to be something that may have none: JSON may not.
        if !self.body.is_empty() || has_type && !draft.says_json() {
            draft.bytes(self.body);
        }
        draft.finish(Form::CloudEvents)
    }
}

/// The text of a header that is there once.
fn single(
    headers: &HeaderMap,
    name: &HeaderName,
    attribute: &str,
    draft: &mut Draft<'_>,
) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        draft.mistake(attribute, &format!("is there twice: `{name}`"));
        return None;
    }
    let text = match name == header::CONTENT_TYPE {
        true => value.to_str().ok().map(str::to_owned),
        false => decoded(value.as_bytes()),
    };
    if text.is_none() {
        draft.mistake(
            attribute,
            &format!("is no UTF-8 when percent-decoded: `{name}`"),
        );
    }
    text
}

/// The value of a header: unquoted if older senders have quoted it, then percent-decoded once (section 3.1.3.2).
fn decoded(value: &[u8]) -> Option<String> {
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    let value = quoted.map_or_else(|| value.to_vec(), unescaped);
    percent_decode(&value)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

/// The inside of a quoted string (RFC 9110, section 5.6.4).
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => bytes.next().unwrap_or(byte),
            byte => byte,
        });
    }
    plain
}
