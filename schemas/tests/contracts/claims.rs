//! Sources, topics and routing keys belong to one contract.

use crate::fixture::Fixture;

const OUTLETS: &str = "  - mqtt: { broker: main, topic: \"shop/orders/v1/{key}/{name}\" }\n  - amqp: { broker: rabbit, exchange: shop.orders.v1, routing_key: \"order.{name}\" }\n";

/// `shop.orders.v1` and `shop.parcels.v1`; the second has this source and these outlets, and its type this name.
fn two(source: &str, name: &str, outlets: &str) -> Fixture {
    let fixture = Fixture::shop().with(&[]);
    let text = fixture.read("contracts/shop.orders.v1.yaml");
    let other = text
        .replace("contract: shop.orders", "contract: shop.parcels")
        .replace("//shop.example/orders/v1", source)
        .replace("order.placed.v1:", "parcel.placed.v1:")
        .replace("name: placed", &format!("name: {name}"))
        .replace(OUTLETS, outlets);
    fixture.contract("shop.parcels.v1", &other);
    fixture
}

const OTHER: &str = "//shop.example/parcels/v1";

#[test]
fn a_source_that_is_anothers_is_told_with_the_other_file() {
    let wrong = two("//shop.example/orders/v1", "sent", "  []\n").wrong();
    assert_eq!(
        wrong,
        r#"error[source-taken]: `//shop.example/orders/v1` is the source of shop.orders.v1.yaml too
 --> contracts/shop.parcels.v1.yaml:5:9
  |
5 | source: //shop.example/orders/v1
  |         ^^^^^^^^^^^^^^^^^^^^^^^^
  = mend: give each contract and major version a source of its own; `{contract}` and `{major}` may stand in it
"#
    );
}

#[test]
fn a_place_that_is_anothers_is_told_for_each_outlet() {
    let fixture = two(OTHER, "placed", OUTLETS);
    assert_eq!(fixture.codes(), ["outlet-taken", "outlet-taken"]);
    let wrong = fixture.wrong();
    assert!(
        wrong.starts_with("error[outlet-taken]: the outlet `mqtt:main` of shop.orders.v1.yaml publishes to the topic shop/orders/v1/{key}/placed at `main` too\n  --> contracts/shop.parcels.v1.yaml:17:3"),
        "{wrong}"
    );
    assert!(
        wrong.contains("publishes to the exchange shop.orders.v1 with the routing key order.placed at `rabbit` too"),
        "{wrong}"
    );
}

#[test]
fn templates_are_compared_as_they_are_filled_in() {
    let mqtt = |topic: &str| format!("  - mqtt: {{ broker: main, topic: \"{topic}\" }}\n");
    // Another writing of the same.
    let same = two(OTHER, "placed", &mqtt("shop/orders/v{major}/{key}/placed"));
    assert_eq!(same.codes(), ["outlet-taken"]);
    for (name, topic) in [
        ("sent", "shop/orders/v1/{key}/{name}"),
        ("placed", "{contract}/v{major}/{key}/{name}"),
        ("placed", "shop/orders/v1/{key}/{type}"),
        ("placed", "shop/orders/v1/{name}/{key}"),
    ] {
        assert_eq!(
            two(OTHER, name, &mqtt(topic)).codes(),
            Vec::<&str>::new(),
            "{topic}"
        );
    }
}

#[test]
fn one_contract_does_not_publish_to_one_place_twice() {
    let outlet =
        "  - mqtt: { broker: main, name: again, topic: \"shop/orders/v1/{key}/{name}\" }\n";
    let outlets = format!("{OUTLETS}{outlet}");
    let fixture = Fixture::shop().with(&[(OUTLETS, outlets.as_str())]);
    assert_eq!(fixture.codes(), ["outlet-taken"]);
    assert!(
        fixture
            .wrong()
            .contains("the outlet `mqtt:main` of this contract publishes to the topic"),
        "{}",
        fixture.wrong()
    );
}

#[test]
fn defaults_without_placeholders_cannot_be_for_two() {
    let fixture = two(OTHER, "placed", "  []\n");
    for name in ["shop.orders.v1", "shop.parcels.v1"] {
        let text = fixture.read(&format!("contracts/{name}.yaml"));
        let text: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("source:"))
            .collect();
        let text = text.join("\n");
        let end = text.find("outlets:").unwrap_or(text.len());
        fixture.contract(name, &text[..end]);
    }
    let defaults = |source: &str, topic: &str| {
        let text = format!(
            "horizon: 1\nsource: \"{source}\"\noutlets:\n  - mqtt: {{ broker: main, topic: \"{topic}\" }}\n"
        );
        fixture.write("contracts/_defaults.yaml", &text);
    };
    defaults("//shop.example", "shop/{key}/{name}");
    assert_eq!(fixture.codes(), ["source-taken", "outlet-taken"]);
    assert!(
        fixture.wrong().contains("_defaults.yaml"),
        "{}",
        fixture.wrong()
    );
    defaults("//shop.example/{contract}", "{contract}/{key}/{name}");
    assert_eq!(fixture.codes(), Vec::<&str>::new());
}
