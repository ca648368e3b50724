//! Private schemas over time and by door: revisions that are kept, and what becomes of events that do not fit.

use crate::fixture::{Fixture, cross, crossed, public_data};
use horizon_schemas::{Admitted, Door, Doors, EventsWithoutSchema, Outcome, Rules, Unfit};
use serde_json::{Value, json};

/// An order service whose schema was changed twice: `amount` became `total`, and `phone` was personal once.
fn with_history() -> Fixture {
    let fixture = Fixture::shop();
    let first = json!({
        "type": "object",
        "properties": {
            "orderId": {"type": "string"},
            "amount": {"type": "number"},
            "phone": {"type": "string", "x-personal": true},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"article": {"type": "string"}}}},
        },
        "required": ["orderId", "amount"],
    });
    let mut second = first.clone();
    second["properties"]["phone"] = json!({"type": "string"});
    second["required"] = json!(["orderId"]);
    let mut newest = Fixture::private_schema();
    newest["properties"]["phone"] = json!({"type": "string"});
    newest["required"] = json!(["orderId", "total"]);
    fixture.private("order/OrderPlaced/1", &first);
    fixture.private("order/OrderPlaced/2", &second);
    fixture.private("order/OrderPlaced", &newest);
    fixture
}

fn admitted(fixture: &Fixture, door: Door, data: &Value) -> &'static str {
    let catalog = fixture
        .load()
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    match catalog
        .private()
        .admit(door, "order", "OrderPlaced", Some(data))
    {
        Ok(Admitted::Fits) => "fits",
        Ok(Admitted::Unchecked) => "unchecked",
        Ok(Admitted::Flagged(violations)) => {
            assert!(!violations.is_empty());
            "flagged"
        }
        Err(refusal) => {
            assert!(!refusal.violations.is_empty());
            "refused"
        }
    }
}

#[test]
fn http_asks_the_newest_schema_and_import_any_revision_kept() {
    let fixture = with_history();
    for (data, http, import) in [
        (json!({"orderId": "1", "total": 2}), "fits", "fits"),
        (json!({"orderId": "1", "amount": 2}), "refused", "fits"),
        (json!({"orderId": "1"}), "refused", "fits"),
        (json!({"orderId": []}), "refused", "flagged"),
        (json!(null), "refused", "flagged"),
    ] {
        assert_eq!(admitted(&fixture, Door::Http, &data), http, "{data}");
        assert_eq!(admitted(&fixture, Door::Import, &data), import, "{data}");
    }
}

#[test]
fn a_mapping_reads_what_any_revision_declares() {
    let contract = with_history()
        .with_data("{ orderId: .orderId, total: .total, x: .amount }")
        .right();
    let old = public_data(&contract, &json!({"orderId": "1", "amount": 5}));
    assert_eq!(old, json!({"orderId": "1", "x": 5}));
    let new = public_data(&contract, &json!({"orderId": "1", "total": 6}));
    assert_eq!(new, json!({"orderId": "1", "total": 6}));
    // Deeper down as well: the items of two revisions are declared together.
    let fixture = with_history();
    let mut public = Fixture::public_schema();
    public["properties"]["lines"]["items"]["properties"]["article"] = json!({"type": "string"});
    fixture.public("shop.orders/placed.v1", &public);
    let contract = fixture.with_data("{ lines: .lines }").right();
    let data =
        json!({"orderId": "1", "lines": [{"article": "a", "sku": "s", "giftFor": "CANARY"}]});
    let public = public_data(&contract, &data);
    assert_eq!(public, json!({"lines": [{"article": "a", "sku": "s"}]}));
    let wrong = with_history().with_data("{ x: .amounts }").wrong();
    assert!(wrong.contains("nearest: amount"), "{wrong}");
}

#[test]
fn a_field_is_personal_when_any_revision_marks_it() {
    let codes = with_history().with_data("{ x: .phone }").codes();
    assert_eq!(codes, ["personal"]);
    let contract = with_history()
        .with_data("{ x: { reveal: .phone, reason: they asked for it } }")
        .right();
    let data = json!({"orderId": "1", "total": 1, "phone": "7"});
    assert!(matches!(cross(&contract, &data), Outcome::Crossed(_)));
    // What one revision says of all further names counts for names that another one declares.
    let fixture = Fixture::shop();
    fixture.private(
        "order/OrderPlaced/1",
        &json!({"properties": {"orderId": {}}, "additionalProperties": {"x-personal": true}}),
    );
    let codes = fixture.with_data("{ x: .note }").codes();
    assert_eq!(codes, ["personal"]);
}

#[test]
fn a_revision_that_is_kept_is_a_part_of_the_contracts_fingerprint() {
    let plain = Fixture::shop().with_data("{ orderId: .orderId }").right();
    let kept = Fixture::shop().with_data("{ orderId: .orderId }");
    kept.private("order/OrderPlaced/1", &json!({"type": "object"}));
    let kept = kept.right();
    assert_ne!(plain.fingerprint(), kept.fingerprint());
    crossed(&kept, &json!({"orderId": "1"}));
}

#[test]
fn revisions_are_numbered_from_one_without_gaps_below_a_newest_one() {
    let codes = |files: &[&str]| {
        let fixture = Fixture::empty();
        for file in files {
            fixture.private(&format!("order/{file}"), &json!({}));
        }
        fixture.codes()
    };
    let none: [&str; 0] = [];
    assert_eq!(codes(&["X", "X/1", "X/2", "X/3"]), none);
    assert_eq!(codes(&["X", "X/2"]), ["schema-revision"]);
    assert_eq!(codes(&["X", "X/1", "X/3", "X/7"]), ["schema-revision"]);
    assert_eq!(codes(&["X/1"]), ["schema-revision"]);
    for name in ["0", "01", "+1", "v1", "1.0", "99999999999"] {
        assert_eq!(
            codes(&["X", &format!("X/{name}")]),
            ["schema-place"],
            "{name}"
        );
    }
    let fixture = Fixture::empty();
    fixture.private("order/X", &json!({}));
    fixture.private("order/X/1", &json!({}));
    fixture.private("order/X/3", &json!({}));
    let wrong = fixture.wrong();
    assert!(
        wrong.contains("revision 2 of X is missing")
            && wrong.contains("schemas/private/order/X/3.json:1:1"),
        "{wrong}"
    );
}

#[test]
fn each_door_does_what_it_is_told() {
    let unfit = json!({"orderId": []});
    let mut fixture = Fixture::shop();
    let words = ["refused", "flagged", "unchecked"];
    for (http, told_http) in Unfit::ALL.into_iter().zip(words) {
        for (import, told_import) in Unfit::ALL.into_iter().zip(words) {
            fixture.rules = Rules {
                doors: Doors { http, import },
                ..Rules::default()
            };
            assert_eq!(admitted(&fixture, Door::Http, &unfit), told_http);
            assert_eq!(admitted(&fixture, Door::Import, &unfit), told_import);
        }
    }
}

#[test]
fn a_schema_says_for_its_own_type_what_the_doors_do() {
    let unfit = json!({"orderId": []});
    let mut fixture = Fixture::shop();
    let mut schema = Fixture::private_schema();
    schema["x-doors"] = json!({"http": "flag"});
    fixture.private("order/OrderPlaced", &schema);
    assert_eq!(admitted(&fixture, Door::Http, &unfit), "flagged");
    assert_eq!(admitted(&fixture, Door::Import, &unfit), "flagged");
    fixture.rules.doors.import = Unfit::Off;
    assert_eq!(admitted(&fixture, Door::Import, &unfit), "unchecked");
    schema["x-doors"] = json!({"http": "off", "import": "reject"});
    fixture.private("order/OrderPlaced", &schema);
    assert_eq!(admitted(&fixture, Door::Http, &unfit), "unchecked");
    assert_eq!(admitted(&fixture, Door::Import, &unfit), "refused");
    // An earlier revision may still say what was so then; the newest decides.
    schema["x-doors"] = json!({"http": "reject"});
    fixture.private("order/OrderPlaced", &Fixture::private_schema());
    fixture.private(
        "order/OrderPlaced/1",
        &json!({"x-doors": {"import": "reject"}, "required": ["x"]}),
    );
    fixture.rules = Rules::default();
    assert_eq!(admitted(&fixture, Door::Import, &unfit), "flagged");
}

#[test]
fn doors_that_are_none_are_refused_with_the_known_words() {
    let told = |doors: Value| {
        let fixture = Fixture::empty();
        fixture.private("order/X", &json!({"x-doors": doors}));
        fixture.wrong()
    };
    let wrong = told(json!({"htpp": "flag"}));
    assert!(
        wrong.contains("error[schema-doors]")
            && wrong.contains("known: http, import")
            && wrong.contains("nearest: http"),
        "{wrong}"
    );
    let wrong = told(json!({"http": "flagg"}));
    assert!(
        wrong.contains("known: reject, flag, off")
            && wrong.contains("nearest: flag")
            && wrong.contains("X.json:3:"),
        "{wrong}"
    );
    for doors in [json!("flag"), json!({"http": true}), json!([]), json!(null)] {
        assert!(told(doors.clone()).contains("schema-doors"), "{doors}");
    }
    let fixture = Fixture::empty();
    fixture.private(
        "order/X",
        &json!({"properties": {"a": {"x-doors": {"http": "off"}}}}),
    );
    fixture.public("c/y.v1", &json!({"x-doors": {"http": "off"}}));
    assert_eq!(fixture.codes(), ["schema-doors", "schema-doors"]);
}

#[test]
fn a_type_without_a_schema_is_under_one_setting_at_both_doors() {
    let mut fixture = Fixture::shop();
    for (setting, taken) in [
        (EventsWithoutSchema::Refuse, false),
        (EventsWithoutSchema::Accept, true),
    ] {
        fixture.rules = Rules {
            events_without_schema: setting,
            doors: Doors {
                http: Unfit::Flag,
                import: Unfit::Off,
            },
        };
        let catalog = fixture.load().unwrap();
        for door in Door::ALL {
            let told = catalog
                .private()
                .admit(door, "order", "OrderLost", Some(&json!({})));
            assert_eq!(told.is_ok_and(|told| told == Admitted::Unchecked), taken);
        }
    }
}
