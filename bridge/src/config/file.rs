//! The configuration file as a figment provider.
//!
//! The file is first read on its own as the type that it must become, so that a mistake in it is told with line, column and
//! snippet; figment then merges the other sources over it.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map};
use figment::{Metadata, Profile, Provider};

use super::{ConfigError, RawConfig};

/// A YAML file that is known to hold a [`RawConfig`].
pub(super) struct YamlFile {
    path: PathBuf,
    values: Dict,
}

impl YamlFile {
    pub(super) fn read(path: &Path) -> Result<YamlFile, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let unusable = |error: serde_saphyr::Error| ConfigError::File {
            path: path.to_owned(),
            reason: error
                .to_string()
                .replace("<input>", &path.display().to_string()),
        };
        serde_saphyr::from_str::<RawConfig>(&text).map_err(unusable)?;
        let values = serde_saphyr::from_str::<Dict>(&text).map_err(unusable)?;
        Ok(YamlFile {
            path: path.to_owned(),
            values,
        })
    }
}

impl Provider for YamlFile {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the file {}", self.path.display()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
