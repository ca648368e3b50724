#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use horizon_store::AttributeValue;

use super::*;

fn read_as(form: Form, text: &str) -> Result<NewEvent, Refused> {
    let draft = Draft::of_members(serde_json::from_str(text).unwrap());
    draft.finish(form).map(|(event, _)| event)
}

fn read_text(text: &str) -> Result<NewEvent, Refused> {
    read_as(Form::Plain, text)
}

fn pointers(text: &str) -> Vec<String> {
    read_text(text)
        .unwrap_err()
        .mistakes
        .into_iter()
        .map(|mistake| mistake.pointer)
        .collect()
}

#[test]
fn the_payload_is_kept_as_the_bytes_that_were_sent() {
    let event =
        read_text(r#"{"id":"1","type":"T","data":{"b": 1.10,  "a":12345678901234567890.0}}"#)
            .unwrap();
    assert_eq!(
        event.data.unwrap(),
        r#"{"b": 1.10,  "a":12345678901234567890.0}"#
    );
}

#[test]
fn attributes_keep_their_order_and_kind() {
    let event = read_text(r#"{"zone":"a","id":"1","count":-3,"type":"T","flag":true,"data":null}"#)
        .unwrap();
    let expected = [
        ("zone", AttributeValue::Text("a".into())),
        ("count", AttributeValue::Int(-3)),
        ("flag", AttributeValue::Bool(true)),
    ];
    assert_eq!(
        event.attributes,
        expected.map(|(name, value)| (name.to_owned(), value))
    );
    assert_eq!(event.data.unwrap(), "null", "null is a payload");
}

#[test]
fn every_missing_part_is_told_at_once() {
    assert_eq!(pointers("{}"), ["/id", "/type", "/data"]);
}

#[test]
fn a_member_that_is_no_attribute_is_refused_with_its_pointer() {
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"Amount":3}"#),
        ["/Amount"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"a/b":3}"#),
        ["/a~1b"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"amount":1.5}"#),
        ["/amount"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"nested":{}}"#),
        ["/nested"]
    );
}

#[test]
fn wrong_kinds_are_refused() {
    assert_eq!(pointers(r#"{"id":1,"type":"","data":1}"#), ["/id", "/type"]);
    assert_eq!(
        pointers(r#"{"id":"a\u0000b","type":"T","data":1}"#),
        ["/id"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"time":"yesterday"}"#),
        ["/time"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"specversion":"0.3"}"#),
        ["/specversion"]
    );
    assert_eq!(
        pointers(r#"{"id":"1","type":"T","data":1,"datacontenttype":"text"}"#),
        ["/datacontenttype"]
    );
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    for twice in [r#"{"id":"1","id":"2"}"#, r#"{"id":"1","\u0069d":"2"}"#] {
        assert!(
            serde_json::from_str::<RawObject<'_>>(twice).is_err(),
            "{twice}"
        );
        assert!(serde_json::from_slice::<RawObject<'_>>(twice.as_bytes()).is_err());
    }
}

#[test]
fn a_name_with_escapes_is_the_name_that_it_stands_for() {
    let event = read_text(r#"{"\u0069d":"1","typ\u0065":"T","d\u0061ta":1}"#).unwrap();
    assert_eq!((&*event.id, &*event.event_type), ("1", "T"));
}

fn binary(headers: &[(&'static str, &[u8])], body: &'static [u8]) -> Result<NewEvent, Refused> {
    let whole: [(&str, &[u8]); 4] = [
        ("ce-specversion", b"1.0"),
        ("ce-id", b"1"),
        ("ce-source", b"/s"),
        ("ce-type", b"T"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in whole.iter().chain(headers) {
        let value = HeaderValue::from_bytes(value).unwrap();
        map.append(HeaderName::try_from(*name).unwrap(), value);
    }
    let event = BinaryEvent {
        headers: map,
        body: Bytes::from_static(body),
    };
    event.read().map(|(event, _)| event)
}

fn binary_pointer(name: &'static str, value: &[u8]) -> String {
    let refused = binary(&[(name, value)], b"").unwrap_err();
    assert_eq!(refused.mistakes.len(), 1, "{:?}", refused.mistakes);
    refused.mistakes.into_iter().next().unwrap().pointer
}

#[test]
fn a_header_is_unquoted_and_percent_decoded_once() {
    for (sent, read) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20ac} \u{1f600}"),
        ("%2541", "%41"),
        ("a%2fb", "a/b"),
        (r#""say \"%e2%82%ac\"\\""#, "say \"\u{20ac}\"\\"),
        ("100%", "100%"),
        ("\"", "\""),
    ] {
        let event = binary(&[("ce-subject", sent.as_bytes())], b"").unwrap();
        let expected = AttributeValue::Text(read.into());
        assert_eq!(event.attributes, [("subject".to_owned(), expected)]);
    }
}

#[test]
fn a_header_that_is_no_attribute_is_refused_by_name() {
    assert_eq!(
        binary_pointer("ce-subject", b"%C0%A0"),
        "/subject",
        "overlong"
    );
    assert_eq!(binary_pointer("ce-subject", b"\xe9"), "/subject", "Latin 1");
    assert_eq!(binary_pointer("ce-subject", b""), "/subject", "empty");
    assert_eq!(binary_pointer("ce-subject", b"%07"), "/subject", "control");
    assert_eq!(binary_pointer("ce-id", b"2"), "/id", "twice");
    assert_eq!(binary_pointer("ce-my-own", b"a"), "/my-own");
    assert_eq!(binary_pointer("ce-", b"a"), "/");
    assert_eq!(binary_pointer("ce-data", b"a"), "/data");
    assert_eq!(binary_pointer("ce-time", b"now"), "/time");
    assert_eq!(
        binary_pointer("ce-datacontenttype", b"a/b"),
        "/datacontenttype"
    );
    assert_eq!(binary_pointer("content-type", b"text"), "/datacontenttype");
}

#[test]
fn a_body_is_data_and_an_empty_one_only_where_it_is_declared() {
    let xml: (&str, &[u8]) = ("content-type", b"text/xml");
    let json: (&str, &[u8]) = ("content-type", b"application/vnd.x+json; charset=utf-8");
    assert_eq!(binary(&[], b"").unwrap().data, None);
    assert_eq!(binary(&[json], b"").unwrap().data, None);
    assert_eq!(binary(&[xml], b"").unwrap().data.unwrap(), "");
    assert_eq!(
        binary(&[], b"\x00\xff").unwrap().data.unwrap(),
        &b"\x00\xff"[..]
    );
    assert_eq!(binary(&[json], b" 1.10 ").unwrap().data.unwrap(), " 1.10 ");
    assert!(binary(&[json], b"\xff").is_err());
}

#[test]
fn a_cloudevent_needs_what_cloudevents_requires() {
    let told = |text| {
        let refused = read_as(Form::CloudEvents, text).unwrap_err();
        let pointers = refused.mistakes.into_iter().map(|one| one.pointer);
        pointers.collect::<Vec<_>>()
    };
    assert_eq!(told("{}"), ["/id", "/type", "/source", "/specversion"]);
    let whole = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T"}"#;
    assert_eq!(read_as(Form::CloudEvents, whole).unwrap().data, None);
}

#[test]
fn data_of_another_media_type_is_text_or_bytes() {
    let data = |rest: &str| {
        let text = format!(r#"{{"id":"1","type":"T",{rest}}}"#);
        read_text(&text).map(|event| event.data.unwrap())
    };
    assert_eq!(
        data(r#""datacontenttype":"text/xml","data":"<a>\u00e9</a>""#).unwrap(),
        "<a>\u{e9}</a>"
    );
    assert_eq!(
        data(r#""datacontenttype":"text/xml","data_base64":"/wA=""#).unwrap(),
        &b"\xff\0"[..]
    );
    assert_eq!(data(r#""data_base64":"/wA=""#).unwrap(), &b"\xff\0"[..]);
    assert_eq!(
        data(r#""datacontenttype":"a/b+json","data":"x""#).unwrap(),
        "\"x\""
    );
    for bad in [
        r#""datacontenttype":"text/xml","data":{}"#,
        r#""datacontenttype":"a/b+json","data_base64":"/wA=""#,
        r#""data":1,"data_base64":"/wA=""#,
        r#""data_base64":"/wA""#,
        r#""data_base64":7"#,
    ] {
        assert_eq!(data(bad).unwrap_err().mistakes.len(), 1, "{bad}");
    }
}
