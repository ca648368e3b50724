//! What `horizon.yaml`, the environment and the command line say, and what it means.
//!
//! Raw and resolved configuration are two types: [`RawConfig`] is what people write, every key optional; [`Config`] has every
//! default applied and every path made absolute. A later source wins: file, then `HORIZON_…` variables, then flags.
//! Unknown keys are refused wherever they come from.

mod file;
mod listeners;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Serialized};
use figment::value::{Dict, Value};
use horizon_schemas::{Doors, PublicAddress};
use serde::Deserialize;

use crate::access::AccessOptions;
use crate::outlets::BrokerOptions;
use crate::server::Limits;
pub(crate) use listeners::ListenerConfig;
use raw::RawConfig;

/// The prefix of the environment variables that override the file; `__` separates levels (`HORIZON_HTTP__LISTEN`).
const ENV_PREFIX: &str = "HORIZON_";
/// `HORIZON_LOG` says what is logged (see `telemetry`), and `HORIZON_TOKEN` who a command is (see `client`): no settings.
const OTHER_VARIABLES: [&str; 2] = ["log", "token"];

/// What a reload takes up.
const RELOADED: &str = "access.";

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
    /// The categories whose streams are not appended to without an expected revision.
    pub(crate) expecting: BTreeSet<String>,
    /// The private listener: append and read.
    pub(crate) http: ListenerConfig,
    /// Largest request body, in bytes.
    pub(crate) body_limit_bytes: usize,
    /// The operator's listener: status and orders.
    pub(crate) operator: ListenerConfig,
    /// A listener with the public side only, if there is one.
    pub(crate) public: Option<ListenerConfig>,
    /// Where consumers reach the public side, for the catalogue.
    pub(crate) public_url: Option<PublicAddress>,
    /// Who may do what; without it, everybody may do everything.
    pub(crate) access: Option<AccessOptions>,
    /// What clients may cost.
    pub(crate) limits: Limits,
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
                    .ignore(&OTHER_VARIABLES)
                    .split("__"),
            )
            .merge(Serialized::defaults(flag_overrides(flags)));
        let merged = |error| ConfigError::Merged(Box::new(error));
        let raw: RawConfig = figment.extract().map_err(merged)?;
        let mut config = raw.resolve(&folder)?;
        config.given = figment.extract().map_err(merged)?;
        Ok(config)
    }

    /// The data folder that a configuration names, even where something else in it cannot be used: it may have been changed since
    /// the daemon was started, and then its operator needs to reach it.
    ///
    /// # Errors
    /// As [`Config::load`], where not even the folder can be found.
    pub(crate) fn data_of(path: &Path) -> Result<PathBuf, ConfigError> {
        #[derive(Deserialize)]
        struct Data {
            data: Option<PathBuf>,
        }
        let error = match Config::load(path, &Flags::default()) {
            Ok(config) => return Ok(config.data),
            Err(error) => error,
        };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let Ok(Data { data }) = serde_saphyr::from_str(&text) else {
            return Err(error);
        };
        let given = std::env::var_os(format!("{ENV_PREFIX}DATA")).map(PathBuf::from);
        let data = given.or(data).unwrap_or_else(|| "data".into());
        Ok(path.parent().unwrap_or(Path::new("")).join(data))
    }

    /// The listeners, by their keys.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = (&'static str, &ListenerConfig)> {
        let public = self.public.as_ref().map(|public| ("public.listen", public));
        let always = [
            ("http.listen", &self.http),
            ("operator.listen", &self.operator),
        ];
        always.into_iter().chain(public)
    }

    /// The keys whose values differ from `other`'s, as they were given, and that are not taken up by a reload.
    pub(crate) fn differs_from(&self, other: &Config) -> Vec<String> {
        let mut keys = Vec::new();
        differing("", &self.given, &other.given, &mut keys);
        // Whether anybody is asked who they are is decided at the start; who they may be is not.
        if self.access.is_some() && other.access.is_some() {
            keys.retain(|key| !key.starts_with(RELOADED));
        }
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

#[cfg(test)]
mod tests;
