//! What is refused whatever is stored.

use std::collections::HashSet;

use horizon_store::{
    AttributeValue, Commit, Crossing, LimitError, Limits, NewEvent, NewParked, ParkOutcome,
    ParkScope, RelayName, ResolvedParked, Settlement, StreamName,
};

pub(super) fn malformed(what: impl Into<String>, reason: impl Into<String>) -> LimitError {
    LimitError::Malformed {
        what: what.into(),
        reason: reason.into(),
    }
}

fn bytes(what: impl Into<String>, bytes: usize, limit_bytes: usize) -> Result<(), LimitError> {
    if bytes <= limit_bytes {
        return Ok(());
    }
    Err(LimitError::TooLarge {
        what: what.into(),
        bytes,
        limit_bytes,
    })
}

fn count(what: impl Into<String>, count: usize, limit: usize) -> Result<(), LimitError> {
    if count <= limit {
        return Ok(());
    }
    Err(LimitError::TooMany {
        what: what.into(),
        count,
        limit,
    })
}

pub(super) fn identifier(what: &str, text: &str, limit: usize) -> Result<(), LimitError> {
    if text.is_empty() {
        return Err(malformed(what, "it must not be empty"));
    }
    bytes(what, text.len(), limit)?;
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => {
            let reason = format!(
                "it has the control character U+{:04X}; none is allowed",
                u32::from(c)
            );
            Err(malformed(what, reason))
        }
    }
}

pub(super) fn commit(commit: &Commit) -> Result<(), LimitError> {
    let limits = Limits::default();
    let events = || {
        commit
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(|event| (&write.stream, event)))
    };
    let data = events()
        .map(|(_, event)| event.data.as_ref().map_or(0, |data| data.len()))
        .sum();
    bytes("the commit", data, limits.commit_max_bytes)?;
    if events().count() == 0 {
        return Err(malformed(
            "the commit",
            "it has no event; at least one is needed",
        ));
    }
    count(
        "the events of the commit",
        events().count(),
        limits.commit_max_events,
    )?;
    count(
        "the writes of the commit",
        commit.writes.len(),
        limits.commit_max_events,
    )?;
    let mut identities = HashSet::new();
    for (stream, new) in events() {
        event(stream, new, &limits)?;
        let source = new.source.as_deref().unwrap_or(stream.as_str());
        if !identities.insert((source, &new.id)) {
            let what = format!("event {:?}", new.id);
            return Err(malformed(
                what,
                "its id and source occur twice in the commit",
            ));
        }
    }
    Ok(())
}

fn event(stream: &StreamName, event: &NewEvent, limits: &Limits) -> Result<(), LimitError> {
    let of = |what: &str| format!("the {what} of event {:?}", event.id);
    identifier("the id of an event", &event.id, limits.id_max_bytes)?;
    let source = event.source.as_deref().unwrap_or(stream.as_str());
    identifier(&of("source"), source, limits.source_max_bytes)?;
    identifier(&of("type"), &event.event_type, limits.type_max_bytes)?;
    count(
        of("attributes"),
        event.attributes.len(),
        limits.event_max_attributes,
    )?;
    let mut names = HashSet::new();
    let mut size = event.data.as_ref().map_or(0, |data| data.len());
    size += event.media_type.as_ref().map_or(0, String::len);
    for (name, value) in &event.attributes {
        identifier(&of("attribute name"), name, 255)?;
        if !names.insert(name) {
            return Err(malformed(
                of("attributes"),
                format!("{name:?} occurs twice"),
            ));
        }
        size += name.len();
        size += match value {
            AttributeValue::Text(text) => text.len(),
            _ => 4,
        };
    }
    bytes(
        format!("event {:?}", event.id),
        size,
        limits.event_max_bytes,
    )
}

fn key(key: &str) -> Result<(), LimitError> {
    bytes("a key", key.len(), Limits::default().key_max_bytes)
}

pub(super) fn crossing(crossing: &Crossing) -> Result<(), LimitError> {
    if crossing.cursors.is_empty() && crossing.resolved.is_empty() {
        return Err(malformed("the crossing", "it does nothing"));
    }
    let mut cursors = HashSet::new();
    for one in &crossing.cursors {
        if one.to <= one.expected || !cursors.insert(&one.cursor) {
            return Err(malformed(
                "the crossing",
                "a cursor moves once, and further",
            ));
        }
    }
    for event in &crossing.public {
        key(&event.key)?;
    }
    for entry in &crossing.parked {
        key(&entry.key)?;
        let passed = |at| {
            crossing
                .cursors
                .iter()
                .any(|one| at > one.expected.get() && at <= one.to.get())
        };
        if !matches!(entry.scope, ParkScope::Crossing(_)) || !passed(entry.at) {
            return Err(malformed("a parked entry", "no cursor passes it"));
        }
    }
    for entry in &crossing.resolved {
        key(&entry.key)?;
        let ParkScope::Crossing(stream) = &entry.scope else {
            return Err(malformed("a parked entry", "it is of a relay"));
        };
        let made = crossing
            .public
            .iter()
            .any(|event| event.stream == *stream && event.origin.get() == entry.at);
        let fits = match entry.outcome {
            ParkOutcome::Crossed => made,
            ParkOutcome::Filtered | ParkOutcome::Skipped { .. } => !made,
            ParkOutcome::Confirmed | ParkOutcome::Unheard => false,
        };
        if !fits {
            return Err(malformed("a parked entry", "it cannot leave like this"));
        }
    }
    Ok(())
}

pub(super) fn settlement(settlement: &Settlement) -> Result<(), LimitError> {
    let passed = |at: u64| at > settlement.expected.get() && at <= settlement.to.get();
    let scope = ParkScope::Relay(settlement.relay.clone());
    let parked = |entry: &NewParked| entry.scope == scope && passed(entry.at);
    let unheard: Vec<_> = settlement.unheard.iter().map(|at| at.get()).collect();
    let mut named: Vec<_> = settlement
        .parked
        .iter()
        .map(|entry| entry.at)
        .chain(unheard.iter().copied())
        .collect();
    named.sort();
    let fits = settlement.to > settlement.expected
        && unheard.is_sorted_by(|one, next| one < next)
        && unheard.iter().all(|at| passed(*at))
        && settlement.parked.iter().all(parked)
        && named.is_sorted_by(|one, next| one < next);
    if fits {
        return Ok(());
    }
    Err(malformed("the settlement", "it cannot be"))
}

pub(super) fn resolving(relay: &RelayName, resolved: &[ResolvedParked]) -> Result<(), LimitError> {
    let scope = ParkScope::Relay(relay.clone());
    for entry in resolved {
        key(&entry.key)?;
        let crossing = matches!(entry.outcome, ParkOutcome::Crossed | ParkOutcome::Filtered);
        if entry.scope != scope || crossing {
            return Err(malformed("a parked entry", "it cannot leave like this"));
        }
    }
    Ok(())
}

/// A reason as it is kept.
pub(super) fn cut(reason: &str) -> String {
    let end = (0..=reason.len().min(4_096))
        .rev()
        .find(|end| reason.is_char_boundary(*end));
    reason[..end.unwrap_or_default()].to_owned()
}
