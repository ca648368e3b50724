//! A store, contracts over it, and crossers that run on them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use horizon_schemas::{Catalog, EventsWithoutSchema, Folders, KnownBrokers, Rules};
use horizon_store::{
    Commit, Expected, NewEvent, Options, PublicEvent, Sequence, StreamName, StreamWrite,
};

use super::super::*;

pub(super) const PRIVATE_SCHEMA: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"accountId": {"type": ["string", "null"]}, "amount": {"type": "number"}}}"#;
pub(super) const PUBLIC_SCHEMA: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 0}}, "required": ["amount"]}"#;

/// A contract named `name` over the category `account`; amounts of 13 are filtered, negative ones violate.
pub(super) fn contract(name: &str, start: &str) -> String {
    format!(
        "horizon: 1\ncontract: {name}\nversion: 1.0.0\nstatus: active\nteam: {{ name: t, contact: t@bank.example }}\n\
         description: For tests.\nsource: //bank.example/{name}\nstreams: {{ category: account }}\nstart: {start}\n\
         key: .accountId\ntypes:\n  example.moved.v1:\n    name: moved\n    schema: public/moved.v1.json\n    from:\n      \
         - {{ event: Moved, when: .amount != 13, data: {{ amount: .amount }} }}\noutlets: []\n"
    )
}

pub(super) fn catalog(folder: &Path, contracts: &[(&str, &str)]) -> Catalog {
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
pub(super) fn load(folder: &Path) -> Catalog {
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

pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) log: LogName,
    pub(super) appended: u32,
}

impl Rig {
    pub(super) async fn new() -> Rig {
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
    pub(super) async fn append(&mut self, event_type: &str, data: &str) {
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
    pub(super) async fn crosser(
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
    pub(super) async fn cross(&self, contracts: &[(&str, &str)]) -> Arc<Status> {
        let catalog = catalog(self.folder.path(), contracts);
        self.cross_by(&catalog).await
    }

    /// The same by a catalogue that is loaded.
    pub(super) async fn cross_by(&self, catalog: &Catalog) -> Arc<Status> {
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
    pub(super) async fn until_crossed(&self, catalog: &Catalog, status: &Status) {
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

    pub(super) async fn public(&self, contract: &str) -> Vec<PublicEvent> {
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
pub(super) fn origins(events: &[PublicEvent]) -> Vec<u64> {
    events.iter().map(|event| event.origin.get()).collect()
}
