//! The team's folder, for commands that read it and need no daemon.

use std::path::PathBuf;

use crate::commands::Failure;
use crate::config::{Config, Flags};

/// The configuration's name in a team's folder.
const CONFIGURATION: &str = "horizon.yaml";

/// Where a team's folder is.
#[derive(Debug, clap::Args)]
pub(crate) struct TeamFolder {
    /// The folder that holds horizon.yaml, or the configuration itself
    #[arg(value_name = "PATH", conflicts_with = "config")]
    path: Option<PathBuf>,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = CONFIGURATION)]
    config: PathBuf,
}

impl TeamFolder {
    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.path {
            Some(path) if path.is_dir() => path.join(CONFIGURATION),
            Some(path) => path.clone(),
            None => self.config.clone(),
        }
    }

    /// The configuration, as far as it can be known without running.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.file(), &Flags::default())?)
    }
}
