//! What an append is answered with.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use horizon_store::{Committed, Position, Revision, StreamName};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::json_answer;
use super::door::Told;
use super::etag::etag;
use crate::told::Unfit;

/// What became of an append to one stream.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamAppended {
    stream: String,
    /// The revision of its first event.
    first_revision: u64,
    /// The revision of its last event: the stream's, if nobody has appended since.
    revision: u64,
    first_position: u64,
    position: u64,
    /// It was there already; the places are those of the first time.
    repeat: bool,
    /// How many events were recorded although they do not fit their private schema; absent if none was, and of a repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    flagged: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_flagged: Option<FirstFlagged>,
}

/// What became of a commit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitAppended {
    first_position: u64,
    position: u64,
    /// It was there already; the places are those of the first time.
    repeat: bool,
    /// Runs of events of one stream, in the order of the commit.
    streams: Vec<Run>,
    /// How many events were recorded although they do not fit their private schema; absent if none was, and of a repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    flagged: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_flagged: Option<FirstFlagged>,
}

/// A run of events of one stream in a commit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    stream: String,
    first_revision: u64,
    revision: u64,
}

/// The first event of a request that was flagged.
#[derive(Serialize, ToSchema)]
pub(super) struct FirstFlagged {
    /// Its place in the request, from 0.
    pub(super) event: usize,
    pub(super) errors: Vec<Unfit>,
}

/// 201 for what is new, 200 for a repeat; the same body either way.
fn status(committed: &Committed) -> StatusCode {
    if committed.repeat {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}

/// The answer to an append to one stream. `epoch_of` is a position of the log's present epoch: a repeat may be of an earlier one.
pub(super) fn of_stream(
    stream: &StreamName,
    committed: &Committed,
    epoch_of: Position,
    told: Told,
) -> Response {
    let write = committed.streams.last();
    let first = write.map_or(Revision::ZERO, |write| write.first_revision);
    let last = write.map_or(Revision::ZERO, |write| write.last_revision);
    let body = StreamAppended {
        stream: stream.as_str().to_owned(),
        first_revision: first.get(),
        revision: last.get(),
        first_position: committed.first_position.get(),
        position: committed.last_position.get(),
        repeat: committed.repeat,
        flagged: told.count,
        first_flagged: told.first,
    };
    let mut response = (status(committed), json_answer(&body)).into_response();
    let location = super::read::stream_address(stream, first);
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(etag(epoch_of, last)).map(|value| (header::ETAG, value)));
    headers.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
    response
}

/// The answer to a commit.
pub(super) fn of_commit(committed: &Committed, told: Told) -> Response {
    let with_events = committed
        .streams
        .iter()
        .filter(|write| write.last_revision > Revision::ZERO);
    let run = |write: &horizon_store::CommittedWrite| Run {
        stream: write.stream.as_str().to_owned(),
        first_revision: write.first_revision.get(),
        revision: write.last_revision.get(),
    };
    let body = CommitAppended {
        first_position: committed.first_position.get(),
        position: committed.last_position.get(),
        repeat: committed.repeat,
        streams: with_events.map(run).collect(),
        flagged: told.count,
        first_flagged: told.first,
    };
    (status(committed), json_answer(&body)).into_response()
}
