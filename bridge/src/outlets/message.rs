//! What a relay hands to an outlet, and what it hears back.
//!
//! Invariant: an [`OutboundMessage`] is made from an event of the public log and from nothing else, so that nothing that
//! did not pass its public schema can leave.

use std::fmt;

use bytes::Bytes;
use horizon_schemas::ContentMode;
use horizon_schemas::envelope::Envelope;
use horizon_store::PublicEvent;

/// The content type of a structured-mode CloudEvent.
const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";

/// Where one message goes, with every template rendered.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// To a topic of an MQTT broker.
    Mqtt {
        /// The topic.
        topic: String,
    },
    /// To the outlet's exchange at an AMQP broker.
    Amqp {
        /// The routing key.
        routing_key: String,
    },
}

/// One public event on its way to one outlet.
pub(crate) struct OutboundMessage {
    sequence: u64,
    id: String,
    event_type: String,
    content: Content,
    destination: Destination,
}

/// How a message carries its event.
pub(crate) struct Content {
    mode: ContentMode,
    payload: Bytes,
    /// The CloudEvents attributes as text; none where the outlet has no use for them.
    attributes: Vec<(String, String)>,
}

impl Content {
    /// The event as it stands in the public log, with what was read of it, if anything was.
    pub(crate) fn structured(event: &PublicEvent, envelope: Option<Envelope<'_>>) -> Self {
        Self {
            mode: ContentMode::Structured,
            payload: event.event.clone(),
            attributes: envelope.map_or_else(Vec::new, |envelope| envelope.attributes),
        }
    }

    /// The event's data, with its attributes beside it.
    pub(crate) fn binary(event: &PublicEvent, envelope: Envelope<'_>) -> Self {
        let payload = envelope.data.map(|data| event.event.slice_ref(data));
        Self {
            mode: ContentMode::Binary,
            payload: payload.unwrap_or_default(),
            attributes: envelope.attributes,
        }
    }
}

impl OutboundMessage {
    /// The message that carries an event of the public log to a destination.
    pub(crate) fn from_public_log(
        event: &PublicEvent,
        content: Content,
        destination: Destination,
    ) -> Self {
        Self {
            sequence: event.sequence.get(),
            id: event.id.clone(),
            event_type: event.event_type.clone(),
            content,
            destination,
        }
    }

    /// A message that no public log holds, to test outlets with.
    #[cfg(test)]
    pub(super) fn made_up(
        sequence: u64,
        mode: ContentMode,
        payload: Vec<u8>,
        attributes: &[(&str, &str)],
        destination: Destination,
    ) -> Self {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            sequence,
            id: format!("id-{sequence}"),
            event_type: "example.type.v1".to_owned(),
            content: Content {
                mode,
                payload: payload.into(),
                attributes: attributes.collect(),
            },
            destination,
        }
    }

    /// The event's place in its public stream: answers name it.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The public id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The public type.
    pub(super) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Whether the attributes are beside the payload, and not in it.
    pub(super) fn is_binary(&self) -> bool {
        self.content.mode == ContentMode::Binary
    }

    /// The structured-mode CloudEvent, or in binary mode its data.
    pub(super) fn payload(&self) -> &Bytes {
        &self.content.payload
    }

    /// The media type of the payload; none where the event names none in binary mode.
    pub(super) fn content_type(&self) -> Option<&str> {
        match self.content.mode {
            ContentMode::Structured => Some(STRUCTURED),
            ContentMode::Binary => self.attribute("datacontenttype"),
        }
    }

    /// The CloudEvents attributes as text, in the event's order.
    pub(super) fn attributes(&self) -> &[(String, String)] {
        &self.content.attributes
    }

    /// One of them.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes().iter().filter(|(own, _)| own == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Where it goes.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }
}

impl fmt::Debug for OutboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundMessage")
            .field("sequence", &self.sequence)
            .field("id", &self.id)
            .field("payload_bytes", &self.content.payload.len())
            .finish_non_exhaustive()
    }
}

/// What became of one message. `bridge/docs/outlets.md` has the table of what each broker says and which of these it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The broker has taken it, for at least one subscriber or queue.
    Confirmed,
    /// The broker has taken it, and nobody was there to receive it.
    Unheard,
    /// The broker would not take it now. The same message may pass later.
    TryAgain(String),
    /// The message will not pass as it is: its key is to be parked.
    Refused(String),
}
