//! The gate that every request comes past: who is it, may they come in at all, and do they have too much open already?

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::audit::{Asked, Audit, RefusedView};
use super::identify::identify;
use super::keys::IssuerView;
use super::open::{Held, Open};
use super::{Access, Caller, Known, Scope, Shown, Verb, Who};
use crate::http::Problem;

/// Addresses that need no credential.
pub(crate) const OPEN_PATHS: [&str; 2] = ["/health", "/openapi.json"];
/// What a caller is told who has too much open.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Which side of Horizon a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Append, read and follow; and the public side.
    Private,
    /// The public side only.
    Public,
    /// Status and orders: all of it needs the grant `operate`.
    Operator,
}

/// What the connection tells of who is at its other end.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) side: Side,
    pub(crate) address: SocketAddr,
    /// What is open without a credential is counted by: the address without its port.
    host: Arc<str>,
    /// The client's certificate, which an authority of the listener has vouched for.
    pub(crate) certificate: Option<Arc<Shown>>,
}

impl Wire {
    /// A connection on which no certificate was shown.
    pub(crate) fn new(side: Side, address: SocketAddr) -> Wire {
        Wire {
            side,
            address,
            host: address.ip().to_string().into(),
            certificate: None,
        }
    }
}

/// How the gate stands, as it is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateView {
    /// How many are known; none, where everybody may do everything.
    principals: Option<usize>,
    issuers: Vec<IssuerView>,
    pub(super) refused: RefusedView,
}

/// Lets requests in, or does not.
#[derive(Debug)]
pub(crate) struct Gate {
    /// None: there is no `access`, and everybody may do everything.
    access: watch::Sender<Option<Arc<Access>>>,
    audit: Arc<Audit>,
    open: Arc<Open>,
    requests_limit: usize,
    follows_limit: usize,
}

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) caller: Caller,
    held: Held,
    /// When the credential ends, if it does.
    until: Option<Instant>,
    /// What the caller was known by, if that was a certificate.
    certificate: Option<Arc<Shown>>,
    access: watch::Receiver<Option<Arc<Access>>>,
}

impl Gate {
    pub(crate) fn new(access: Option<Access>, requests_limit: usize, follows_limit: usize) -> Gate {
        let gate = Gate {
            access: watch::channel(None).0,
            audit: Arc::default(),
            open: Arc::default(),
            requests_limit,
            follows_limit,
        };
        gate.replace(access);
        gate
    }

    /// Other principals from now on; what they have open and may have no more ends.
    pub(crate) fn replace(&self, access: Option<Access>) {
        let access = access.map(Arc::new);
        let before = self.current();
        for (name, issuer) in access.iter().flat_map(|access| &access.issuers) {
            let known = before.as_ref().and_then(|before| before.issuers.get(name));
            if let Some(known) = known {
                issuer.keys.take_over(&known.keys);
            }
            tokio::spawn(Arc::clone(&issuer.keys).fetch());
        }
        self.access.send_replace(access);
    }

    /// Whether anybody has to say who they are.
    pub(crate) fn is_open(&self) -> bool {
        self.current().is_none()
    }

    /// How many are known; none, where everybody may do everything.
    pub(crate) fn principals(&self) -> Option<usize> {
        self.current().map(|access| access.principals.len())
    }

    /// Refusals since the start, and how it stands with the issuers of tokens.
    pub(crate) fn view(&self) -> GateView {
        let access = self.current();
        let issuers = access
            .iter()
            .flat_map(|access| access.issuers.values())
            .map(|issuer| issuer.keys.view());
        GateView {
            principals: self.principals(),
            issuers: issuers.collect(),
            refused: self.audit.view(),
        }
    }

    fn current(&self) -> Option<Arc<Access>> {
        self.access.borrow().clone()
    }

    /// Lets a request in, or says how it is refused.
    pub(crate) async fn admit(&self, parts: &Parts, wire: &Wire) -> Result<Admitted, Response> {
        let asked = asked(parts, wire);
        let access = self.access.subscribe();
        let needs_none = OPEN_PATHS.contains(&parts.uri.path())
            && matches!(parts.method, Method::GET | Method::HEAD);
        let current = access.borrow().clone();
        let (who, until) = match current {
            None => (Who::Everybody, None),
            Some(_) if needs_none => (Who::Nobody, None),
            Some(current) => match identify(&current, &parts.headers, wire).await {
                Ok(known) => (Who::Principal(known.principal), known.until),
                Err((credential, reason)) => {
                    self.audit.unauthenticated(credential, &reason, &asked);
                    return Err(unauthenticated());
                }
            },
        };
        let name = match &who {
            Who::Principal(principal) => Arc::clone(&principal.name),
            Who::Everybody | Who::Nobody => Arc::clone(&wire.host),
        };
        let orders = wire.side == Side::Operator && !needs_none;
        // What somebody has open on one side keeps nobody out of another: an operator, or who asks whether the daemon is well.
        let counted = match (needs_none, wire.side) {
            (true, _) => Arc::from(format!("{name}, without a credential")),
            (false, Side::Operator) => Arc::from(format!("{name}, operating")),
            (false, _) => Arc::clone(&name),
        };
        let held = self.open.hold(&counted, self.requests_limit);
        let Some(held) = held else {
            let reason = "too many requests in flight";
            self.audit.turned_away(&name, reason, &asked);
            return Err(too_many(reason, self.requests_limit).into_response());
        };
        let by_certificate =
            matches!(who, Who::Principal(_)) && !parts.headers.contains_key(header::AUTHORIZATION);
        let audit = Arc::clone(&self.audit);
        let caller = Caller(Arc::new(Known { who, asked, audit }));
        if orders {
            let may = caller.may(Verb::Operate, Scope::Daemon);
            may.map_err(|problem| problem.into_response())?;
            if !matches!(parts.method, Method::GET | Method::HEAD) {
                self.audit.ordered(&name, &caller.0.asked);
            }
        }
        Ok(Admitted {
            caller,
            held,
            until,
            certificate: wire.certificate.clone().filter(|_| by_certificate),
            access,
        })
    }

    /// A request that a web page of somewhere else made, or that came under a name which is not this listener's.
    pub(crate) fn turned_away(&self, parts: &Parts, wire: &Wire, reason: &str) {
        self.audit.turned_away("-", reason, &asked(parts, wire));
    }

    /// Counts a request among the follows from now on, if its caller may have one more.
    pub(crate) fn follow(&self, admitted: &mut Admitted) -> Result<(), Problem> {
        if admitted.held.follow(self.follows_limit) {
            return Ok(());
        }
        let (reason, known) = ("too many open follows", &admitted.caller.0);
        self.audit
            .turned_away(admitted.held.who(), reason, &known.asked);
        Err(too_many(reason, self.follows_limit))
    }
}

impl Admitted {
    /// Ends when the request may not be served any longer: the credential has ended, nobody vouches for
    /// it, or the principal is another one now.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let (caller, until) = (self.caller.clone(), self.until);
        let certificate = self.certificate.clone();
        let mut access = self.access.clone();
        async move {
            let expires = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let replaced = async {
                let is_known = |access: &Option<Arc<Access>>| match &caller.0.who {
                    Who::Everybody => access.is_none(),
                    Who::Nobody => true,
                    Who::Principal(principal) => access.as_ref().is_some_and(|access| {
                        access.principals.iter().any(|known| known == principal)
                    }),
                };
                // An end of the sender is the daemon's.
                let _ = access.wait_for(|access| !is_known(access)).await;
            };
            let disowned = async {
                match certificate {
                    Some(certificate) => certificate.disowned().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expires => {}
                () = replaced => {}
                () = disowned => {}
            }
        }
    }

    /// What stays counted until the answer has left.
    pub(crate) fn into_held(self) -> Held {
        self.held
    }
}

fn asked(parts: &Parts, wire: &Wire) -> Asked {
    Asked {
        listener: match wire.side {
            Side::Private => "http",
            Side::Public => "public",
            Side::Operator => "operator",
        },
        address: Some(wire.address),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
    }
}

/// The one answer to all that is wrong with a credential (RFC 6750, 3).
fn unauthenticated() -> Response {
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "a good credential is asked for",
    )
    .mend("send `authorization: Bearer TOKEN` with a token that is good, or use a client certificate that is known");
    let mut response = problem.into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn too_many(reason: &str, limit: usize) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "this caller has too much open",
    )
    .detail(format!("{reason}: the limit is {limit}"))
    .mend("wait for answers, and try again")
    .retry_after(RETRY_AFTER_SECONDS)
}
