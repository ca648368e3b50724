//! A folder of contracts and schemas that a test writes, changes and loads.

use horizon_schemas::{
    Catalog, Contract, Crossed, Diagnostics, Folders, IdSecret, KnownBrokers, Outcome,
    PrivateEvent, Protocol, Rules, TestReport, TestSuite, Violation,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A folder that is taken away at the end.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    pub(crate) rules: Rules,
}

/// A contract that needs nothing else than what [`Fixture::shop`] writes; the mark `DATA` is replaced.
const SHOP: &str = r#"horizon: 1
contract: shop.orders
version: 1.2.0
team: { name: shop, contact: shop@shop.example }
source: //shop.example/orders/v1
streams: { category: order }
start: beginning
key: .orderId
types:
  example.shop.order.placed.v1:
    name: placed
    schema: public/shop.orders/placed.v1.json
    from:
      - event: OrderPlaced
        data: DATA
outlets:
  - mqtt: { broker: main, topic: "shop/orders/v1/{key}/{name}" }
  - amqp: { broker: rabbit, exchange: shop.orders.v1, routing_key: "order.{name}" }
"#;

impl Fixture {
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for below in ["contracts", "schemas/private", "schemas/public"] {
            fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        Self {
            folder,
            rules: Rules::default(),
        }
    }

    /// An order service: one private event type with personal, undeclared and nested data, and an open public schema.
    pub(crate) fn shop() -> Self {
        let fixture = Self::empty();
        fixture.private("order/OrderPlaced", &Self::private_schema());
        fixture.public("shop.orders/placed.v1", &Self::public_schema());
        fixture
    }

    pub(crate) fn private_schema() -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "orderId": {"type": ["string", "number"]},
                "total": {"type": "number"},
                "currency": {"type": "string"},
                "note": {"type": "string"},
                "email": {"type": "string", "x-personal": ".customerId"},
                "customerId": {"type": "string"},
                "customer": {"$ref": "#/$defs/customer"},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
                "tags": {"type": "array", "items": {"type": "string"}},
                "anything": {"type": "array"},
                "diary": {"x-personal": true, "type": "object", "properties": {"page": {"type": "string"}}},
                "cancels": {"type": "string"}
            },
            "$defs": {
                "customer": {
                    "type": "object",
                    "properties": {"tier": {"type": "string"}},
                    "allOf": [{"properties": {"name": {"type": "string", "x-personal": true}, "city": {"type": "string"}}}]
                },
                "line": {
                    "type": "object",
                    "properties": {
                        "sku": {"type": "string"},
                        "quantity": {"type": "integer"},
                        "giftFor": {"type": "string", "x-personal": true}
                    }
                }
            }
        })
    }

    pub(crate) fn public_schema() -> Value {
        let line = json!({"type": "object", "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer"}}});
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "https://shop.example/schemas/placed.v1.json",
            "type": "object",
            "properties": {
                "orderId": {"type": ["string", "number"]},
                "total": {"type": "number", "minimum": 0},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "x": {},
                "tags": {"type": "array", "items": {"type": "string"}},
                "customer": {"type": "object", "properties": {"tier": {}, "city": {}, "name": {}}},
                "lines": {"type": "array", "items": line},
                "cancels": {"type": "string"},
                "nested": {"type": "object", "properties": {"a": {}, "b": {}}}
            }
        })
    }

    /// Writes `shop.orders` with the given `data`.
    pub(crate) fn with_data(self, data: &str) -> Self {
        self.contract("shop.orders.v1", &SHOP.replace("DATA", data));
        self
    }

    /// Writes `shop.orders` with replacements made in its text.
    pub(crate) fn with(self, replacements: &[(&str, &str)]) -> Self {
        let mut text = SHOP.to_owned();
        for (from, to) in replacements {
            assert!(text.contains(from), "{from:?} is not in the contract");
            text = text.replace(from, to);
        }
        self.contract(
            "shop.orders.v1",
            &text.replace("DATA", "{ orderId: .orderId }"),
        );
        self
    }

    pub(crate) fn contract(&self, name: &str, text: &str) {
        self.write(&format!("contracts/{name}.yaml"), text);
    }

    pub(crate) fn private(&self, name: &str, schema: &Value) {
        self.write(
            &format!("schemas/private/{name}.json"),
            &serde_json::to_string_pretty(schema).unwrap(),
        );
    }

    pub(crate) fn public(&self, name: &str, schema: &Value) {
        self.write(
            &format!("schemas/public/{name}.json"),
            &serde_json::to_string_pretty(schema).unwrap(),
        );
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    pub(crate) fn load(&self) -> Result<Catalog, Diagnostics> {
        load(self.folder.path(), &self.rules)
    }

    /// Runs a file of tests for `shop.orders.v1`.
    pub(crate) fn test(&self, cases: &str) -> Result<TestReport, Diagnostics> {
        self.write(
            "contracts/shop.orders.v1.test.yaml",
            &format!("horizon: 1\ncases:\n{cases}"),
        );
        let catalog = self.load()?;
        let folders = folders(self.folder.path());
        Ok(TestSuite::load(&folders, &catalog)?.run(&catalog))
    }

    /// The one contract, which must be right.
    pub(crate) fn right(&self) -> Arc<Contract> {
        match self.load() {
            Ok(catalog) => Arc::clone(&catalog.contracts()[0]),
            Err(diagnostics) => panic!("{diagnostics}"),
        }
    }

    /// What is wrong, with the folder's own path taken out.
    pub(crate) fn wrong(&self) -> String {
        match self.load() {
            Ok(_) => panic!("nothing is wrong"),
            Err(diagnostics) => diagnostics
                .to_string()
                .replace(&format!("{}/", self.folder.path().display()), ""),
        }
    }

    /// The codes of what is wrong.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        match self.load() {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics.iter().map(|one| one.code()).collect(),
        }
    }
}

fn folders(folder: &Path) -> Folders {
    Folders {
        contracts: folder.join("contracts"),
        schemas: folder.join("schemas"),
    }
}

pub(crate) fn load(folder: &Path, rules: &Rules) -> Result<Catalog, Diagnostics> {
    let folders = folders(folder);
    let brokers = KnownBrokers::from([
        ("main".to_owned(), Protocol::Mqtt),
        ("old".to_owned(), Protocol::Mqtt311),
        ("rabbit".to_owned(), Protocol::Amqp),
    ]);
    Catalog::load(&folders, &brokers, rules)
}

/// What the contract makes of an `OrderPlaced` with the data.
pub(crate) fn cross(contract: &Contract, data: &Value) -> Outcome {
    contract.cross(&event(data), &secret())
}

pub(crate) fn event(data: &Value) -> PrivateEvent<'_> {
    PrivateEvent {
        source: "order-private-name",
        id: "private-id",
        stream: "order-7-secret",
        category: "order",
        event_type: "OrderPlaced",
        time: Some("2024-05-06T07:08:09.5+02:00"),
        traceparent: None,
        tracestate: None,
        recorded_ms: 1_700_000_000_123,
        flagged: false,
        data,
    }
}

pub(crate) fn secret() -> IdSecret {
    IdSecret::new([3; 32])
}

pub(crate) fn crossed(contract: &Contract, data: &Value) -> Box<Crossed> {
    match cross(contract, data) {
        Outcome::Crossed(crossed) => crossed,
        other => panic!("{other:?}"),
    }
}

/// The public data that a contract makes.
pub(crate) fn public_data(contract: &Contract, data: &Value) -> Value {
    let event = crossed(contract, data).seal(1, 0);
    let event: Value = serde_json::from_slice(event.bytes()).unwrap();
    event["data"].clone()
}

pub(crate) fn violations(contract: &Contract, data: &Value) -> (Option<String>, Vec<Violation>) {
    match cross(contract, data) {
        Outcome::Violation {
            key, violations, ..
        } => (key, violations),
        other => panic!("{other:?}"),
    }
}
