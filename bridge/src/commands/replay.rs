//! `horizon replay`: a stretch of a public stream, sent to an outlet again.

use std::sync::mpsc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::status::table;
use super::{Failure, Format, How, plural, print};
use crate::client::{Client, ClientError};

/// How often the daemon is asked how far it is.
const ASK_INTERVAL: Duration = Duration::from_millis(200);
/// Most refused events that are shown to people.
const REFUSED_SHOWN_EVENTS: usize = 5;

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
        let client = self.how.operator()?;
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
        // Before it begins: from then on an interrupt is to stop it.
        let interrupted = (!self.detach).then(interrupts).transpose()?;
        let mut replay = client.post("/replays", order.to_string().as_bytes())?;
        if let Some(interrupted) = interrupted {
            replay = follow(&client, replay, &interrupted)?;
        }
        tell(&self.how, &replay);
        let refused = number(&replay, "/progress/refused");
        match replay["state"].as_str() {
            Some("failed") => Err(Failure::Failed(
                replay["reason"].as_str().unwrap_or_default().to_owned(),
            )),
            Some("stopped") => Err(Failure::Failed(
                "the replay was stopped before its end".to_owned(),
            )),
            _ if refused > 0 && self.dry_run => Err(Failure::Failed(format!(
                "{refused} event{} cannot be sent there",
                plural(refused)
            ))),
            _ if refused > 0 => Err(Failure::Failed(match refused {
                1 => "1 event was refused".to_owned(),
                _ => format!("{refused} events were refused"),
            })),
            _ => Ok(()),
        }
    }
}

fn tell(how: &How, replay: &Value) {
    match how.format {
        Format::Json => print(&replay.to_string()),
        Format::Text => print(&in_words(replay)),
    }
}

/// A sequence as a number, anything else as a time.
fn bound(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| Value::from(text), Value::from)
}

/// Shows how far a replay is until it ends; an interrupt stops it.
fn follow(
    client: &Client,
    mut replay: Value,
    interrupted: &mpsc::Receiver<()>,
) -> Result<Value, Failure> {
    let id = number(&replay, "/id");
    let begun = replay["begun"].clone();
    let from = number(&replay, "/stretch/from");
    let events = number(&replay, "/stretch/events");
    let bar = progress_bar(events);
    while replay["state"] == "running" {
        let reached = number(&replay, "/progress/sequence");
        bar.set_position((reached + 1).saturating_sub(from).min(events));
        bar.set_message(trouble(&replay));
        let lost = |error: ClientError| {
            bar.finish_and_clear();
            Failure::Failed(format!(
                "{error}\n  = the replay goes on, or has ended with the daemon: see `horizon replay list`; {}",
                go_on(reached)
            ))
        };
        if interrupted.recv_timeout(ASK_INTERVAL).is_ok() {
            bar.set_message("stopping");
            client
                .post(&format!("/replays/{id}/stop"), b"{}")
                .map_err(lost)?;
        }
        replay = client.get(&format!("/replays/{id}")).map_err(lost)?;
        if replay["begun"] != begun {
            bar.finish_and_clear();
            return Err(Failure::Failed(format!(
                "the daemon was restarted, and the replay ended with it; {}",
                go_on(reached)
            )));
        }
    }
    bar.finish_and_clear();
    Ok(replay)
}

/// What keeps a replay from going on, if anything does.
fn trouble(replay: &Value) -> String {
    let connection = &replay["connection"];
    let error = connection["lastError"].as_str().unwrap_or_default();
    match connection["state"].as_str() {
        Some("blocked") => format!("the broker asks to wait: {error}"),
        _ if connection["retryingSince"].is_string() => format!("trying again: {error}"),
        _ => String::new(),
    }
}

/// How to send what is left after a sequence.
fn go_on(reached: u64) -> String {
    let next = reached + 1;
    format!(
        "everything up to sequence {reached} was answered for, so it goes on with --from {next}"
    )
}

/// Interrupts of the terminal, and requests to end, one message each.
fn interrupts() -> Result<mpsc::Receiver<()>, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (mut interrupted, mut terminated) = {
        let _inside = runtime.enter();
        let interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        (
            interrupted,
            signal(SignalKind::terminate()).map_err(failed)?,
        )
    };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
                if sender.send(()).is_err() {
                    break;
                }
            }
        });
    });
    Ok(receiver)
}

fn progress_bar(events: u64) -> ProgressBar {
    let bar = ProgressBar::new(events);
    let style = "{bar:40} {human_pos} of {human_len} events, {per_sec:0} {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn list(how: &How) -> Result<(), Failure> {
    let all = how.operator()?.get("/replays")?;
    if matches!(how.format, Format::Json) {
        print(&all.to_string());
        return Ok(());
    }
    let rows = all["replays"].as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        print("no replays since the daemon started");
        return Ok(());
    }
    let rows: Vec<Value> = rows.iter().map(row).collect();
    print(&table(Some(&Value::from(rows)), &COLUMNS));
    Ok(())
}

/// The columns of `horizon replay list`.
const COLUMNS: [&str; 13] = [
    "id",
    "state",
    "contract",
    "outlet",
    "place",
    "key",
    "from",
    "through",
    "reached",
    "confirmed",
    "unheard",
    "refused",
    "begun",
];

/// A replay as a row of [`COLUMNS`].
fn row(replay: &Value) -> Value {
    let mut row = replay["stretch"].clone();
    for name in ["id", "state", "begun"] {
        row[name] = replay[name].clone();
    }
    row["reached"] = replay["progress"]["sequence"].clone();
    for name in ["confirmed", "unheard", "refused"] {
        row[name] = replay["progress"][name].clone();
    }
    if replay["stretch"]["dryRun"] == Value::Bool(true) {
        row["place"] = "dry run".into();
    }
    row
}

fn stop(id: u64, how: &How) -> Result<(), Failure> {
    let client = how.operator()?;
    let mut replay = client.post(&format!("/replays/{id}/stop"), b"{}")?;
    while replay["state"] == "running" {
        std::thread::sleep(ASK_INTERVAL);
        replay = client.get(&format!("/replays/{id}"))?;
    }
    tell(how, &replay);
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
    let text = |pointer: &str| replay.pointer(pointer).and_then(Value::as_str);
    let place = text("/stretch/place").map(|place| format!(" ({place})"));
    let key = text("/stretch/key").map(|key| format!(", key {key} only"));
    let dry = replay["stretch"]["dryRun"] == Value::Bool(true);
    let state = text("/state").unwrap_or_default();
    let mut lines = vec![format!(
        "{} {} of {} to {}{}, sequences {} to {}{}: {state}",
        if dry { "dry run" } else { "replay" },
        of("/id"),
        text("/stretch/contract").unwrap_or_default(),
        text("/stretch/outlet").unwrap_or_default(),
        place.unwrap_or_default(),
        of("/stretch/from"),
        of("/stretch/through"),
        key.unwrap_or_default(),
    )];
    let id = of("/id");
    if state == "running" {
        lines.push(format!(
            "`horizon replay list` tells how far it is, `horizon replay stop {id}` stops it"
        ));
        return lines.join("\n");
    }
    let (refused, unheard) = (of("/progress/refused"), of("/progress/unheard"));
    lines.push(match (dry, unheard) {
        (true, _) => format!(
            "{} event{} would be sent, {} bytes in all; {refused} cannot be",
            of("/progress/found").saturating_sub(refused),
            plural(of("/progress/found").saturating_sub(refused)),
            of("/progress/foundBytes"),
        ),
        (false, 0) => format!(
            "{} confirmed, 0 unheard, {refused} refused",
            of("/progress/confirmed")
        ),
        (false, _) => format!(
            "{} confirmed, {unheard} unheard (nobody was there to receive them), {refused} refused",
            of("/progress/confirmed"),
        ),
    });
    let left_out = of("/progress/leftOut");
    if left_out > 0 {
        lines.push(format!(
            "{left_out} left out: their keys are parked at this outlet, and go on in order by `horizon parked`"
        ));
    }
    let told = replay.pointer("/progress/refusedEvents");
    let told = told
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let told = &told[..told.len().min(REFUSED_SHOWN_EVENTS)];
    lines.extend(told.iter().map(|event| {
        let reason = event["reason"].as_str().unwrap_or_default();
        format!("  sequence {}: {reason}", number(event, "/sequence"))
    }));
    let untold = refused.saturating_sub(told.len() as u64);
    if untold > 0 {
        lines.push(format!(
            "  and {untold} more; --format json tells up to 100"
        ));
    }
    if matches!(state, "stopped" | "failed") && !dry {
        lines.push(go_on(of("/progress/sequence")));
    }
    lines.join("\n")
}
