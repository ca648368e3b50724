//! What an expression is told of the event itself, and what it is not.

use crate::fixture::{Fixture, event, secret};
use horizon_schemas::{Outcome, PrivateEvent};
use serde_json::json;

#[test]
fn an_expression_is_told_the_time_and_the_type_of_the_event() {
    let contract = Fixture::shop()
        .with(&[
            ("event: OrderPlaced", "event: OrderPlaced\n        when: $event.time >= \"2024\""),
            ("DATA", "{ orderId: { jq: '.tags | map(. + $event.type) | first' }, x: { jq: '$event.time[0:4]' } }"),
        ])
        .right();
    let data = json!({"orderId": "1", "tags": ["a "]});
    let read = crate::fixture::public_data(&contract, &data);
    assert_eq!(
        read,
        json!({"orderId": "a example.shop.order.placed.v1", "x": "2024"})
    );
    let before = PrivateEvent {
        time: Some("2023-12-31T23:59:59Z"),
        ..event(&data)
    };
    assert!(matches!(
        contract.cross(&before, &secret()),
        Outcome::Filtered
    ));
}

#[test]
fn a_time_that_cannot_be_told_is_a_violation_and_never_compared() {
    let contract = Fixture::shop()
        .with(&[
            ("key: .orderId\n", "key: .orderId\ntime: .note\n"),
            (
                "event: OrderPlaced",
                "event: OrderPlaced\n        when: $event.time >= \"2024\"",
            ),
        ])
        .right();
    for note in [json!("one day"), json!(null)] {
        let data = json!({"orderId": "1", "note": note});
        let outcome = contract.cross(&event(&data), &secret());
        let Outcome::Violation {
            key, violations, ..
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(key.as_deref(), Some("1"), "its key is parked");
        let reason = &violations[0].reason;
        assert!(reason.contains("no time that can be told"), "{reason}");
    }
    let data = json!({"orderId": "1", "note": "2023-01-01T00:00:00Z"});
    let outcome = contract.cross(&event(&data), &secret());
    assert!(matches!(outcome, Outcome::Filtered), "{outcome:?}");
}

#[test]
fn nothing_else_of_the_event_is_told() {
    for text in [
        "$event",
        "$event.id",
        "$event.source",
        "$event.stream",
        "$event.data",
        "$event[0]",
        "$event[]",
        "$event[\"id\"]",
        "$event | .time",
        "$event as $e | $e.time",
        ".note as $event | $event",
        "{$event}",
        "[$event] | first | .id",
        "$event[.note]",
        "$__loc__",
        "$ENV.PATH",
    ] {
        let wrong = Fixture::shop()
            .with_data(&format!("{{ x: {{ jq: '{text}' }} }}"))
            .codes();
        assert!(!wrong.is_empty(), "{text}");
    }
    let told = Fixture::shop()
        .with_data("{ x: { jq: '.total + $event.tim' } }")
        .wrong();
    assert_eq!(
        told,
        r#"error[expression-event]: `$event` has no `tim` that may be shown
  --> contracts/shop.orders.v1.yaml:15:43
   |
15 |         data: { x: { jq: '.total + $event.tim' } }
   |                                           ^^^
   = known: time, type
   = nearest: time
   = mend: write `$event.time` or `$event.type`: nothing else of an event is shown
"#
    );
}
