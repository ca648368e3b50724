//! From the beginning of a durable append to a subscriber, beside what the steps cost alone, at an even rate.
//!
//! Each measurement is told as one line of JSON, in milliseconds: `write`, an append to a file and its sync; `publish`, a bare
//! publish with `rumqttc` at QoS 1 until a subscriber has it; `append`, an append over HTTP until its answer, which says that it
//! is durable; `delivery`, from that answer until the same kind of subscriber has the public event; `way`, both together. They
//! take turns, since what a disk and a machine do changes from one second to the next. All times are taken in this one process.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rumqttc::NetworkOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

/// Where to, how often and for how long.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// The broker's port on loopback.
    #[arg(long)]
    mqtt_port: u16,
    /// The daemon's private listener.
    #[arg(long)]
    http: SocketAddr,
    /// A folder on the store's disk, for the synced file.
    #[arg(long)]
    folder: PathBuf,
    /// Events a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// How often each is measured; all measurements of one are told together.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Connections that append.
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Size of what is written and published bare, in bytes.
    #[arg(long, default_value_t = 600)]
    size_bytes: usize,
}

/// When each event was begun, was answered as durable, and arrived.
#[derive(Default)]
struct Times {
    begun: HashMap<u64, Instant>,
    answered: HashMap<u64, Instant>,
    arrived: HashMap<u64, Instant>,
}

impl Times {
    /// How long it was from the one to the other; nothing where the other came first.
    fn between(from: &HashMap<u64, Instant>, to: &HashMap<u64, Instant>) -> Vec<Duration> {
        let times = to
            .iter()
            .filter_map(|(number, to)| Some((from.get(number)?, to)));
        times
            .map(|(from, to)| to.saturating_duration_since(*from))
            .collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let [mut write, mut publish, mut append, mut delivery, mut way] = [const { Vec::new() }; 5];
    for round in 0..arguments.rounds {
        let folder = arguments.clone();
        write.extend(tokio::task::spawn_blocking(move || synced_writes(&folder)).await??);
        let times = publishes(&arguments, round).await?;
        publish.extend(Times::between(&times.begun, &times.arrived));
        let times = whole_way(&arguments, round).await?;
        append.extend(Times::between(&times.begun, &times.answered));
        delivery.extend(Times::between(&times.answered, &times.arrived));
        way.extend(Times::between(&times.begun, &times.arrived));
    }
    report("write", write);
    report("publish", publish);
    report("append", append);
    report("delivery", delivery);
    report("way", way);
    Ok(())
}

/// Appends to a file, each synced, at the rate.
fn synced_writes(arguments: &Arguments) -> Result<Vec<Duration>, Failure> {
    let path: &Path = &arguments.folder.join("synced");
    let mut file = std::fs::File::create(path)?;
    let bytes = vec![b'x'; arguments.size_bytes];
    let begun = Instant::now();
    let mut took = Vec::new();
    for number in 0..arguments.rate * arguments.seconds {
        let due = begun + Duration::from_secs(1) * number / arguments.rate;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let started = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(took)
}

/// Publishes bare, at the rate.
async fn publishes(arguments: &Arguments, round: u32) -> Result<Times, Failure> {
    let times = Arc::new(Mutex::new(Times::default()));
    let mut connections = subscribe(arguments, "bare/#", round, Arc::clone(&times), |payload| {
        payload.get("n")?.as_u64()
    })
    .await?;
    let (client, mut events) = connect(arguments, &format!("latency-publisher-{round}"));
    while !matches!(events.poll().await?, Event::Incoming(Incoming::ConnAck(_))) {}
    connections.spawn(async move { while events.poll().await.is_ok() {} });
    let mut due = ticks(arguments.rate);
    let count = arguments.rate * arguments.seconds;
    for number in 0..u64::from(count) {
        due.tick().await;
        let payload = format!(
            "{:width$}",
            json!({ "n": number }),
            width = arguments.size_bytes
        );
        note(&times, |times| &mut times.begun, number);
        client
            .publish("bare/x", QoS::AtLeastOnce, false, payload)
            .await?;
    }
    all(&times, count).await
}

/// Appends over HTTP, each connection at its share of the rate.
async fn whole_way(arguments: &Arguments, round: u32) -> Result<Times, Failure> {
    let times = Arc::new(Mutex::new(Times::default()));
    let _subscriber = subscribe(arguments, "bank/#", round, Arc::clone(&times), |event| {
        event.get("data")?.get("amount")?.as_u64()
    })
    .await?;
    let mut appending = JoinSet::new();
    let each = arguments.rate * arguments.seconds / arguments.connections;
    for connection in 0..arguments.connections {
        let (arguments, times) = (arguments.clone(), Arc::clone(&times));
        appending.spawn(async move { append(&arguments, round, connection, each, &times).await });
    }
    while let Some(done) = appending.join_next().await {
        done??;
    }
    all(&times, each * arguments.connections).await
}

/// Deposits on accounts of its own; the amount tells an event among the public ones.
async fn append(
    arguments: &Arguments,
    round: u32,
    connection: u32,
    count: u32,
    times: &Mutex<Times>,
) -> Result<(), Failure> {
    let stream = TcpStream::connect(arguments.http).await?;
    stream.set_nodelay(true)?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let pause = Duration::from_secs(1) * arguments.connections / arguments.rate;
    tokio::time::sleep(pause * connection / arguments.connections).await;
    let mut due = tokio::time::interval(pause);
    for number in 0..count {
        due.tick().await;
        let amount = u64::from(round * arguments.connections + connection) * 1_000_000
            + u64::from(number)
            + 1;
        let account = format!("{connection}0{}", number % 500);
        let event = json!({"id": format!("latency-{amount}"), "type": "CashDeposited", "time": "2024-01-01T00:00:00Z",
            "data": {"transactionId": amount.to_string(), "accountId": account, "amount": amount, "currency": "CZK", "balance": amount}});
        let request = hyper::Request::post(format!("/streams/account-{account}"))
            .header("host", arguments.http.to_string())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(event.to_string())))?;
        note(times, |times| &mut times.begun, amount);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        note(times, |times| &mut times.answered, amount);
    }
    Ok(())
}

/// Subscribes, and notes what arrives from then on, until what it gives is dropped.
async fn subscribe(
    arguments: &Arguments,
    topics: &str,
    round: u32,
    times: Arc<Mutex<Times>>,
    number_of: fn(&Value) -> Option<u64>,
) -> Result<JoinSet<()>, Failure> {
    let (client, mut events) = connect(
        arguments,
        &format!("latency-{topics}-{round}").replace("/#", ""),
    );
    client.subscribe(topics, QoS::AtLeastOnce).await?;
    while !matches!(events.poll().await?, Event::Incoming(Incoming::SubAck(_))) {}
    let mut receiving = JoinSet::new();
    receiving.spawn(async move {
        let _client = client;
        while let Ok(event) = events.poll().await {
            let Event::Incoming(Incoming::Publish(publish)) = event else {
                continue;
            };
            let payload = serde_json::from_slice::<Value>(&publish.payload);
            if let Some(number) = payload.ok().and_then(|payload| number_of(&payload)) {
                note(&times, |times| &mut times.arrived, number);
            }
        }
    });
    Ok(receiving)
}

fn connect(arguments: &Arguments, id: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(id, "127.0.0.1", arguments.mqtt_port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    AsyncClient::new(options, 100)
}

fn ticks(rate: u32) -> tokio::time::Interval {
    tokio::time::interval(Duration::from_secs(1) / rate)
}

fn note(times: &Mutex<Times>, which: fn(&mut Times) -> &mut HashMap<u64, Instant>, number: u64) {
    if let Ok(mut times) = times.lock() {
        which(&mut times).insert(number, Instant::now());
    }
}

/// The times, when all have arrived; half a minute at most after the last was begun.
async fn all(times: &Mutex<Times>, count: u32) -> Result<Times, Failure> {
    for _ in 0..600 {
        if let Ok(mut times) = times.lock()
            && times.arrived.len() >= count as usize
        {
            return Ok(std::mem::take(&mut times));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("not everything has arrived".into())
}

#[expect(clippy::print_stdout, reason = "the result is this program's output")]
fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| {
        let found = took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
        found.map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    };
    println!(
        "{}",
        json!({"what": what, "count": took.len(), "median_ms": at(50), "p90_ms": at(90), "p99_ms": at(99), "max_ms": at(100)})
    );
}
