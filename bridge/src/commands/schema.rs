//! `horizon schema`: the JSON Schema of the contract language, so that editors complete and check contracts.

use super::{Failure, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Schema {
    /// Which files it is for
    #[arg(value_enum)]
    of: Of,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Of {
    /// Contracts
    Contract,
    /// _defaults.yaml
    Defaults,
}

impl Schema {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let schema = match self.of {
            Of::Contract => horizon_schemas::contract_language_schema(),
            Of::Defaults => horizon_schemas::defaults_language_schema(),
        };
        print(&format!("{schema:#}"));
        Ok(())
    }
}
