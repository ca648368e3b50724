//! `horizon replay`: a stretch of a public stream, sent to an outlet again.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::status::table;
use super::{Daemon, Failure, Format, print};
use crate::client::Client;

/// How often the daemon is asked how far it is.
const ASK_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Replay {
    #[command(subcommand)]
    action: Option<Action>,
    /// The contract, as `horizon status` names it, such as bank.accounts.v1
    #[arg(required = true)]
    contract: Option<String>,
    /// The outlet, such as mqtt:main
    #[arg(long, required = true)]
    outlet: Option<String>,
    /// The first sequence, or the RFC 3339 time of crossing to begin with; the first event unless given
    #[arg(long, value_name = "SEQUENCE|TIME")]
    from: Option<String>,
    /// The last sequence, or the RFC 3339 time of crossing to end before; the last event unless given
    #[arg(long, value_name = "SEQUENCE|TIME")]
    to: Option<String>,
    /// Only events of this key
    #[arg(long)]
    key: Option<String>,
    /// To this topic in place of the outlet's; {key} and the like may stand in it
    #[arg(long, conflicts_with_all = ["routing_key", "queue"])]
    topic: Option<String>,
    /// With this routing key in place of the outlet's; {key} and the like may stand in it
    #[arg(long, conflicts_with = "queue")]
    routing_key: Option<String>,
    /// To this one queue, past all exchanges
    #[arg(long)]
    queue: Option<String>,
    /// Most events a second; as fast as they are answered for unless given
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Only tell what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Begin it, and do not wait for it
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    #[command(flatten)]
    daemon: Daemon,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the replays since the daemon started
    List(How),
    /// Stop a replay: what is in flight is answered for, and nothing more is sent
    Stop {
        /// Its number, as `horizon replay list` shows it
        id: u64,
        #[command(flatten)]
        how: How,
    },
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.action {
            Some(Action::List(how)) => list(&how),
            Some(Action::Stop { id, how }) => stop(id, &how),
            None => self.begin(),
        }
    }

    fn begin(self) -> Result<(), Failure> {
        let client = self.how.client()?;
        let order = json!({
            "contract": self.contract,
            "outlet": self.outlet,
            "from": self.from.as_deref().map(bound),
            "to": self.to.as_deref().map(bound),
            "key": self.key,
            "topic": self.topic,
            "routingKey": self.routing_key,
            "queue": self.queue,
            "eventsPerSecond": self.rate,
            "dryRun": self.dry_run,
        });
        let mut replay = client.post("/replays", order.to_string().as_bytes())?;
        if !self.detach {
            replay = follow(&client, replay)?;
        }
        match self.how.format {
            Format::Json => print(&replay.to_string()),
            Format::Text => print(&in_words(&replay)),
        }
        match replay["state"].as_str() {
            Some("failed") => Err(Failure::Failed(
                replay["reason"].as_str().unwrap_or_default().to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

impl How {
    fn client(&self) -> Result<Client, Failure> {
        self.daemon.client(|addresses| addresses.operator)
    }
}

/// A sequence as a number, anything else as a time.
fn bound(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| Value::from(text), Value::from)
}

/// Shows how far a replay is until it ends; an interrupt stops it.
fn follow(client: &Client, mut replay: Value) -> Result<Value, Failure> {
    let interrupted = interrupts()?;
    let id = number(&replay, "/id");
    let (from, through) = (
        number(&replay, "/stretch/from"),
        number(&replay, "/stretch/through"),
    );
    let bar = progress_bar((through + 1).saturating_sub(from));
    while replay["state"] == "running" {
        let reached = number(&replay, "/progress/sequence");
        bar.set_position((reached + 1).saturating_sub(from));
        let trouble = replay.pointer("/connection/retryingSince");
        let trouble = trouble.filter(|since| since.is_string());
        let last_error = replay
            .pointer("/connection/lastError")
            .and_then(Value::as_str);
        bar.set_message(match (trouble, last_error) {
            (Some(_), Some(error)) => format!("trying again: {error}"),
            _ => String::new(),
        });
        if interrupted.recv_timeout(ASK_INTERVAL).is_ok() {
            bar.set_message("stopping");
            client.post(&format!("/replays/{id}/stop"), b"{}")?;
        }
        replay = client.get(&format!("/replays/{id}"))?;
    }
    bar.finish_and_clear();
    Ok(replay)
}

/// Interrupts of the terminal, one message each.
fn interrupts() -> Result<std::sync::mpsc::Receiver<()>, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).is_ok() {}
        });
    });
    Ok(receiver)
}

fn progress_bar(sequences: u64) -> ProgressBar {
    let bar = ProgressBar::new(sequences);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn list(how: &How) -> Result<(), Failure> {
    let all = how.client()?.get("/replays")?;
    if matches!(how.format, Format::Json) {
        print(&all.to_string());
        return Ok(());
    }
    let rows = all["replays"].as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        print("no replays since the daemon started");
        return Ok(());
    }
    let row = |replay: &Value| {
        let mut row = replay["stretch"].clone();
        for name in ["id", "state", "begun"] {
            row[name] = replay[name].clone();
        }
        for name in ["sequence", "confirmed", "unheard", "refused"] {
            row[name] = replay["progress"][name].clone();
        }
        row
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let columns = [
        "id",
        "state",
        "contract",
        "outlet",
        "from",
        "through",
        "sequence",
        "confirmed",
        "unheard",
        "refused",
        "begun",
    ];
    print(&table(Some(&Value::from(rows)), &columns));
    Ok(())
}

fn stop(id: u64, how: &How) -> Result<(), Failure> {
    let client = how.client()?;
    let mut replay = client.post(&format!("/replays/{id}/stop"), b"{}")?;
    while replay["state"] == "running" {
        std::thread::sleep(ASK_INTERVAL);
        replay = client.get(&format!("/replays/{id}"))?;
    }
    match how.format {
        Format::Json => print(&replay.to_string()),
        Format::Text => print(&in_words(&replay)),
    }
    Ok(())
}

fn number(value: &Value, pointer: &str) -> u64 {
    value
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn in_words(replay: &Value) -> String {
    let of = |pointer: &str| number(replay, pointer);
    let text = |pointer: &str| {
        let found = replay.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let place = text("/stretch/place");
    let place = match place.is_empty() {
        true => String::new(),
        false => format!(" ({place})"),
    };
    let mut lines = vec![format!(
        "replay {} of {} to {}{place}, sequences {} to {}: {}",
        of("/id"),
        text("/stretch/contract"),
        text("/stretch/outlet"),
        of("/stretch/from"),
        of("/stretch/through"),
        text("/state"),
    )];
    let refused = of("/progress/refused");
    lines.push(match replay["stretch"]["dryRun"] == Value::Bool(true) {
        true => format!(
            "{} events of {} bytes would be sent, {refused} cannot be",
            of("/progress/found") - refused.min(of("/progress/found")),
            of("/progress/foundBytes"),
        ),
        false => format!(
            "{} confirmed, {} unheard, {refused} refused",
            of("/progress/confirmed"),
            of("/progress/unheard"),
        ),
    });
    let told = replay.pointer("/progress/refusedEvents");
    for event in told.and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!(
            "  {}: {}",
            number(event, "/sequence"),
            event["reason"].as_str().unwrap_or_default()
        ));
    }
    if replay["state"] == "stopped" {
        lines.push(format!("to go on: --from {}", of("/progress/sequence") + 1));
    }
    lines.join("\n")
}
