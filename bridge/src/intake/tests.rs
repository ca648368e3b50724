#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn read_text(text: &str) -> Result<NewEvent, Refused> {
    read(serde_json::from_str(text).unwrap()).map(|(event, _)| event)
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
        pointers(r#"{"id":"1","type":"T","data":1,"datacontenttype":"text/xml"}"#),
        ["/datacontenttype"]
    );
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    assert!(serde_json::from_str::<RawObject<'_>>(r#"{"id":"1","id":"2"}"#).is_err());
}
