//! The options of an AMQP broker.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::outlets::MAX_IN_FLIGHT_MESSAGES;
use crate::outlets::options::{
    Credentials, FieldError, SecretSource, Surroundings, bounded, not_empty,
};

/// An `amqp:` entry of `horizon.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// The host name or address.
    host: String,
    /// The port; 5672 unless given.
    #[serde(default = "default_port")]
    port: u16,
    /// The virtual host; `/` unless given.
    #[serde(default = "default_virtual_host")]
    virtual_host: String,
    /// The user; RabbitMQ's `guest` with its default password unless given.
    #[serde(default)]
    username: Option<String>,
    /// Where the user's password is.
    #[serde(default)]
    password: Option<SecretSource>,
    /// The heartbeat that is asked for, in seconds: 5 to 3,600, 20 unless given. The broker may want a shorter one.
    #[serde(default = "default_heartbeat_seconds")]
    heartbeat_seconds: u16,
    /// How long a connection may take to open, in seconds: 1 to 300, 10 unless given.
    #[serde(default = "default_connect_timeout_seconds")]
    connect_timeout_seconds: u64,
    /// How long the oldest message may wait for its confirm, in seconds: 1 to 3,600, 30 unless given.
    #[serde(default = "default_confirm_timeout_seconds")]
    confirm_timeout_seconds: u64,
    /// The largest payload that is published, in bytes: 1,024 to 134,217,728 (RabbitMQ's own default limit), 16 MiB unless
    /// given. AMQP has no way to ask for the broker's limit.
    #[serde(default = "default_max_payload_bytes")]
    max_payload_bytes: usize,
    /// How many messages may be in flight, in messages: 1 to 1,000, 1,000 unless given.
    #[serde(default = "default_in_flight_messages")]
    in_flight_messages: usize,
}

fn default_virtual_host() -> String {
    "/".to_owned()
}

impl Options {
    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The virtual host.
    pub(crate) fn virtual_host(&self) -> &str {
        &self.virtual_host
    }
}

fn default_port() -> u16 {
    5672
}

fn default_heartbeat_seconds() -> u16 {
    20
}

fn default_connect_timeout_seconds() -> u64 {
    10
}

fn default_confirm_timeout_seconds() -> u64 {
    30
}

fn default_max_payload_bytes() -> usize {
    16 * 1024 * 1024
}

fn default_in_flight_messages() -> usize {
    MAX_IN_FLIGHT_MESSAGES
}

/// An AMQP broker, with its secrets. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Broker(Arc<Resolved>);

#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
    pub(super) virtual_host: String,
    pub(super) heartbeat_seconds: u16,
    pub(super) connect_timeout: Duration,
    pub(super) confirm_timeout: Duration,
    pub(super) max_payload_bytes: usize,
    pub(super) in_flight_messages: usize,
}

impl Broker {
    /// Checks the options and reads the secrets.
    pub(in crate::outlets) fn resolve(
        options: &Options,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, FieldError> {
        let username = options.username.as_deref();
        let confirm = options.confirm_timeout_seconds;
        let connect = options.connect_timeout_seconds;
        let heartbeat_seconds = bounded("heartbeat_seconds", options.heartbeat_seconds, 5..=3_600)?;
        Ok(Self(Arc::new(Resolved {
            host: not_empty("host", &options.host)?,
            port: options.port,
            credentials: Credentials::resolve(username, options.password.as_ref(), surroundings)?,
            heartbeat_seconds,
            virtual_host: options.virtual_host.clone(),
            connect_timeout: Duration::from_secs(bounded(
                "connect_timeout_seconds",
                connect,
                1..=300,
            )?),
            confirm_timeout: Duration::from_secs(bounded(
                "confirm_timeout_seconds",
                confirm,
                1..=3_600,
            )?),
            max_payload_bytes: bounded(
                "max_payload_bytes",
                options.max_payload_bytes,
                1_024..=134_217_728,
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
