//! The options of an MQTT broker.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::outlets::options::{
    Endpoint, FieldError, SecretSource, Surroundings, TlsOptions, Written, bounded,
};

/// The ports of MQTT without and with TLS.
const PORTS: (u16, u16) = (1883, 8883);

/// An `mqtt:` entry of `horizon.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// The host name or address.
    host: String,
    /// The port; 1883 unless given, or 8883 with TLS.
    #[serde(default)]
    port: Option<u16>,
    /// The protocol's version, `5.0` unless given.
    #[serde(default)]
    version: Version,
    /// The user; anonymous unless given.
    #[serde(default)]
    username: Option<String>,
    /// Where the user's password is.
    #[serde(default)]
    password: Option<SecretSource>,
    /// TLS; none unless given.
    #[serde(default)]
    tls: Option<TlsOptions>,
    /// How often the broker is pinged, in seconds: 5 to 3,600, 30 unless given.
    #[serde(default)]
    keep_alive_seconds: Option<u16>,
    /// How long a connection may take to open, in seconds: 1 to 300, 10 unless given.
    #[serde(default)]
    connect_timeout_seconds: Option<u64>,
    /// How long the oldest message may wait for its acknowledgement, in seconds: 1 to 3,600, 30 unless given.
    #[serde(default)]
    acknowledgement_timeout_seconds: Option<u64>,
    /// The largest packet that is published, in bytes: 1,024 to 268,435,455, 16 MiB unless given. The broker's own limit
    /// holds besides.
    #[serde(default)]
    max_packet_bytes: Option<usize>,
    /// How many messages may be in flight, in messages: 1 to 1,000, 1,000 unless given. The broker's receive maximum
    /// holds besides.
    #[serde(default)]
    in_flight_messages: Option<usize>,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Version {
    /// MQTT 5.
    #[default]
    #[serde(rename = "5.0")]
    V5,
    /// MQTT 3.1.1, for brokers that cannot do better: it has no properties, and no broker can refuse a message in it.
    #[serde(rename = "3.1.1")]
    V311,
}

impl Options {
    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.written().address()
    }

    /// The protocol's version.
    pub(crate) fn version(&self) -> Version {
        self.version
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
            answer_timeout_seconds: (
                "acknowledgement_timeout_seconds",
                self.acknowledgement_timeout_seconds,
            ),
            in_flight_messages: self.in_flight_messages,
        }
    }
}

/// An MQTT broker, with its secrets. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Broker(Arc<Resolved>);

#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) endpoint: Endpoint,
    pub(super) version: Version,
    pub(super) keep_alive: Duration,
    pub(super) max_packet_bytes: usize,
}

impl Broker {
    /// Checks the options and reads the secrets.
    pub(in crate::outlets) fn resolve(
        options: &Options,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, FieldError> {
        let keep_alive = options.keep_alive_seconds.unwrap_or(30);
        let keep_alive = bounded("keep_alive_seconds", keep_alive, 5..=3_600)?;
        let packet = options.max_packet_bytes.unwrap_or(16 * 1024 * 1024);
        let endpoint = options.written().resolve(surroundings)?;
        let tls = endpoint.tls.as_ref();
        if tls.is_some_and(|tls| tls.server_name.is_some()) {
            return Err(FieldError {
                field: "tls.server_name",
                problem: "not possible over MQTT: give `host` the name that the broker's certificate is for"
                    .to_owned(),
            });
        }
        Ok(Self(Arc::new(Resolved {
            endpoint,
            version: options.version,
            keep_alive: Duration::from_secs(keep_alive.into()),
            max_packet_bytes: bounded("max_packet_bytes", packet, 1_024..=268_435_455)?,
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
