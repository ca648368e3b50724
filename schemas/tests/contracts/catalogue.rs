//! What consumers are told of public events, held against the events themselves.

use crate::fixture::{Fixture, event, secret};
use horizon_schemas::{Catalogue, Outcome};
use serde_json::{Value, json};

const DATASCHEMA: &str = "https://schemas.shop.example/shop.orders/placed.v1.json";

/// The AsyncAPI document of a folder without tests.
fn asyncapi(fixture: &Fixture) -> Value {
    let catalog = fixture.load().unwrap();
    let tests = fixture.test("  []\n").unwrap();
    Catalogue::new(&catalog, "Events", Vec::new(), &tests).asyncapi()
}

#[test]
fn the_dataschema_that_is_told_is_the_one_that_is_sent() {
    let mut schema = Fixture::public_schema();
    schema["examples"] = json!([{"orderId": "1"}]);
    for (line, expected) in [
        ("", "https://shop.example/schemas/placed.v1.json"),
        (
            "dataschema: https://schemas.shop.example/{contract}/{name}.v{major}.json\n",
            DATASCHEMA,
        ),
    ] {
        let lines = format!("key: .orderId\n{line}");
        let fixture = Fixture::shop().with(&[("key: .orderId\n", lines.as_str())]);
        fixture.public("shop.orders/placed.v1", &schema);
        let data = json!({"orderId": "1"});
        let Outcome::Crossed(crossed) = fixture.right().cross(&event(&data), &secret()) else {
            panic!("it does not cross")
        };
        let sent: Value = serde_json::from_slice(crossed.seal(1, 0).bytes()).unwrap();
        assert_eq!(sent["dataschema"], expected);
        let told = asyncapi(&fixture);
        let message = &told["components"]["messages"]["shop.orders.v1.placed"];
        let envelope = &message["payload"]["properties"];
        assert_eq!(envelope["dataschema"]["const"], expected, "{message}");
        let example = &message["examples"][0]["payload"];
        assert_eq!(example["dataschema"], expected, "{message}");
    }
}

#[test]
fn a_types_own_status_is_told_where_its_contract_is_in_use() {
    for (of_contract, of_type, expected) in [
        ("active", "retired", "retired"),
        ("deprecated", "retired", "retired"),
        ("deprecated", "active", "active"),
        ("retired", "active", "retired"),
        ("draft", "active", "draft"),
    ] {
        let contract = format!("key: .orderId\nstatus: {of_contract}\n");
        let name = format!("name: placed\n    status: {of_type}\n");
        let fixture = Fixture::shop().with(&[
            ("key: .orderId\n", contract.as_str()),
            ("name: placed\n", name.as_str()),
        ]);
        let told = asyncapi(&fixture);
        let message = &told["components"]["messages"]["shop.orders.v1.placed"];
        assert_eq!(message["x-status"], expected, "{of_contract} {of_type}");
    }
}

#[test]
fn what_would_have_one_name_is_told_apart() {
    let fixture = Fixture::shop().with(&[
        (
            "outlets:\n",
            "  example.shop.order.sent.v1:\n    name: sent\n    schema: public/shop/orders.placed.v1.json\n    from:\n      - event: OrderPlaced\n        when: .total > 5\n        data: { orderId: .orderId }\noutlets:\n  - mqtt: { name: rabbit:main, broker: main, topic: \"shop/orders/v1/more/{key}/{name}\" }\n  - mqtt: { name: rabbit-main, broker: main, topic: \"shop/orders/v1/else/{key}/{name}\" }\n",
        ),
        (
            "event: OrderPlaced\n        data: DATA",
            "event: OrderPlaced\n        when: .total <= 5\n        data: DATA",
        ),
    ]);
    let mut schema = Fixture::public_schema();
    schema["$id"] = json!("https://shop.example/schemas/sent.v1.json");
    fixture.public("shop/orders.placed.v1", &schema);
    let told = asyncapi(&fixture);
    let schemas = &told["components"]["schemas"];
    for name in ["placed", "sent"] {
        let message = &told["components"]["messages"][format!("shop.orders.v1.{name}")];
        let id = format!("https://shop.example/schemas/{name}.v1.json");
        let at = message["payload"]["properties"]["data"]["$ref"].as_str();
        let name = at.unwrap().strip_prefix("#/components/schemas/").unwrap();
        assert_eq!(schemas[name]["x-schema-id"], id, "{name}");
    }
    let addresses = |id: &str| told["channels"][id]["address"].clone();
    assert_eq!(
        addresses("shop.orders.v1-rabbit-main"),
        "shop/orders/v1/more/{key}/{name}"
    );
    assert_eq!(
        addresses("shop.orders.v1-rabbit-main-2"),
        "shop/orders/v1/else/{key}/{name}"
    );
    let channel = &told["operations"]["publish-shop.orders.v1-rabbit-main-2"]["channel"];
    assert_eq!(channel["$ref"], "#/channels/shop.orders.v1-rabbit-main-2");
}
