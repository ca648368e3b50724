//! JSON objects whose values stay text: what is not understood yet is not rewritten.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Most members of an event: attributes and `data`.
pub(super) const MEMBERS_LIMIT: usize = 128;
/// Most events of a request: as many as the store takes in one commit.
const EVENTS_LIMIT: usize = 1_000;

/// A JSON object whose members are kept as text, in order, without duplicates.
pub(crate) struct RawObject<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A member's name: borrowed, unless something in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = RawObject<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'a, str>, &'a RawValue)> = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'a>, &'a RawValue>()? {
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
