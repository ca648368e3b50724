//! `horizon parked`: keys that cannot go on, at contracts and at outlets.

use serde_json::{Value, json};

use super::status::table;
use super::{Failure, Format, How, print};
use crate::http::read::path_segment;

/// Most keys that are asked for at a time.
const PAGE_LIMIT: usize = 1_000;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Parked {
    #[command(subcommand)]
    action: Option<Action>,
    /// List only what is parked at this contract and its outlets
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<String>,
    /// List only what is parked at this outlet of the contract
    #[arg(long, requires = "contract")]
    outlet: Option<String>,
    /// Most keys to list
    #[arg(long, value_name = "KEYS", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the events that wait under a key, and why
    Show(Show),
    /// Try again what waits, in order, with the contract as it is now; what cannot go on stays, and what is behind it
    Retry(Retry),
    /// Give up the first event that waits under a key, or under each, for good; what is behind it then goes on, as after `retry`
    Skip(Skip),
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The contract, as `horizon status` names it, such as bank.accounts.v1
    #[arg(long, value_name = "CONTRACT")]
    contract: String,
    /// The outlet, such as mqtt:main, if the key is parked there and not on its way into the public log
    #[arg(long)]
    outlet: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Show {
    key: String,
    #[command(flatten)]
    place: Place,
    /// Most events to show
    #[arg(long, value_name = "EVENTS", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct Retry {
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    key: Option<String>,
    /// Every key that is parked there
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct Skip {
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    key: Option<String>,
    /// Every key that is parked there
    #[arg(long, conflicts_with = "at")]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// Why; `horizon why` tells it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only if the event at this place is the first that waits (a position, or at an outlet a sequence, as `show` tells it)
    #[arg(long, value_name = "PLACE", conflicts_with = "all_events")]
    at: Option<u64>,
    /// Give up all events of the key that wait now
    #[arg(long)]
    all_events: bool,
    #[command(flatten)]
    how: How,
}

impl Parked {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.action {
            None => self.list(),
            Some(Action::Show(show)) => show.run(),
            Some(Action::Retry(retry)) => retry.run(),
            Some(Action::Skip(skip)) => skip.run(),
        }
    }

    fn list(self) -> Result<(), Failure> {
        let client = self.how.operator()?.patient();
        let mut keys = Vec::new();
        let mut next = Some(format!("/parked?limit={}", self.limit.clamp(1, PAGE_LIMIT)));
        for (name, value) in [("contract", &self.contract), ("outlet", &self.outlet)] {
            if let (Some(value), Some(next)) = (value, &mut next) {
                next.push_str(&format!("&{name}={}", path_segment(value)));
            }
        }
        while let Some(path) = next.take() {
            let mut page = client.get(&path)?;
            next = page["next"].as_str().map(str::to_owned);
            if let Value::Array(more) = page["keys"].take() {
                keys.extend(more);
            }
            if keys.len() >= self.limit {
                break;
            }
        }
        keys.truncate(self.limit);
        match self.how.format {
            Format::Json => print(&json!({"keys": keys, "more": next.is_some()}).to_string()),
            Format::Text if keys.is_empty() => print("nothing is parked"),
            Format::Text => {
                let columns = ["contract", "outlet", "key", "waiting", "since", "reason"];
                print(&table(Some(&keys.into()), &columns));
                if next.is_some() {
                    print(&format!(
                        "more are parked than these {}; see --limit",
                        self.limit
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let outlet = self.place.outlet.as_deref().map(path_segment);
        let path = format!(
            "/parked/{}/{}?limit={}{}",
            path_segment(&self.place.contract),
            path_segment(&self.key),
            self.limit,
            outlet.map_or_else(String::new, |outlet| format!("&outlet={outlet}")),
        );
        let shown = self.how.operator()?.patient().get(&path)?;
        match self.how.format {
            Format::Json => print(&shown.to_string()),
            Format::Text => print(&in_words(&shown)),
        }
        Ok(())
    }
}

impl Retry {
    fn run(self) -> Result<(), Failure> {
        let order = json!({
            "contract": self.place.contract,
            "outlet": self.place.outlet,
            "key": self.key,
            "all": self.all,
        });
        carry_out(&self.how, "/parked/retry", &order)
    }
}

impl Skip {
    fn run(self) -> Result<(), Failure> {
        let order = json!({
            "contract": self.place.contract,
            "outlet": self.place.outlet,
            "key": self.key,
            "all": self.all,
            "reason": self.reason,
            "at": self.at,
            "allEvents": self.all_events,
        });
        carry_out(&self.how, "/parked/skip", &order)
    }
}

/// Hands an order in. A key that still waits is a failure: somebody has to do more.
fn carry_out(how: &How, path: &str, order: &Value) -> Result<(), Failure> {
    let told = how
        .operator()?
        .patient()
        .post(path, order.to_string().as_bytes())?;
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let events = &told["events"];
    let counts: Vec<String> = ["crossed", "filtered", "confirmed", "unheard", "skipped"]
        .iter()
        .filter(|name| number(&events[**name]) > 0)
        .map(|name| format!("{} {name}", number(&events[*name])))
        .collect();
    let counts = if counts.is_empty() {
        "no event has left".to_owned()
    } else {
        format!("events that have left: {}", counts.join(", "))
    };
    let summary = format!(
        "{} of {} keys are live again; {counts}",
        number(&told["live"]),
        number(&told["keys"])
    );
    if how.format == Format::Json {
        print(&told.to_string());
    } else {
        print(&summary);
    }
    if told["done"] == Value::Bool(false) {
        return Err(Failure::Failed(
            "it is not done yet, and goes on: see `horizon parked`".to_owned(),
        ));
    }
    let stuck = told["stuckKeys"].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<String> = stuck
        .iter()
        .map(|stuck| {
            let text = |name: &str| stuck[name].as_str().unwrap_or_default();
            format!(
                "key {} stays parked, at {}: {}",
                text("key"),
                stuck["at"],
                text("reason")
            )
        })
        .collect();
    let untold = number(&told["stuck"]).saturating_sub(lines.len() as u64);
    if untold > 0 {
        lines.push(format!("and {untold} more keys stay parked"));
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(lines.join("\n")))
}

fn in_words(shown: &Value) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let events = shown["events"].as_array().cloned().unwrap_or_default();
    let outlet = shown["outlet"]
        .as_str()
        .map(|outlet| format!(" at {outlet}"));
    let mut lines = vec![format!(
        "key {} of {}{}: {} event{}",
        text(shown, "key"),
        text(shown, "contract"),
        outlet.unwrap_or_default(),
        shown["waiting"],
        match shown["waiting"].as_u64() {
            Some(1) => " waits",
            _ => "s wait",
        },
    )];
    for waits in &events {
        let event = &waits["event"];
        let place = match event["stream"].as_str() {
            Some(stream) => format!(
                "in stream {stream} at revision {}, position",
                event["revision"]
            ),
            None => "sequence".to_owned(),
        };
        lines.push(format!(
            "  {} {} {place} {}, since {}: {}",
            text(event, "type"),
            text(event, "id"),
            waits["at"],
            text(waits, "since"),
            text(waits, "reason"),
        ));
        for violation in waits["violations"].as_array().into_iter().flatten() {
            let pointer = Some(text(violation, "pointer")).filter(|pointer| !pointer.is_empty());
            let pointer = pointer.unwrap_or_else(|| "the data".to_owned());
            lines.push(format!("    at {pointer}: {}", text(violation, "reason")));
        }
    }
    if shown["next"].is_string() {
        lines.push(format!(
            "  and more than these {}; see --limit",
            events.len()
        ));
    }
    lines.join("\n")
}
