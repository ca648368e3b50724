//! Bodies of the public log's records.

use crate::codec::{Decoder, Encoder, Flaw};
use crate::names::PublicStreamName;
use crate::place::{Position, Sequence};
use crate::public::{NewPublicEvent, PublicEvent};

const PUBLIC_EVENT: u8 = 1;

/// A public event's body.
pub(crate) fn public_event(event: &NewPublicEvent, crossed_ms: u64) -> Vec<u8> {
    Encoder::with_capacity(event.event.len() + 192)
        .byte(PUBLIC_EVENT)
        .number(event.origin.get())
        .number(crossed_ms)
        .text(&event.contract_version)
        .text(&event.event_type)
        .text(&event.name)
        .text(&event.id)
        .text(&event.key)
        .bytes(&event.event)
        .finish()
}

/// Reads a public event.
pub(crate) fn decode_public(
    stream: &PublicStreamName,
    sequence: Sequence,
    body: &[u8],
) -> Result<PublicEvent, Flaw> {
    let mut decoder = Decoder::new(body);
    if decoder.byte()? != PUBLIC_EVENT {
        return Err(Flaw::Content("the public record is of an unknown kind"));
    }
    let event = PublicEvent {
        stream: stream.clone(),
        sequence,
        origin: Position::new(decoder.number()?),
        crossed_ms: decoder.number()?,
        contract_version: decoder.text()?,
        event_type: decoder.text()?,
        name: decoder.text()?,
        id: decoder.text()?,
        key: decoder.text()?,
        event: decoder.bytes()?,
    };
    decoder.finish()?;
    Ok(event)
}
