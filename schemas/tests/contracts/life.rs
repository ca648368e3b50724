//! Which events a contract reads, where it begins, how it and its types end, and what it waives.

use crate::fixture::{Fixture, cross, crossed, event, secret, violations};
use horizon_schemas::{Contract, Outcome, PassedOver, PrivateEvent, Start, Status};
use serde_json::{Value, json};

fn crosses(contract: &Contract, event: &PrivateEvent<'_>) -> bool {
    matches!(contract.cross(event, &secret()), Outcome::Crossed(_))
}

#[test]
fn only_streams_that_fit_a_pattern_are_read() {
    let contract = Fixture::shop()
        .with(&[(
            "{ category: order }",
            "{ category: order, match: [ \"order-5*\", \"*-?x\" ] }",
        )])
        .right();
    let data = json!({"orderId": "1"});
    for (stream, read) in [
        ("order-576", true),
        ("order-1x", true),
        ("order-12x", false),
        ("order-65", false),
    ] {
        let event = PrivateEvent {
            stream,
            ..event(&data)
        };
        assert_eq!(contract.reads_stream(stream), read, "{stream}");
        assert_eq!(crosses(&contract, &event), read, "{stream}");
        if !read {
            assert!(matches!(
                contract.cross(&event, &secret()),
                Outcome::Unmatched
            ));
        }
    }
}

#[test]
fn a_pattern_that_no_stream_of_the_category_fits_is_told() {
    for (pattern, code) in [
        ("[ \"client-*\" ]", "stream-pattern"),
        ("[ \"order\" ]", "stream-pattern"),
        ("[ \"order-1\", \"5*\" ]", "stream-pattern"),
        ("[ \"\" ]", "stream-pattern"),
        ("[]", "stream-pattern"),
        ("[ 5 ]", "not-text"),
        ("\"order-5*\"", "not-a-list"),
    ] {
        let streams = format!("{{ category: order, match: {pattern} }}");
        let codes = Fixture::shop()
            .with(&[("{ category: order }", streams.as_str())])
            .codes();
        assert_eq!(codes, [code], "{pattern}");
    }
}

#[test]
fn the_name_of_the_stream_is_in_no_byte() {
    let contract = Fixture::shop().with_data("{ orderId: .orderId }").right();
    let sealed = crossed(&contract, &json!({"orderId": "1"})).seal(1, 0);
    assert!(
        !String::from_utf8(sealed.into_bytes())
            .unwrap()
            .contains("secret")
    );
}

#[test]
fn a_contract_starts_where_it_says() {
    for (start, expected) in [
        ("beginning", Start::Beginning),
        ("now", Start::Now),
        ("{ position: 1 }", Start::Position(1)),
        (
            "{ position: 9007199254740991 }",
            Start::Position((1 << 53) - 1),
        ),
        (
            "{ time: 2023-11-14T22:13:20.123Z }",
            Start::Time(1_700_000_000_123),
        ),
        ("{ time: \"1960-01-01T00:00:00Z\" }", Start::Time(0)),
    ] {
        let start = format!("start: {start}");
        let contract = Fixture::shop()
            .with(&[("start: beginning", start.as_str())])
            .right();
        assert_eq!(contract.start(), expected);
    }
    for start in [
        "{ position: 0 }",
        "{ position: -1 }",
        "{ position: 1.5 }",
        "{ position: 9007199254740992 }",
        "{ position: one }",
        "{ time: yesterday }",
        "{ time: 2023-11-14 }",
        "{}",
        "{ position: 1, time: 2023-11-14T22:13:20Z }",
    ] {
        let start = format!("start: {start}");
        let codes = Fixture::shop()
            .with(&[("start: beginning", start.as_str())])
            .codes();
        assert_eq!(codes, ["start"], "{start}");
    }
}

#[test]
fn a_flagged_event_crosses_only_where_the_contract_says_so() {
    let data = json!({"orderId": "1", "total": "not a number"});
    let flagged = PrivateEvent {
        flagged: true,
        ..event(&data)
    };
    for (contract, entry, expected) in [
        ("", "", false),
        ("flagged: cross\n", "", true),
        ("", "        flagged: cross\n", true),
        ("flagged: cross\n", "        flagged: violation\n", false),
    ] {
        let key = format!("key: .orderId\n{contract}");
        let event = format!("event: OrderPlaced\n{entry}");
        let contract = Fixture::shop()
            .with(&[
                ("key: .orderId\n", key.as_str()),
                ("event: OrderPlaced\n", event.as_str()),
            ])
            .right();
        assert_eq!(crosses(&contract, &flagged), expected);
        assert!(crosses(
            &contract,
            &PrivateEvent {
                flagged: false,
                ..flagged
            }
        ));
        if !expected {
            let Outcome::Violation {
                key, violations, ..
            } = contract.cross(&flagged, &secret())
            else {
                panic!("it is no violation")
            };
            assert_eq!(key.as_deref(), Some("1"));
            assert!(
                violations[0].reason.contains("`flagged: cross`"),
                "{violations:?}"
            );
        }
    }
    let contract = Fixture::shop()
        .with(&[(
            "event: OrderPlaced\n",
            "event: OrderPlaced\n        when: .orderId == \"2\"\n",
        )])
        .right();
    assert!(matches!(
        contract.cross(&flagged, &secret()),
        Outcome::Filtered
    ));
}

/// Two types of one event: big orders, and the others.
fn two_types(first: &str, second: &str) -> Fixture {
    let types = format!(
        "types:\n  example.shop.order.big.v1:\n    name: big\n{first}    schema: public/shop.orders/placed.v1.json\n    from:\n      \
         - {{ event: OrderPlaced, when: .total > 100, data: {{ orderId: .orderId }} }}\n"
    );
    let name = format!("name: placed\n{second}");
    Fixture::shop().with(&[
        ("types:\n", types.as_str()),
        ("name: placed\n", name.as_str()),
    ])
}

#[test]
fn a_retired_or_draft_type_is_passed_over_and_stays_known() {
    let (big, small) = (
        json!({"orderId": "1", "total": 1000}),
        json!({"orderId": "1", "total": 1}),
    );
    let type_of = |contract: &Contract, data: &Value| match cross(contract, data) {
        Outcome::Crossed(crossed) => Some(crossed.name().to_owned()),
        Outcome::Filtered => None,
        other => panic!("{other:?}"),
    };
    let contract = two_types("", "").right();
    assert_eq!(type_of(&contract, &big).as_deref(), Some("big"));
    for (word, status) in [("retired", Status::Retired), ("draft", Status::Draft)] {
        let line = format!("    status: {word}\n");
        let contract = two_types(&line, "").right();
        assert_eq!(type_of(&contract, &big).as_deref(), Some("placed"));
        let statuses: Vec<_> = contract.type_statuses().collect();
        assert_eq!(
            statuses,
            [
                ("example.shop.order.big.v1", status),
                ("example.shop.order.placed.v1", Status::Active)
            ]
        );
        let contract = two_types("", &line).right();
        assert_eq!(
            (
                type_of(&contract, &small),
                type_of(&contract, &big).as_deref()
            ),
            (None, Some("big"))
        );
        assert!(contract.matches("order", "OrderPlaced"));
    }
    // What is never taken hides nothing that follows it.
    let fixture = two_types("    status: retired\n", "");
    fixture.contract(
        "shop.orders.v1",
        &fixture
            .read("contracts/shop.orders.v1.yaml")
            .replace("when: .total > 100, ", ""),
    );
    assert_eq!(type_of(&fixture.right(), &big).as_deref(), Some("placed"));
}

#[test]
fn a_deprecated_status_says_so_in_every_event() {
    let data = json!({"orderId": "1", "total": 1000});
    let deprecated = |contract: &Contract| {
        let bytes = crossed(contract, &data).seal(1, 0).into_bytes();
        String::from_utf8(bytes)
            .unwrap()
            .contains(",\"deprecated\":true")
    };
    let whole = |status: &str| {
        Fixture::shop()
            .with(&[(
                "version: 1.2.0",
                &format!("version: 1.2.0\nstatus: {status}"),
            )])
            .right()
    };
    assert!(deprecated(&whole("deprecated")) && !deprecated(&whole("active")));
    assert!(deprecated(
        &two_types("    status: deprecated\n", "").right()
    ));
    assert!(!deprecated(
        &two_types("", "    status: deprecated\n").right()
    ));
    let contract = two_types(
        "    status: deprecated\n    deprecation: { sunset: 2025-01-01T00:00:00Z }\n",
        "",
    )
    .right();
    let said = contract.deprecation("example.shop.order.big.v1").unwrap();
    assert_eq!(
        (said.from.as_deref(), said.sunset.as_deref()),
        (None, Some("2025-01-01T00:00:00Z"))
    );
    assert_eq!(contract.deprecation("example.shop.order.placed.v1"), None);
}

#[test]
fn waivers_are_read_and_checked_word_by_word() {
    let with = |waiver: &str| {
        Fixture::shop().with(&[(
            "key: .orderId\n",
            &format!("key: .orderId\nwaivers:\n{waiver}"),
        )])
    };
    let right = "  - { change: property-removed, at: /properties/a~1b, type: example.shop.order.placed.v1, reason: nobody read it, until: 2025-06-30 }\n";
    let contract = with(&format!(
        "{right}  - {{ change: source-changed, at: \"\", reason: moved, until: 2024-02-29 }}\n"
    ))
    .right();
    let waivers = contract.waivers();
    assert_eq!(waivers.len(), 2);
    assert_eq!(
        (
            waivers[0].change.as_str(),
            waivers[0].at.as_str(),
            waivers[0].until.as_str()
        ),
        ("property-removed", "/properties/a~1b", "2025-06-30")
    );
    assert_eq!(
        (
            waivers[0].public_type.as_deref(),
            waivers[1].public_type.as_deref()
        ),
        (Some("example.shop.order.placed.v1"), None)
    );
    for (from, to) in [
        ("property-removed", "Property Removed"),
        ("/properties/a~1b", "properties"),
        ("/properties/a~1b", "/a~2"),
        ("nobody read it", "\"  \""),
        ("2025-06-30", "2025-06-31"),
        ("2025-06-30", "soon"),
        ("2025-06-30", "2025-06-30T00:00:00Z"),
    ] {
        assert_eq!(with(&right.replace(from, to)).codes(), ["waiver"], "{to}");
    }
    assert_eq!(with(&format!("{right}{right}")).codes(), ["waiver"]);
    assert_eq!(
        with("  - { change: a, at: \"\", reason: because }\n").codes(),
        ["missing-key"]
    );
    assert_eq!(
        with("  - { change: a, at: \"\", reason: because, until: 2025-01-01, by: me }\n").codes(),
        ["unknown-key"]
    );
}

#[test]
fn a_flagged_event_without_a_key_still_has_none() {
    let contract = Fixture::shop()
        .with(&[("key: .orderId\n", "key: .orderId\nflagged: cross\n")])
        .right();
    let data = json!({"total": 1});
    let event = PrivateEvent {
        flagged: true,
        ..event(&data)
    };
    assert!(matches!(
        contract.cross(&event, &secret()),
        Outcome::Violation { key: None, .. }
    ));
    let (key, _) = violations(&contract, &data);
    assert_eq!(key, None);
}

#[test]
fn why_an_event_is_passed_over_is_known() {
    let with = |from: &str, to: &str| {
        let when = "data: { orderId: .orderId }\n        when: .total != 0";
        let text = "streams: { category: order, match: [ \"order-*\" ] }";
        let fixture =
            Fixture::shop().with(&[("streams: { category: order }", text), ("DATA", "{}")]);
        let text = fixture.read("contracts/shop.orders.v1.yaml");
        fixture.contract(
            "shop.orders.v1",
            &text.replace("data: {}", when).replace(from, to),
        );
        fixture.right()
    };
    let data = json!({"orderId": "1", "total": 0});
    let contract = with("", "");
    let why = |change: fn(&mut PrivateEvent<'_>)| {
        let mut event = event(&data);
        change(&mut event);
        assert!(matches!(
            contract.cross(&event, &secret()),
            Outcome::Unmatched | Outcome::Filtered
        ));
        contract.passes_over(&event)
    };
    let placed = || "example.shop.order.placed.v1".to_owned();
    assert_eq!(why(|event| event.category = "client"), PassedOver::Category);
    assert_eq!(why(|event| event.stream = "7"), PassedOver::Stream);
    assert_eq!(
        why(|event| event.event_type = "OrderSent"),
        PassedOver::EventType
    );
    assert_eq!(why(|_| {}), PassedOver::When(vec![placed()]));
    let named = "    name: placed\n";
    for (word, status) in [("draft", Status::Draft), ("retired", Status::Retired)] {
        let idle = with(named, &format!("{named}    status: {word}\n"));
        assert_eq!(
            idle.passes_over(&event(&data)),
            PassedOver::Types(vec![(placed(), status)])
        );
        let idle = with("start:", &format!("status: {word}\nstart:"));
        assert_eq!(idle.passes_over(&event(&data)), PassedOver::Status(status));
    }
}
