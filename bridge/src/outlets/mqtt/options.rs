//! The options of an MQTT broker.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::outlets::MAX_IN_FLIGHT_MESSAGES;
use crate::outlets::options::{
    Credentials, FieldError, SecretSource, Surroundings, bounded, not_empty,
};

/// An `mqtt:` entry of `horizon.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// The host name or address.
    host: String,
    /// The port; 1883 unless given.
    #[serde(default = "default_port")]
    port: u16,
    /// The user; anonymous unless given.
    #[serde(default)]
    username: Option<String>,
    /// Where the user's password is.
    #[serde(default)]
    password: Option<SecretSource>,
    /// How often the broker is pinged, in seconds: 5 to 3,600, 30 unless given.
    #[serde(default = "default_keep_alive_seconds")]
    keep_alive_seconds: u16,
    /// How long a connection may take to open, in seconds: 1 to 300, 10 unless given.
    #[serde(default = "default_connect_timeout_seconds")]
    connect_timeout_seconds: u64,
    /// How long the oldest message may wait for its acknowledgement, in seconds: 1 to 3,600, 30 unless given.
    #[serde(default = "default_acknowledgement_timeout_seconds")]
    acknowledgement_timeout_seconds: u64,
    /// The largest packet that is published, in bytes: 1,024 to 268,435,455, 16 MiB unless given. The broker's own limit
    /// holds besides.
    #[serde(default = "default_max_packet_bytes")]
    max_packet_bytes: usize,
    /// How many messages may be in flight, in messages: 1 to 1,000, 1,000 unless given. The broker's receive maximum
    /// holds besides.
    #[serde(default = "default_in_flight_messages")]
    in_flight_messages: usize,
}

impl Options {
    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn default_port() -> u16 {
    1883
}

fn default_keep_alive_seconds() -> u16 {
    30
}

fn default_connect_timeout_seconds() -> u64 {
    10
}

fn default_acknowledgement_timeout_seconds() -> u64 {
    30
}

fn default_max_packet_bytes() -> usize {
    16 * 1024 * 1024
}

fn default_in_flight_messages() -> usize {
    MAX_IN_FLIGHT_MESSAGES
}

/// An MQTT broker, with its secrets. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Broker(Arc<Resolved>);

#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
    pub(super) keep_alive: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) acknowledgement_timeout: Duration,
    pub(super) max_packet_bytes: usize,
    pub(super) in_flight_messages: usize,
}

impl Broker {
    /// Checks the options and reads the secrets.
    pub(in crate::outlets) fn resolve(
        options: &Options,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, FieldError> {
        let username = options.username.as_deref();
        let acknowledgement = options.acknowledgement_timeout_seconds;
        let connect = options.connect_timeout_seconds;
        let keep_alive = bounded("keep_alive_seconds", options.keep_alive_seconds, 5..=3_600)?;
        Ok(Self(Arc::new(Resolved {
            host: not_empty("host", &options.host)?,
            port: options.port,
            credentials: Credentials::resolve(username, options.password.as_ref(), surroundings)?,
            keep_alive: Duration::from_secs(keep_alive.into()),
            connect_timeout: Duration::from_secs(bounded(
                "connect_timeout_seconds",
                connect,
                1..=300,
            )?),
            acknowledgement_timeout: Duration::from_secs(bounded(
                "acknowledgement_timeout_seconds",
                acknowledgement,
                1..=3_600,
            )?),
            max_packet_bytes: bounded(
                "max_packet_bytes",
                options.max_packet_bytes,
                1_024..=268_435_455,
            )?,
            in_flight_messages: bounded(
                "in_flight_messages",
                options.in_flight_messages,
                1..=MAX_IN_FLIGHT_MESSAGES,
            )?,
        })))
    }

    /// Host and port, for messages.
    pub(in crate::outlets) fn address(&self) -> String {
        format!("{}:{}", self.0.host, self.0.port)
    }

    /// How long a connection may take to open.
    pub(in crate::outlets) fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    pub(super) fn resolved(&self) -> &Resolved {
        &self.0
    }
}
