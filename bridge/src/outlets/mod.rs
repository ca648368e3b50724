//! Outlets: where public events leave, over MQTT and over AMQP.
//!
//! A relay asks an [`Outlet`] for a [`Session`], hands it [`OutboundMessage`]s and receives one [`Answer`] for each.
//!
//! Invariants:
//! - An outlet never sees the store. It knows a message's bytes and its [`Destination`], and nothing private.
//! - An answer is what the broker said about one message, never a guess. A message that the broker has not spoken about
//!   has no answer.
//! - A session is disposable: whatever goes wrong ends it, with everything that it held. The relay opens another one and
//!   starts again from its cursor. Nothing here reconnects, retries or keeps a backlog.
//! - At most [`MAX_IN_FLIGHT_MESSAGES`] messages and about [`window::MAX_IN_FLIGHT_BYTES`] bytes of a session are without an answer.

mod amqp;
mod message;
mod mqtt;
mod options;
mod session;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use horizon_schemas::OutletKind;
use tokio::time::timeout;

use options::Endpoint;

pub(crate) use message::{Answer, Content, Destination, OutboundMessage};
pub(crate) use options::{
    BrokerOptions, FieldError, SecretSource, Surroundings, Tls, Unset, certificates,
};
pub(crate) use session::{Loss, Session, SessionState};
pub(crate) use window::MAX_IN_FLIGHT_MESSAGES;

/// How many messages a relay can hand to a session before it waits, in messages.
pub(crate) const HAND_OVER_MESSAGES: usize = 1_024;

/// How many batches of answers wait for a relay, in batches of at most about [`MAX_IN_FLIGHT_MESSAGES`] answers. While that
/// many wait and another one is full, a session takes no messages.
pub(crate) const ANSWER_BATCHES: usize = 16;

/// How often a session looks for trouble that nothing told it of. Also how long its goodbye may take.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Directives that silence the log lines of the client libraries. They are required, not a matter of taste: `lapin` logs
/// the payload of every returned message at WARN, and all log as errors what a session reports and a relay mends.
pub(crate) const LIBRARY_LOG_DIRECTIVES: [&str; 3] = ["lapin=off", "rumqttc=off", "rustls=off"];

/// One broker as configured, its secrets resolved. Shared by every relay that publishes to it; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Broker {
    /// An MQTT broker.
    Mqtt(mqtt::Broker),
    /// An AMQP 0-9-1 broker.
    Amqp(amqp::Broker),
}

/// A place at a broker that sessions can be opened to.
#[derive(Debug, Clone)]
pub(crate) enum Outlet {
    /// Topics of an MQTT broker.
    Mqtt(mqtt::Outlet),
    /// One exchange of an AMQP 0-9-1 broker, with confirms.
    Amqp(amqp::Outlet),
}

/// Who connects: told to the broker in the client id or connection name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// The store's id, so that two installations never take each other's session.
    pub(crate) store_id: &'a str,
    /// The relay's name, so that two relays never do.
    pub(crate) relay: &'a str,
}

/// Why no session could be opened. Trying again later is always right; the text says what a person may have to mend.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(pub(crate) String);

/// Why what a contract asks for cannot be had at a broker as it is configured, and what would mend it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PlaceError(String);

impl Outlet {
    /// Opens a session, or says why not, within the broker's connect timeout.
    pub(crate) async fn connect(&self, identity: Identity<'_>) -> Result<Session, ConnectError> {
        let limit = self.endpoint().connect_timeout;
        let opened = async {
            match self {
                Self::Mqtt(outlet) => mqtt::connect(outlet, identity).await,
                Self::Amqp(outlet) => amqp::connect(outlet, identity).await,
            }
        };
        let address = self.address();
        match timeout(limit, opened).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(ConnectError(reason))) => Err(ConnectError(format!("{address}: {reason}"))),
            Err(_) => Err(ConnectError(format!(
                "{address}: not connected within {} s",
                limit.as_secs()
            ))),
        }
    }

    /// Whether it is at an MQTT broker.
    pub(crate) fn is_mqtt(&self) -> bool {
        matches!(self, Self::Mqtt(_))
    }

    /// The same broker's default exchange, which takes a message to the queue that its routing key names; topics stay topics.
    pub(crate) fn past_exchanges(&self) -> Outlet {
        match self {
            Self::Mqtt(outlet) => Self::Mqtt(outlet.clone()),
            Self::Amqp(outlet) => Self::Amqp(outlet.at_default_exchange()),
        }
    }

    fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Mqtt(outlet) => outlet.broker().endpoint(),
            Self::Amqp(outlet) => outlet.broker().endpoint(),
        }
    }

    /// Where it is, for messages.
    fn address(&self) -> String {
        let protocol = match self {
            Self::Mqtt(_) => "mqtt",
            Self::Amqp(_) => "amqp",
        };
        let endpoint = self.endpoint();
        let secure = if endpoint.tls.is_some() { "s" } else { "" };
        format!("{protocol}{secure}://{}", endpoint.address())
    }
}

impl Broker {
    /// The outlet of a contract at this broker, or why there can be none.
    pub(crate) fn outlet(&self, place: &OutletKind) -> Result<Outlet, PlaceError> {
        match (self, place) {
            (Self::Mqtt(broker), OutletKind::Mqtt(place)) => {
                Ok(Outlet::Mqtt(mqtt::Outlet::new(broker.clone(), place)))
            }
            (Self::Amqp(broker), OutletKind::Amqp(place)) => {
                let outlet = amqp::Outlet::new(broker.clone(), place);
                outlet.map(Outlet::Amqp).map_err(PlaceError)
            }
            _ => Err(PlaceError("the broker speaks another protocol".to_owned())),
        }
    }
}

impl Identity<'_> {
    /// A name for the connection: the start of the store's id, the relay, and a digest of both that keeps names apart
    /// that differ only in characters that brokers dislike. ASCII letters, digits, `.`, `_` and `-`, at most 120 bytes.
    pub(crate) fn connection_name(&self) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};

        let mut digest = DefaultHasher::new();
        (self.store_id, self.relay).hash(&mut digest);
        let plain = |text: &str, most: usize| -> String {
            text.chars()
                .take(most)
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "._-".contains(c) {
                        c
                    } else {
                        '-'
                    }
                })
                .collect()
        };
        format!(
            "horizon-{}-{}-{:08x}",
            plain(self.store_id, 12),
            plain(self.relay, 80),
            digest.finish() >> 32
        )
    }
}
