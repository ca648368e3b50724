//! Why an append was not done, as problems.

use axum::http::StatusCode;
use horizon_store::{
    AppendError, EventState, Expected, LimitError, Position, Revision, StoreError, StreamName,
};
use serde_json::{Value, json};

use super::etag::{ANOTHER_EPOCH, FOREIGN, wrong_epoch};
use super::problem::Problem;
use crate::access::{Caller, Scope, Verb};
use crate::intake::{Refused, RefusedKind};

/// Which status tells a caller that an expectation did not hold: it depends on where the expectation stood.
#[derive(Clone, Copy)]
pub(super) enum ExpectationFrom {
    Header,
    Body,
    /// It was not given, and had to be.
    Nowhere,
}

pub(super) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        "the request is not understood",
    )
    .detail(detail)
}

/// A body that cannot be read: no JSON, or JSON of another shape.
pub(super) fn unreadable(error: &serde_json::Error) -> Problem {
    malformed(match error.is_data() {
        true => error.to_string(),
        false => format!("the body is no JSON: {error}"),
    })
}

pub(super) fn not_json(error: &serde_json::Error) -> Problem {
    unreadable(error).mend("send one event as a JSON object, an array of at most 1,000 events, or an object with `events` and what is expected")
}

pub(super) fn refusal(refused: Refused, index: usize) -> Problem {
    let (status, name, title) = match refused.kind {
        RefusedKind::Malformed => (
            StatusCode::BAD_REQUEST,
            "malformed-event",
            "this is not an event",
        ),
        RefusedKind::NoSchema => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "no-schema",
            "the event's type has no private schema",
        ),
        RefusedKind::Schema => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "schema",
            "the event's private schema refuses it",
        ),
    };
    let told: Vec<String> = refused.mistakes.iter().map(ToString::to_string).collect();
    let errors: Vec<Value> = refused
        .mistakes
        .iter()
        .map(
            |mistake| json!({"event": index, "pointer": mistake.pointer, "reason": mistake.reason}),
        )
        .collect();
    Problem::new(status, name, title)
        .detail(told.join("; "))
        .mend(refused.mend)
        .with("event", index)
        .with("errors", errors)
}

/// When a request that was refused for want of room may be sent again, in seconds.
const DISK_LOW_RETRY_SECONDS: u32 = 10;

/// The store cannot take or give anything now.
pub(super) fn unavailable(error: StoreError) -> Problem {
    if let StoreError::DiskLow {
        free_bytes,
        mark_bytes,
        ..
    } = error
    {
        // The store logs when this begins and when it ends.
        return Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk-low",
            "the store's disk is low on space",
        )
        .detail(error.to_string())
        .mend("send it again later: it is taken again as soon as the disk has room; nothing of this request was stored")
        .with("freeBytes", free_bytes)
        .with("neededBytes", mark_bytes)
        .retry_after(DISK_LOW_RETRY_SECONDS);
    }
    tracing::error!(%error, "the store does not serve");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store-unavailable",
        "the store does not serve",
    )
    .detail(error.to_string())
    .mend("see the daemon's log; nothing of this request was answered as stored")
}

/// `from` tells where the expectation of a stream stood.
pub(super) fn append_problem(
    error: AppendError,
    caller: &Caller,
    from: impl Fn(&StreamName) -> ExpectationFrom,
) -> Problem {
    match error {
        AppendError::WrongRevision {
            stream,
            expected,
            actual,
        } => wrong_revision(from(&stream), &stream, expected, actual),
        AppendError::IdConflict { events } => {
            let states: Vec<Value> = events
                .iter()
                .map(|state| event_state(state, caller))
                .collect();
            Problem::new(StatusCode::CONFLICT, "id-conflict", "an id was used before")
                .detail("at least one of the events has the source and id of a stored event, and this is no repeat of a whole commit")
                .mend("give new events new ids; leave out those that are stored already")
                .with("events", states)
        }
        AppendError::Limit(error @ LimitError::Malformed { .. }) => {
            malformed(error.to_string()).mend("mend what it names, and send the commit again")
        }
        AppendError::Limit(error) => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "limit",
            "the commit is over a limit",
        )
        .detail(error.to_string())
        .mend("send smaller events, or fewer at a time"),
        AppendError::Unavailable(error) => unavailable(error),
    }
}

fn wrong_revision(
    from: ExpectationFrom,
    stream: &StreamName,
    expected: Expected,
    actual: Revision,
) -> Problem {
    let status = match from {
        ExpectationFrom::Nowhere => return nothing_expected(stream),
        ExpectationFrom::Header if expected == ANOTHER_EPOCH => return wrong_epoch(),
        ExpectationFrom::Header => StatusCode::PRECONDITION_FAILED,
        ExpectationFrom::Body => StatusCode::CONFLICT,
    };
    Problem::new(
        status,
        "wrong-expected-revision",
        "the stream is not at the expected revision",
    )
    .detail(format!(
        "{stream} is at revision {actual}; expected was {}",
        expected_words(expected)
    ))
    .mend("read the stream again, decide anew, and append with its present revision")
    .with("stream", stream.as_str())
    .with("actual", actual.get())
}

/// 428: RFC 6585, section 3.
fn nothing_expected(stream: &StreamName) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "expectation-required",
        "it must be said what is expected of the stream",
    )
    .detail(format!(
        "appends to the category `{}` must say what they expect of the stream (categories.{}.expected_revision)",
        stream.category(),
        stream.category()
    ))
    .mend("read the stream, decide, and append with its ETag in `If-Match`, or with `If-None-Match: *` if there is none; or say in the body what is expected, if need be \"any\"")
    .with("stream", stream.as_str())
}

/// Two events of a request are one.
pub(super) fn id_twice(index: usize, id: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "id-conflict", "an id was used before")
        .detail(format!(
            "the source and id of event {id:?} are in the request twice"
        ))
        .mend("send each event once; give new events new ids")
        .with("event", index)
}

pub(super) fn expected_words(expected: Expected) -> String {
    match expected {
        FOREIGN => "an ETag that this daemon never gave".to_owned(),
        Expected::Exact(revision) => revision.to_string(),
        Expected::None => "that it does not exist".to_owned(),
        Expected::Exists => "that it exists".to_owned(),
        Expected::Any => "any".to_owned(),
    }
}

/// What is known of an event; where another one of its id is, only to those who may read that one's category.
fn event_state(state: &EventState, caller: &Caller) -> Value {
    let told = |word: &str, stream: &StreamName, revision: Revision, position: Position| {
        match caller.is_granted(Verb::Read, Scope::Category(stream.category())) {
            true => {
                json!({"state": word, "stream": stream.as_str(), "revision": revision.get(), "position": position.get()})
            }
            false => json!({"state": word}),
        }
    };
    match state {
        EventState::New => json!({"state": "new"}),
        EventState::Stored {
            position,
            stream,
            revision,
        } => told("stored", stream, *revision, *position),
        EventState::Different {
            position,
            stream,
            revision,
        } => told("different", stream, *revision, *position),
    }
}
