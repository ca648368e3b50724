//! What the options of both protocols say of the way to a broker.

use std::time::Duration;

use super::{
    Credentials, FieldError, SecretSource, Surroundings, Tls, TlsOptions, bounded, not_empty,
};
use crate::outlets::MAX_IN_FLIGHT_MESSAGES;

/// How long a connection may take to open unless the options say otherwise, in seconds.
const CONNECT_TIMEOUT_SECONDS: u64 = 10;
/// How long the oldest message may wait for its answer unless the options say otherwise, in seconds.
const ANSWER_TIMEOUT_SECONDS: u64 = 30;

/// The way to a broker, checked, its secrets read.
#[derive(Debug)]
pub(in crate::outlets) struct Endpoint {
    pub(in crate::outlets) host: String,
    pub(in crate::outlets) port: u16,
    pub(in crate::outlets) credentials: Option<Credentials>,
    pub(in crate::outlets) tls: Option<Tls>,
    pub(in crate::outlets) connect_timeout: Duration,
    /// How long the oldest message may wait for what the broker says of it.
    pub(in crate::outlets) answer_timeout: Duration,
    pub(in crate::outlets) in_flight_messages: usize,
}

/// The same as it is written.
pub(in crate::outlets) struct Written<'o> {
    pub(in crate::outlets) host: &'o str,
    pub(in crate::outlets) port: Option<u16>,
    /// The ports of the protocol without and with TLS.
    pub(in crate::outlets) default_ports: (u16, u16),
    pub(in crate::outlets) username: Option<&'o str>,
    pub(in crate::outlets) password: Option<&'o SecretSource>,
    pub(in crate::outlets) tls: Option<&'o TlsOptions>,
    pub(in crate::outlets) connect_timeout_seconds: Option<u64>,
    /// The name of the option that bounds the wait for an answer, and what it says.
    pub(in crate::outlets) answer_timeout_seconds: (&'static str, Option<u64>),
    pub(in crate::outlets) in_flight_messages: Option<usize>,
}

impl Written<'_> {
    /// Checks what is written, and reads the secrets.
    pub(in crate::outlets) fn resolve(
        &self,
        surroundings: &Surroundings<'_>,
    ) -> Result<Endpoint, FieldError> {
        let seconds = |field, value: Option<u64>, default, most| {
            bounded(field, value.unwrap_or(default), 1..=most).map(Duration::from_secs)
        };
        let (answer, answer_seconds) = self.answer_timeout_seconds;
        let tls = self.tls.map(|tls| tls.resolve(surroundings)).transpose()?;
        let most = self.in_flight_messages.unwrap_or(MAX_IN_FLIGHT_MESSAGES);
        Ok(Endpoint {
            host: not_empty("host", self.host)?,
            port: self.port(),
            credentials: Credentials::resolve(self.username, self.password, surroundings)?,
            tls,
            connect_timeout: seconds(
                "connect_timeout_seconds",
                self.connect_timeout_seconds,
                CONNECT_TIMEOUT_SECONDS,
                300,
            )?,
            answer_timeout: seconds(answer, answer_seconds, ANSWER_TIMEOUT_SECONDS, 3_600)?,
            in_flight_messages: bounded("in_flight_messages", most, 1..=MAX_IN_FLIGHT_MESSAGES)?,
        })
    }

    /// Host and port.
    pub(in crate::outlets) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }

    fn port(&self) -> u16 {
        let (plain, tls) = self.default_ports;
        let default = if self.tls.is_some() { tls } else { plain };
        self.port.unwrap_or(default)
    }
}

impl Endpoint {
    /// Host and port, for messages.
    pub(in crate::outlets) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
