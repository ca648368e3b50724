//! `horizon check`: everything that `serve` checks before it opens the store and binds a port. A secret's variable may be unset;
//! what was not checked for want of it is told.

use super::folder::TeamFolder;
use super::{Failure, print};
use crate::daemon;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    folder: TeamFolder,
}

impl Check {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.folder.load()?;
        let catalog = daemon::load_catalog(&config)?;
        let unset = daemon::check(&config, &catalog)?;
        for contract in catalog.contracts() {
            let status = format!("{:?}", contract.status()).to_lowercase();
            print(&format!(
                "{} {} ({status}): sound",
                contract.public_stream(),
                contract.version()
            ));
            for outlet in contract.outlets() {
                for warning in outlet.warnings() {
                    print(&format!("  warning: {}: {warning}", outlet.name()));
                }
            }
        }
        let count = catalog.contracts().len();
        print(&format!(
            "{count} contracts in {}; the configuration is sound",
            config.contracts.display()
        ));
        if let Some(names) = unset {
            print(&format!(
                "not checked, as these variables of secrets are not set here: {names}"
            ));
        }
        Ok(())
    }
}
