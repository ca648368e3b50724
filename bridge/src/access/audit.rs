//! What is told of refusals and of operators' orders: one structured log line each, with the target `audit`.
//!
//! A flood of refusals costs a bounded number of lines; those that are left out are counted, and the next line says how many. No line
//! holds a credential or a query.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::{Method, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Scope, Verb};

/// Lines that may be told at once.
const LINES_AT_ONCE: f64 = 100.0;
/// Lines a second that may be told in the long run.
const LINES_A_SECOND: f64 = 10.0;
/// Longest part of a path that is told, in bytes.
const PATH_LIMIT_BYTES: usize = 256;

/// What was asked for, as an audit tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) listener: &'static str,
    pub(super) address: Option<SocketAddr>,
    pub(super) method: Method,
    /// Its query, which may hold what is no business of a log, is not told.
    pub(super) uri: Uri,
}

impl Asked {
    /// Cuts a path to a length that a log can bear.
    pub(super) fn path_of(path: &str) -> String {
        let mut end = path.len().min(PATH_LIMIT_BYTES);
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        path[..end].to_owned()
    }

    fn address(&self) -> String {
        self.address
            .map_or_else(|| "-".to_owned(), |address| address.to_string())
    }
}

/// Refusals since the start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefusedView {
    pub(super) unauthenticated: u64,
    pub(super) forbidden: u64,
    turned_away: u64,
}

/// What a line tells of a refusal; what is not known is left out.
#[derive(Default)]
struct Refused<'a> {
    why: &'static str,
    credential: Option<&'static str>,
    principal: Option<&'a str>,
    verb: Option<&'static str>,
    scope: Option<&'a str>,
    reason: Option<&'a str>,
}

/// Tells and counts.
#[derive(Debug)]
pub(super) struct Audit {
    unauthenticated: AtomicU64,
    forbidden: AtomicU64,
    limited: AtomicU64,
    left_out: AtomicU64,
    allowance: Mutex<(f64, Instant)>,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            unauthenticated: AtomicU64::new(0),
            forbidden: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            allowance: Mutex::new((LINES_AT_ONCE, Instant::now())),
        }
    }
}

impl Audit {
    /// A request without a credential, or with one that is not good.
    pub(super) fn unauthenticated(&self, credential: &'static str, reason: &str, asked: &Asked) {
        self.unauthenticated.fetch_add(1, Ordering::Relaxed);
        let refused = Refused {
            why: "not authenticated",
            credential: Some(credential),
            reason: Some(reason),
            ..Refused::default()
        };
        self.tell(&refused, asked);
    }

    /// A known caller without the grant.
    pub(super) fn forbidden(&self, principal: &str, verb: Verb, scope: Scope<'_>, asked: &Asked) {
        self.forbidden.fetch_add(1, Ordering::Relaxed);
        let scope = Asked::path_of(&scope.to_string());
        let refused = Refused {
            why: "not granted",
            principal: Some(principal),
            verb: Some(verb.name()),
            scope: Some(&scope),
            ..Refused::default()
        };
        self.tell(&refused, asked);
    }

    /// A caller that has too much open already, or that a browser sent here from elsewhere.
    pub(super) fn turned_away(&self, principal: &str, reason: &str, asked: &Asked) {
        self.limited.fetch_add(1, Ordering::Relaxed);
        let refused = Refused {
            why: "turned away",
            principal: Some(principal),
            reason: Some(reason),
            ..Refused::default()
        };
        self.tell(&refused, asked);
    }

    fn tell(&self, refused: &Refused<'_>, asked: &Asked) {
        if let Some(left_out) = self.line() {
            tracing::warn!(
                target: "audit",
                credential = refused.credential,
                principal = refused.principal,
                verb = refused.verb,
                scope = refused.scope,
                reason = refused.reason,
                listener = asked.listener,
                address = asked.address(),
                method = asked.method.as_str(),
                path = Asked::path_of(asked.uri.path()),
                left_out,
                "refused: {}",
                refused.why
            );
        }
    }

    /// An operator's order: whoever changes how the daemon works is told of.
    pub(super) fn ordered(&self, principal: &str, asked: &Asked) {
        tracing::info!(
            target: "audit",
            principal,
            address = asked.address(),
            method = asked.method.as_str(),
            path = Asked::path_of(asked.uri.path()),
            "an operator's order"
        );
    }

    /// Refusals since the start.
    pub(super) fn view(&self) -> RefusedView {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RefusedView {
            unauthenticated: of(&self.unauthenticated),
            forbidden: of(&self.forbidden),
            turned_away: of(&self.limited),
        }
    }

    /// Whether one more line may be told, and how many were left out before it.
    fn line(&self) -> Option<u64> {
        let mut allowance = self
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (lines, since) = *allowance;
        let now = Instant::now();
        let more = now.duration_since(since).as_secs_f64() * LINES_A_SECOND;
        let lines = (lines + more).min(LINES_AT_ONCE);
        if lines < 1.0 {
            *allowance = (lines, now);
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *allowance = (lines - 1.0, now);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
impl Audit {
    /// How many of so many refusals are told.
    pub(super) fn lines_for_test(&self, refusals: u64) -> u64 {
        for _ in 0..refusals {
            self.unauthenticated("token", "no principal has it", &Asked::default());
        }
        refusals - self.left_out.load(Ordering::Relaxed)
    }
}
