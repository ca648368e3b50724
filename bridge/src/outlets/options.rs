//! A broker's place in `horizon.yaml`, as read and as resolved.
//!
//! Invariants: secrets come from the environment or from files, are read once at start, and are in no `Debug` output and
//! no error text. What is out of its bounds is refused, with the bounds.

mod endpoint;
mod secret;
mod tls;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use horizon_schemas::Protocol;
use serde::Deserialize;

use super::{Broker, amqp, mqtt};

pub(super) use endpoint::{Endpoint, Written};
pub(super) use secret::Credentials;
pub(crate) use secret::Secret;
pub(crate) use secret::{SecretSource, Unset};
pub(crate) use tls::{Tls, TlsOptions, certificates};

/// One entry under `brokers:`: `{ mqtt: … }` or `{ amqp: … }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum BrokerOptions {
    /// An MQTT broker.
    Mqtt(mqtt::Options),
    /// An AMQP 0-9-1 broker.
    Amqp(amqp::Options),
}

/// Where options find what they do not hold themselves.
pub(crate) struct Surroundings<'a> {
    /// The folder that relative file names start from: the configuration file's.
    pub(crate) folder: &'a Path,
    /// Looks up an environment variable.
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
    /// Where the options are only checked, on a machine that need not have the variables of secrets: those that are not set.
    pub(crate) unset: Option<&'a Unset>,
}

/// What is wrong with a broker's options, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("brokers.{broker}.{field}: {problem}")]
pub(crate) struct OptionsError {
    /// The broker's name.
    pub(crate) broker: String,
    /// The field, with its protocol: `mqtt.password`.
    pub(crate) field: String,
    /// What is wrong with it and what would mend it.
    pub(crate) problem: String,
}

impl BrokerOptions {
    /// What the broker speaks.
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Mqtt(options) => match options.version() {
                mqtt::Version::V5 => Protocol::Mqtt,
                mqtt::Version::V311 => Protocol::Mqtt311,
            },
            Self::Amqp(_) => Protocol::Amqp,
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Mqtt(options) => options.address(),
            Self::Amqp(options) => options.address(),
        }
    }

    /// The virtual host, where the protocol has those.
    pub(crate) fn virtual_host(&self) -> Option<&str> {
        match self {
            Self::Mqtt(_) => None,
            Self::Amqp(options) => Some(options.virtual_host()),
        }
    }

    /// Checks the options and reads the secrets. `name` is the broker's name, for messages.
    pub(crate) fn resolve(
        &self,
        name: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Broker, OptionsError> {
        let (protocol, resolved) = match self {
            Self::Mqtt(options) => (
                "mqtt",
                mqtt::Broker::resolve(options, surroundings).map(Broker::Mqtt),
            ),
            Self::Amqp(options) => (
                "amqp",
                amqp::Broker::resolve(options, surroundings).map(Broker::Amqp),
            ),
        };
        resolved.map_err(|FieldError { field, problem }| OptionsError {
            broker: name.to_owned(),
            field: format!("{protocol}.{field}"),
            problem,
        })
    }
}

/// What is wrong with one field.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {problem}")]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) problem: String,
}

/// Checks a number against its bounds.
pub(super) fn bounded<N: PartialOrd + fmt::Display + Copy>(
    field: &'static str,
    value: N,
    bounds: RangeInclusive<N>,
) -> Result<N, FieldError> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(FieldError {
        field,
        problem: format!(
            "{value} is out of bounds: between {} and {}",
            bounds.start(),
            bounds.end()
        ),
    })
}

/// Checks that a text says something.
pub(super) fn not_empty(field: &'static str, value: &str) -> Result<String, FieldError> {
    if value.is_empty() {
        return Err(FieldError {
            field,
            problem: "empty".to_owned(),
        });
    }
    Ok(value.to_owned())
}
