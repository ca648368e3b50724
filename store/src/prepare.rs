//! What is done to a call before it waits for the writer: limits are checked, digests and encodings made.
//!
//! Nothing here reads what is stored; whatever is refused here would be refused at any time.

use std::collections::HashSet;

use bytes::Bytes;

use crate::commit::{Commit, Expected, StreamWrite};
use crate::digest::Secrets;
use crate::event::{AttributeValue, NewEvent};
use crate::keys::{IdDigest, KeyDigest};
use crate::limits::{LimitError, Limits};
use crate::names::StreamName;
use crate::parked::{NewParked, ParkScope};
use crate::public::{Crossing, CursorMove, NewPublicEvent};
use crate::record;
use crate::relay::Settlement;
use crate::state::ContentDigest;

/// Longest reason of a parked entry, in bytes; a longer one is cut.
const REASON_MAX_BYTES: usize = 4_096;
/// Longest version, type, name or id of a public event, in bytes.
const PUBLIC_TEXT_MAX_BYTES: usize = 1_024;
/// Longest name of an attribute, in bytes.
const ATTRIBUTE_NAME_MAX_BYTES: usize = 255;
/// Bytes counted for what a record holds besides its content.
const RECORD_OVERHEAD_BYTES: usize = 256;

/// A commit, checked and encoded.
pub(crate) struct PreparedCommit {
    pub(crate) writes: Vec<PreparedWrite>,
    pub(crate) events: u32,
    pub(crate) bytes: usize,
}

pub(crate) struct PreparedWrite {
    pub(crate) stream: StreamName,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<PreparedEvent>,
}

pub(crate) struct PreparedEvent {
    pub(crate) identity: IdDigest,
    pub(crate) content_digest: ContentDigest,
    pub(crate) event_type: String,
    pub(crate) content: Vec<u8>,
}

/// A parked entry with its key's digest and its reason cut to size.
pub(crate) struct PreparedParked {
    pub(crate) entry: NewParked,
    pub(crate) digest: KeyDigest,
}

pub(crate) struct PreparedCrossing {
    pub(crate) crossing: Crossing,
    /// One for each public event.
    pub(crate) keys: Vec<KeyDigest>,
    pub(crate) parked: Vec<PreparedParked>,
    pub(crate) bytes: usize,
}

pub(crate) struct PreparedSettlement {
    pub(crate) settlement: Settlement,
    pub(crate) parked: Vec<PreparedParked>,
    pub(crate) bytes: usize,
}

pub(crate) fn commit(
    commit: Commit,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedCommit, LimitError> {
    let events = commit
        .writes
        .iter()
        .map(|write| write.events.len())
        .fold(0, usize::saturating_add);
    if events == 0 {
        return Err(LimitError::malformed(
            "the commit",
            "it has no event; at least one is needed",
        ));
    }
    LimitError::check_count(
        || "the events of the commit".into(),
        events,
        limits.commit_max_events,
    )?;
    LimitError::check_count(
        || "the writes of the commit".into(),
        commit.writes.len(),
        limits.commit_max_events,
    )?;
    let mut identities = HashSet::with_capacity(events);
    let mut bytes = 0_usize;
    let mut writes = Vec::with_capacity(commit.writes.len());
    for StreamWrite {
        stream,
        expected,
        events,
    } in commit.writes
    {
        let mut prepared = Vec::with_capacity(events.len());
        for new in events {
            let event = event(&stream, &new, limits, secrets)?;
            if !identities.insert(event.identity) {
                return Err(LimitError::malformed(
                    format!("event {:?}", new.id),
                    "its id and source occur twice in the commit",
                ));
            }
            bytes = bytes.saturating_add(event.content.len() + RECORD_OVERHEAD_BYTES);
            LimitError::check_bytes(|| "the commit".into(), bytes, limits.commit_max_bytes)?;
            prepared.push(event);
        }
        writes.push(PreparedWrite {
            stream,
            expected,
            events: prepared,
        });
    }
    let events = u32::try_from(events)
        .map_err(|_| LimitError::malformed("the commit", "it has over 4,294,967,295 events"))?;
    Ok(PreparedCommit {
        writes,
        events,
        bytes: bytes + RECORD_OVERHEAD_BYTES,
    })
}

fn event(
    stream: &StreamName,
    event: &NewEvent,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedEvent, LimitError> {
    let source = event.source.as_deref().unwrap_or(stream.as_str());
    identifier("the id of an event", &event.id, limits.id_max_bytes)?;
    let of = |what: &str| format!("the {what} of event {:?}", event.id);
    identifier(
        &of("source"),
        source,
        limits.source_max_bytes.max(stream.as_str().len()),
    )?;
    identifier(&of("type"), &event.event_type, limits.type_max_bytes)?;
    LimitError::check_count(
        || of("attributes"),
        event.attributes.len(),
        limits.event_max_attributes,
    )?;
    let mut names = HashSet::with_capacity(event.attributes.len());
    let mut size = event.data.as_ref().map_or(0, Bytes::len)
        + event.media_type.as_ref().map_or(0, String::len);
    for (name, value) in &event.attributes {
        identifier(&of("attribute name"), name, ATTRIBUTE_NAME_MAX_BYTES)?;
        if !names.insert(name.as_str()) {
            return Err(LimitError::malformed(
                of("attributes"),
                format!("{name:?} occurs twice"),
            ));
        }
        let value_bytes = if let AttributeValue::Text(text) = value {
            text.len()
        } else {
            4
        };
        size = size.saturating_add(name.len()).saturating_add(value_bytes);
    }
    LimitError::check_bytes(
        || format!("event {:?}", event.id),
        size,
        limits.event_max_bytes,
    )?;
    Ok(PreparedEvent {
        identity: secrets.identity(&event.id, source),
        content_digest: secrets.content(event),
        event_type: event.event_type.clone(),
        content: record::event_content(stream, event),
    })
}

/// A text that is not empty, not too long and has no control characters.
fn identifier(what: &str, text: &str, limit_bytes: usize) -> Result<(), LimitError> {
    if text.is_empty() {
        return Err(LimitError::malformed(what, "it must not be empty"));
    }
    LimitError::check_bytes(|| what.into(), text.len(), limit_bytes)?;
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(LimitError::malformed(
            what,
            format!(
                "it has the control character U+{:04X}; none is allowed",
                u32::from(c)
            ),
        )),
    }
}

/// A system record's kind and body.
pub(crate) fn system(kind: &str, body: &Bytes, limits: &Limits) -> Result<(), LimitError> {
    identifier("the kind of a system record", kind, 255)?;
    LimitError::check_bytes(
        || "the body of a system record".into(),
        body.len(),
        limits.system_max_bytes,
    )
}

pub(crate) fn crossing(
    mut crossing: Crossing,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedCrossing, LimitError> {
    for (what, count) in [
        ("the cursors of the crossing", crossing.cursors.len()),
        ("the public events of the crossing", crossing.public.len()),
        ("the parked entries of the crossing", crossing.parked.len()),
        ("the counts of the crossing", crossing.counts.len()),
    ] {
        LimitError::check_count(|| what.into(), count, limits.crossing_max_entries)?;
    }
    check_moves(&crossing.cursors)?;
    let mut bytes = RECORD_OVERHEAD_BYTES * crossing.cursors.len();
    let mut keys = Vec::with_capacity(crossing.public.len());
    for event in &crossing.public {
        bytes = bytes.saturating_add(public_event(event, limits)?);
        keys.push(secrets.key_and_type(&event.key, &event.event_type));
    }
    let moves = &crossing.cursors;
    let fits = |entry: &NewParked| {
        let passes = |one: &CursorMove| passes(&(one.expected.get()..one.to.get()), entry.at);
        matches!(entry.scope, ParkScope::Crossing(_)) && moves.iter().any(passes)
    };
    let parked = prepare_parked(std::mem::take(&mut crossing.parked), limits, secrets, fits)?;
    bytes = bytes.saturating_add(parked_bytes(&parked));
    LimitError::check_bytes(|| "the crossing".into(), bytes, limits.crossing_max_bytes)?;
    Ok(PreparedCrossing {
        crossing,
        keys,
        parked,
        bytes,
    })
}

/// Each cursor moves once, and further.
fn check_moves(moves: &[CursorMove]) -> Result<(), LimitError> {
    if moves.is_empty() {
        return Err(LimitError::malformed(
            "the crossing",
            "it moves no cursor; at least one is needed",
        ));
    }
    let mut cursors = HashSet::with_capacity(moves.len());
    for CursorMove {
        cursor,
        expected,
        to,
    } in moves
    {
        let what = || format!("cursor {cursor}");
        if to <= expected {
            let reason = format!("it must move further than {expected}, not to {to}");
            return Err(LimitError::malformed(what(), reason));
        }
        if !cursors.insert(cursor) {
            return Err(LimitError::malformed(
                what(),
                "it moves twice in the crossing",
            ));
        }
    }
    Ok(())
}

fn public_event(event: &NewPublicEvent, limits: &Limits) -> Result<usize, LimitError> {
    let of = |what: &str| {
        format!(
            "the {what} of public event {} of {}",
            event.sequence, event.stream
        )
    };
    for (what, text) in [
        ("contract version", &event.contract_version),
        ("type", &event.event_type),
        ("name", &event.name),
        ("id", &event.id),
    ] {
        LimitError::check_bytes(|| of(what), text.len(), PUBLIC_TEXT_MAX_BYTES)?;
    }
    LimitError::check_bytes(|| of("key"), event.key.len(), limits.key_max_bytes)?;
    Ok(event.event.len()
        + event.key.len()
        + event.id.len()
        + event.event_type.len()
        + RECORD_OVERHEAD_BYTES)
}

pub(crate) fn settlement(
    mut settlement: Settlement,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedSettlement, LimitError> {
    if settlement.to <= settlement.expected {
        return Err(LimitError::malformed(
            "the settlement",
            format!(
                "its cursor must move further than {}, not to {}",
                settlement.expected, settlement.to
            ),
        ));
    }
    for (what, count) in [
        (
            "the unheard events of the settlement",
            settlement.unheard.len(),
        ),
        (
            "the parked entries of the settlement",
            settlement.parked.len(),
        ),
    ] {
        LimitError::check_count(|| what.into(), count, limits.settlement_max_entries)?;
    }
    let passed = settlement.expected.get()..settlement.to.get();
    let unheard: Vec<u64> = settlement
        .unheard
        .iter()
        .map(|sequence| sequence.get())
        .collect();
    let ascending = unheard.is_sorted_by(|one, next| one < next);
    if !ascending || unheard.iter().any(|at| !passes(&passed, *at)) {
        return Err(LimitError::malformed(
            "the unheard events of the settlement",
            "they must ascend, and be among those that the cursor passes",
        ));
    }
    let entries = std::mem::take(&mut settlement.parked);
    let relay = ParkScope::Relay(settlement.relay.clone());
    let fits = |entry: &NewParked| entry.scope == relay && passes(&passed, entry.at);
    let mut parked = prepare_parked(entries, limits, secrets, fits)?;
    parked.sort_by_key(|parked| parked.entry.at);
    let distinct = parked.is_sorted_by(|one, next| one.entry.at < next.entry.at);
    if !distinct
        || parked
            .iter()
            .any(|parked| unheard.binary_search(&parked.entry.at).is_ok())
    {
        return Err(LimitError::malformed(
            "the parked entries of the settlement",
            "an event is parked once, and is not unheard as well",
        ));
    }
    let bytes = RECORD_OVERHEAD_BYTES + 10 * unheard.len() + parked_bytes(&parked);
    Ok(PreparedSettlement {
        settlement,
        parked,
        bytes,
    })
}

fn prepare_parked(
    entries: Vec<NewParked>,
    limits: &Limits,
    secrets: &Secrets,
    fits: impl Fn(&NewParked) -> bool,
) -> Result<Vec<PreparedParked>, LimitError> {
    let mut parked = Vec::with_capacity(entries.len());
    for mut entry in entries {
        LimitError::check_bytes(
            || "the key of a parked entry".into(),
            entry.key.len(),
            limits.key_max_bytes,
        )?;
        if !fits(&entry) {
            return Err(LimitError::malformed(
                format!("the parked entry at {}", entry.at),
                "it must be in the scope of a cursor that moves, at a place that the cursor passes",
            ));
        }
        if let Some(reason) = &mut entry.reason {
            cut(reason, REASON_MAX_BYTES);
        }
        parked.push(PreparedParked {
            digest: secrets.key(&entry.key),
            entry,
        });
    }
    Ok(parked)
}

/// Cuts a text to a size, between two characters.
fn cut(text: &mut String, max_bytes: usize) {
    let fits = |end: &usize| text.is_char_boundary(*end);
    if let Some(end) = (0..=max_bytes.min(text.len())).rev().find(fits) {
        text.truncate(end);
    }
}

fn passes(passed: &std::ops::Range<u64>, at: u64) -> bool {
    at > passed.start && at <= passed.end
}

fn parked_bytes(parked: &[PreparedParked]) -> usize {
    parked
        .iter()
        .map(|parked| {
            RECORD_OVERHEAD_BYTES
                + parked.entry.key.len()
                + parked.entry.reason.as_ref().map_or(0, String::len)
        })
        .sum()
}
