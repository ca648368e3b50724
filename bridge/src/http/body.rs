//! What an append is asked with: addresses, names and bodies, read within their limits.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest as _, Path, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use horizon_schemas::check_json;
use horizon_store::{Expected, Revision, StreamName};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::content::{self, must_be_json};
use super::number::whole;
use super::problem::Problem;
use super::refusals::{malformed, not_json, unreadable};
use crate::intake::{RawEvents, RawObject};

/// What `POST /streams/{stream}` takes besides one event or an array of events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct StreamBody<'a> {
    #[serde(default, rename = "expectedRevision")]
    pub(super) expected_revision: Option<ExpectedRevision>,
    #[serde(borrow)]
    pub(super) events: RawEvents<'a>,
}

/// What `POST /commits` takes: events of several streams in order, and what is expected of streams before the commit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct CommitBody<'a> {
    #[serde(default, rename = "expectedRevisions")]
    pub(super) expected_revisions: Expectations,
    #[serde(borrow)]
    pub(super) events: RawEvents<'a>,
}

/// What is expected of streams, each named once.
#[derive(Default)]
pub(super) struct Expectations {
    pub(super) of: BTreeMap<String, ExpectedRevision>,
    /// A stream that is named twice.
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Expectations {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Expectations;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of streams and what is expected of each")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expectations, A::Error> {
                let mut expectations = Expectations::default();
                while let Some((stream, expected)) = map.next_entry::<String, _>()? {
                    if expectations.of.contains_key(&stream) {
                        expectations.twice.get_or_insert_with(|| stream.clone());
                    }
                    expectations.of.insert(stream, expected);
                }
                Ok(expectations)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A revision, `none`, `exists` or `any`.
pub(super) struct ExpectedRevision(pub(super) Expected);

impl<'de> Deserialize<'de> for ExpectedRevision {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = match Value::deserialize(deserializer)? {
            Value::String(word) if word == "none" => Some(Expected::None),
            Value::String(word) if word == "exists" => Some(Expected::Exists),
            Value::String(word) if word == "any" => Some(Expected::Any),
            Value::Number(number) => {
                whole(&number).map(|number| Expected::Exact(Revision::new(number)))
            }
            _ => None,
        };
        expected.map(ExpectedRevision).ok_or_else(|| {
            serde::de::Error::custom(
                "an expected revision is a whole number, \"none\", \"exists\" or \"any\"",
            )
        })
    }
}

/// Takes the member `stream` out of an event of a commit.
pub(super) fn split_stream(
    mut object: RawObject<'_>,
    index: usize,
) -> Result<(StreamName, RawObject<'_>), Problem> {
    let at = object.0.iter().position(|(name, _)| name == "stream");
    let pointer = format!("/events/{index}/stream");
    let Some(at) = at else {
        return Err(malformed("an event of a commit names no stream")
            .with("pointer", pointer)
            .mend("give each event its `stream`"));
    };
    let (_, raw) = object.0.remove(at);
    let name: String = serde_json::from_str(raw.get()).map_err(|_| {
        malformed("a stream's name must be a string").with("pointer", pointer.clone())
    })?;
    Ok((
        stream_name(&name).map_err(|problem| problem.with("pointer", pointer))?,
        object,
    ))
}

/// The names in an address are texts of any kind: what can be wrong with one is its encoding.
pub(super) fn bad_path(_: PathRejection) -> Problem {
    malformed("a name in the address is no UTF-8")
        .mend("percent-encode names in addresses as UTF-8")
}

/// What stands in the address, percent-decoded.
pub(super) fn path(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    path.map(|Path(text)| text).map_err(bad_path)
}

pub(super) fn stream_name(name: &str) -> Result<StreamName, Problem> {
    StreamName::new(name).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-stream-name", "this cannot be a stream's name")
            .detail(error.to_string())
            .mend("name streams `category-id`, such as `account-576`: 1 to 255 bytes of UTF-8 without control characters")
    })
}

/// Longest time for a body to arrive, in seconds.
const BODY_TIMEOUT_SECONDS: u64 = 30;

/// Reads a JSON body within its limits of bytes and time.
pub(super) async fn body(request: Request, limit_bytes: usize) -> Result<Bytes, Problem> {
    must_be_json(request.headers())?;
    any_body(request, limit_bytes).await
}

/// Bytes of a body from which on other tasks go on elsewhere while it is parsed. For less it is not worth the change of threads.
const LARGE_BODY_BYTES: usize = 64 * 1024;

/// Parses a body, without holding up other tasks where it is large.
pub(super) fn parse<T>(body: &Bytes, parse: impl FnOnce() -> T) -> T {
    match body.len() > LARGE_BODY_BYTES {
        true => tokio::task::block_in_place(parse),
        false => parse(),
    }
}

/// Reads a body within its limits of bytes and time.
pub(super) async fn any_body(request: Request, limit_bytes: usize) -> Result<Bytes, Problem> {
    let is_json = content::is_json(request.headers());
    let read = Bytes::from_request(request, &());
    let Ok(read) = tokio::time::timeout(Duration::from_secs(BODY_TIMEOUT_SECONDS), read).await
    else {
        return Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow-body",
            "the body took too long",
        )
        .detail(format!(
            "it was not there after {BODY_TIMEOUT_SECONDS} seconds"
        )));
    };
    let read = read.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "the body is too large",
            )
            .detail(format!(
                "the limit is {limit_bytes} bytes (http.body_limit_bytes)"
            ))
            .mend("send fewer events at a time, or raise the limit")
        } else {
            malformed("the body could not be read to its end")
        }
    })?;
    if is_json && let Err(error) = parse(&read, || check_json(&read)) {
        return Err(malformed(error.to_string()).mend("rename the member"));
    }
    Ok(read)
}

/// What `POST /commits` takes.
pub(super) fn commit_body(body: &[u8]) -> Result<CommitBody<'_>, Problem> {
    must_be_object(body)?;
    let commit: CommitBody<'_> = serde_json::from_slice(body).map_err(|error| {
        unreadable(&error).mend("send an object with `events`, at most 1,000, each with its `stream`, and `expectedRevisions` by stream if something is expected")
    })?;
    match &commit.expected_revisions.twice {
        None => Ok(commit),
        Some(stream) => Err(malformed(format!(
            "`expectedRevisions` names the stream {stream:?} twice"
        ))
        .with("pointer", pointer(&["expectedRevisions", stream]))
        .mend("name each stream once, with the one revision that you decided on")),
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(names: &[&str]) -> String {
    let escaped = names
        .iter()
        .map(|name| name.replace('~', "~0").replace('/', "~1"));
    escaped.fold(String::new(), |pointer, name| pointer + "/" + &name)
}

/// Refuses an array where an object is due: it would be read as the object's members in order.
pub(super) fn must_be_object(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(malformed("it is an array").mend("send a JSON object")),
        _ => Ok(()),
    }
}

/// One event, an array of them, or the wrapped form: told apart by the text, not by trial.
pub(super) fn stream_body(body: &[u8]) -> Result<(Option<Expected>, Vec<RawObject<'_>>), Problem> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let events: RawEvents<'_> =
            serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        return Ok((None, events.0));
    }
    let object: RawObject<'_> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    // No attribute is an array, or has a name with capitals: an extension may be called `events`.
    let wrapped = object.0.iter().any(|(name, value)| {
        name == "expectedRevision" || name == "events" && value.get().starts_with('[')
    });
    if !wrapped {
        return Ok((None, vec![object]));
    }
    let parsed: StreamBody<'_> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    Ok((
        parsed.expected_revision.map(|expected| expected.0),
        parsed.events.0,
    ))
}

/// One CloudEvent, or a batch of them.
pub(super) fn cloudevents(body: &[u8], batch: bool) -> Result<Vec<RawObject<'_>>, Problem> {
    let read = match batch {
        true => serde_json::from_slice::<RawEvents<'_>>(body).map(|events| events.0),
        false => serde_json::from_slice(body).map(|object| vec![object]),
    };
    read.map_err(|error| {
        unreadable(&error).mend("send one event as a JSON object (application/cloudevents+json), or an array of them (application/cloudevents-batch+json)")
    })
}
