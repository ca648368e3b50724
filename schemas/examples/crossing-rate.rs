//! How many events a second cross on one core: `crossing-rate EVENTS.jsonl.gz CONTRACTS SCHEMAS [ROUNDS]`.
//!
//! Bytes in (one JSON event a line), checked CloudEvent bytes out. Only events that cross are counted.
#![expect(clippy::print_stdout, reason = "a command line example")]

use horizon_schemas::{
    Catalog, Folders, IdSecret, KnownBrokers, Outcome, PrivateEvent, Protocol, Rules,
};
use std::error::Error;
use std::io::Read;
use std::time::Instant;

#[derive(serde::Deserialize)]
struct Line<'a> {
    id: &'a str,
    stream: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    time: &'a str,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [events, contracts, schemas, rest @ ..] = arguments.as_slice() else {
        return Err("crossing-rate EVENTS.jsonl.gz CONTRACTS SCHEMAS [ROUNDS]".into());
    };
    let rounds: u32 = rest.first().map_or(Ok(5), |rounds| rounds.parse())?;
    let brokers = KnownBrokers::from([
        ("main".to_owned(), Protocol::Mqtt),
        ("rabbit".to_owned(), Protocol::Amqp),
    ]);
    let folders = Folders {
        contracts: contracts.into(),
        schemas: schemas.into(),
    };
    let catalog = Catalog::load(&folders, &brokers, &Rules::default())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(events)?).read_to_string(&mut text)?;
    let secret = IdSecret::new([1; 32]);
    for contract in catalog.contracts() {
        let mine = text.lines().filter(|line| {
            serde_json::from_str::<Line<'_>>(line).is_ok_and(|line| {
                contract.matches(line.stream.split('-').next().unwrap_or(""), line.event_type)
            })
        });
        let lines: Vec<&str> = mine.collect();
        let (mut crossed, mut filtered, mut violated, mut bytes) = (0_u64, 0_u64, 0_u64, 0_usize);
        let mut refused = 0_u64;
        let start = Instant::now();
        for _ in 0..rounds {
            for line in &lines {
                let line: Line<'_> = serde_json::from_str(line)?;
                let data: serde_json::Value = serde_json::from_str(line.data.get())?;
                let category = line.stream.split('-').next().unwrap_or("");
                let event = PrivateEvent {
                    source: line.stream,
                    id: line.id,
                    stream: line.stream,
                    category,
                    event_type: line.event_type,
                    time: Some(line.time),
                    traceparent: None,
                    tracestate: None,
                    recorded_ms: 0,
                    flagged: false,
                    data: &data,
                };
                match contract.cross(&event, &secret) {
                    Outcome::Crossed(event) => {
                        crossed += 1;
                        bytes += event.seal(crossed, 0).into_bytes().len();
                    }
                    Outcome::Filtered => filtered += 1,
                    Outcome::Unmatched => {}
                    Outcome::Violation { .. } => violated += 1,
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        for line in &lines {
            let line: Line<'_> = serde_json::from_str(line)?;
            let data: serde_json::Value = serde_json::from_str(line.data.get())?;
            let category = line.stream.split('-').next().unwrap_or("");
            refused += u64::from(
                catalog
                    .private()
                    .check(category, line.event_type, Some(&data))
                    .is_err(),
            );
        }
        let rate = crossed as f64 / seconds;
        println!(
            "{}: {rate:.0} events/s crossed ({crossed} crossed, {filtered} filtered, {violated} violated, {refused} refused by private schemas, {bytes} bytes)",
            contract.public_stream()
        );
    }
    Ok(())
}
