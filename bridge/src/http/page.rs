//! Pages: their addresses, links and validators, and what is answered when the caller has a page already (RFC 9110, section 13.1.2).

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use serde_json::Value;

use super::form::{Form, joined};
use super::problem::Problem;
use super::read::path_segment;

/// Most events of one answer.
pub(super) const MAX_LIMIT_EVENTS: usize = 1_000;
/// Bytes of events after which an answer ends and names the next page.
pub(super) const PAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// Longest wait of a long poll, in seconds.
pub(super) const WAIT_LIMIT_SECONDS: u64 = 60;
/// How long a page that never changes may be kept, in seconds: a day. What is erased should not be kept for ever elsewhere.
const KEEP_SECONDS: u32 = 86_400;
/// How far everything was looked at for this page.
const THROUGH: HeaderName = HeaderName::from_static("horizon-through");
/// The place of the last event that there is.
const HEAD: HeaderName = HeaderName::from_static("horizon-head");

/// Which way a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    #[default]
    Forwards,
    Backwards,
}

/// Where to go on: after a place, or after all that there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Place(u64),
    Head,
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<After, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "head" => Ok(After::Head),
            number => number.parse().map(After::Place).map_err(|_| {
                D::Error::custom(format!("{number:?} is neither a number nor `head`"))
            }),
        }
    }
}

/// What a query says, or why it is not understood.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>, mend: &str) -> Result<T, Problem> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| malformed_query(said(&rejection), mend))
}

/// What is wrong with a query: the part at fault, and why.
pub(super) fn said(rejection: &QueryRejection) -> String {
    let source = std::error::Error::source(rejection);
    source.map_or_else(|| rejection.body_text(), ToString::to_string)
}

pub(super) fn malformed_query(detail: impl Into<String>, mend: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-query",
        "the query is not understood",
    )
    .detail(detail)
    .mend(mend)
}

/// How many events a page may have.
pub(super) fn limit(asked: Option<usize>, default: usize) -> usize {
    asked.unwrap_or(default).clamp(1, MAX_LIMIT_EVENTS)
}

/// Refuses what a query says besides where that means nothing.
pub(super) fn refuse(said: &[(&str, bool)], why: &str, mend: &str) -> Result<(), Problem> {
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((name, _)) => Err(malformed_query(format!("`{name}` {why}"), mend)),
    }
}

/// How long a long poll waits, if it is one.
pub(super) fn wait(seconds: Option<u64>) -> Result<Option<std::time::Duration>, Problem> {
    match seconds {
        Some(seconds) if seconds > WAIT_LIMIT_SECONDS => Err(malformed_query(
            format!("`wait` is {seconds}"),
            &format!("wait at most {WAIT_LIMIT_SECONDS} seconds at a time"),
        )),
        seconds => Ok(seconds.map(std::time::Duration::from_secs)),
    }
}

/// An address with what stays the same from page to page.
pub(super) struct Address {
    text: String,
}

impl Address {
    pub(super) fn new(path: &str) -> Address {
        Address {
            text: path.to_owned(),
        }
    }

    /// The same with one more part of the query.
    pub(super) fn with(&self, name: &str, value: impl std::fmt::Display) -> Address {
        let mark = if self.text.contains('?') { '&' } else { '?' };
        let value = path_segment(&value.to_string());
        Address {
            text: format!("{}{mark}{name}={value}", self.text),
        }
    }

    /// The same with one more part, if there is a value.
    pub(super) fn with_some(self, name: &str, value: Option<impl std::fmt::Display>) -> Address {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// How long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Until it is asked for again.
    Revalidate,
    /// What is at this address never changes.
    Immutable,
    /// So many seconds.
    Seconds(u32),
}

impl Keep {
    pub(super) fn immutable_if(never_changes: bool) -> Keep {
        if never_changes {
            Keep::Immutable
        } else {
            Keep::Revalidate
        }
    }
}

/// A document of the interface's own: its first members, its events, and the address of the next page.
pub(super) fn document(
    first: String,
    events: impl Iterator<Item = Vec<u8>>,
    next: Option<&Address>,
) -> Vec<u8> {
    let mut body = first.into_bytes();
    body.extend_from_slice(b"\"events\":");
    body.extend_from_slice(&joined(Form::Batch, events));
    if let Some(next) = next {
        let next = format!(",\"next\":{}", Value::from(next.as_str()));
        body.extend_from_slice(next.as_bytes());
    }
    body.push(b'}');
    body
}

/// An answer that can be kept and asked for again.
pub(super) struct Page {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// The entity tag, with its quotes.
    pub(super) etag: Option<String>,
    pub(super) keep: Keep,
    /// Other pages, by how they relate to this one (RFC 8288).
    pub(super) links: Vec<(&'static str, Address)>,
    pub(super) through: Option<u64>,
    pub(super) head: Option<u64>,
}

impl Page {
    /// A page without neighbours.
    pub(super) fn new(content_type: &'static str, body: Vec<u8>) -> Page {
        Page {
            content_type,
            body,
            etag: None,
            keep: Keep::Revalidate,
            links: Vec::new(),
            through: None,
            head: None,
        }
    }

    /// The answer: 304 if the caller has it already.
    pub(super) fn answer(self, asked: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        // Whoever else sits behind a cache may not be allowed to see it.
        let keep = match self.keep {
            Keep::Revalidate => "private, no-cache".to_owned(),
            Keep::Immutable => format!("private, max-age={KEEP_SECONDS}, immutable"),
            Keep::Seconds(seconds) => format!("private, max-age={seconds}"),
        };
        let links: Vec<String> = self
            .links
            .iter()
            .map(|(relation, address)| format!("<{}>; rel=\"{relation}\"", address.as_str()))
            .collect();
        let links = (!links.is_empty()).then(|| links.join(", "));
        let texts = [
            (header::CACHE_CONTROL, Some(keep)),
            (header::ETAG, self.etag.clone()),
            (header::LINK, links),
            (THROUGH, self.through.map(|place| place.to_string())),
            (HEAD, self.head.map(|place| place.to_string())),
        ];
        for (name, text) in texts {
            if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
                headers.insert(name, value);
            }
        }
        if self.etag.is_some_and(|etag| is_known(asked, &etag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        (headers, self.body).into_response()
    }
}

/// Whether `If-None-Match` names an entity tag, by weak comparison.
fn is_known(asked: &HeaderMap, etag: &str) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH);
    let mut tags = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(if_none_match: &'static str) -> StatusCode {
        let asked = HeaderMap::from_iter([(
            header::IF_NONE_MATCH,
            HeaderValue::from_static(if_none_match),
        )]);
        let page = Page {
            etag: Some("\"0-3\"".to_owned()),
            ..Page::new("application/json", b"[]".to_vec())
        };
        page.answer(&asked).status()
    }

    #[test]
    fn a_page_that_the_caller_has_is_not_sent_again() {
        for known in ["\"0-3\"", "W/\"0-3\"", "\"0-2\", \"0-3\"", "*"] {
            assert_eq!(status(known), StatusCode::NOT_MODIFIED, "{known}");
        }
        for other in ["\"0-4\"", "\"1-3\"", "0-3", "\"0-3.batch\"", ""] {
            assert_eq!(status(other), StatusCode::OK, "{other}");
        }
    }

    #[test]
    fn an_address_is_built_part_by_part_and_encoded() {
        let none: Option<u64> = None;
        let address = Address::new("/log")
            .with("category", "a b&c")
            .with_some("after", none)
            .with_some("limit", Some(7));
        assert_eq!(address.as_str(), "/log?category=a%20b%26c&limit=7");
    }
}
