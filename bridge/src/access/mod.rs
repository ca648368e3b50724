//! Who may do what: principals, how they show who they are, and what each is granted.
//!
//! - Handlers ask a request's [`Caller`]; nothing is granted by an address alone, and what is not granted is refused.
//! - A credential that is not good gets the same answer whatever is wrong with it. The log tells the operator more.
//! - Tokens are kept as digests, and are in no `Debug` output, no log line and no answer.

mod audit;
mod certificate;
mod gate;
mod grants;
mod identify;
mod issuer;
mod jws;
mod keys;
mod open;
mod options;
#[cfg(test)]
mod tests;
mod token;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::http::Problem;
use audit::{Asked, Audit};
pub(crate) use certificate::{Authority, Shown};
pub(crate) use gate::{Admitted, Gate, GateView, OPEN_PATHS, Side, Wire};
pub(crate) use open::Held;
use options::Principal;
pub(crate) use options::{Access, AccessOptions};
pub(crate) use token::fresh_token;

/// What a principal may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Store private events in streams of a category.
    Append,
    /// Store private events of a category by the door for imports.
    Import,
    /// Read private events of a category, in pages.
    Read,
    /// Follow private events of a category as they come.
    Follow,
    /// Read and follow a contract's public events.
    Public,
    /// See and change how the daemon works: the operator's side.
    Operate,
}

/// What a verb is to be done to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The streams of one category.
    Category(&'a str),
    /// The whole log: every category.
    Log,
    /// One contract's public stream, by its name with the major version.
    Contract(&'a str),
    /// The daemon itself.
    Daemon,
}

impl Verb {
    /// The verb as it is written in `horizon.yaml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Append => "append",
            Verb::Import => "import",
            Verb::Read => "read",
            Verb::Follow => "follow",
            Verb::Public => "public",
            Verb::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Category(name) => write!(f, "category {name}"),
            Scope::Log => f.write_str("the whole log"),
            Scope::Contract(name) => write!(f, "contract {name}"),
            Scope::Daemon => f.write_str("the daemon"),
        }
    }
}

/// Who sent a request, and what it was.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Arc<Known>);

#[derive(Debug)]
struct Known {
    who: Who,
    asked: Asked,
    audit: Arc<Audit>,
}

/// Who a caller is.
#[derive(Debug)]
enum Who {
    /// There is no `access` in the configuration: everybody may do everything.
    Everybody,
    /// Somebody who showed no credential; some addresses need none.
    Nobody,
    /// A principal.
    Principal(Arc<Principal>),
}

impl Caller {
    /// Whether this caller may do `verb` to `scope`. A refusal is audited.
    ///
    /// # Errors
    /// The refusal, as it is to be answered.
    pub(crate) fn may(&self, verb: Verb, scope: Scope<'_>) -> Result<(), Problem> {
        if self.is_granted(verb, scope) {
            return Ok(());
        }
        let principal = self.principal();
        let known = &self.0;
        known
            .audit
            .forbidden(principal.unwrap_or("nobody"), verb, scope, &known.asked);
        Err(
            Problem::new(StatusCode::FORBIDDEN, "forbidden", "this is not granted")
                .detail(format!(
                    "{} has no grant to {} {scope}",
                    principal.unwrap_or("a caller without a credential"),
                    verb.name()
                ))
                .mend("ask who operates Horizon for the grant"),
        )
    }

    /// The same question where a no is no refusal, as for what a list shows: nothing is audited.
    pub(crate) fn is_granted(&self, verb: Verb, scope: Scope<'_>) -> bool {
        match &self.0.who {
            Who::Everybody => true,
            Who::Nobody => false,
            Who::Principal(principal) => principal.grants.allow(verb, scope),
        }
    }

    /// Whether nobody has to say who they are.
    pub(crate) fn is_everybody(&self) -> bool {
        matches!(self.0.who, Who::Everybody)
    }

    /// The principal's name; none, where nobody has to say who they are.
    fn principal(&self) -> Option<&str> {
        match &self.0.who {
            Who::Principal(principal) => Some(&principal.name),
            Who::Everybody | Who::Nobody => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// The caller that the gate let in. A request that came past no gate is nobody's, and may do nothing.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Caller, Infallible> {
        let let_in = parts.extensions.get::<Caller>().cloned();
        Ok(let_in.unwrap_or_else(|| {
            Caller(Arc::new(Known {
                who: Who::Nobody,
                asked: Asked::default(),
                audit: Arc::default(),
            }))
        }))
    }
}
