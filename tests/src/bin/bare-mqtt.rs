//! A bare MQTT 5 publishing loop with `rumqttc`: the yardstick for the MQTT outlet.
//!
//! It publishes packets as fast as a window of unacknowledged ones allows (at QoS 0 as fast as they are written), counts the
//! acknowledgements, and prints one line
//! of JSON: `{"messages":N,"seconds":S,"per_second":R}`. It checks nothing else and keeps no account of anything.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing};
use serde_json::{Value, json};

/// What to publish, where, and with which window.
#[derive(Debug, Parser)]
struct Arguments {
    /// The broker's host.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The broker's port.
    #[arg(long)]
    port: u16,
    /// How many messages; with a file, its packets over and over. All packets of the file once, unless given.
    #[arg(long, required_unless_present = "file")]
    count: Option<usize>,
    /// Packets to publish, one JSON object on each line: {"topic": "…", "payload": "…"}.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The size of the payload where there is no file, in bytes.
    #[arg(long, default_value_t = 370)]
    payload_bytes: usize,
    /// The quality of service.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// How many messages may be in flight.
    #[arg(long, default_value_t = 1_000)]
    window: u16,
    /// Whether small packets wait for each other (Nagle's algorithm on).
    #[arg(long)]
    delay: bool,
}

struct Packet {
    topic: String,
    payload: Vec<u8>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let packets = packets(&arguments)?;
    let count = arguments.count.unwrap_or(packets.len());
    let (client, mut events) = connect(&arguments).await?;

    let qos = match arguments.qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let started = Instant::now();
    let publishing = tokio::spawn(async move {
        for packet in packets.iter().cycle().take(count) {
            let properties = PublishProperties {
                content_type: Some("application/cloudevents+json; charset=utf-8".to_owned()),
                ..PublishProperties::default()
            };
            client
                .publish_with_properties(
                    packet.topic.clone(),
                    qos,
                    false,
                    packet.payload.clone(),
                    properties,
                )
                .await?;
        }
        Ok::<_, rumqttc::v5::ClientError>(client)
    });
    let mut acknowledged = 0;
    while acknowledged < count {
        let done = matches!(
            (qos, events.poll().await?),
            (QoS::AtMostOnce, Event::Outgoing(Outgoing::Publish(_)))
                | (
                    _,
                    Event::Incoming(Incoming::PubAck(_) | Incoming::PubComp(_))
                )
        );
        acknowledged += usize::from(done);
    }
    let seconds = started.elapsed().as_secs_f64();
    let client = publishing.await??;
    client.disconnect().await?;
    while !matches!(
        events.poll().await,
        Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)
    ) {}
    report(count, seconds);
    Ok(())
}

async fn connect(arguments: &Arguments) -> Result<(AsyncClient, EventLoop), Box<dyn Error>> {
    let mut options = MqttOptions::new("bare-mqtt", &arguments.host, arguments.port);
    options.set_connect_properties(ConnectProperties::new());
    options.set_outgoing_inflight_upper_limit(arguments.window);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(!arguments.delay);
    options.set_network_options(network);
    let (client, mut events) = AsyncClient::new(options, usize::from(arguments.window));
    while !matches!(events.poll().await?, Event::Incoming(Incoming::ConnAck(_))) {}
    Ok((client, events))
}

fn packets(arguments: &Arguments) -> Result<Vec<Packet>, Box<dyn Error>> {
    let Some(file) = &arguments.file else {
        return Ok(vec![Packet {
            topic: "bare/mqtt".to_owned(),
            payload: vec![b'x'; arguments.payload_bytes],
        }]);
    };
    let mut packets = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let packet: Value = serde_json::from_str(line)?;
        packets.push(Packet {
            topic: text(&packet, "topic")?,
            payload: text(&packet, "payload")?.into_bytes(),
        });
    }
    Ok(packets)
}

fn text(packet: &Value, field: &str) -> Result<String, String> {
    let value = packet.get(field).and_then(Value::as_str);
    value
        .map(str::to_owned)
        .ok_or_else(|| format!("a packet without the text `{field}`"))
}

#[expect(clippy::print_stdout, reason = "the result is this program's output")]
fn report(messages: usize, seconds: f64) {
    let per_second = messages as f64 / seconds;
    println!(
        "{}",
        json!({ "messages": messages, "seconds": seconds, "per_second": per_second })
    );
}
