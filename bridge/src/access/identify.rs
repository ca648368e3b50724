//! Who sent a request, by the credential that it shows.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use tokio::time::Instant;

use super::Access;
use super::gate::Wire;
use super::issuer::TOKEN_LIMIT_BYTES;
use super::jws::Signed;
use super::options::Principal;
use super::token::TokenDigest;
use crate::clock;

/// Who a credential belongs to.
pub(super) struct Identified {
    pub(super) principal: Arc<Principal>,
    /// When the credential ends, if it does.
    pub(super) until: Option<Instant>,
}

/// Why a credential is not good, for the operator: what kind it is, and what is wrong.
pub(super) type NotGood = (&'static str, String);

impl Identified {
    fn new(principal: &Arc<Principal>, until: Option<Instant>) -> Identified {
        Identified {
            principal: Arc::clone(principal),
            until,
        }
    }
}

/// Finds out who sent a request. A credential that is shown has to be good, even where another one would do.
pub(super) async fn identify(
    access: &Access,
    headers: &HeaderMap,
    wire: &Wire,
) -> Result<Identified, NotGood> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    match (shown.next(), shown.next(), &wire.certificate) {
        (Some(_), Some(_), _) => Err(("authorization", "there are several".to_owned())),
        (Some(value), None, _) => by_token(access, value).await,
        (None, _, Some(shown)) if !shown.is_vouched_for() => {
            Err(("certificate", "its authority has been replaced".to_owned()))
        }
        (None, _, Some(shown)) => {
            let fitting = access
                .principals
                .iter()
                .filter(|p| p.has_certificate(&shown.names));
            let principal = the_one(fitting).map_err(|reason| ("certificate", reason))?;
            Ok(Identified::new(principal, None))
        }
        (None, _, None) => Err(("none", "no credential".to_owned())),
    }
}

async fn by_token(access: &Access, value: &HeaderValue) -> Result<Identified, NotGood> {
    let bearer = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_matches(' '))
    });
    let token = bearer.ok_or_else(|| ("authorization", "it is no bearer token".to_owned()))?;
    let digest = TokenDigest::of(token);
    let mut found = None;
    for principal in &access.principals {
        if principal.has_token(&digest) {
            found = Some(principal);
        }
    }
    if let Some(principal) = found {
        return Ok(Identified::new(principal, None));
    }
    let unknown = || ("token", "no principal has it".to_owned());
    if token.len() > TOKEN_LIMIT_BYTES || access.issuers.is_empty() {
        return Err(unknown());
    }
    let token = Signed::read(token).ok_or_else(unknown)?;
    let mut issuers = access.issuers.iter();
    let (name, issuer) = issuers
        .find(|(_, issuer)| issuer.is_named_by(&token))
        .ok_or_else(unknown)?;
    let claims = issuer
        .check(token)
        .await
        .map_err(|reason| ("jwt", reason))?;
    let fitting = access
        .principals
        .iter()
        .filter(|principal| principal.has_claims(name, &claims));
    let principal = the_one(fitting).map_err(|reason| ("jwt", reason))?;
    let left = claims.expires_ms.saturating_sub(clock::now_ms());
    let until = Instant::now().checked_add(Duration::from_millis(left));
    Ok(Identified::new(principal, until))
}

/// The only principal that fits.
fn the_one<'a>(
    mut fitting: impl Iterator<Item = &'a Arc<Principal>>,
) -> Result<&'a Arc<Principal>, String> {
    match (fitting.next(), fitting.next()) {
        (Some(principal), None) => Ok(principal),
        (None, _) => Err("it is good, but no principal's".to_owned()),
        (Some(one), Some(other)) => Err(format!("it fits {} and {}", one.name, other.name)),
    }
}
