//! The configuration as people write it, every key optional, and what each key may be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::Dict;
use horizon_schemas::{Doors, Unfit};
use serde::Deserialize;

use super::listeners::{RawHttp, RawListener, loopback_or_told, public_url};
use super::{Config, ConfigError, EventsWithoutSchema};
use crate::access::AccessOptions;
use crate::outlets::BrokerOptions;
use crate::server::{LimitOptions, Limits};

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
    categories: BTreeMap<String, RawCategory>,
    http: RawHttp,
    operator: RawListener,
    public: Option<RawListener>,
    public_url: Option<String>,
    access: Option<AccessOptions>,
    limits: LimitOptions,
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

/// What holds for the streams of a category.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCategory {
    expected_revision: ExpectedRevision,
}

/// Whether who appends must say what is expected of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedRevision {
    Required,
    Optional,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDisk {
    appends_min_free_bytes: Option<u64>,
    crossing_min_free_bytes: Option<u64>,
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
    /// Applies every default and makes paths absolute.
    ///
    /// # Errors
    /// Says which key cannot be used, and what would mend it.
    pub(super) fn resolve(self, folder: &Path) -> Result<Config, ConfigError> {
        known_version(self.horizon)?;
        let (http, body_limit_bytes) = self.http.resolve(8480);
        let config = Config {
            folder: folder.to_owned(),
            data: folder.join(self.data.unwrap_or_else(|| "data".into())),
            contracts: folder.join(self.contracts.unwrap_or_else(|| "contracts".into())),
            schemas: folder.join(self.schemas.unwrap_or_else(|| "schemas".into())),
            events_without_schema: self
                .events_without_schema
                .unwrap_or(EventsWithoutSchema::Refuse),
            doors: self.private_schemas.resolve(),
            expecting: expecting(self.categories)?,
            http,
            operator: self.operator.resolve(8481),
            public: self.public.map(|public| public.resolve(8482)),
            public_url: self.public_url.map(public_url).transpose()?,
            access: self.access,
            limits: limits(&self.limits)?,
            body_limit_bytes: bounded(
                "http.body_limit_bytes",
                body_limit_bytes,
                DEFAULT_BODY_LIMIT_BYTES,
                BODY_LIMIT_BYTES,
            )?,
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
        marks_in_order(&config)?;
        loopback_or_told(&config, self.listen_beyond_loopback.as_deref())?;
        Ok(config)
    }
}

/// The version of the configuration's language.
fn known_version(version: Option<u32>) -> Result<(), ConfigError> {
    if version != Some(1) {
        return Err(ConfigError::Value {
            key: "horizon",
            reason: match version {
                None => "the version of the configuration's language is missing".to_owned(),
                Some(other) => {
                    format!("version {other} of the configuration's language is not known")
                }
            },
            mend: "write `horizon: 1` at the top".to_owned(),
        });
    }
    Ok(())
}

/// The categories whose streams are not appended to without an expected revision.
fn expecting(categories: BTreeMap<String, RawCategory>) -> Result<BTreeSet<String>, ConfigError> {
    if let Some(name) = categories.keys().find(|name| name.contains('-')) {
        return Err(ConfigError::Value {
            key: "categories",
            reason: format!(
                "{name:?} is no category: a category ends at the first `-` of a stream's name"
            ),
            mend: "name the category, such as `account` for account-576".to_owned(),
        });
    }
    let required =
        |category: &RawCategory| category.expected_revision == ExpectedRevision::Required;
    let all = categories.into_iter();
    Ok(all
        .filter(|(_, category)| required(category))
        .map(|(name, _)| name)
        .collect())
}

/// Appends are refused at a mark no lower than that of the crossing.
fn marks_in_order(config: &Config) -> Result<(), ConfigError> {
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
    Ok(())
}

/// The limits of what clients may cost.
fn limits(options: &LimitOptions) -> Result<Limits, ConfigError> {
    options.resolve().map_err(|bounds| ConfigError::Value {
        key: bounds.key,
        reason: format!("{} is out of bounds", bounds.value),
        mend: format!(
            "write a number between {} and {}",
            bounds.lowest, bounds.highest
        ),
    })
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
