//! A broker's place in `horizon.yaml`, as read and as resolved.
//!
//! Invariants: secrets come from the environment or from files, are read once at start, and are in no `Debug` output and
//! no error text. What is out of its bounds is refused, with the bounds.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Broker, amqp, mqtt};

/// One entry under `brokers:`: `{ mqtt: … }` or `{ amqp: … }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum BrokerOptions {
    /// An MQTT 5 broker.
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
#[derive(Debug)]
pub(super) struct FieldError {
    pub(super) field: &'static str,
    pub(super) problem: String,
}

/// Where a secret is: never in the configuration itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum SecretSource {
    /// Somewhere else.
    Elsewhere(SecretPlace),
    /// Written out, which is refused. Whatever it is, it is dropped here, so that no error text repeats it.
    WrittenOut(IgnoredAny),
}

/// The places that a secret can be in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum SecretPlace {
    /// In an environment variable of this name.
    Env(String),
    /// In a file. One line end at its end is not part of the secret.
    File(PathBuf),
}

/// A secret, which shows itself to nobody who only prints it.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    /// The secret itself, for the client library.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A user and a password.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Secret,
}

impl Credentials {
    /// The credentials of a `username` and a `password` field: both, or neither.
    pub(super) fn resolve(
        username: Option<&str>,
        password: Option<&SecretSource>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<Self>, FieldError> {
        match (username, password) {
            (None, None) => Ok(None),
            (Some(username), Some(source)) => Ok(Some(Self {
                username: username.to_owned(),
                password: source.read(surroundings)?,
            })),
            (Some(_), None) => Err(FieldError {
                field: "password",
                problem: "missing: a username needs one, as { env: NAME } or { file: PATH }"
                    .to_owned(),
            }),
            (None, Some(_)) => Err(FieldError {
                field: "username",
                problem: "missing: a password needs one".to_owned(),
            }),
        }
    }
}

impl SecretSource {
    fn read(&self, surroundings: &Surroundings<'_>) -> Result<Secret, FieldError> {
        let wrong = |problem: String| FieldError {
            field: "password",
            problem,
        };
        let place = match self {
            Self::Elsewhere(place) => place,
            Self::WrittenOut(_) => {
                return Err(wrong(
                    "a secret is never written here: use { env: NAME } or { file: PATH }"
                        .to_owned(),
                ));
            }
        };
        let text = match place {
            SecretPlace::Env(name) => (surroundings.environment)(name)
                .ok_or_else(|| wrong(format!("the environment variable {name} is not set")))?,
            SecretPlace::File(path) => {
                let path = surroundings.folder.join(path);
                let mut text = std::fs::read_to_string(&path)
                    .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                text
            }
        };
        if text.is_empty() {
            return Err(wrong("the secret is empty".to_owned()));
        }
        Ok(Secret(text))
    }
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
