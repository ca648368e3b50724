//! `horizon skip`: an event at which a contract has halted is given up.

use serde_json::json;

use super::{Failure, Format, How, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Skip {
    /// The contract, as `horizon status` names it, such as bank.accounts.v1
    contract: String,
    /// The position at which it has halted, as `horizon status` tells it
    #[arg(long, value_name = "POSITION")]
    at: u64,
    /// Why; `horizon why` tells it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    how: How,
}

impl Skip {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let order = json!({"contract": self.contract, "at": self.at, "reason": self.reason});
        let client = self.how.operator()?.patient();
        let skipped = client.post("/contracts/skip", order.to_string().as_bytes())?;
        match self.how.format {
            Format::Json => print(&skipped.to_string()),
            Format::Text => print(&format!(
                "the event at position {} is given up; {} goes on behind it",
                self.at, self.contract
            )),
        }
        Ok(())
    }
}
