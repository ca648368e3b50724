//! What `horizon.yaml`, the environment and the command line say, and what it means.
//!
//! Raw and resolved configuration are two types: [`RawConfig`] is what people write, every key optional; [`Config`] has every
//! default applied and every path made absolute. A later source wins: file, then `HORIZON_…` variables, then flags.
//! Unknown keys are refused wherever they come from.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Serialized};
use figment::value::{Dict, Value};
use horizon_schemas::{Doors, Unfit};
use serde::Deserialize;

use crate::outlets::BrokerOptions;

/// The prefix of the environment variables that override the file; `__` separates levels (`HORIZON_HTTP__LISTEN`).
const ENV_PREFIX: &str = "HORIZON_";
/// `HORIZON_LOG` says what is logged (see `telemetry`), and is no setting.
const OTHER_VARIABLE: &str = "log";

/// Largest request body that is accepted unless configured otherwise, in bytes.
const DEFAULT_BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// Longest time between SIGTERM and the end of the process unless configured otherwise, in seconds.
const DEFAULT_SHUTDOWN_DEADLINE_SECONDS: u64 = 20;
/// Free bytes on the store's disk below which appends are refused unless configured otherwise.
const DEFAULT_APPENDS_MIN_FREE_BYTES: u64 = 1024 * 1024 * 1024;
/// Free bytes on the store's disk below which nothing crosses unless configured otherwise.
const DEFAULT_CROSSING_MIN_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// What `http.body_limit_bytes` may be.
const BODY_LIMIT_BYTES: RangeInclusive<usize> = 1_024..=256 * 1024 * 1024;
/// What `shutdown_deadline_seconds` may be.
const SHUTDOWN_DEADLINE_SECONDS: RangeInclusive<u64> = 1..=3_600;
/// What the marks of `disk` may be; 0 is off.
const MIN_FREE_BYTES: RangeInclusive<u64> = 0..=1 << 50;

/// The configuration as written. Relative paths are relative to the file's folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConfig {
    horizon: Option<u32>,
    data: Option<PathBuf>,
    contracts: Option<PathBuf>,
    schemas: Option<PathBuf>,
    events_without_schema: Option<EventsWithoutSchema>,
    private_schemas: RawDoors,
    http: RawListener,
    operator: RawOperator,
    disk: RawDisk,
    shutdown_deadline_seconds: Option<u64>,
    listen_beyond_loopback: Option<String>,
    brokers: BTreeMap<String, BrokerOptions>,
}

/// What the doors do with events that do not fit their private schema.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDoors {
    http: Option<RawUnfit>,
    import: Option<RawUnfit>,
}

/// [`Unfit`], as it is written: a bare `off` is false to YAML.
#[derive(Debug, Clone, Copy)]
struct RawUnfit(Unfit);

impl<'de> Deserialize<'de> for RawUnfit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RawUnfit, D::Error> {
        struct Word;
        impl serde::de::Visitor<'_> for Word {
            type Value = RawUnfit;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}", Unfit::ALL.map(Unfit::word).join(", "))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<RawUnfit, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Bool(value), &self);
                (!value)
                    .then_some(RawUnfit(Unfit::Off))
                    .ok_or_else(unexpected)
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RawUnfit, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Str(word), &self);
                Unfit::of_word(word).map(RawUnfit).ok_or_else(unexpected)
            }
        }
        deserializer.deserialize_any(Word)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawListener {
    listen: Option<SocketAddr>,
    body_limit_bytes: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawOperator {
    listen: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDisk {
    appends_min_free_bytes: Option<u64>,
    crossing_min_free_bytes: Option<u64>,
}

/// What happens to an event whose type has no private schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventsWithoutSchema {
    /// It is stored unchecked. No contract can map its fields, because none is declared.
    Accept,
    /// It is refused with the path of the schema file that is missing.
    Refuse,
}

/// Settings given as flags; they win over the file and the environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Flags {
    /// Address of the private listener (append and read), instead of `http.listen`; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the operator's listener, instead of `operator.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) operator_listen: Option<SocketAddr>,
    /// Folder of the store, instead of `data`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

/// The configuration with defaults applied and paths made absolute.
#[derive(Debug)]
pub(crate) struct Config {
    /// The configuration file's folder; relative names of files start from it.
    pub(crate) folder: PathBuf,
    /// Folder of the store and of `addresses.json`.
    pub(crate) data: PathBuf,
    /// Folder of the contracts.
    pub(crate) contracts: PathBuf,
    /// Folder of the private and public schemas.
    pub(crate) schemas: PathBuf,
    /// What happens to event types without a private schema.
    pub(crate) events_without_schema: EventsWithoutSchema,
    /// What the doors do with events that do not fit their private schema.
    pub(crate) doors: Doors,
    /// Address of the private listener: append and read.
    pub(crate) listen: SocketAddr,
    /// Largest request body, in bytes.
    pub(crate) body_limit_bytes: usize,
    /// Address of the operator's listener: status and `why`.
    pub(crate) operator_listen: SocketAddr,
    /// Free bytes on the store's disk below which appends are refused; 0: never.
    pub(crate) appends_min_free_bytes: u64,
    /// Free bytes on the store's disk below which nothing crosses; 0: never.
    pub(crate) crossing_min_free_bytes: u64,
    /// Longest time between SIGTERM and the end of the process.
    pub(crate) shutdown_deadline: Duration,
    /// The brokers by name.
    pub(crate) brokers: BTreeMap<String, BrokerOptions>,
    /// Everything as it was given, file, environment and flags merged.
    given: Dict,
}

/// Why a configuration cannot be used; the text says where and how to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {path}: {source}\n  = mend: name an existing configuration with --config")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is not a usable configuration:\n{reason}")]
    File { path: PathBuf, reason: String },
    #[error("the configuration is not usable: {}{}", .0, mend_of(.0))]
    Merged(Box<figment::Error>),
    #[error("{key}: {reason}\n  = mend: {mend}")]
    Value {
        key: &'static str,
        reason: String,
        mend: String,
    },
}

/// A setting that nobody knows and that may be none is explained.
fn mend_of(error: &figment::Error) -> &'static str {
    match error.kind {
        figment::error::Kind::UnknownField(..) => {
            "\n  = mend: every variable that begins with HORIZON_ is a setting; call others otherwise (in Kubernetes, `enableServiceLinks: false`)"
        }
        _ => "",
    }
}

/// What an operator must write to open a listener to other machines while Horizon has no TLS and no authentication.
const INSECURE_WORDS: &str = "without TLS and authentication";

impl Config {
    /// Reads `path`, then the environment, then `flags`.
    ///
    /// # Errors
    /// Says which file, key or variable cannot be used, and what would mend it.
    pub(crate) fn load(path: &Path, flags: &Flags) -> Result<Config, ConfigError> {
        let file = file::YamlFile::read(path)?;
        let folder = std::path::absolute(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_path_buf))
            .unwrap_or_default();
        let figment = Figment::new()
            .merge(file)
            .merge(
                Env::prefixed(ENV_PREFIX)
                    .ignore(&[OTHER_VARIABLE])
                    .split("__"),
            )
            .merge(Serialized::defaults(flag_overrides(flags)));
        let merged = |error| ConfigError::Merged(Box::new(error));
        let raw: RawConfig = figment.extract().map_err(merged)?;
        let mut config = raw.resolve(&folder)?;
        config.given = figment.extract().map_err(merged)?;
        Ok(config)
    }

    /// The keys whose values differ from `other`'s, as they were given.
    pub(crate) fn differs_from(&self, other: &Config) -> Vec<String> {
        let mut keys = Vec::new();
        differing("", &self.given, &other.given, &mut keys);
        keys
    }
}

/// The paths of what differs between two dictionaries.
fn differing(path: &str, one: &Dict, other: &Dict, keys: &mut Vec<String>) {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let path = format!("{path}{name}");
        match (one.get(name), other.get(name)) {
            (Some(Value::Dict(_, one)), Some(Value::Dict(_, other))) => {
                differing(&format!("{path}."), one, other, keys);
            }
            (one, other) if one == other => {}
            _ => keys.push(path),
        }
    }
}

/// A number within its bounds, or the default.
fn bounded<N: PartialOrd + std::fmt::Display + Copy>(
    key: &'static str,
    value: Option<N>,
    default: N,
    bounds: RangeInclusive<N>,
) -> Result<N, ConfigError> {
    let value = value.unwrap_or(default);
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::Value {
        key,
        reason: format!("{value} is out of bounds"),
        mend: format!(
            "write a number between {} and {}",
            bounds.start(),
            bounds.end()
        ),
    })
}

/// The flags in the file's shape, so that they merge over it.
fn flag_overrides(flags: &Flags) -> Dict {
    let nest =
        |key: &str, value: String| Value::from(Dict::from([(key.to_owned(), Value::from(value))]));
    let mut overrides = Dict::new();
    if let Some(address) = flags.listen {
        overrides.insert("http".to_owned(), nest("listen", address.to_string()));
    }
    if let Some(address) = flags.operator_listen {
        overrides.insert("operator".to_owned(), nest("listen", address.to_string()));
    }
    if let Some(data) = &flags.data {
        let absolute = std::path::absolute(data).unwrap_or_else(|_| data.clone());
        overrides.insert(
            "data".to_owned(),
            Value::from(absolute.display().to_string()),
        );
    }
    overrides
}

impl RawDoors {
    fn resolve(self) -> Doors {
        let default = Doors::default();
        Doors {
            http: self.http.map_or(default.http, |RawUnfit(unfit)| unfit),
            import: self.import.map_or(default.import, |RawUnfit(unfit)| unfit),
        }
    }
}

impl RawConfig {
    fn resolve(self, folder: &Path) -> Result<Config, ConfigError> {
        if self.horizon != Some(1) {
            return Err(ConfigError::Value {
                key: "horizon",
                reason: match self.horizon {
                    None => "the version of the configuration's language is missing".to_owned(),
                    Some(other) => {
                        format!("version {other} of the configuration's language is not known")
                    }
                },
                mend: "write `horizon: 1` at the top".to_owned(),
            });
        }
        let config = Config {
            folder: folder.to_owned(),
            data: folder.join(self.data.unwrap_or_else(|| "data".into())),
            contracts: folder.join(self.contracts.unwrap_or_else(|| "contracts".into())),
            schemas: folder.join(self.schemas.unwrap_or_else(|| "schemas".into())),
            events_without_schema: self
                .events_without_schema
                .unwrap_or(EventsWithoutSchema::Refuse),
            doors: self.private_schemas.resolve(),
            listen: self
                .http
                .listen
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8480))),
            body_limit_bytes: bounded(
                "http.body_limit_bytes",
                self.http.body_limit_bytes,
                DEFAULT_BODY_LIMIT_BYTES,
                BODY_LIMIT_BYTES,
            )?,
            operator_listen: self
                .operator
                .listen
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8481))),
            appends_min_free_bytes: bounded(
                "disk.appends_min_free_bytes",
                self.disk.appends_min_free_bytes,
                DEFAULT_APPENDS_MIN_FREE_BYTES,
                MIN_FREE_BYTES,
            )?,
            crossing_min_free_bytes: bounded(
                "disk.crossing_min_free_bytes",
                self.disk.crossing_min_free_bytes,
                DEFAULT_CROSSING_MIN_FREE_BYTES,
                MIN_FREE_BYTES,
            )?,
            shutdown_deadline: Duration::from_secs(bounded(
                "shutdown_deadline_seconds",
                self.shutdown_deadline_seconds,
                DEFAULT_SHUTDOWN_DEADLINE_SECONDS,
                SHUTDOWN_DEADLINE_SECONDS,
            )?),
            brokers: self.brokers,
            given: Dict::new(),
        };
        if config.appends_min_free_bytes > 0
            && config.crossing_min_free_bytes > config.appends_min_free_bytes
        {
            return Err(ConfigError::Value {
                key: "disk.crossing_min_free_bytes",
                reason: format!(
                    "{} is above disk.appends_min_free_bytes, {}: appends are refused first",
                    config.crossing_min_free_bytes, config.appends_min_free_bytes
                ),
                mend: "write a smaller number, or a larger disk.appends_min_free_bytes".to_owned(),
            });
        }
        let told = self.listen_beyond_loopback.as_deref() == Some(INSECURE_WORDS);
        for (key, address) in [
            ("http.listen", config.listen),
            ("operator.listen", config.operator_listen),
        ] {
            if !address.ip().is_loopback() && !told {
                return Err(ConfigError::Value {
                    key,
                    reason: format!(
                        "{address} is reachable from other machines, and this version has neither TLS nor authentication"
                    ),
                    mend: format!(
                        "listen on 127.0.0.1 behind a proxy that has both, or write `listen_beyond_loopback: \"{INSECURE_WORDS}\"`"
                    ),
                });
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
