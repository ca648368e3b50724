#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use horizon_schemas::{Catalog, EventsWithoutSchema, Folders, KnownBrokers, Rules};
use horizon_store::{
    Commit, Expected, NewEvent, Options, ParkScope, PublicEvent, Sequence, StreamName, StreamWrite,
};

use super::*;

const PRIVATE_SCHEMA: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"accountId": {"type": ["string", "null"]}, "amount": {"type": "number"}}}"#;
const PUBLIC_SCHEMA: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 0}}, "required": ["amount"]}"#;

/// A contract named `name` over the category `account`; amounts of 13 are filtered, negative ones violate.
fn contract(name: &str, start: &str) -> String {
    format!(
        "horizon: 1\ncontract: {name}\nversion: 1.0.0\nstatus: active\nteam: {{ name: t, contact: t@bank.example }}\n\
         description: For tests.\nsource: //bank.example/{name}\nstreams: {{ category: account }}\nstart: {start}\n\
         key: .accountId\ntypes:\n  example.moved.v1:\n    name: moved\n    schema: public/moved.v1.json\n    from:\n      \
         - {{ event: Moved, when: .amount != 13, data: {{ amount: .amount }} }}\noutlets: []\n"
    )
}

fn catalog(folder: &Path, contracts: &[(&str, &str)]) -> Catalog {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("schemas/private/account/Moved.json", PRIVATE_SCHEMA);
    write("schemas/public/moved.v1.json", PUBLIC_SCHEMA);
    for (name, start) in contracts {
        write(&format!("contracts/{name}.v1.yaml"), &contract(name, start));
    }
    load(folder)
}

/// What is in the folder.
fn load(folder: &Path) -> Catalog {
    let folders = Folders {
        contracts: folder.join("contracts"),
        schemas: folder.join("schemas"),
    };
    let rules = Rules {
        events_without_schema: EventsWithoutSchema::Accept,
        ..Rules::default()
    };
    Catalog::load(&folders, &KnownBrokers::new(), &rules).unwrap_or_else(|error| panic!("{error}"))
}

struct Rig {
    folder: tempfile::TempDir,
    store: Store,
    log: LogName,
    appended: u32,
}

impl Rig {
    async fn new() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), Options::default())
            .await
            .unwrap();
        Rig {
            folder,
            store,
            log: LogName::main(),
            appended: 0,
        }
    }

    /// Appends one event to the stream `account-{key}`.
    async fn append(&mut self, event_type: &str, data: &str) {
        self.appended += 1;
        let event = NewEvent {
            id: format!("e{}", self.appended),
            source: None,
            event_type: event_type.to_owned(),
            attributes: Vec::new(),
            media_type: None,
            data: Some(Bytes::copy_from_slice(data.as_bytes())),
            flagged: false,
        };
        let stream = StreamName::new("account-1").unwrap();
        let write = StreamWrite {
            stream,
            expected: Expected::Any,
            events: vec![event],
        };
        self.store
            .append(
                &self.log,
                Commit {
                    writes: vec![write],
                },
            )
            .await
            .unwrap();
    }

    /// A crosser over a catalogue that does not run yet.
    async fn crosser(
        &self,
        catalog: &Catalog,
        status: &Arc<Status>,
    ) -> Result<Crosser, CrossingError> {
        Crosser::restore(
            self.store.clone(),
            self.log.clone(),
            catalog.contracts(),
            IdSecret::new([7; 32]),
            Arc::clone(status),
        )
        .await
    }

    /// Runs a crosser over `contracts` until every contract that has not halted stands at the head.
    async fn cross(&self, contracts: &[(&str, &str)]) -> Arc<Status> {
        let catalog = catalog(self.folder.path(), contracts);
        self.cross_by(&catalog).await
    }

    /// The same by a catalogue that is loaded.
    async fn cross_by(&self, catalog: &Catalog) -> Arc<Status> {
        let status = Arc::new(Status::default());
        let crosser = self.crosser(catalog, &status).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let (_desk, orders) = mpsc::channel(1);
        let running = tokio::spawn(crosser.run(orders, stopped));
        self.until_crossed(catalog, &status).await;
        stop.send(true).unwrap();
        running.await.unwrap().unwrap();
        status
    }

    /// Waits until every contract that has not halted stands at the head, and nothing of it is being written.
    async fn until_crossed(&self, catalog: &Catalog, status: &Status) {
        let head = self.store.head(&self.log).await.unwrap();
        for contract in catalog.contracts() {
            let stream = PublicStreamName::new(&contract.public_stream()).unwrap();
            let name = cursor_name(&stream).unwrap();
            for _ in 0..500 {
                let halted = status.halt_of(stream.as_str()).is_some();
                if halted
                    || self.store.crossing_cursor(&self.log, &name).await.unwrap() == Some(head)
                    || head == Position::ZERO
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn public(&self, contract: &str) -> Vec<PublicEvent> {
        let stream = PublicStreamName::new(&format!("{contract}.v1")).unwrap();
        let limit = ReadLimit {
            records: 1_000,
            bytes: 1 << 20,
        };
        self.store
            .read_public(&self.log, &stream, Sequence::ZERO, limit)
            .await
            .unwrap()
            .events
    }
}

/// The positions behind public events.
fn origins(events: &[PublicEvent]) -> Vec<u64> {
    events.iter().map(|event| event.origin.get()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_parks_its_key_and_the_others_go_on() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":"a","amount":1}"#).await;
    rig.append("Moved", r#"{"accountId":"a","amount":-1}"#)
        .await;
    rig.append("Moved", r#"{"accountId":"b","amount":2}"#).await;
    rig.append("Moved", r#"{"accountId":"a","amount":3}"#).await;
    rig.append("Moved", r#"{"accountId":"b","amount":13}"#)
        .await;
    rig.append("Other", r#"{}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    assert_eq!(origins(&rig.public("one").await), [1, 3]);
    let stream = PublicStreamName::new("one.v1").unwrap();
    let scope = ParkScope::Crossing(stream.clone());
    let limit = ReadLimit::default();
    let parked = rig.store.parked_keys(&rig.log, &scope, None, limit);
    let parked = parked.await.unwrap().keys;
    assert_eq!(
        parked
            .iter()
            .map(|key| (key.key.as_str(), key.entries, key.first_at))
            .collect::<Vec<_>>(),
        [("a", 2, 2)]
    );
    let entry = rig
        .store
        .parked_entry(&rig.log, &scope, None, 2)
        .await
        .unwrap()
        .unwrap();
    assert!(
        entry.reason.unwrap().contains("/amount"),
        "the reason names the pointer"
    );
    let counts = rig
        .store
        .public_head(&rig.log, &stream)
        .await
        .unwrap()
        .unwrap()
        .counts;
    assert_eq!(
        (counts.filtered, counts.unmatched, counts.violated),
        (1, 1, 1)
    );

    rig.append("Moved", r#"{"accountId":"a","amount":4}"#).await;
    rig.append("Moved", r#"{"accountId":"b","amount":5}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    assert_eq!(
        origins(&rig.public("one").await),
        [1, 3, 8],
        "the key stays parked over a restart"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_key_halts_its_contract_alone_and_visibly() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":"a","amount":1}"#).await;
    rig.append("Moved", r#"{"accountId":null,"amount":2}"#)
        .await;
    rig.append("Moved", r#"{"accountId":"a","amount":3}"#).await;
    let status = rig.cross(&[("one", "beginning")]).await;
    assert_eq!(origins(&rig.public("one").await), [1]);
    assert!(status.halt_of("one.v1").unwrap().contains("position 2"));
    let cursor = cursor_name(&PublicStreamName::new("one.v1").unwrap()).unwrap();
    assert_eq!(
        rig.store.crossing_cursor(&rig.log, &cursor).await.unwrap(),
        Some(Position::new(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_contract_starts_where_it_says_and_then_shares_the_pass() {
    let mut rig = Rig::new().await;
    for amount in 1..=3 {
        rig.append(
            "Moved",
            &format!(r#"{{"accountId":"a","amount":{amount}}}"#),
        )
        .await;
    }
    rig.cross(&[("one", "beginning")]).await;
    let all = [("one", "beginning"), ("late", "beginning"), ("now", "now")];
    rig.cross(&all).await;
    rig.append("Moved", r#"{"accountId":"a","amount":4}"#).await;
    rig.cross(&all).await;
    assert_eq!(origins(&rig.public("one").await), [1, 2, 3, 4]);
    assert_eq!(origins(&rig.public("late").await), [1, 2, 3, 4]);
    assert_eq!(origins(&rig.public("now").await), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_names_the_previous_one_of_its_key_over_restarts() {
    let mut rig = Rig::new().await;
    for (key, amount) in [("a", 1), ("b", 2), ("a", 3)] {
        rig.append(
            "Moved",
            &format!(r#"{{"accountId":"{key}","amount":{amount}}}"#),
        )
        .await;
    }
    rig.cross(&[("one", "beginning")]).await;
    rig.append("Moved", r#"{"accountId":"b","amount":4}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    let previous: Vec<String> = rig
        .public("one")
        .await
        .iter()
        .map(|event| {
            let event: serde_json::Value = serde_json::from_slice(&event.event).unwrap();
            event["previoussequence"]
                .as_str()
                .unwrap()
                .trim_start_matches('0')
                .to_owned()
        })
        .collect();
    assert_eq!(previous, ["", "", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_go_on_in_a_new_epoch() {
    let mut rig = Rig::new().await;
    let contracts = [("one", "beginning")];
    rig.append("Moved", r#"{"accountId": "a", "amount": 1}"#)
        .await;
    rig.append("Moved", r#"{"accountId": "a", "amount": 2}"#)
        .await;
    rig.cross(&contracts).await;
    rig.append("Moved", r#"{"accountId": "a", "amount": 3}"#)
        .await;
    let Rig {
        folder,
        store,
        log,
        appended,
    } = rig;
    store.close().await.unwrap();
    let data = folder.path().join("data");
    horizon_store::open_new_epoch(&data, "a test", None, Options::default())
        .await
        .unwrap();
    let store = Store::open(&data, Options::default()).await.unwrap();
    let mut rig = Rig {
        folder,
        store,
        log,
        appended,
    };
    rig.append("Moved", r#"{"accountId": "a", "amount": 4}"#)
        .await;
    rig.cross(&contracts).await;
    let first = (1 << 40) + 1;
    let public = rig.public("one").await;
    let places: Vec<_> = public
        .iter()
        .map(|event| (event.sequence.get(), event.origin.get()))
        .collect();
    assert_eq!(places, [(1, 1), (2, 2), (first, 3), (first + 1, first + 1)]);
    let previous: Vec<_> = public
        .iter()
        .map(|event| {
            let event: serde_json::Value = serde_json::from_slice(&event.event).unwrap();
            event["previoussequence"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .collect();
    assert_eq!(previous, [0, 1, 2, first]);
}

mod beginning;
mod halting;
mod unparking;

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_makes_much_of_little_fills_no_record() {
    let mut rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    catalog(&folder, &[("bank.large", "beginning")]);
    let names: Vec<String> = (0..40).map(|nth| format!("copy{nth}")).collect();
    let declared: Vec<String> = names
        .iter()
        .map(|name| format!("\"{name}\": {{\"type\": \"string\"}}"))
        .collect();
    let mapped: Vec<String> = names.iter().map(|name| format!("{name}: .note")).collect();
    let write = |path: &str, text: String| std::fs::write(folder.join(path), text).unwrap();
    write(
        "schemas/private/account/Moved.json",
        PRIVATE_SCHEMA.replace(
            "\"amount\":",
            "\"note\": {\"type\": \"string\"}, \"amount\":",
        ),
    );
    write(
        "schemas/public/moved.v1.json",
        PUBLIC_SCHEMA.replace(
            "\"amount\":",
            &format!("{}, \"amount\":", declared.join(", ")),
        ),
    );
    write(
        "contracts/bank.large.v1.yaml",
        contract("bank.large", "beginning").replace(
            "data: { amount: .amount",
            &format!("data: {{ amount: .amount, {}", mapped.join(", ")),
        ),
    );
    // What is read in one pass (2 MiB) becomes 80 MiB, more than a record may have.
    let note = "n".repeat(24_000);
    for _ in 0..90 {
        rig.append(
            "Moved",
            &format!("{{\"accountId\": \"1\", \"amount\": 1, \"note\": \"{note}\"}}"),
        )
        .await;
    }
    rig.cross_by(&load(&folder)).await;
    let stream = PublicStreamName::new("bank.large.v1").unwrap();
    let head = rig.store.public_head(&rig.log, &stream).await.unwrap();
    assert_eq!(head.unwrap().last, Sequence::new(90));
}
