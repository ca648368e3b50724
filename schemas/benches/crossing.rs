//! How fast events cross, on one core: the bytes of private data in, the bytes of a checked CloudEvent out.
//!
//! `cargo bench -p horizon-schemas --bench crossing [-- EVENTS.jsonl.gz]` takes the bank's events from where the argument or
//! `BANK_EVENTS` says, or from `../shared/data/bank/events.jsonl.gz`. Only events that cross are counted. Each row is the median of
//! rounds in which all rows take turns, so that a noisy machine disturbs them alike.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use horizon_schemas::{
    Catalog, Folders, IdSecret, KnownBrokers, Outcome, PrivateEvent, Protocol, Rules,
};
use serde_json::Value;

/// How often each row is measured.
const ROUNDS: usize = 15;
/// How many contracts share the daemon in the last row.
const CONTRACTS: usize = 50;
/// How many events a pass looks at.
const BATCH: usize = 1_024;
const CATEGORY: &str = "account";

/// A private event as the store gives it.
#[derive(Clone, serde::Deserialize)]
struct Event {
    id: String,
    stream: String,
    #[serde(rename = "type")]
    event_type: String,
    time: String,
    data: Box<serde_json::value::RawValue>,
}

impl Event {
    fn category(&self) -> &str {
        self.stream.split_once('-').unwrap().0
    }
}

/// A row: its contracts, and the events that cross by them.
struct Row {
    name: &'static str,
    catalog: Catalog,
    events: Vec<Event>,
    rates: Vec<f64>,
    _folder: tempfile::TempDir,
}

impl Row {
    fn new(
        name: &'static str,
        bank: &[Event],
        edit: impl Fn(&str) -> String,
        copies: usize,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path(), edit, copies);
        let catalog = load(folder.path());
        let mut events: Vec<Event> = bank.to_vec();
        if copies > 1 {
            for (nth, event) in events.iter_mut().enumerate() {
                event.stream = event.stream.replacen(CATEGORY, &category(nth % copies), 1);
            }
        }
        let secret = IdSecret::new([1; 32]);
        events.retain(|event| cross_all(&catalog, std::slice::from_ref(event), &secret) == 1);
        assert!(!events.is_empty(), "{name}: nothing crosses");
        Self {
            name,
            catalog,
            events,
            rates: Vec::new(),
            _folder: folder,
        }
    }

    fn measure(&mut self, secret: &IdSecret) {
        let begun = Instant::now();
        for batch in self.events.chunks(BATCH) {
            assert_eq!(cross_all(&self.catalog, batch, secret), batch.len());
        }
        self.rates
            .push(self.events.len() as f64 / begun.elapsed().as_secs_f64());
    }
}

fn category(nth: usize) -> String {
    format!("{CATEGORY}{nth}")
}

/// Lets a batch cross as the daemon's pass does: its events by category, and each contract over those of its own. Tells how many
/// crossed.
fn cross_all(catalog: &Catalog, batch: &[Event], secret: &IdSecret) -> usize {
    let mut by_category: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in batch {
        by_category.entry(event.category()).or_default().push(event);
    }
    let mut count = 0;
    for contract in catalog.contracts() {
        for event in by_category.get(contract.category()).into_iter().flatten() {
            if !contract.matches(event.category(), &event.event_type) {
                continue;
            }
            let data: Value = serde_json::from_str(event.data.get()).unwrap();
            let private = PrivateEvent {
                source: &event.stream,
                id: &event.id,
                stream: &event.stream,
                category: event.category(),
                event_type: &event.event_type,
                time: Some(&event.time),
                traceparent: None,
                tracestate: None,
                recorded_ms: 0,
                flagged: false,
                data: &data,
            };
            if let Outcome::Crossed(crossed) = contract.cross(&private, secret) {
                black_box(crossed.seal(1, 0).into_bytes());
                count += 1;
            }
        }
    }
    count
}

/// The bank's contract of accounts, edited, once for each of so many categories.
fn lay_out(folder: &Path, edit: impl Fn(&str) -> String, copies: usize) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example");
    let contract =
        std::fs::read_to_string(example.join("contracts/bank.accounts.v1.yaml")).unwrap();
    let contracts = folder.join("contracts");
    std::fs::create_dir_all(&contracts).unwrap();
    std::fs::copy(
        example.join("contracts/_defaults.yaml"),
        contracts.join("_defaults.yaml"),
    )
    .unwrap();
    copy_below(
        &example.join("schemas/public"),
        &folder.join("schemas/public"),
    );
    let private = example.join("schemas/private").join(CATEGORY);
    for nth in 0..copies {
        let category = if copies == 1 {
            CATEGORY.to_owned()
        } else {
            category(nth)
        };
        copy_below(&private, &folder.join("schemas/private").join(&category));
        let text = edit(&contract)
            .replace(
                "contract: bank.accounts",
                &format!("contract: bank.{category}s"),
            )
            .replace(
                "//bank.example/accounts/",
                &format!("//bank.example/{category}s/"),
            )
            .replace(
                "exchange: bank.accounts.",
                &format!("exchange: bank.{category}s."),
            )
            .replace("bank/accounts/", &format!("bank/{category}s/"))
            .replace(
                &format!("category: {CATEGORY} "),
                &format!("category: {category} "),
            );
        std::fs::write(contracts.join(format!("bank.{category}s.v1.yaml")), text).unwrap();
    }
}

fn copy_below(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_below(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn load(folder: &Path) -> Catalog {
    let brokers = KnownBrokers::from([
        ("main".to_owned(), Protocol::Mqtt),
        ("rabbit".to_owned(), Protocol::Amqp),
    ]);
    let folders = Folders {
        contracts: folder.join("contracts"),
        schemas: folder.join("schemas"),
    };
    Catalog::load(&folders, &brokers, &Rules::default()).unwrap()
}

/// Parsing and validating alone, with the same libraries: each event's data against its private schema.
struct Bare {
    validators: HashMap<String, jsonschema::Validator>,
    rates: Vec<f64>,
}

impl Bare {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../deploy/example/schemas/private")
            .join(CATEGORY);
        let validators = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let schema: Value =
                    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (name, jsonschema::validator_for(&schema).unwrap())
            })
            .collect();
        Self {
            validators,
            rates: Vec::new(),
        }
    }

    fn measure(&mut self, events: &[Event]) {
        let begun = Instant::now();
        for event in events {
            let data: Value = serde_json::from_str(event.data.get()).unwrap();
            assert!(black_box(
                self.validators[&event.event_type].is_valid(&data)
            ));
        }
        self.rates
            .push(events.len() as f64 / begun.elapsed().as_secs_f64());
    }
}

fn bank() -> Vec<Event> {
    let given = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let path = given
        .or_else(|| std::env::var("BANK_EVENTS").ok())
        .map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/bank/events.jsonl.gz"),
            PathBuf::from,
        );
    let file = std::fs::File::open(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; name the file as an argument", path.display())
    });
    let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(file));
    std::io::BufRead::lines(reader)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .filter(|event: &Event| event.stream.starts_with("account-"))
        .collect()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let bank = bank();
    let secret = IdSecret::new([1; 32]);
    let as_it_is = |text: &str| text.to_owned();
    let one_jq = |text: &str| text.replace("amount: .amount", "amount: { jq: '.amount + 0' }");
    let mut rows = [
        Row::new("plain paths", &bank, as_it_is, 1),
        Row::new("one jq expression", &bank, one_jq, 1),
        Row::new("50 contracts", &bank, as_it_is, CONTRACTS),
    ];
    let mut bare = Bare::new();
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.measure(&secret);
        }
        bare.measure(&rows[0].events);
    }
    let [plain, jq, fifty] = rows.map(|mut row| (row.name, median(&mut row.rates)));
    let bare = median(&mut bare.rates);
    println!("| work | measured | bar |\n|---|---:|---|");
    println!(
        "| {}, events/s | {:.0} | at least 150,000 |",
        plain.0, plain.1
    );
    println!("| {}, events/s | {:.0} | at least 60,000 |", jq.0, jq.1);
    println!(
        "| plain paths, of parsing and validating alone | {:.2} | |",
        plain.1 / bare
    );
    println!(
        "| {} on disjoint categories, of one | {:.2} | at least 0.8 |",
        fifty.0,
        fifty.1 / plain.1
    );
}
