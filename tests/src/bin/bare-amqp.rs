//! A bare AMQP 0-9-1 publishing loop with `lapin`: the yardstick for the AMQP outlet.
//!
//! It declares a durable topic exchange, publishes persistent, mandatory messages as fast as a window of unconfirmed ones
//! allows, counts the confirms, and prints one line of JSON: `{"messages":N,"seconds":S,"per_second":R}`. With `--queue` it
//! binds a durable queue first. It checks nothing else and keeps no account of anything.

use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm,
};
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
    /// The user, and its password after a colon.
    #[arg(long, default_value = "guest:guest")]
    user: String,
    /// The exchange that is declared, and published to where a packet names none.
    #[arg(long, default_value = "bare.amqp")]
    exchange: String,
    /// A durable queue to declare and to bind to all of the exchange.
    #[arg(long)]
    queue: Option<String>,
    /// How many messages; with a file, its packets over and over. All packets of the file once, unless given.
    #[arg(long, required_unless_present = "file")]
    count: Option<usize>,
    /// Packets to publish, one JSON object on each line: {"exchange"?: "…", "routing_key": "…", "payload": "…",
    /// "message_id"?: "…", "type"?: "…", "headers"?: {"name": "text"}}.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The size of the payload where there is no file, in bytes.
    #[arg(long, default_value_t = 370)]
    payload_bytes: usize,
    /// How many messages may be without a confirm.
    #[arg(long, default_value_t = 1_000)]
    window: usize,
}

struct Packet {
    exchange: ShortString,
    routing_key: ShortString,
    payload: Vec<u8>,
    properties: BasicProperties,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let packets = packets(&arguments)?;
    let count = arguments.count.unwrap_or(packets.len());
    let uri = format!(
        "amqp://{}@{}:{}",
        arguments.user, arguments.host, arguments.port
    );
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    declare(&channel, &arguments).await?;

    let started = Instant::now();
    let mut confirms: VecDeque<PublisherConfirm> = VecDeque::new();
    let options = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    for packet in packets.iter().cycle().take(count) {
        if confirms.len() >= arguments.window {
            settle(confirms.pop_front()).await?;
        }
        let confirm = channel.basic_publish(
            packet.exchange.clone(),
            packet.routing_key.clone(),
            options,
            &packet.payload,
            packet.properties.clone(),
        );
        confirms.push_back(confirm.await?);
    }
    while let Some(confirm) = confirms.pop_front() {
        settle(Some(confirm)).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    connection.close(200, ShortString::default()).await?;
    report(count, seconds);
    Ok(())
}

async fn settle(confirm: Option<PublisherConfirm>) -> Result<(), Box<dyn Error>> {
    if let Some(confirm) = confirm
        && !confirm.await?.is_ack()
    {
        return Err("the broker refused a message".into());
    }
    Ok(())
}

async fn declare(channel: &Channel, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let exchange = ShortString::try_new(arguments.exchange.as_str())?;
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            exchange.clone(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
        .await?;
    let Some(queue) = &arguments.queue else {
        return Ok(());
    };
    let queue = ShortString::try_new(queue.as_str())?;
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.clone(), options, FieldTable::default())
        .await?;
    let all = ShortString::try_new("#")?;
    channel
        .queue_bind(
            queue,
            exchange,
            all,
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok(())
}

fn packets(arguments: &Arguments) -> Result<Vec<Packet>, Box<dyn Error>> {
    let Some(file) = &arguments.file else {
        let plain =
            json!({ "routing_key": "bare.amqp", "payload": "x".repeat(arguments.payload_bytes) });
        return Ok(vec![packet(&plain, &arguments.exchange)?]);
    };
    let mut packets = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        packets.push(packet(&serde_json::from_str(line)?, &arguments.exchange)?);
    }
    Ok(packets)
}

fn packet(packet: &Value, exchange: &str) -> Result<Packet, Box<dyn Error>> {
    let text = |field: &str| packet.get(field).and_then(Value::as_str);
    let short = |field: &str| text(field).map(ShortString::try_new).transpose();
    let mut headers = FieldTable::default();
    for (name, value) in packet
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let value = value.as_str().ok_or("a header that is no text")?;
        headers.insert(
            ShortString::try_new(name.as_str())?,
            AMQPValue::LongString(value.into()),
        );
    }
    let mut properties = BasicProperties::default()
        .with_content_type(ShortString::try_new(
            "application/cloudevents+json; charset=utf-8",
        )?)
        .with_delivery_mode(2)
        .with_headers(headers);
    if let Some(id) = short("message_id")? {
        properties = properties.with_message_id(id);
    }
    if let Some(kind) = short("type")? {
        properties = properties.with_type(kind);
    }
    Ok(Packet {
        exchange: short("exchange")?.unwrap_or(ShortString::try_new(exchange)?),
        routing_key: short("routing_key")?.ok_or("a packet without the text `routing_key`")?,
        payload: text("payload")
            .ok_or("a packet without the text `payload`")?
            .as_bytes()
            .to_vec(),
        properties,
    })
}

#[expect(clippy::print_stdout, reason = "the result is this program's output")]
fn report(messages: usize, seconds: f64) {
    let per_second = messages as f64 / seconds;
    println!(
        "{}",
        json!({ "messages": messages, "seconds": seconds, "per_second": per_second })
    );
}
