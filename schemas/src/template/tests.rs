//! Rendering, checking and subscribing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn values(key: &str) -> TemplateValues<'_> {
    TemplateValues {
        contract: "bank.accounts",
        major: 1,
        name: "opened",
        event_type: "a.b.v1",
        key,
        ..TemplateValues::default()
    }
}

#[test]
fn a_value_cannot_break_out_of_its_segment() {
    let topic = Template::parse("{contract}/v{major}/{key}/{name}", Use::Topic).unwrap();
    assert_eq!(
        topic.render(&values("5/7+#$\0é%2F")).unwrap(),
        "bank.accounts/v1/5%2F7%2B%23%24%00%C3%A9%252F/opened"
    );
    let first = Template::parse("{key}/x", Use::Topic).unwrap();
    assert_eq!(first.render(&values("$SYS")).unwrap(), "%24SYS/x");
    let routing = Template::parse("{key}.{type}", Use::RoutingKey).unwrap();
    assert_eq!(
        routing.render(&values("a.b*#")).unwrap(),
        "a%2Eb%2A%23.a.b.v1"
    );
}

#[test]
fn a_subscribers_pattern_leaves_only_the_key_open() {
    let topic = Template::parse("{contract}/v{major}/x-{key}/{name}", Use::Topic).unwrap();
    assert_eq!(topic.filter(&values("")), "bank.accounts/v1/+/opened");
    assert_eq!(
        topic.address(&values("")),
        "bank.accounts/v1/x-{key}/{name}"
    );
    let routing = Template::parse("{type}.{key}", Use::RoutingKey).unwrap();
    assert_eq!(routing.filter(&values("")), "a.b.v1.*");
}

#[test]
fn what_is_too_long_or_empty_is_refused() {
    let topic = Template::parse("t/{key}", Use::Topic).unwrap();
    assert!(topic.render(&values(&"k".repeat(1022))).is_ok());
    assert!(topic.render(&values(&"k".repeat(1023))).is_err());
    assert!(topic.render(&values("")).is_err());
    let routing = Template::parse("{key}", Use::RoutingKey).unwrap();
    assert!(routing.render(&values(&"k".repeat(255))).is_ok());
    assert!(routing.render(&values(&"k".repeat(256))).is_err());
}

#[test]
fn an_illegal_template_is_refused_with_its_place() {
    for (source, at) in [
        ("a/+/b", 2),
        ("a/#", 2),
        ("$SYS/x", 0),
        ("a//b", 2),
        ("/a", 0),
        ("a/", 1),
        ("", 0),
        ("a\0", 1),
        ("a/{kye}", 2),
        ("a/{key", 2),
        ("a/key}", 5),
    ] {
        assert_eq!(
            Template::parse(source, Use::Topic).unwrap_err().at,
            at,
            "{source:?}"
        );
    }
    for source in ["a.*", "a.#", "a..b", ".a", "a.\n"] {
        assert!(
            Template::parse(source, Use::RoutingKey).is_err(),
            "{source:?}"
        );
    }
}

#[test]
fn subject_and_fields_stay_in_their_segments_and_are_wildcards_for_subscribers() {
    let source = "{subject}/{data.a.b}/{data.n}/{data.t}";
    let topic = Template::parse(source, Use::Topic).unwrap();
    assert!(topic.reads_event() && topic.reads_subject() && topic.reads_data());
    let data = serde_json::json!({"a": {"b": "x/y+"}, "n": 1.50, "t": true, "list": []});
    let full = TemplateValues {
        subject: Some("a/b"),
        data: Some(&data),
        ..values("k")
    };
    assert_eq!(topic.render(&full).unwrap(), "a%2Fb/x%2Fy%2B/1.5/true");
    assert_eq!(topic.filter(&full), "+/+/+/+");
    assert_eq!(topic.address(&full), source);
    let routing = Template::parse("{data.a.b}.{subject}", Use::RoutingKey).unwrap();
    assert_eq!(routing.render(&full).unwrap(), "x%2Fy%2B.a%2Fb");
    for missing in ["{data.c}", "{data.a}", "{data.list}", "{data.a.b.c}"] {
        let template = Template::parse(missing, Use::Topic).unwrap();
        let error = template.render(&full).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
    }
    let nothing = Template::parse("{subject}", Use::Topic).unwrap();
    assert!(nothing.render(&values("k")).is_err());
    for wrong in ["{data}", "{data.}", "{data.a..b}"] {
        assert!(Template::parse(wrong, Use::Topic).is_err(), "{wrong}");
    }
}
