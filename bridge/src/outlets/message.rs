//! What a relay hands to an outlet, and what it hears back.
//!
//! Invariant: an [`OutboundMessage`] is made from an event of the public log and from nothing else, so that nothing that
//! did not pass its public schema can leave.

use std::fmt;

use bytes::Bytes;
use horizon_store::PublicEvent;

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
        /// The CloudEvents attributes without `data`, for the headers.
        attributes: Vec<(String, String)>,
    },
}

/// One public event on its way to one outlet.
pub(crate) struct OutboundMessage {
    sequence: u64,
    id: String,
    event_type: String,
    payload: Bytes,
    destination: Destination,
}

impl OutboundMessage {
    /// The message that carries an event of the public log to a destination.
    pub(crate) fn from_public_log(event: &PublicEvent, destination: Destination) -> Self {
        Self {
            sequence: event.sequence.get(),
            id: event.id.clone(),
            event_type: event.event_type.clone(),
            payload: event.event.clone(),
            destination,
        }
    }

    /// A message that no public log holds, to test outlets with.
    #[cfg(test)]
    pub(super) fn made_up(
        sequence: u64,
        id: &str,
        payload: Vec<u8>,
        destination: Destination,
    ) -> Self {
        Self {
            sequence,
            id: id.to_owned(),
            event_type: "example.type.v1".to_owned(),
            payload: payload.into(),
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

    /// The structured-mode CloudEvent.
    pub(super) fn payload(&self) -> &Bytes {
        &self.payload
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
            .field("payload_bytes", &self.payload.len())
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
