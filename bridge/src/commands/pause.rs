//! `horizon pause` and `horizon resume`: one relay stands until it is told to go on.

use serde_json::json;

use super::{Daemon, Failure, print};

#[derive(Debug, clap::Args)]
struct RelayPlace {
    /// The contract, as `horizon status` names it, such as bank.accounts.v1
    contract: String,
    /// The outlet, such as mqtt:main
    #[arg(long)]
    outlet: String,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    place: RelayPlace,
    /// Why, for those who find it paused
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    place: RelayPlace,
}

impl Pause {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let RelayPlace {
            contract,
            outlet,
            daemon,
        } = self.place;
        let client = daemon.client(|addresses| addresses.operator)?.patient();
        let order = json!({"contract": contract, "outlet": outlet, "reason": self.reason});
        let paused = client.post("/relays/pause", order.to_string().as_bytes())?;
        let word = |name: &str| paused["paused"][name].as_str().unwrap_or_default();
        print(&format!(
            "{contract}/{outlet} is paused since {}: {}",
            word("since"),
            word("reason")
        ));
        Ok(())
    }
}

impl Resume {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let RelayPlace {
            contract,
            outlet,
            daemon,
        } = self.place;
        let client = daemon.client(|addresses| addresses.operator)?;
        let order = json!({"contract": contract, "outlet": outlet});
        client.post("/relays/resume", order.to_string().as_bytes())?;
        print(&format!("{contract}/{outlet} goes on"));
        Ok(())
    }
}
