//! What is done to a call before it waits for the writer: limits are checked, digests and encodings made.
//!
//! Nothing here reads what is stored; whatever is refused here would be refused at any time.

mod commit;
mod crossing;

use bytes::Bytes;

use crate::commit::Expected;
use crate::digest::Secrets;
use crate::epoch;
use crate::index::run::Tail;
use crate::keys::{IdDigest, KeyDigest};
use crate::limits::{LimitError, Limits};
use crate::names::{RelayName, StreamName};
use crate::parked::{NewParked, ParkOutcome, ResolvedParked};
use crate::public::Crossing;
use crate::relay::Settlement;
use crate::state::{ContentDigest, IdEntry};

pub(crate) use commit::commit;
pub(crate) use crossing::{crossing, resolving, settlement};

/// Longest reason of a parked entry, in bytes; a longer one is cut.
const REASON_MAX_BYTES: usize = 4_096;
/// Bytes counted for what a record holds besides its content.
const RECORD_OVERHEAD_BYTES: usize = 256;

/// A commit, checked and encoded.
pub(crate) struct PreparedCommit {
    pub(crate) writes: Vec<PreparedWrite>,
    pub(crate) events: u32,
    pub(crate) bytes: usize,
    /// The last batch that its caller has seen for sure when it looked up what the commit rests on; none if nothing was looked up:
    /// the writer does it.
    pub(crate) looked_up: Option<u64>,
}

impl PreparedCommit {
    pub(crate) fn events(&self) -> impl Iterator<Item = &PreparedEvent> {
        self.writes.iter().flat_map(|write| &write.events)
    }

    pub(crate) fn events_mut(&mut self) -> impl Iterator<Item = &mut PreparedEvent> {
        let writes = self.writes.iter_mut();
        writes.flat_map(|write| &mut write.events)
    }
}

pub(crate) struct PreparedWrite {
    pub(crate) stream: StreamName,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<PreparedEvent>,
    /// The stream's end, if it was looked up and the stream exists.
    pub(crate) tail: Option<Tail>,
}

pub(crate) struct PreparedEvent {
    pub(crate) identity: IdDigest,
    pub(crate) content_digest: ContentDigest,
    pub(crate) event_type: String,
    pub(crate) content: Vec<u8>,
    pub(crate) flagged: bool,
    /// What the log has under the identity, if it was looked up and there is something.
    pub(crate) stored: Option<IdEntry>,
}

/// A parked entry with its key's digest and its reason cut to size.
pub(crate) struct PreparedParked {
    pub(crate) entry: NewParked,
    pub(crate) digest: KeyDigest,
}

/// A parked entry that leaves, with its key's digest and its reason cut to size.
pub(crate) struct PreparedResolved {
    pub(crate) entry: ResolvedParked,
    pub(crate) digest: KeyDigest,
}

/// Parked entries that leave a relay.
pub(crate) struct PreparedResolving {
    pub(crate) relay: RelayName,
    pub(crate) resolved: Vec<PreparedResolved>,
    pub(crate) bytes: usize,
}

pub(crate) struct PreparedCrossing {
    pub(crate) crossing: Crossing,
    /// One for each public event.
    pub(crate) keys: Vec<KeyDigest>,
    pub(crate) parked: Vec<PreparedParked>,
    pub(crate) resolved: Vec<PreparedResolved>,
    pub(crate) bytes: usize,
}

pub(crate) struct PreparedSettlement {
    pub(crate) settlement: Settlement,
    pub(crate) parked: Vec<PreparedParked>,
    pub(crate) bytes: usize,
}

/// A text that is not empty, not too long and has no control characters.
fn identifier(
    what: impl FnOnce() -> String,
    text: &str,
    limit_bytes: usize,
) -> Result<(), LimitError> {
    if text.is_empty() {
        return Err(LimitError::malformed(what(), "it must not be empty"));
    }
    if text.len() > limit_bytes {
        return LimitError::check_bytes(what, text.len(), limit_bytes);
    }
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(LimitError::malformed(
            what(),
            format!(
                "it has the control character U+{:04X}; none is allowed",
                u32::from(c)
            ),
        )),
    }
}

/// A system record's kind and body.
pub(crate) fn system(kind: &str, body: &Bytes, limits: &Limits) -> Result<(), LimitError> {
    identifier(|| "the kind of a system record".into(), kind, 255)?;
    if kind == epoch::KIND {
        return Err(LimitError::malformed(
            "the kind of a system record",
            "the store itself writes records of this kind",
        ));
    }
    LimitError::check_bytes(
        || "the body of a system record".into(),
        body.len(),
        limits.system_max_bytes,
    )
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

fn prepare_resolved(
    entries: Vec<ResolvedParked>,
    limits: &Limits,
    secrets: &Secrets,
    fits: impl Fn(&ResolvedParked) -> Result<(), &'static str>,
) -> Result<Vec<PreparedResolved>, LimitError> {
    let mut resolved = Vec::with_capacity(entries.len());
    for mut entry in entries {
        LimitError::check_bytes(
            || "the key of a parked entry".into(),
            entry.key.len(),
            limits.key_max_bytes,
        )?;
        fits(&entry).map_err(|reason| {
            LimitError::malformed(
                format!("the parked entry at {} in {}", entry.at, entry.scope),
                reason,
            )
        })?;
        if let ParkOutcome::Skipped { reason } = &mut entry.outcome {
            cut(reason, REASON_MAX_BYTES);
        }
        resolved.push(PreparedResolved {
            digest: secrets.key(&entry.key),
            entry,
        });
    }
    Ok(resolved)
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

fn resolved_bytes(resolved: &[PreparedResolved]) -> usize {
    let reason = |outcome: &ParkOutcome| match outcome {
        ParkOutcome::Skipped { reason } => reason.len(),
        _ => 0,
    };
    resolved
        .iter()
        .map(|resolved| RECORD_OVERHEAD_BYTES + reason(&resolved.entry.outcome))
        .sum()
}
