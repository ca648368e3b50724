//! Changes of whole contracts: what consumers see beside the schemas, versions, modes, waivers.

use horizon_schemas::compatibility::{Change, ContractReport, Mode, Question, Side, breaking};
use serde_json::{Value, json};

const SCHEMA: &str = "public/shop.orders/placed.v1.json";
const CONTRACT: &str = r#"horizon: 1
contract: shop.orders
version: 1.2.0
status: active
team: { name: shop, contact: shop@shop.example }
source: //shop.example/orders/v1
streams: { category: order }
start: beginning
key: .orderId
attributes: { region: .region }
types:
  example.shop.order.placed.v1:
    name: placed
    schema: public/shop.orders/placed.v1.json
    subject: .orderId
    from: [ { event: OrderPlaced, data: { orderId: .orderId } } ]
outlets:
  - mqtt: { broker: main, topic: "shop/orders/v{major}/{key}/{name}" }
  - amqp: { broker: rabbit, exchange: shop.orders.v1, routing_key: "order.{name}" }
"#;

fn schema() -> Value {
    json!({
        "$id": "https://shop.example/placed.v1.json",
        "type": "object",
        "properties": { "orderId": { "type": "string" }, "total": { "type": "number" } },
        "required": ["orderId"]
    })
}

fn side(label: &str, contract: &str, schema: &Value) -> Side {
    let contracts = [("shop.orders.v1.yaml".to_owned(), contract.to_owned())];
    let schemas = [(SCHEMA.to_owned(), schema.to_string())];
    Side::of(label, contracts, schemas).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn changed(replacements: &[(&str, &str)]) -> String {
    let mut text = CONTRACT.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from:?} is not in the contract");
        text = text.replace(from, to);
    }
    text
}

fn ask(new: &Side, against: &[Side], mode: Option<Mode>, today: &str) -> Vec<ContractReport> {
    let question = Question {
        new,
        against,
        mode,
        today,
    };
    breaking(&question).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn report(contract: &str, schema: &Value) -> ContractReport {
    let before = [side("before", CONTRACT, &self::schema())];
    let mut reports = ask(&side("now", contract, schema), &before, None, "2030-01-01");
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

fn rules<'r>(changes: impl Iterator<Item = &'r Change>) -> Vec<&'static str> {
    changes.map(|change| change.rule).collect()
}

fn notes(report: &ContractReport) -> Vec<&'static str> {
    report.notes.iter().map(|note| note.code).collect()
}

#[test]
fn a_contract_does_not_break_itself() {
    let report = report(CONTRACT, &schema());
    assert!(
        !report.changed && report.changes.is_empty() && report.notes.is_empty(),
        "{report:?}"
    );
    assert_eq!(report.mode.word(), "full_transitive");
}

#[test]
fn whatever_consumers_see_counts() {
    let schema = schema();
    for (replacements, expected, at) in [
        (
            &[("//shop.example/orders/v1", "//shop.example/orders")][..],
            "source-changed",
            "/source",
        ),
        (
            &[("key: .orderId", "key: { pseudonym: .orderId }")],
            "key-changed",
            "/key",
        ),
        (
            &[("placed.v1:", "placed:")],
            "type-renamed",
            "/types/example.shop.order.placed.v1",
        ),
        (
            &[
                ("placed.v1:", "bought.v1:"),
                ("name: placed", "name: bought"),
                ("placed.v1.json", "other.v1.json"),
            ],
            "type-removed",
            "/types/example.shop.order.placed.v1",
        ),
        (
            &[("name: placed", "name: bought")],
            "name-changed",
            "/types/example.shop.order.placed.v1/name",
        ),
        (
            &[("    subject: .orderId\n", "")],
            "attribute-removed",
            "/types/example.shop.order.placed.v1/subject",
        ),
        (
            &[("region: .region", "region: .country")],
            "attribute-changed",
            "/attributes/region",
        ),
        (
            &[("region: .region", "area: .region")],
            "attribute-removed",
            "/attributes/region",
        ),
        (
            &[("topic: \"shop/orders", "topic: \"shop/order")],
            "topic-changed",
            "/outlets/mqtt:main/topic",
        ),
        (
            &[("exchange: shop.orders.v1", "exchange: shop.orders")],
            "exchange-changed",
            "/outlets/amqp:rabbit/exchange",
        ),
        (
            &[("\"order.{name}\"", "\"orders.{name}\"")],
            "routing-key-changed",
            "/outlets/amqp:rabbit/routing_key",
        ),
        (
            &[(
                "  - mqtt: { broker: main, topic: \"shop/orders/v{major}/{key}/{name}\" }\n",
                "",
            )],
            "outlet-removed",
            "/outlets/mqtt:main",
        ),
        (
            &[("status: active", "status: draft")],
            "status-withdrawn",
            "/status",
        ),
        (
            &[("status: active", "status: retired")],
            "status-retired",
            "/status",
        ),
    ] {
        let other = "public/shop.orders/other.v1.json";
        let contracts = [("c.yaml".to_owned(), changed(replacements))];
        let schemas = [
            (SCHEMA, schema.clone()),
            (other, json!({ "type": "object" })),
        ];
        let schemas = schemas.map(|(path, schema)| (path.to_owned(), schema.to_string()));
        let new = Side::of("now", contracts, schemas).unwrap_or_else(|wrong| panic!("{wrong}"));
        let before = [side("before", CONTRACT, &schema)];
        let report = ask(&new, &before, None, "2030-01-01").remove(0);
        assert_eq!(
            rules(report.breaking()),
            [expected],
            "{replacements:?} {:#?}",
            report.changes
        );
        assert_eq!(report.changes[0].at, at);
        assert!(report.changes[0].mend.contains("new major version"));
        assert_eq!(notes(&report), ["version-not-raised"]);
    }
}

#[test]
fn what_consumers_do_not_see_does_not_count() {
    for replacements in [
        // The same topic, otherwise written.
        &[("shop/orders/v{major}", "shop/orders/v1")][..],
        &[("data: { orderId: .orderId }", "data: { orderId: .id }")],
        &[("status: active", "status: deprecated")],
        &[("contact: shop@shop.example", "contact: orders@shop.example")],
    ] {
        let report = report(&changed(replacements), &schema());
        assert!(report.changed && report.changes.is_empty(), "{report:?}");
        assert_eq!(notes(&report), ["version-not-raised"]);
        let mut raised = replacements.to_vec();
        raised.push(("1.2.0", "1.2.1"));
        assert!(self::report(&changed(&raised), &schema()).notes.is_empty());
    }
}

#[test]
fn a_new_major_stands_beside_and_a_contract_leaves_by_its_status() {
    let both = |second: &str| {
        let contracts = [
            ("shop.orders.v1.yaml".to_owned(), CONTRACT.to_owned()),
            ("shop.orders.v2.yaml".to_owned(), second.to_owned()),
        ];
        let schemas = [(SCHEMA.to_owned(), schema().to_string())];
        Side::of("now", contracts, schemas).unwrap_or_else(|wrong| panic!("{wrong}"))
    };
    let second = changed(&[("1.2.0", "2.0.0"), ("key: .orderId", "key: .customerId")]);
    let before = [side("before", CONTRACT, &schema())];
    let reports = ask(&both(&second), &before, None, "2030-01-01");
    assert_eq!(reports.len(), 2);
    assert!(
        reports.iter().all(|report| report.changes.is_empty()),
        "{reports:?}"
    );

    let alone = side("now", &second, &schema());
    let reports = ask(&alone, &before, None, "2030-01-01");
    assert_eq!(rules(reports[0].breaking()), ["contract-removed"]);
    for status in ["draft", "retired"] {
        let was = changed(&[("status: active", &format!("status: {status}"))]);
        let reports = ask(
            &alone,
            &[side("before", &was, &schema())],
            None,
            "2030-01-01",
        );
        assert!(
            reports.iter().all(|report| report.changes.is_empty()),
            "{reports:?}"
        );
    }
}

#[test]
fn the_mode_says_which_directions_and_revisions_count() {
    let with = |total: Value| {
        let mut schema = schema();
        schema["properties"]["total"] = total;
        schema
    };
    let now = side("now", CONTRACT, &with(json!({ "type": "integer" })));
    let against = [
        side("last", CONTRACT, &with(json!({ "type": "integer" }))),
        side("first", CONTRACT, &with(json!({ "type": "number" }))),
    ];
    for (word, expected) in [
        ("backward", &[][..]),
        ("forward", &[]),
        ("full", &[]),
        ("backward_transitive", &["type-narrowed"]),
        ("forward_transitive", &[]),
        ("full_transitive", &["type-narrowed"]),
    ] {
        let reports = ask(&now, &against, Mode::parse(word), "2030-01-01");
        assert_eq!(rules(reports[0].breaking()), expected, "{word}");
        assert!(
            reports[0]
                .changes
                .iter()
                .all(|change| change.against == "first")
        );
    }
    let own = format!("{CONTRACT}compatibility: forward\n");
    let reports = ask(
        &side("now", &own, &with(json!({ "type": "integer" }))),
        &against[1..],
        None,
        "2030-01-01",
    );
    assert_eq!(reports[0].mode.word(), "forward");
    assert!(reports[0].changes.is_empty());
}

#[test]
fn revisions_kept_beside_a_schema_count_in_a_transitive_mode() {
    let kept = json!({ "type": "object", "properties": { "total": { "type": "string" } } });
    let schemas = [
        (SCHEMA.to_owned(), schema().to_string()),
        (
            "public/shop.orders/placed.v1/1.json".to_owned(),
            kept.to_string(),
        ),
    ];
    let contracts = [("c.yaml".to_owned(), CONTRACT.to_owned())];
    let before = [Side::of("before", contracts, schemas).unwrap_or_else(|wrong| panic!("{wrong}"))];
    let now = side("now", CONTRACT, &schema());
    let reports = ask(&now, &before, None, "2030-01-01");
    assert_eq!(
        rules(reports[0].breaking()),
        ["type-narrowed", "required-added", "type-widened"]
    );
    assert!(reports[0].changes[0].against.ends_with("placed.v1/1.json"));
    let reports = ask(&now, &before, Mode::parse("full"), "2030-01-01");
    assert!(reports[0].changes.is_empty());
}

#[test]
fn a_waiver_covers_one_change_until_its_day() {
    let mut narrowed = schema();
    narrowed["required"] = json!(["orderId", "total"]);
    let waiver = |change: &str| {
        format!(
            "{CONTRACT}waivers:\n  - {{ change: {change}, at: /required, type: example.shop.order.placed.v1, reason: all have it, until: \"2030-06-30\" }}\n"
        )
    };
    let before = [side("before", CONTRACT, &schema())];
    let asked = |contract: &str, today: &str| {
        ask(&side("now", contract, &narrowed), &before, None, today).remove(0)
    };
    let report = asked(&waiver("required-added"), "2030-06-30");
    assert_eq!(report.breaking().count(), 0);
    assert_eq!(report.changes.len(), 1);
    assert_eq!(notes(&report), ["version-not-raised"]);

    let report = asked(&waiver("required-added"), "2030-07-01");
    assert_eq!(rules(report.breaking()), ["required-added"]);
    assert_eq!(notes(&report), ["version-not-raised", "waiver-ended"]);

    let report = asked(&waiver("type-narrowed"), "2030-01-01");
    assert_eq!(rules(report.breaking()), ["required-added"]);
    assert_eq!(notes(&report), ["version-not-raised", "waiver-unused"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    for (replacements, says) in [
        (
            &[("version: 1.2.0", "version: one")][..],
            "no semantic version",
        ),
        (&[("placed.v1.json", "gone.v1.json")], "there is no schema"),
        (
            &[("status: active", "compatibility: sideways")],
            "is none of backward",
        ),
        (
            &[(
                "key: .orderId",
                "key: .orderId\nwaivers: [ { change: x, at: /a, reason: r, until: soon } ]",
            )],
            "is no date",
        ),
        (&[("key: .orderId", "key: [")], "not a YAML document"),
    ] {
        let contracts = [("c.yaml".to_owned(), changed(replacements))];
        let schemas = [(SCHEMA.to_owned(), schema().to_string())];
        let wrong = Side::of("now", contracts, schemas)
            .err()
            .map(|wrong| wrong.to_string());
        let wrong = wrong.unwrap_or_default();
        assert!(wrong.contains(says), "{replacements:?}: {wrong}");
    }
}
