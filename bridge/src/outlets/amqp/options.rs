//! The options of an AMQP broker.

use std::sync::Arc;

use serde::Deserialize;

use super::management::Management;
use crate::outlets::options::{
    Endpoint, FieldError, SecretSource, Surroundings, Tls, TlsOptions, Written, bounded,
};

/// The ports of AMQP 0-9-1 without and with TLS.
const PORTS: (u16, u16) = (5672, 5671);

/// An `amqp:` entry of `horizon.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// The host name or address.
    host: String,
    /// The port; 5672 unless given, or 5671 with TLS.
    #[serde(default)]
    port: Option<u16>,
    /// The virtual host; `/` unless given.
    #[serde(default = "default_virtual_host")]
    virtual_host: String,
    /// The user; RabbitMQ's `guest` with its default password unless given.
    #[serde(default)]
    username: Option<String>,
    /// Where the user's password is.
    #[serde(default)]
    password: Option<SecretSource>,
    /// TLS; none unless given.
    #[serde(default)]
    tls: Option<TlsOptions>,
    /// How the outlet logs in: with user and password unless given.
    #[serde(default)]
    auth: Auth,
    /// The address of RabbitMQ's management interface, `http://HOST:15672`: needed where a contract lists bindings that must
    /// be there.
    #[serde(default)]
    management: Option<String>,
    /// The largest frame that is asked for, in bytes: 4,096 to 131,072, 8,192 unless given. An event's attributes must fit one; the
    /// client library holds room for 64 of them for each connection. The broker may want smaller ones.
    #[serde(default)]
    frame_bytes: Option<u32>,
    /// The heartbeat that is asked for, in seconds: 5 to 3,600, 20 unless given. The broker may want a shorter one.
    #[serde(default)]
    heartbeat_seconds: Option<u16>,
    /// How long a connection may take to open, in seconds: 1 to 300, 10 unless given.
    #[serde(default)]
    connect_timeout_seconds: Option<u64>,
    /// How long the oldest message may wait for its confirm, in seconds: 1 to 3,600, 30 unless given.
    #[serde(default)]
    confirm_timeout_seconds: Option<u64>,
    /// The largest payload that is published, in bytes: 1,024 to 134,217,728 (RabbitMQ's own default limit), 16 MiB unless
    /// given. AMQP has no way to ask for the broker's limit.
    #[serde(default)]
    max_payload_bytes: Option<usize>,
    /// How many messages may be in flight, in messages: 1 to 1,000, 1,000 unless given.
    #[serde(default)]
    in_flight_messages: Option<usize>,
}

/// How to log in to a broker (SASL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Auth {
    /// With a user and a password.
    #[default]
    Password,
    /// As whoever the client's certificate is for (`EXTERNAL`).
    External,
}

fn default_virtual_host() -> String {
    "/".to_owned()
}

impl Options {
    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.written().address()
    }

    /// The virtual host.
    pub(crate) fn virtual_host(&self) -> &str {
        &self.virtual_host
    }

    fn written(&self) -> Written<'_> {
        Written {
            host: &self.host,
            port: self.port,
            default_ports: PORTS,
            username: self.username.as_deref(),
            password: self.password.as_ref(),
            tls: self.tls.as_ref(),
            connect_timeout_seconds: self.connect_timeout_seconds,
            answer_timeout_seconds: ("confirm_timeout_seconds", self.confirm_timeout_seconds),
            in_flight_messages: self.in_flight_messages,
        }
    }
}

/// An AMQP broker, with its secrets. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Broker(Arc<Resolved>);

#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) endpoint: Endpoint,
    pub(super) virtual_host: String,
    pub(super) frame_bytes: u32,
    pub(super) heartbeat_seconds: u16,
    pub(super) max_payload_bytes: usize,
    pub(super) auth: Auth,
    pub(super) management: Option<Management>,
}

impl Resolved {
    /// The user and the password; RabbitMQ's `guest` where none is configured.
    pub(super) fn user(&self) -> (&str, &str) {
        match &self.endpoint.credentials {
            Some(credentials) => (credentials.username.as_str(), credentials.password.reveal()),
            None => ("guest", "guest"),
        }
    }
}

impl Broker {
    /// Checks the options and reads the secrets.
    pub(in crate::outlets) fn resolve(
        options: &Options,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, FieldError> {
        let frame = options.frame_bytes.unwrap_or(8_192);
        let heartbeat = options.heartbeat_seconds.unwrap_or(20);
        let payload = options.max_payload_bytes.unwrap_or(16 * 1024 * 1024);
        let endpoint = options.written().resolve(surroundings)?;
        let management = options.management.as_deref().map(Management::read);
        let management = management.transpose()?;
        if options.auth == Auth::External {
            let certificate = endpoint.tls.as_ref().is_some_and(Tls::has_certificate);
            require(
                certificate,
                "tls.certificate",
                "missing: `auth: external` logs in with the client's certificate",
            )?;
            require(
                management.is_none() || endpoint.credentials.is_some(),
                "username",
                "missing: `management` asks for a user and a password, whatever `auth` is",
            )?;
        }
        Ok(Self(Arc::new(Resolved {
            endpoint,
            auth: options.auth,
            management,
            virtual_host: options.virtual_host.clone(),
            frame_bytes: bounded("frame_bytes", frame, 4_096..=131_072)?,
            heartbeat_seconds: bounded("heartbeat_seconds", heartbeat, 5..=3_600)?,
            max_payload_bytes: bounded("max_payload_bytes", payload, 1_024..=134_217_728)?,
        })))
    }

    /// The way to it.
    pub(in crate::outlets) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(super) fn resolved(&self) -> &Resolved {
        &self.0
    }
}

fn require(there: bool, field: &'static str, problem: &str) -> Result<(), FieldError> {
    if there {
        return Ok(());
    }
    Err(FieldError {
        field,
        problem: problem.to_owned(),
    })
}
