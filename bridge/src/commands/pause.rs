//! `horizon pause` and `horizon resume`: one relay stands until it is told to go on.

use serde_json::{Value, json};

use super::{Failure, Format, How, print};

#[derive(Debug, clap::Args)]
struct RelayPlace {
    /// The contract, as `horizon status` names it, such as bank.accounts.v1
    contract: String,
    /// The outlet, such as mqtt:main
    #[arg(long)]
    outlet: String,
    #[command(flatten)]
    how: How,
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

impl RelayPlace {
    /// What the daemon answers to an order for the relay.
    fn order(&self, path: &str, reason: Option<&str>) -> Result<Value, Failure> {
        let client = self.how.operator()?;
        let mut order = json!({"contract": self.contract, "outlet": self.outlet});
        if let Some(reason) = reason {
            order["reason"] = reason.into();
        }
        // A pause waits for what is in flight.
        Ok(client.patient().post(path, order.to_string().as_bytes())?)
    }
}

impl std::fmt::Display for RelayPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.contract, self.outlet)
    }
}

impl Pause {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let paused = self.place.order("/relays/pause", Some(&self.reason))?;
        if self.place.how.format == Format::Json {
            print(&paused.to_string());
            return Ok(());
        }
        let word = |name: &str| paused["paused"][name].as_str().unwrap_or_default();
        let was = match paused["already"] == Value::Bool(true) {
            true => "was paused already,",
            false => "is paused",
        };
        print(&format!(
            "{} {was} since {}: {}",
            self.place,
            word("since"),
            word("reason")
        ));
        Ok(())
    }
}

impl Resume {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let resumed = self.place.order("/relays/resume", None)?;
        if self.place.how.format == Format::Json {
            print(&resumed.to_string());
            return Ok(());
        }
        print(&match resumed["already"] == Value::Bool(true) {
            true => format!("{} was not paused", self.place),
            false => format!("{} goes on", self.place),
        });
        Ok(())
    }
}
