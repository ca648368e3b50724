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

/// What the request's headers expect, if they say anything. `epoch_of` is a position of the log's present epoch.
pub(crate) fn expectation(
    headers: &HeaderMap,
    epoch_of: Position,
) -> Result<Option<Expected>, Problem> {
    let if_match = single(headers, header::IF_MATCH)?;
    let if_none_match = single(headers, header::IF_NONE_MATCH)?;
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (Some("*"), None) => Ok(Some(Expected::Exists)),
        (None, Some("*")) => Ok(Some(Expected::None)),
        (Some(tag), None) => exact(tag, epoch_of).map(Some),
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

fn exact(tag: &str, epoch_of: Position) -> Result<Expected, Problem> {
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
        Some((epoch, revision)) if epoch == epoch_of.epoch() => {
            Ok(Expected::Exact(Revision::new(revision)))
        }
        Some(_) => Ok(ANOTHER_EPOCH),
        None if is_entity_tag(tag) => Ok(FOREIGN),
        None => Err(malformed(
            "If-Match holds no ETag",
            "send back the ETag of the stream's last answer as it came, quotes included",
        )),
    }
}

/// Whether a text is one entity tag (RFC 9110, section 8.8.3). A weak one never matches.
fn is_entity_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let opaque = opaque
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    opaque.is_some_and(|text| text.bytes().all(|byte| byte > b' ' && byte != b'"'))
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

fn single(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(malformed(&format!("{name} is there twice"), "send it once"));
    }
    first
        .map(|value| {
            value
                .to_str()
                .map(str::trim)
                .map_err(|_| malformed(&format!("{name} is not text"), "send an ETag or `*`"))
        })
        .transpose()
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
