//! Changes of a public stream beside its schemas: types, names, places, key, attributes, status.

use super::outline::{OutletOutline, Outline, TypeOutline};
use super::report::Change;
use crate::path::escape;
use serde_json::Value;
use std::collections::BTreeSet;

/// A schema's `$id` on one side.
type Ids<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What breaks where a contract is no longer there; nothing when its consumers were told.
pub(super) fn removed(old: &Outline) -> Option<Change> {
    if matches!(old.status.as_str(), "draft" | "retired") {
        return None;
    }
    Some(change(
        old,
        "contract-removed",
        "",
        format!("the contract {} is no longer there", old.public_stream()),
        "keep it; when its consumers have left, set `status: deprecated`, then `status: retired`, then take it out",
    ))
}

/// What breaks of a contract beside its schemas.
pub(super) fn changes(
    old: &Outline,
    new: &Outline,
    old_ids: Ids<'_>,
    new_ids: Ids<'_>,
) -> Vec<Change> {
    let mut found = Vec::new();
    if old.source != new.source {
        found.push(change(
            new,
            "source-changed",
            "/source",
            format!("`source` was {} and is now {}", old.source, new.source),
            "keep the source: consumers tell events apart by it",
        ));
    }
    if old.key != new.key {
        found.push(change(
            new,
            "key-changed",
            "/key",
            format!("`key` was {} and is now {}", shown(&old.key), shown(&new.key)),
            "keep the key: it is the order that consumers rely on, their partitionkey and part of topics",
        ));
    }
    status(
        "the contract",
        "/status",
        &old.status,
        &new.status,
        new,
        None,
        &mut found,
    );
    for (event_type, was) in &old.types {
        let before = found.len();
        match new.types.get(event_type) {
            None if matches!(was.status.as_str(), "draft" | "retired") => {}
            None => found.push(type_removed(event_type, was, new)),
            Some(_) if was.status == "draft" => {}
            Some(now) => type_changes(
                event_type,
                (old, was),
                (new, now),
                (old_ids, new_ids),
                &mut found,
            ),
        }
        for change in &mut found[before..] {
            change.public_type = Some(event_type.clone());
        }
    }
    for (name, was) in &old.outlets {
        outlet_changes(name, was, old, new, &mut found);
    }
    found
}

fn change(contract: &Outline, rule: &'static str, at: &str, message: String, mend: &str) -> Change {
    Change {
        rule,
        direction: None,
        public_type: None,
        file: contract.file.clone(),
        at: at.to_owned(),
        message,
        mend: format!("{mend}; or publish the change as a new major version beside this one"),
        counterexample: None,
        undecided: false,
        against: String::new(),
        waiver: None,
    }
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn status(
    what: &str,
    at: &str,
    was: &str,
    now: &str,
    contract: &Outline,
    public_type: Option<&str>,
    found: &mut Vec<Change>,
) {
    let (rule, mend) = match (was, now) {
        ("active" | "deprecated", "draft") => (
            "status-withdrawn",
            "what consumers have seen is no draft any more",
        ),
        ("active", "retired") => (
            "status-retired",
            "set `status: deprecated` first, and retire it when its consumers have left",
        ),
        _ => return,
    };
    let message = format!("{what} was {was} and is now {now}: nothing crosses any more");
    let mut one = change(contract, rule, at, message, mend);
    one.public_type = public_type.map(str::to_owned);
    found.push(one);
}

fn type_removed(event_type: &str, was: &TypeOutline, new: &Outline) -> Change {
    let successor = new
        .types
        .iter()
        .find(|(_, now)| now.name == was.name || now.schema == was.schema);
    let at = format!("/types/{}", escape(event_type));
    match successor {
        Some((name, _)) => change(
            new,
            "type-renamed",
            &at,
            format!("the type {event_type} is now called {name}"),
            "keep its name: consumers select by `type`",
        ),
        None => change(
            new,
            "type-removed",
            &at,
            format!("the type {event_type} is no longer there"),
            "keep it; when its consumers have left, set its `status: deprecated`, then `retired`, then take it out",
        ),
    }
}

fn type_changes(
    event_type: &str,
    (old, was): (&Outline, &TypeOutline),
    (new, now): (&Outline, &TypeOutline),
    (old_ids, new_ids): (Ids<'_>, Ids<'_>),
    found: &mut Vec<Change>,
) {
    let at = format!("/types/{}", escape(event_type));
    status(
        event_type,
        &format!("{at}/status"),
        &was.status,
        &now.status,
        new,
        Some(event_type),
        found,
    );
    if was.name != now.name {
        found.push(change(
            new,
            "name-changed",
            &format!("{at}/name"),
            format!(
                "the name of {event_type} was {} and is now {}",
                was.name, now.name
            ),
            "keep the name: topics and routing keys hold it",
        ));
    }
    for (attribute, how) in &was.attributes {
        let place = attribute_place(old, event_type, attribute);
        match now.attributes.get(attribute) {
            Some(same) if same == how => {}
            Some(other) => found.push(change(
                new,
                "attribute-changed",
                &place,
                format!(
                    "the attribute `{attribute}` was made from {} and is now made from {}",
                    shown(how),
                    shown(other)
                ),
                "keep how it is made, and publish the new one under another name",
            )),
            None => found.push(change(
                new,
                "attribute-removed",
                &place,
                format!("events of {event_type} no longer have the attribute `{attribute}`"),
                "keep the attribute",
            )),
        }
    }
    let id = |public: &TypeOutline, ids: Ids<'_>| {
        public.dataschema.clone().or_else(|| ids(&public.schema))
    };
    if let Some(before) = id(was, old_ids) {
        let after = id(now, new_ids);
        if after.as_ref() != Some(&before) {
            let after = after.map_or_else(
                || "is no longer there".to_owned(),
                |after| format!("is now {after}"),
            );
            found.push(change(
                new,
                "dataschema-changed",
                &format!("{at}/dataschema"),
                format!("the attribute `dataschema` was {before} and {after}"),
                "keep the schema's `$id`, or set `dataschema`",
            ));
        }
    }
    for (name, outlet) in &new.outlets {
        if let Some(before) = old
            .outlets
            .get(name)
            .filter(|before| before.mqtt == outlet.mqtt)
        {
            place_changes(
                event_type,
                name,
                (old, was, before),
                (new, now, outlet),
                found,
            );
        }
    }
}

/// Where an attribute was set.
fn attribute_place(old: &Outline, event_type: &str, attribute: &str) -> String {
    let (own, word) = (escape(event_type), escape(attribute));
    [
        format!("/types/{own}/{word}"),
        format!("/types/{own}/attributes/{word}"),
        format!("/{word}"),
    ]
    .into_iter()
    .find(|pointer| old.content.pointer(pointer).is_some())
    .unwrap_or_else(|| format!("/attributes/{word}"))
}

/// Topics and routing keys, as they are rendered for the type.
fn place_changes(
    event_type: &str,
    outlet: &str,
    (old, was, before): (&Outline, &TypeOutline, &OutletOutline),
    (new, now, after): (&Outline, &TypeOutline, &OutletOutline),
    found: &mut Vec<Change>,
) {
    for (word, rule, what) in [
        ("topic", "topic-changed", "topic"),
        ("routing_key", "routing-key-changed", "routing key"),
    ] {
        let (Some(first), Some(second)) = (before.place.get(word), after.place.get(word)) else {
            continue;
        };
        let first = old.rendered(first, event_type, was);
        let second = new.rendered(second, event_type, now);
        // A name of its own is told as such.
        let renamed = old.rendered(&before.place[word], event_type, now);
        if first != second && renamed != second {
            found.push(change(
                new,
                rule,
                &format!("/outlets/{}/{word}", escape(outlet)),
                format!("the {what} of {event_type} at {outlet} was {first} and is now {second}"),
                &format!("keep the {what}: consumers subscribe to it"),
            ));
        }
    }
}

fn outlet_changes(
    name: &str,
    was: &OutletOutline,
    old: &Outline,
    new: &Outline,
    found: &mut Vec<Change>,
) {
    let at = format!("/outlets/{}", escape(name));
    let Some(now) = new.outlets.get(name).filter(|now| now.mqtt == was.mqtt) else {
        let kept: BTreeSet<&str> = new.outlets.keys().map(String::as_str).collect();
        let known = match kept.is_empty() {
            true => "none".to_owned(),
            false => kept.into_iter().collect::<Vec<_>>().join(", "),
        };
        found.push(change(
            new,
            "outlet-removed",
            &at,
            format!(
                "{} is no longer sent to the outlet {name} (outlets now: {known})",
                old.public_stream()
            ),
            "keep the outlet until its consumers have left",
        ));
        return;
    };
    for (word, rule, what) in [
        ("broker", "broker-changed", "broker"),
        ("exchange", "exchange-changed", "exchange"),
        ("content_mode", "content-mode-changed", "content mode"),
        (
            "header_prefix",
            "header-prefix-changed",
            "prefix of the headers",
        ),
    ] {
        if let (Some(first), Some(second)) = (was.place.get(word), now.place.get(word))
            && first != second
        {
            found.push(change(
                new,
                rule,
                &format!("{at}/{word}"),
                format!("the {what} of the outlet {name} was {first} and is now {second}"),
                &format!("keep the {what}, and add an outlet beside it"),
            ));
        }
    }
    let quality = |outlet: &OutletOutline| {
        outlet
            .place
            .get("qos")
            .and_then(|qos| qos.parse::<u8>().ok())
    };
    if let (Some(first), Some(second)) = (quality(was), quality(now))
        && second < first
    {
        found.push(change(
            new,
            "qos-lowered",
            &format!("{at}/qos"),
            format!("the quality of service of the outlet {name} was {first} and is now {second}"),
            "keep the quality of service",
        ));
    }
}
