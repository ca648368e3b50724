//! Bodies of the log's and the public log's records. `FORMAT.md` has them as tables.
//!
//! The part of an event's body that does not depend on its place is encoded by the caller, outside the writer.

mod content;
mod public;

use bytes::Bytes;

use crate::codec::{Decoder, Encoder, Flaw};
use crate::event::{AttributeRef, Event, NewEvent, Record};
use crate::names::StreamName;
use crate::place::{Position, Revision};
pub(crate) use content::{Content, Pool};
pub(crate) use public::{decode_public, public_event};

const KIND_EVENT: u8 = 1;
const KIND_SYSTEM: u8 = 2;
pub(crate) const KIND_MARKER: u8 = 3;
const KIND_FLAGGED_EVENT: u8 = 4;

const ATTRIBUTE_FALSE: u8 = 0;
const ATTRIBUTE_TRUE: u8 = 1;
const ATTRIBUTE_INT: u8 = 2;
const ATTRIBUTE_TEXT: u8 = 3;

const DATA_NONE: u8 = 0;
const DATA_RAW: u8 = 1;

/// Where an event is written, as its record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventPlace {
    pub(crate) stream: StreamName,
    pub(crate) revision: Revision,
    pub(crate) commit_index: u32,
    pub(crate) commit_len: u32,
}

/// The part of an event's body that does not depend on its place.
pub(crate) fn event_content(stream: &StreamName, event: &NewEvent) -> Vec<u8> {
    let source = event
        .source
        .as_deref()
        .filter(|source| *source != stream.as_str());
    let mut encoder = Encoder::with_capacity(128 + event.data.as_ref().map_or(0, Bytes::len))
        .optional_text(source)
        .text(&event.id)
        .text(&event.event_type)
        .number(event.attributes.len() as u64);
    for (name, value) in &event.attributes {
        encoder = attribute(encoder.text(name), value.as_ref());
    }
    encoder = encoder.optional_text(event.media_type.as_deref());
    match &event.data {
        None => encoder.byte(DATA_NONE),
        Some(data) => encoder.byte(DATA_RAW).bytes(data),
    }
    .finish()
}

/// An attribute's value: its kind, then what it needs.
pub(crate) fn attribute(encoder: Encoder, value: AttributeRef<'_>) -> Encoder {
    match value {
        AttributeRef::Bool(false) => encoder.byte(ATTRIBUTE_FALSE),
        AttributeRef::Bool(true) => encoder.byte(ATTRIBUTE_TRUE),
        AttributeRef::Int(number) => encoder.byte(ATTRIBUTE_INT).raw(&number.to_be_bytes()),
        AttributeRef::Text(text) => encoder.byte(ATTRIBUTE_TEXT).text(text),
    }
}

/// An event's body; a flagged one differs in its kind only.
pub(crate) fn event(
    encoder: Encoder,
    place: &EventPlace,
    flagged: bool,
    recorded_ms: u64,
    content: &[u8],
) -> Encoder {
    encoder
        .byte(if flagged {
            KIND_FLAGGED_EVENT
        } else {
            KIND_EVENT
        })
        .number(place.revision.get())
        .number(recorded_ms)
        .number(u64::from(place.commit_index))
        .number(u64::from(place.commit_len))
        .text(place.stream.as_str())
        .raw(content)
}

/// A system record's body.
pub(crate) fn system(recorded_ms: u64, kind: &str, body: &[u8]) -> Vec<u8> {
    Encoder::with_capacity(body.len() + kind.len() + 16)
        .byte(KIND_SYSTEM)
        .number(recorded_ms)
        .text(kind)
        .bytes(body)
        .finish()
}

/// Reads whatever stands at a position.
#[inline]
pub(crate) fn decode(position: Position, body: &[u8], pool: &mut Pool) -> Result<Record, Flaw> {
    let mut decoder = Decoder::new(body);
    let record = match decoder.byte()? {
        kind @ (KIND_EVENT | KIND_FLAGGED_EVENT) => {
            let head = Head::decode(&mut decoder)?;
            return Ok(Record::Event(Event {
                position,
                revision: head.revision,
                recorded_ms: head.recorded_ms,
                commit_index: head.commit_index,
                commit_len: head.commit_len,
                flagged: kind == KIND_FLAGGED_EVENT,
                content: Content::decode(decoder.rest(), pool)?,
            }));
        }
        KIND_SYSTEM => Record::System {
            position,
            recorded_ms: decoder.number()?,
            kind: decoder.text()?,
            body: pool.copy(decoder.slice()?),
        },
        // What a marker says is for the version that writes it.
        KIND_MARKER => return Ok(Record::Marker { position }),
        _ => return Err(Flaw::Content("the record is of an unknown kind")),
    };
    decoder.finish()?;
    Ok(record)
}

/// Reads an event's place without its content; none if the record is no event.
pub(crate) fn decode_place(body: &[u8]) -> Result<Option<EventPlace>, Flaw> {
    let mut decoder = Decoder::new(body);
    if !matches!(decoder.byte()?, KIND_EVENT | KIND_FLAGGED_EVENT) {
        return Ok(None);
    }
    let head = Head::decode(&mut decoder)?;
    Ok(Some(EventPlace {
        stream: StreamName::new(decoder.str()?).map_err(|_| content::NO_STREAM)?,
        revision: head.revision,
        commit_index: head.commit_index,
        commit_len: head.commit_len,
    }))
}

/// What an event's body begins with: its place, and when it was recorded.
struct Head {
    revision: Revision,
    recorded_ms: u64,
    commit_index: u32,
    commit_len: u32,
}

impl Head {
    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Flaw> {
        Ok(Self {
            revision: Revision::new(decoder.number()?),
            recorded_ms: decoder.number()?,
            commit_index: decoder.small_number()?,
            commit_len: decoder.small_number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::codec;
    use crate::event::AttributeValue;

    fn new_event() -> NewEvent {
        NewEvent {
            id: "i".into(),
            source: Some("s".into()),
            event_type: "T".into(),
            attributes: vec![
                ("b".into(), AttributeValue::Bool(true)),
                ("a".into(), AttributeValue::Int(-2)),
                ("c".into(), AttributeValue::Text("x".into())),
            ],
            media_type: Some("application/json".into()),
            data: Some(Bytes::from_static(b"{\"n\":1.0}")),
            flagged: false,
        }
    }

    fn event(place: &EventPlace, flagged: bool, recorded_ms: u64, content: &[u8]) -> Vec<u8> {
        super::event(Encoder::default(), place, flagged, recorded_ms, content).finish()
    }

    /// A commit of one event, at revision 3 of its stream.
    fn a_place() -> (StreamName, EventPlace) {
        let stream = StreamName::new("a-1").unwrap();
        let place = EventPlace {
            stream: stream.clone(),
            revision: Revision::new(3),
            commit_index: 0,
            commit_len: 1,
        };
        (stream, place)
    }

    #[test]
    fn an_event_comes_back_as_it_was_sent() {
        let (stream, place) = a_place();
        let place = EventPlace {
            commit_index: 1,
            commit_len: 2,
            ..place
        };
        let sent = new_event();
        let body = event(
            &place,
            false,
            1_700_000_000_000,
            &event_content(&stream, &sent),
        );
        assert_eq!(decode_place(&body), Ok(Some(place)));
        let Ok(Record::Event(read)) = decode(Position::new(9), &body, &mut Pool::default()) else {
            unreachable!()
        };
        assert_eq!(
            (
                read.position.get(),
                read.revision.get(),
                read.commit_index,
                read.commit_len
            ),
            (9, 3, 1, 2)
        );
        assert_eq!(
            (read.source(), read.id(), read.event_type()),
            ("s", "i", "T")
        );
        let attributes = sent.attributes.iter();
        let attributes = attributes.map(|(name, value)| (name.as_str(), value.as_ref()));
        assert!(read.attributes().eq(attributes));
        assert_eq!(read.data(), sent.data.as_deref());
        assert_eq!(read.media_type(), sent.media_type.as_deref());
        assert_eq!(read.stream(), stream.as_str());
    }

    #[test]
    fn an_events_body_is_these_bytes_for_ever() {
        let (stream, place) = a_place();
        let body = event(&place, false, 300, &event_content(&stream, &new_event()));
        let expected: &[u8] = b"\x01\x03\xac\x02\0\x01\x03a-1\x01\x01s\x01i\x01T\x03\x01b\x01\x01a\x02\xff\xff\xff\xfe\
            \x01c\x03\x01x\x01\x10application/json\x01\x09{\"n\":1.0}";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_flagged_events_body_differs_in_its_first_byte_only() {
        let (stream, place) = a_place();
        let content = event_content(&stream, &new_event());
        let [plain, flagged] = [false, true].map(|flagged| event(&place, flagged, 300, &content));
        assert_eq!((plain[0], flagged[0]), (1, 4));
        assert_eq!(plain[1..], flagged[1..]);
        assert_eq!(decode_place(&flagged), Ok(Some(place)));
        for (body, told) in [(plain, false), (flagged, true)] {
            let read = decode(Position::new(9), &body, &mut Pool::default());
            assert!(matches!(read, Ok(Record::Event(event)) if event.flagged == told));
        }
    }

    #[test]
    fn a_source_that_is_the_streams_name_is_the_same_as_none() {
        let stream = StreamName::new("s").unwrap();
        let none = NewEvent {
            source: None,
            ..new_event()
        };
        assert_eq!(
            event_content(&stream, &none),
            event_content(&stream, &new_event())
        );
    }

    #[test]
    fn texts_that_are_none_are_refused_beside_plain_ones_and_others() {
        for beside in ["plain", "größe"] {
            let stream = StreamName::new("stream-1").unwrap();
            let new = NewEvent {
                id: "identity".into(),
                source: Some("source".into()),
                event_type: "Typed".into(),
                attributes: vec![
                    ("named".into(), AttributeValue::Text("value".into())),
                    ("beside".into(), AttributeValue::Text(beside.into())),
                ],
                media_type: Some("media/type".into()),
                ..new_event()
            };
            let place = EventPlace {
                stream: stream.clone(),
                ..a_place().1
            };
            let body = event(&place, false, 300, &event_content(&stream, &new));
            let read = |body: &[u8]| decode(Position::new(9), body, &mut Pool::default());
            let mut due = Event::of(&new, &stream, Position::new(9), place.revision);
            due.recorded_ms = 300;
            assert_eq!(read(&body), Ok(Record::Event(due)));
            for text in [
                "stream-1",
                "source",
                "identity",
                "Typed",
                "named",
                "value",
                "media/type",
            ] {
                let at = body
                    .windows(text.len())
                    .position(|bytes| bytes == text.as_bytes());
                let mut broken = body.clone();
                broken[at.unwrap()] = 0xff;
                assert_eq!(read(&broken), Err(codec::NO_TEXT), "{text} beside {beside}");
            }
            let mut unnamed = body.clone();
            let at = body.windows(8).position(|bytes| bytes == b"stream-1");
            unnamed[at.unwrap()] = b'\n';
            assert_eq!(read(&unnamed), Err(content::NO_STREAM));
        }
    }

    #[test]
    fn a_body_that_is_cut_or_lengthened_is_refused() {
        let (stream, place) = a_place();
        let body = event(&place, false, 300, &event_content(&stream, &new_event()));
        for length in 0..body.len() {
            assert!(decode(Position::new(1), &body[..length], &mut Pool::default()).is_err());
        }
        let long = [&body[..], b"x"].concat();
        assert_eq!(
            decode(Position::new(1), &long, &mut Pool::default()),
            Err(Flaw::Long)
        );
    }
}
