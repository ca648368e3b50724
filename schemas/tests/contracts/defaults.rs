//! What contracts inherit from `_defaults.yaml`, near and far, and whose mistakes are told where.

use crate::fixture::Fixture;
use horizon_schemas::{OutletKind, Start, Status};
use serde_json::json;

/// A contract that leaves to the defaults what it can.
fn bare(name: &str) -> String {
    format!(
        "horizon: 1\ncontract: {name}\nversion: 2.0.0\nstreams: {{ category: order }}\nkey: .orderId\ntypes:\n  example.{name}.v2:\n    \
         name: placed\n    schema: public/shop.orders/placed.json\n    from:\n      - {{ event: OrderPlaced, data: {{ orderId: .orderId }} }}\n"
    )
}

const ROOT: &str = r##"horizon: 1
status: active
team: { name: shop, contact: shop@shop.example }
source: "//shop.example/{contract}/v{major}"
start: now
dataschema: "https://shop.example/{contract}/{name}.v{major}.json"
traceparent: pass
outlets:
  - mqtt: { broker: main, topic: "{contract}/v{major}/{key}/{name}" }
  - amqp: { broker: rabbit, exchange: "{contract}.v{major}", routing_key: "{contract}.{name}" }
"##;

fn fixture() -> Fixture {
    let fixture = Fixture::shop();
    let mut schema = Fixture::public_schema();
    schema.as_object_mut().unwrap().shift_remove("$id");
    fixture.public("shop.orders/placed", &schema);
    fixture
}

#[test]
fn one_text_of_the_defaults_fits_every_contract() {
    let fixture = fixture();
    fixture.contract("_defaults", ROOT);
    fixture.contract("a", &bare("shop.a"));
    fixture.contract("b", &bare("shop.b"));
    let catalog = fixture.load().unwrap_or_else(|wrong| panic!("{wrong}"));
    let said: Vec<_> = catalog
        .contracts()
        .iter()
        .map(|contract| {
            let OutletKind::Amqp(place) = contract.outlets()[1].kind() else {
                panic!("it is no AMQP outlet")
            };
            (contract.source().to_owned(), place.exchange.clone())
        })
        .collect();
    let expected = ["shop.a", "shop.b"]
        .map(|name| (format!("//shop.example/{name}/v2"), format!("{name}.v2")));
    assert_eq!(said, expected);
    let sealed =
        crate::fixture::crossed(&catalog.contracts()[0], &json!({"orderId": "1"})).seal(1, 0);
    let bytes = String::from_utf8(sealed.into_bytes()).unwrap();
    assert!(
        bytes.contains("\"dataschema\":\"https://shop.example/shop.a/placed.v2.json\""),
        "{bytes}"
    );
}

#[test]
fn the_nearest_folder_wins_key_by_key() {
    let fixture = fixture();
    fixture.contract("_defaults", ROOT);
    fixture.contract(
        "old/_defaults",
        "horizon: 1\nstatus: deprecated\nstart: beginning\n",
    );
    fixture.contract("old/older/_defaults", "horizon: 1\noutlets: []\n");
    fixture.contract("older/_defaults", "horizon: 1\nstatus: draft\n");
    fixture.contract("old/older/a", &bare("shop.a"));
    fixture.contract(
        "old/b",
        &bare("shop.b").replace("version: 2.0.0", "version: 2.0.0\nstatus: retired"),
    );
    fixture.contract("c", &bare("shop.c"));
    let catalog = fixture.load().unwrap_or_else(|wrong| panic!("{wrong}"));
    let said: Vec<_> = catalog
        .contracts()
        .iter()
        .map(|contract| {
            (
                contract.status(),
                contract.start(),
                contract.outlets().len(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (Status::Deprecated, Start::Beginning, 0),
            (Status::Retired, Start::Beginning, 2),
            (Status::Active, Start::Now, 2)
        ]
    );
}

#[test]
fn what_is_inherited_is_told_once_with_who_inherits_it() {
    let fixture = fixture();
    fixture.contract("_defaults", &ROOT.replace("broker: main", "broker: mian"));
    fixture.contract("a", &bare("shop.a"));
    fixture.contract("b", &bare("shop.b"));
    fixture.contract("c", &format!("{}outlets: []\n", bare("shop.c")));
    assert_eq!(
        fixture.wrong(),
        r#"error[unknown-broker]: no broker is called `mian`
 --> contracts/_defaults.yaml:9:21
  |
9 |   - mqtt: { broker: mian, topic: "{contract}/v{major}/{key}/{name}" }
  |                     ^^^^
  = known: main, old
  = nearest: main
  = inherited by: a.yaml, b.yaml
  = mend: name a broker of the configuration, or add it there under `brokers`
"#
    );
}

#[test]
fn defaults_that_cannot_be_read_hide_nothing_and_invent_nothing() {
    let fixture = fixture();
    fixture.contract("_defaults", "horizon: 1\nteam: { name: [\n");
    fixture.contract("a", &bare("shop.a").replace(".orderId }", ".nothing }"));
    fixture.contract("b", "horizon: 1\n\tcontract: b\n");
    let codes = fixture.codes();
    assert_eq!(codes, ["yaml", "undeclared", "yaml"], "{}", fixture.wrong());
}

#[test]
fn a_placeholder_that_cannot_stand_there_is_told() {
    for (from, to) in [
        (
            "//shop.example/{contract}/v{major}",
            "//shop.example/{name}",
        ),
        (
            "exchange: \"{contract}.v{major}",
            "exchange: \"{contract}.{key}",
        ),
        (
            "//shop.example/{contract}/v{major}",
            "//shop.example/{contract",
        ),
    ] {
        let fixture = fixture();
        fixture.contract("_defaults", &ROOT.replacen(from, to, 1));
        fixture.contract("a", &bare("shop.a"));
        assert_eq!(fixture.codes(), ["template"], "{to}");
    }
}

#[test]
fn a_broken_schema_is_told_as_what_it_is() {
    let fixture = Fixture::shop().with_data("{ orderId: .nothing }");
    fixture.write("schemas/public/shop.orders/placed.v1.json", "{\"type\": ");
    assert_eq!(fixture.codes(), ["undeclared", "schema-json"]);
    let fixture = Fixture::shop().with_data("{ orderId: .orderId }");
    fixture.write("schemas/private/order/OrderPlaced.json", "{");
    assert_eq!(fixture.codes(), ["schema-json"]);
    let fixture = Fixture::shop().with_data("{ orderId: .orderId }");
    let schema = json!({"properties": {"orderId": {"$ref": "part.json#/a"}}});
    fixture.public("shop.orders/placed.v1", &schema);
    fixture.write("schemas/public/shop.orders/part.json", "[");
    assert_eq!(fixture.codes(), ["schema-json"]);
}
