//! Private events as they are written into answers: as CloudEvents, or as the interface's own JSON.
//!
//! Attributes are as they were sent, and so is data: JSON byte for byte, text as text, all else as base64. What the store knows of an
//! event stands, in a CloudEvent, in extension attributes whose names begin with [`OWN_PREFIX`]; no sender may use such a name.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use horizon_store::{AttributeRef, Event};
use serde::Serialize;
use serde_json::value::RawValue;

use super::form::JSON;
use crate::clock;
use crate::intake::media_type::{charset, is_json, is_utf8};

/// What the names of the store's own attributes begin with.
pub(crate) const OWN_PREFIX: &str = "horizon";

/// Data as it stands in JSON (CloudEvents 1.0, JSON format, section 3.1).
enum Shown<'a> {
    Json(&'a str),
    Text(&'a str),
    Binary(&'a [u8]),
}

fn shown<'a>(media_type: Option<&str>, data: &'a [u8]) -> Shown<'a> {
    let media_type = media_type.unwrap_or(JSON);
    let essence = media_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let Ok(text) = std::str::from_utf8(data) else {
        return Shown::Binary(data);
    };
    if is_json(&essence) {
        return match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Shown::Json(text),
            Err(_) => Shown::Binary(data),
        };
    }
    let is_text = essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+yaml")
        || matches!(
            essence.as_str(),
            "application/xml" | "application/yaml" | "application/x-www-form-urlencoded"
        );
    // Some write it so.
    let is_utf8 = is_utf8(media_type) || charset(media_type).is_some_and(|named| named == "utf8");
    if is_text && is_utf8 {
        Shown::Text(text)
    } else {
        Shown::Binary(data)
    }
}

/// Begins a member: a comma before it unless it is the first, and its name.
fn begin(out: &mut Vec<u8>, name: &str) {
    if !out.ends_with(b"{") {
        out.push(b',');
    }
    value(out, name);
    out.push(b':');
}

fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to memory does not fail, and all that is written here has a form in JSON.
    serde_json::to_writer(out, value).unwrap_or_default();
}

fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, of: &T) {
    begin(out, name);
    value(out, of);
}

/// Identity, type and all that was sent, but for the data.
fn sent(out: &mut Vec<u8>, event: &Event, keep: impl Fn(&str) -> bool) {
    member(out, "id", event.id());
    member(out, "source", event.source());
    member(out, "type", event.event_type());
    for (name, value) in event.attributes().filter(|(name, _)| keep(name)) {
        match value {
            AttributeRef::Bool(value) => member(out, name, &value),
            AttributeRef::Int(value) => member(out, name, &value),
            AttributeRef::Text(value) => member(out, name, value),
        }
    }
    if let Some(media_type) = event.media_type() {
        member(out, "datacontenttype", media_type);
    }
}

fn data(out: &mut Vec<u8>, event: &Event) {
    let Some(data) = event.data() else {
        return;
    };
    match shown(event.media_type(), data) {
        Shown::Json(json) => {
            begin(out, "data");
            out.extend_from_slice(json.as_bytes());
        }
        Shown::Text(text) => member(out, "data", text),
        Shown::Binary(bytes) => member(out, "data_base64", &BASE64_STANDARD.encode(bytes)),
    }
}

/// Memory for an event as it is written: what most take.
fn room(event: &Event) -> Vec<u8> {
    Vec::with_capacity(320 + event.data().map_or(0, <[u8]>::len))
}

/// An event as a structured CloudEvent (CloudEvents 1.0, JSON format, section 3). Positions and revisions are text: they may go
/// beyond a CloudEvents Integer.
pub(super) fn cloud_event(event: &Event) -> Vec<u8> {
    let mut out = room(event);
    out.extend_from_slice(b"{\"specversion\":\"1.0\"");
    // One of such a name could only come from a store that was written before names were kept back.
    sent(&mut out, event, |name| !name.starts_with(OWN_PREFIX));
    member(&mut out, "horizonstream", event.stream());
    member(
        &mut out,
        "horizonrevision",
        &format_args!("{}", event.revision),
    );
    member(
        &mut out,
        "horizonposition",
        &format_args!("{}", event.position),
    );
    let recorded = clock::rfc3339(event.recorded_ms);
    member(&mut out, "horizonrecorded", &recorded);
    if event.flagged {
        member(&mut out, "horizonflagged", &true);
    }
    data(&mut out, event);
    out.push(b'}');
    out
}

/// An event in the interface's own JSON, with what the store knows of it around it; `stream` where that does not go without saying.
pub(super) fn plain(event: &Event, with_stream: bool) -> Vec<u8> {
    let mut out = room(event);
    out.push(b'{');
    if with_stream {
        member(&mut out, "stream", event.stream());
    }
    member(&mut out, "revision", &event.revision.get());
    member(&mut out, "position", &event.position.get());
    member(&mut out, "recorded", &clock::rfc3339(event.recorded_ms));
    if event.flagged {
        member(&mut out, "flagged", &true);
    }
    out.extend_from_slice(b",\"event\":{");
    sent(&mut out, event, |_| true);
    data(&mut out, event);
    out.extend_from_slice(b"}}");
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use horizon_store::{AttributeValue, NewEvent, Position, Revision, StreamName};
    use serde_json::Value;

    use super::*;

    fn an_event(
        attributes: Vec<(&str, AttributeValue)>,
        media_type: &str,
        data: Option<&'static [u8]>,
    ) -> Event {
        let attributes = attributes.into_iter();
        let new = NewEvent {
            id: "a".into(),
            source: None,
            event_type: "Noted".into(),
            attributes: attributes
                .map(|(name, value)| (name.into(), value))
                .collect(),
            media_type: Some(media_type.into()),
            data: data.map(bytes::Bytes::from_static),
            flagged: true,
        };
        let stream = StreamName::new("account-1").unwrap();
        let position = Position::new(9_007_199_254_740_991);
        let mut event = Event::of(&new, &stream, position, Revision::new(7));
        event.recorded_ms = 1;
        event
    }

    #[test]
    fn a_cloud_event_has_what_was_sent_and_what_the_store_knows() {
        let attributes = vec![
            ("count", AttributeValue::Int(-7)),
            ("horizonposition", AttributeValue::Text("3".into())),
        ];
        let event = an_event(attributes, "image/png", Some(b"\x00\xff"));
        assert_eq!(
            String::from_utf8(cloud_event(&event)).unwrap(),
            r#"{"specversion":"1.0","id":"a","source":"account-1","type":"Noted","count":-7,"datacontenttype":"image/png","#.to_owned()
                + r#""horizonstream":"account-1","horizonrevision":"7","horizonposition":"9007199254740991","#
                + r#""horizonrecorded":"1970-01-01T00:00:00.001Z","horizonflagged":true,"data_base64":"AP8="}"#
        );
    }

    #[test]
    fn plain_json_has_what_was_sent_as_it_was_sent() {
        let attributes = vec![("horizonposition", AttributeValue::Text("3".into()))];
        let event = an_event(attributes.clone(), "text/plain", Some(b"1\n"));
        assert_eq!(
            String::from_utf8(plain(&event, false)).unwrap(),
            r#"{"revision":7,"position":9007199254740991,"recorded":"1970-01-01T00:00:00.001Z","flagged":true,"#.to_owned()
                + r#""event":{"id":"a","source":"account-1","type":"Noted","horizonposition":"3","datacontenttype":"text/plain","data":"1\n"}}"#
        );
        let json = br#" {"amount":7.00} "#;
        let event = an_event(Vec::new(), "application/json", Some(json));
        assert!(
            plain(&event, false)
                .ends_with(br#""datacontenttype":"application/json","data": {"amount":7.00} }}"#)
        );
        let event = an_event(attributes, "text/plain", None);
        assert!(plain(&event, true).ends_with(br#""datacontenttype":"text/plain"}}"#));
    }

    fn told(media_type: Option<&str>, data: &[u8]) -> String {
        match shown(media_type, data) {
            Shown::Json(json) => format!("json {json}"),
            Shown::Text(text) => format!("text {text}"),
            Shown::Binary(bytes) => format!("binary {}", BASE64_STANDARD.encode(bytes)),
        }
    }

    #[test]
    fn data_is_shown_as_its_media_type_says() {
        for (media_type, data, due) in [
            (None, &b"{\"a\":1e2}"[..], "json {\"a\":1e2}"),
            (None, b"null", "json null"),
            (None, b"\x00\xff", "binary AP8="),
            (None, b"no json", "binary bm8ganNvbg=="),
            (Some("application/json"), b"700.00", "json 700.00"),
            (
                Some("application/vnd.bank+json; charset=utf-8"),
                b"[1]",
                "json [1]",
            ),
            (Some("text/plain"), b"123", "text 123"),
            (
                Some("text/plain; charset=utf-8"),
                "é\n".as_bytes(),
                "text é\n",
            ),
            (Some("Text/XML;Charset=\"UTF-8\""), b"<a/>", "text <a/>"),
            (
                Some("text/plain; charset=iso-8859-1"),
                b"abc",
                "binary YWJj",
            ),
            (Some("text/plain"), b"\xe9", "binary 6Q=="),
            (Some("application/octet-stream"), b"abc", "binary YWJj"),
            (Some("image/svg+xml"), b"<svg/>", "text <svg/>"),
            (Some("text/plain"), b"", "text "),
            (Some("image/png"), b"", "binary "),
        ] {
            assert_eq!(told(media_type, data), due, "{media_type:?}");
        }
    }

    #[test]
    fn members_are_parted_by_commas_and_quoted() {
        let mut out = b"{".to_vec();
        member(&mut out, "a", "1\"2\n");
        member(&mut out, "b\"", &7);
        out.push(b'}');
        assert_eq!(out, b"{\"a\":\"1\\\"2\\n\",\"b\\\"\":7}");
        let read: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["a"], "1\"2\n");
    }
}
