//! Errors as `application/problem+json` (RFC 9457): a stable `type`, the pointer at fault, and what would mend it.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde_json::{Map, Value};

/// The start of every problem's `type`.
pub(super) const TYPE_PREFIX: &str = "urn:horizon:problem:";

/// One problem, ready to be answered.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem of the kind `name`, which never changes its meaning.
    pub(crate) fn new(status: StatusCode, name: &str, title: &str) -> Problem {
        let members = Map::from_iter([
            (
                "type".to_owned(),
                Value::from(format!("{TYPE_PREFIX}{name}")),
            ),
            ("title".to_owned(), Value::from(title)),
            ("status".to_owned(), Value::from(status.as_u16())),
        ]);
        Problem {
            status,
            headers: Vec::new(),
            members,
        }
    }

    /// What exactly is wrong with this request.
    pub(crate) fn detail(self, text: impl Into<String>) -> Problem {
        self.with("detail", text.into())
    }

    /// What the caller can do about it.
    pub(crate) fn mend(self, text: impl Into<String>) -> Problem {
        self.with("mend", text.into())
    }

    /// The same request may succeed after so many seconds.
    pub(crate) fn retry_after(self, seconds: u32) -> Problem {
        self.header(header::RETRY_AFTER, seconds.into())
    }

    /// A header of the answer.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// A further member, for programs.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Value::Object(self.members).to_string();
        let content_type = HeaderValue::from_static("application/problem+json");
        let content_type = [(header::CONTENT_TYPE, content_type)];
        (self.status, content_type, AppendHeaders(self.headers), body).into_response()
    }
}
