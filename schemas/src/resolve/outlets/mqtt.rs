//! Places at MQTT brokers.

use super::{Ground, fixed, is_binary, template};
use crate::catalog::Protocol;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw;
use crate::outlet::MqttPlace;
use crate::source::Span;
use crate::template::Use;

/// Checks what an `mqtt` outlet says, against what its broker speaks.
pub(super) fn place(
    raw: &raw::Outlet,
    place: &raw::Mqtt,
    protocol: Option<Protocol>,
    ground: &Ground<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<MqttPlace> {
    let before = diagnostics.len();
    let topic = template(&place.topic, Use::Topic, ground, diagnostics);
    let binary = is_binary(raw);
    if protocol == Some(Protocol::Mqtt311) {
        only_in_5(raw, place, diagnostics);
    }
    let qos = place.qos.unwrap_or(1);
    if raw.wait && (qos == 0 || protocol == Some(Protocol::Mqtt311)) {
        diagnostics.push(
            Diagnostic::new(
                "unheard",
                "whether anybody listens is told only over MQTT 5 at quality of service 1 or 2",
            )
            .at(&raw.span)
            .mend("write `unheard: continue`, or leave it out"),
        );
    }
    if let Some(copy) = place
        .datacontenttype_property
        .as_ref()
        .filter(|copy| copy.value && !binary)
    {
        diagnostics.push(
            Diagnostic::new(
                "content-mode",
                "`datacontenttype_property` is for the binary content mode",
            )
            .at(&copy.span)
            .mend("take it out, or write `content_mode: binary`"),
        );
    }
    let as_attribute = |name: &str| {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (binary && plain).then(|| {
            format!("in binary content mode a user property `{name}` would be read as an attribute of the event: use an upper-case letter or `-` in its name")
        })
    };
    let properties = fixed(
        "user properties",
        &place.user_properties,
        as_attribute,
        diagnostics,
    );
    if diagnostics.len() > before {
        return None;
    }
    Some(MqttPlace {
        topic: topic?,
        qos: u8::try_from(qos).ok()?,
        retain: place.retain,
        expiry_seconds: place
            .expiry_seconds
            .as_ref()
            .and_then(|expiry| u32::try_from(expiry.value).ok()),
        user_properties: properties?,
        datacontenttype_property: place
            .datacontenttype_property
            .as_ref()
            .is_some_and(|copy| copy.value),
    })
}

/// Tells what MQTT 3.1.1 has no place for.
fn only_in_5(raw: &raw::Outlet, place: &raw::Mqtt, diagnostics: &mut Diagnostics) {
    let binary = raw.binary.as_ref().filter(|binary| binary.value);
    let found: [(&str, Option<&Span>); 3] = [
        ("the binary content mode", binary.map(|binary| &binary.span)),
        (
            "`expiry_seconds`",
            place.expiry_seconds.as_ref().map(|expiry| &expiry.span),
        ),
        (
            "`user_properties`",
            place.user_properties.first().map(|(name, _)| &name.span),
        ),
    ];
    for (what, span) in found {
        if let Some(span) = span {
            let broker = &raw.broker.value;
            diagnostics.push(
                Diagnostic::new(
                    "mqtt-version",
                    format!("{what} is not possible over MQTT 3.1.1, which the broker `{broker}` is configured to speak"),
                )
                .at(span)
                .mend("take it out, or give the broker `version: \"5.0\"` in the configuration"),
            );
        }
    }
}
