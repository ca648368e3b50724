//! Files of tests: what they hold a contract to, and what is told when it is otherwise.

use crate::fixture::Fixture;
use horizon_schemas::TestReport;

/// A contract whose one private event is filtered, crosses or is a violation by its total.
fn shop() -> Fixture {
    Fixture::shop().with_data(
        "{ orderId: .orderId, total: .total, currency: .currency }\n        when: .total != 0",
    )
}

fn run(fixture: &Fixture, cases: &str) -> TestReport {
    fixture
        .test(cases)
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// All failures of all cases.
fn failures(report: &TestReport) -> String {
    let all: Vec<String> = report
        .cases()
        .iter()
        .flat_map(|case| case.failures().iter().cloned())
        .collect();
    all.join("\n")
}

const EACH_OUTCOME: &str = r#"
  - name: each outcome
    given:
      - { id: a, type: OrderPlaced, data: { orderId: "1", total: 5.50, currency: EUR } }
      - { id: b, type: OrderPlaced, data: { orderId: "1", total: 0 } }
      - { id: c, type: OrderPlaced, data: { orderId: "1", total: -1 } }
      - { id: d, type: OrderPlaced, data: { orderId: "1", total: 7 } }
    crossed:
      - type: example.shop.order.placed.v1
        data: { currency: EUR, total: 5.50, orderId: "1" }
        attributes: { partitionkey: "1", time: 2000-01-01T00:00:00Z, previoussequence: "00000000000000000000" }
      - event: d
        type: example.shop.order.placed.v1
        data: { orderId: "1", total: 7 }
        attributes: { sequence: "00000000000000000002", previoussequence: "00000000000000000001" }
    filtered: [b]
    violations:
      - { event: c, pointer: /total, reason: at least 0 }
"#;

#[test]
fn each_outcome_is_held_to_what_the_case_lists() {
    let report = run(&shop(), EACH_OUTCOME);
    assert_eq!(failures(&report), "");
    assert!(report.untouched().is_empty());
}

#[test]
fn whatever_is_otherwise_is_told() {
    for (old, new, told) in [
        (
            "total: 5.50, orderId",
            "total: 5.5, orderId",
            "data/total\n      expected: 5.5\n      got:      5.50",
        ),
        (
            "{ currency: EUR, total",
            "{ total",
            "data/currency\n      expected: nothing\n      got:      \"EUR\"",
        ),
        (
            "partitionkey: \"1\"",
            "partitionkey: \"2\"",
            "partitionkey\n      expected: \"2\"",
        ),
        (
            "partitionkey: \"1\"",
            "subject: x",
            "subject\n      expected: \"x\"\n      got:      nothing",
        ),
        (
            "filtered: [b]",
            "filtered: []",
            "event `b` (OrderPlaced) must cross, and it is filtered",
        ),
        (
            "filtered: [b]",
            "unmatched: [b]",
            "must be unmatched, and it is filtered",
        ),
        (
            "reason: at least 0",
            "reason: at most 0",
            "is another violation",
        ),
        (
            "pointer: /total",
            "pointer: /totals",
            "is another violation",
        ),
        (
            "total: -1",
            "total: 1",
            "event `c` (OrderPlaced) must be a violation, and it crosses as",
        ),
        ("event: d\n        type", "type", ""),
        (
            "{ id: d, type: OrderPlaced, data: { orderId: \"1\", total: 7",
            "{ id: d, type: OrderPlaced, data: { orderId: \"1\", total: 0",
            "event `d` (OrderPlaced) must cross, and it is filtered",
        ),
        (
            "total: 0 }",
            "total: zero }",
            "event `b` (OrderPlaced) could not have been recorded: /total must be number",
        ),
    ] {
        assert!(EACH_OUTCOME.contains(old), "{old}");
        let failures = failures(&run(&shop(), &EACH_OUTCOME.replacen(old, new, 1)));
        assert!(failures.contains(told), "{old} -> {new}:\n{failures}");
        assert_eq!(
            failures.is_empty(),
            told.is_empty(),
            "{old} -> {new}:\n{failures}"
        );
    }
}

#[test]
fn a_public_event_that_nobody_expects_and_one_that_does_not_come_fail() {
    let given =
        "\n  - name: one\n    given: [{ type: OrderPlaced, data: { orderId: \"1\", total: 7 } }]\n";
    let unexpected = failures(&run(&shop(), given));
    assert!(
        unexpected
            .contains("and the case does not expect it; its data: {\"orderId\":\"1\",\"total\":7}"),
        "{unexpected}"
    );
    let expected = "    crossed: [{ type: example.shop.order.placed.v1 }, { type: example.shop.order.placed.v1 }]\n";
    let missing = failures(&run(&shop(), &format!("{given}{expected}")));
    assert_eq!(
        missing,
        "public event 2 (example.shop.order.placed.v1) did not come"
    );
}

#[test]
fn ids_are_compared_between_events_without_being_listed() {
    let fixture = Fixture::shop().with_data("{ orderId: .orderId, cancels: { public_id: { type: example.shop.order.placed.v1, of: .cancels } } }");
    let case = |ids: &str| {
        format!(
            "\n  - name: a later order cancels an earlier one\n    given:\n      - {{ id: first, type: OrderPlaced, data: {{ orderId: \"1\" }} }}\n      - {{ id: second, type: OrderPlaced, data: {{ orderId: \"1\", cancels: first }} }}\n    crossed:\n      - type: example.shop.order.placed.v1\n      - type: example.shop.order.placed.v1\n        data: {{ orderId: \"1\" }}\n        ids: {{ {ids} }}\n"
        )
    };
    assert_eq!(
        failures(&run(&fixture, &case("/cancels: first, id: second"))),
        ""
    );
    let told = failures(&run(&fixture, &case("/cancels: second")));
    assert!(
        told.contains("/cancels\n      expected: \"")
            && told.contains("the public id of event `second`"),
        "{told}"
    );
}

#[test]
fn drafts_are_run_as_if_they_were_active_and_the_same_every_time() {
    let draft = Fixture::shop().with(&[("start: beginning", "start: beginning\nstatus: draft")]);
    let case = "\n  - name: one\n    given: [{ type: OrderPlaced, data: { orderId: \"1\" } }]\n    crossed: [{ type: example.shop.order.placed.v1, attributes: { id: 7f0d2f2a-0000-8000-8000-000000000000 } }]\n";
    let told = failures(&run(&draft, case));
    assert!(
        told.contains("id\n      expected:"),
        "it crossed, under an id of its own: {told}"
    );
    assert_eq!(told, failures(&run(&draft, case)));
}

#[test]
fn each_entry_of_from_is_touched_or_told() {
    let fixture = Fixture::shop().with_data("{ orderId: .orderId }\n        when: .total == 1\n      - event: OrderPlaced\n        when: .total == 2\n        data: { orderId: .orderId }");
    let case = "\n  - name: the second\n    given: [{ type: OrderPlaced, data: { orderId: \"1\", total: 2 } }]\n    crossed: [{ type: example.shop.order.placed.v1 }]\n";
    let untouched: Vec<String> = run(&fixture, case)
        .untouched()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        untouched,
        ["shop.orders.v1: example.shop.order.placed.v1 from OrderPlaced"]
    );
}

#[test]
fn all_mistakes_in_a_file_are_told_at_once_with_their_places() {
    let cases = r#"
  - name: a
    given:
      - { id: x, typ: OrderPlaced }
      - { id: x, type: OrderPlaced, time: yesterday }
    crossed: [{ type: example.shop.order.placd.v1 }]
    filtered: [y]
    unmatched: [x, x]
    attribute: 1
  - name: a
    given: []
"#;
    let Err(diagnostics) = shop().test(cases) else {
        panic!("nothing is wrong")
    };
    let codes: Vec<&str> = diagnostics.iter().map(|one| one.code()).collect();
    for code in [
        "unknown-key",
        "missing-key",
        "time",
        "unknown-public-type",
        "unknown-given",
        "outcome-twice",
        "case-twice",
        "empty",
    ] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
    assert!(
        diagnostics
            .iter()
            .all(|one| one.line_and_column().is_some()),
        "{diagnostics}"
    );
    let unknown = shop();
    unknown.write(
        "contracts/shop.order.v1.test.yaml",
        "horizon: 1\ncases: []\n",
    );
    let Err(diagnostics) = unknown.test("") else {
        panic!("nothing is wrong")
    };
    assert!(
        diagnostics.to_string().contains("nearest: shop.orders.v1"),
        "{diagnostics}"
    );
}

#[test]
fn a_given_event_may_be_flagged_and_has_a_trace() {
    let fixture = Fixture::shop().with(&[(
        "start: beginning",
        "start: beginning\ntraceparent: pass\ntracestate: pass",
    )]);
    let cases = |rest: &str| {
        format!(
            r#"
  - name: does not fit
    given:
      - {{ id: a, type: OrderPlaced, data: {{ orderId: "1", total: much }}{rest} }}
    violations: [{{ event: a, reason: is flagged }}]
"#
        )
    };
    assert_eq!(failures(&run(&fixture, &cases(", flagged: true"))), "");
    let told = failures(&run(&fixture, &cases("")));
    assert!(
        told.contains("event `a` (OrderPlaced) could not have been recorded: /total must be number; if it was recorded all the same, say `flagged: true`"),
        "{told}"
    );
    let unknown = cases(", flagged: true").replace("type: OrderPlaced", "type: OrderSent");
    assert!(failures(&run(&fixture, &unknown)).contains("there is no schema for it"));
    let wrong = fixture.test(&cases(", flagged: 1")).unwrap_err();
    assert_eq!(
        wrong.iter().map(|one| one.code()).collect::<Vec<_>>(),
        ["not-a-boolean"]
    );
    let traced = r#"
  - name: traced
    given:
      - { type: OrderPlaced, data: { orderId: "1" }, traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01, tracestate: a=1 }
    crossed:
      - { type: example.shop.order.placed.v1, attributes: { traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01, tracestate: a=1 } }
"#;
    assert_eq!(failures(&run(&fixture, traced)), "");
}
