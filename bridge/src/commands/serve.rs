//! `horizon serve`: the daemon.

use std::path::PathBuf;

use super::Failure;
use crate::config::{Config, Flags};
use crate::{daemon, runtime};

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "horizon.yaml")]
    config: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        crate::telemetry::start().map_err(Failure::Mend)?;
        let config = Config::load(&self.config, &self.flags)?;
        let catalog = daemon::load_catalog(&config)?;
        let given = daemon::Given {
            path: self.config,
            flags: self.flags,
        };
        runtime::start()
            .map_err(|error| Failure::Failed(format!("cannot start the runtime: {error}")))?
            .block_on(daemon::run(config, given, catalog))
    }
}
