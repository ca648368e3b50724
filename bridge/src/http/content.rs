//! What a request calls its body, and so how events stand in it (CloudEvents 1.0, HTTP protocol binding, section 3).

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::form::{BATCH, CLOUD_EVENT};
use super::problem::Problem;
use super::refusals::malformed;
use crate::intake::{is_attribute_header, media_type};

/// What `POST /streams/{stream}` takes, as `Accept-Post` tells it (Linked Data Platform 1.0, section 7.1).
pub(super) const ACCEPT_POST: &str =
    "application/json, application/cloudevents+json, application/cloudevents-batch+json, */*";
/// The header of that name.
const ACCEPT_POST_NAME: HeaderName = HeaderName::from_static("accept-post");

/// How events stand in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Horizon's own JSON: one event, an array, or either with what is expected.
    Plain,
    /// One CloudEvent in JSON.
    Structured,
    /// An array of CloudEvents in JSON.
    Batched,
    /// One CloudEvent: attributes in headers, the body is its data.
    Binary,
}

/// How events stand in the body of a request with these headers.
pub(super) fn mode(headers: &HeaderMap) -> Result<Mode, Problem> {
    let (text, essence) = content_type(headers)?;
    let mode = match &*essence {
        CLOUD_EVENT => Mode::Structured,
        BATCH => Mode::Batched,
        other if other.starts_with("application/cloudevents") => {
            let reason = format!("the event format {other} is not known");
            return Err(unsupported(&reason, ACCEPT_POST));
        }
        _ if headers.keys().any(is_attribute_header) => return Ok(Mode::Binary),
        _ => Mode::Plain,
    };
    json(text, &essence, ACCEPT_POST)?;
    Ok(mode)
}

/// Whether a body calls itself JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).is_ok_and(|(_, essence)| media_type::is_json(&essence))
}

/// Refuses what does not call itself JSON: a web page can send anything else to a loopback port without asking (Fetch standard,
/// CORS-safelisted content types). An event format is none of the plain forms.
pub(super) fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let (text, essence) = content_type(headers)?;
    json(text, &essence, "application/json")?;
    match &*essence {
        CLOUD_EVENT | BATCH => Err(unsupported(
            "CloudEvents are taken at /streams/{stream} only, as each names no stream",
            "application/json",
        )),
        _ => Ok(()),
    }
}

/// The content type as it came, and its media type; both are empty if there is none.
fn content_type(headers: &HeaderMap) -> Result<(&str, Cow<'_, str>), Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(malformed("`content-type` is there twice").mend("send it once"));
    }
    let text = value.and_then(|value| value.to_str().ok());
    let text = text.unwrap_or_default();
    Ok((text, media_type::essence(text).unwrap_or_default()))
}

fn json(text: &str, essence: &str, accepted: &'static str) -> Result<(), Problem> {
    if !media_type::is_json(essence) {
        return Err(unsupported(
            &format!("the content type is {text:?}"),
            accepted,
        ));
    }
    if !media_type::is_utf8(text) {
        return Err(unsupported(
            "JSON is UTF-8, and the charset says otherwise",
            accepted,
        ));
    }
    Ok(())
}

fn unsupported(reason: &str, accepted: &'static str) -> Problem {
    let mend = match accepted {
        ACCEPT_POST => {
            "send `content-type: application/json`, application/cloudevents+json, application/cloudevents-batch+json, or a CloudEvent in binary mode: with `ce-` headers any other"
        }
        _ => "send `content-type: application/json`",
    };
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not-json",
        "the body is not declared as JSON",
    )
    .detail(reason)
    .mend(mend)
    .header(ACCEPT_POST_NAME, HeaderValue::from_static(accepted))
}
