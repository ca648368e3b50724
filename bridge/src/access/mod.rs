//! Who may do what: a request's [`Caller`], and the verbs that it is allowed.
//!
//! Handlers ask; nothing is granted by an address alone.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::Problem;

/// What a principal may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Store private events in streams of a category.
    Append,
    /// Read private events of a category, in pages.
    Read,
    /// Follow private events of a category as they come.
    Follow,
    /// Read and follow public events of a contract.
    Public,
}

/// What a verb is to be done to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The streams of one category.
    #[expect(dead_code, reason = "every caller may do everything so far")]
    Category(&'a str),
    /// The whole log: every category.
    Log,
    /// One contract, by its public stream.
    #[expect(dead_code, reason = "every caller may do everything so far")]
    Contract(&'a str),
}

/// Who sent a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller;

impl Caller {
    /// Whether this caller may do `verb` to `scope`.
    ///
    /// # Errors
    /// The refusal, as it is to be answered.
    pub(crate) fn may(&self, _verb: Verb, _scope: Scope<'_>) -> Result<(), Problem> {
        Ok(())
    }

    /// The same question where a no is no refusal, as for what a list shows.
    pub(crate) fn is_granted(&self, _verb: Verb, _scope: Scope<'_>) -> bool {
        true
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Caller, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
