//! Revisions as entity tags, and the preconditions that carry them (RFC 9110, section 13.1).
//!
//! An ETag is opaque to clients; inside it are the log's epoch and the stream's revision, so that a tag from before a restore
//! does not match after it. A commit that is stored already is a repeat even so: the store tells that before it looks at
//! any expectation, and an expectation from another epoch is one that cannot hold.

use axum::http::{HeaderMap, header};
use horizon_store::{Expected, Position, Revision};

use super::problem::Problem;
use axum::http::StatusCode;

/// What is expected of a stream by a tag of another epoch: no stream is ever at this revision.
pub(super) const ANOTHER_EPOCH: Expected = Expected::Exact(Revision::new(u64::MAX));

/// What is expected of a stream by a tag that this daemon never gave: no stream is ever at this revision either.
pub(super) const FOREIGN: Expected = Expected::Exact(Revision::new(u64::MAX - 1));

/// What is expected of a stream where something must be expected and nothing was: as it never holds, only a repeat is answered.
pub(super) const NEVER: Expected = ANOTHER_EPOCH;

/// The entity tag of a stream whose last event is at `revision`, in the epoch of `position`.
pub(crate) fn etag(position: Position, revision: Revision) -> String {
    format!("\"{}-{}\"", position.epoch(), revision.get())
}

/// What the headers of a request expect of a stream: this, or that it is at one of the other revisions.
pub(crate) struct ByHeader {
    pub(crate) expected: Expected,
    pub(crate) or_at: Vec<Revision>,
}

impl ByHeader {
    fn only(expected: Expected) -> ByHeader {
        let or_at = Vec::new();
        ByHeader { expected, or_at }
    }
}

/// What the request's headers expect, if they say anything. `epoch_of` is a position of the log's present epoch.
pub(crate) fn expectation(
    headers: &HeaderMap,
    epoch_of: Position,
) -> Result<Option<ByHeader>, Problem> {
    let if_match = whole(headers, header::IF_MATCH)?;
    let if_none_match = whole(headers, header::IF_NONE_MATCH)?;
    match (if_match.as_deref(), if_none_match.as_deref()) {
        (None, None) => Ok(None),
        (Some("*"), None) => Ok(Some(ByHeader::only(Expected::Exists))),
        (None, Some("*")) => Ok(Some(ByHeader::only(Expected::None))),
        (Some(list), None) => any_of(list, epoch_of).map(Some),
        (None, Some(_)) => Err(malformed(
            "If-None-Match is understood as `*` only",
            "send `If-None-Match: *` for a stream that must not exist",
        )),
        (Some(_), Some(_)) => Err(malformed(
            "If-Match and If-None-Match contradict each other",
            "send one of them",
        )),
    }
}

/// What a tag means to this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Here(Revision),
    AnotherEpoch,
    Foreign,
}

/// A list of tags, of which any may match. Where none can, it is told why not the nearest one.
fn any_of(list: &str, epoch_of: Position) -> Result<ByHeader, Problem> {
    let tags = tags(list).ok_or_else(|| {
        malformed(
            "If-Match holds no ETag, or something beside ETags",
            "send back the ETag of the stream's last answer as it came, quotes included; several are parted by commas",
        )
    })?;
    let mut meanings: Vec<Meaning> = tags.iter().map(|tag| meaning(tag, epoch_of)).collect();
    meanings.sort_unstable();
    meanings.dedup();
    let here = |meaning: &Meaning| match meaning {
        Meaning::Here(revision) => Some(*revision),
        Meaning::AnotherEpoch | Meaning::Foreign => None,
    };
    let mut here = meanings.iter().filter_map(here);
    let expected = match (here.next(), meanings.first()) {
        (Some(revision), _) => Expected::Exact(revision),
        (None, Some(Meaning::AnotherEpoch)) => ANOTHER_EPOCH,
        (None, _) => FOREIGN,
    };
    let or_at = here.collect();
    Ok(ByHeader { expected, or_at })
}

/// What one tag means. A weak one never matches (RFC 9110, section 13.1.1).
fn meaning(tag: &str, epoch_of: Position) -> Meaning {
    let parsed = tag
        .strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        // A tag of another form than plain JSON has that form's mark behind it.
        .map(|tag| tag.split_once('.').map_or(tag, |(tag, _)| tag))
        .and_then(|tag| tag.split_once('-'))
        .and_then(|(epoch, revision)| {
            Some((epoch.parse::<u64>().ok()?, revision.parse::<u64>().ok()?))
        });
    match parsed {
        // No stream that exists is at revision 0.
        Some((_, 0)) => Meaning::Foreign,
        Some((epoch, revision)) if epoch == epoch_of.epoch() => {
            Meaning::Here(Revision::new(revision))
        }
        Some(_) => Meaning::AnotherEpoch,
        None => Meaning::Foreign,
    }
}

/// The entity tags of a list (RFC 9110, sections 5.6.1 and 8.8.3); none if it is none, or holds none. There may be commas within tags.
fn tags(list: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let weak = if rest.starts_with("W/") { 2 } else { 0 };
        let opaque = rest.get(weak..)?.strip_prefix('"')?;
        let end = opaque.find('"')?;
        if !opaque.bytes().take(end).all(|byte| byte > b' ') {
            return None;
        }
        let (tag, after) = rest.split_at_checked(weak + end + 2)?;
        tags.push(tag);
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    (!tags.is_empty()).then_some(tags)
}

/// What is answered where a tag of another epoch was expected to hold.
pub(super) fn wrong_epoch() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "wrong-epoch",
        "the store was restored since this ETag was given",
    )
    .mend("read the stream again and decide on what is there now")
}

/// A header's value; lines of the same name are one list (RFC 9110, section 5.3).
fn whole(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<String>, Problem> {
    let lines: Result<Vec<&str>, _> = headers
        .get_all(&name)
        .iter()
        .map(|line| line.to_str())
        .collect();
    let lines =
        lines.map_err(|_| malformed(&format!("{name} is not text"), "send an ETag or `*`"))?;
    let is_there = !lines.is_empty();
    Ok(is_there.then(|| lines.join(",").trim().to_owned()))
}

fn malformed(detail: &str, mend: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-precondition",
        "the precondition is not understood",
    )
    .detail(detail)
    .mend(mend)
}
