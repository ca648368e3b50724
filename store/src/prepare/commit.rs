//! Commits: limits, identities, encodings.

use bytes::Bytes;

use super::{PreparedCommit, PreparedEvent, PreparedWrite, RECORD_OVERHEAD_BYTES, identifier};
use crate::commit::{Commit, StreamWrite};
use crate::digest::Secrets;
use crate::event::{AttributeValue, NewEvent};
use crate::keys::ByDigest;
use crate::limits::{LimitError, Limits};
use crate::names::StreamName;
use crate::record;

/// Longest name of an attribute, in bytes.
const ATTRIBUTE_NAME_MAX_BYTES: usize = 255;

pub(crate) fn commit(
    commit: Commit,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedCommit, LimitError> {
    let count = commit
        .writes
        .iter()
        .map(|write| write.events.len())
        .fold(0, usize::saturating_add);
    if count == 0 {
        return Err(LimitError::malformed(
            "the commit",
            "it has no event; at least one is needed",
        ));
    }
    LimitError::check_count(
        || "the events of the commit".into(),
        count,
        limits.commit_max_events,
    )?;
    LimitError::check_count(
        || "the writes of the commit".into(),
        commit.writes.len(),
        limits.commit_max_events,
    )?;
    let mut identities = ByDigest::default();
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
            if count > 1 && identities.insert(event.identity, ()).is_some() {
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
            tail: None,
        });
    }
    let events = u32::try_from(count)
        .map_err(|_| LimitError::malformed("the commit", "it has over 4,294,967,295 events"))?;
    Ok(PreparedCommit {
        writes,
        events,
        bytes: bytes + RECORD_OVERHEAD_BYTES,
        looked_up: None,
    })
}

fn event(
    stream: &StreamName,
    event: &NewEvent,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedEvent, LimitError> {
    let source = event.source.as_deref().unwrap_or(stream.as_str());
    identifier(
        || "the id of an event".into(),
        &event.id,
        limits.id_max_bytes,
    )?;
    let of = |what: &str| format!("the {what} of event {:?}", event.id);
    identifier(
        || of("source"),
        source,
        limits.source_max_bytes.max(stream.as_str().len()),
    )?;
    identifier(|| of("type"), &event.event_type, limits.type_max_bytes)?;
    LimitError::check_count(
        || of("attributes"),
        event.attributes.len(),
        limits.event_max_attributes,
    )?;
    let mut size = event.data.as_ref().map_or(0, Bytes::len)
        + event.media_type.as_ref().map_or(0, String::len);
    for (index, (name, value)) in event.attributes.iter().enumerate() {
        identifier(|| of("attribute name"), name, ATTRIBUTE_NAME_MAX_BYTES)?;
        // They are few: the limit is above.
        let mut before = event.attributes.iter().take(index);
        if before.any(|(known, _)| known == name) {
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
        flagged: event.flagged,
        stored: None,
    })
}
