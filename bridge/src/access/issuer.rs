//! JSON Web Tokens (RFC 7519) of an issuer: pinned asymmetric algorithms, issuer, audience and times.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::jws::{Algorithm, Signed};
use super::keys::Keys;
use crate::clock;

/// Longest token that is looked at, in bytes.
pub(super) const TOKEN_LIMIT_BYTES: usize = 16 * 1024;

/// An issuer whose tokens are taken.
#[derive(Debug)]
pub(super) struct Issuer {
    /// `iss` of its tokens.
    pub(super) name: String,
    pub(super) audience: String,
    pub(super) algorithms: Vec<Algorithm>,
    /// How far clocks may differ, in seconds.
    pub(super) leeway_seconds: u64,
    pub(super) keys: Arc<Keys>,
}

/// What a good token says.
#[derive(Debug)]
pub(super) struct Claims {
    claims: Map<String, Value>,
    /// When it stops being good, in milliseconds since 1970.
    pub(super) expires_ms: u64,
}

impl Issuer {
    /// Whether a token, not checked yet, says that it is this issuer's.
    pub(super) fn is_named_by(&self, token: &Signed<'_>) -> bool {
        token.unchecked("iss").and_then(Value::as_str) == Some(&self.name)
    }

    /// Checks a token; the error is for the operator.
    pub(super) async fn check(&self, token: Signed<'_>) -> Result<Claims, String> {
        let stated = &token.header.alg;
        let algorithm = self
            .algorithms
            .iter()
            .find(|allowed| format!("{allowed:?}") == *stated);
        let algorithm = *algorithm.ok_or_else(|| "its algorithm is not allowed".to_owned())?;
        let key = self.keys.find(token.header.kid.as_deref(), algorithm).await;
        let key = key.ok_or_else(|| "no key of its issuer fits".to_owned())?;
        let claims = token.check(&key, algorithm);
        let claims = claims.ok_or_else(|| "its issuer has not signed it".to_owned())?;
        self.is_meant(&claims)?;
        let expires_ms = self.in_time(&claims, clock::now_ms())?;
        Ok(Claims { claims, expires_ms })
    }

    /// Whether the token is this issuer's, and meant for Horizon (RFC 7519, 4.1.1 and 4.1.3).
    fn is_meant(&self, claims: &Map<String, Value>) -> Result<(), String> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.name) {
            return Err("it is another issuer's".to_owned());
        }
        let audience = match claims.get("aud") {
            Some(Value::Array(several)) => several.iter().any(|one| *one == self.audience),
            Some(one) => *one == self.audience,
            None => false,
        };
        match audience {
            true => Ok(()),
            false => Err("it is for another audience".to_owned()),
        }
    }

    /// Until when the token is good, if it is good now.
    fn in_time(&self, claims: &Map<String, Value>, now_ms: u64) -> Result<u64, String> {
        let leeway_ms = self.leeway_seconds * 1_000;
        let expires_ms = time_ms(claims, "exp")?.ok_or_else(|| "it has no `exp`".to_owned())?;
        if expires_ms.saturating_add(leeway_ms) <= now_ms {
            return Err("it has expired".to_owned());
        }
        if time_ms(claims, "nbf")?.is_some_and(|from| from > now_ms.saturating_add(leeway_ms)) {
            return Err("it is not good yet".to_owned());
        }
        Ok(expires_ms.saturating_add(leeway_ms))
    }
}

/// A `NumericDate` (RFC 7519, 2) in milliseconds since 1970.
fn time_ms(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value
        .as_f64()
        .filter(|seconds| (0.0..1e13).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("`{name}` is no time"))?;
    Ok(Some((seconds * 1_000.0) as u64))
}

impl Claims {
    /// Whether each of these claims says, or lists, the text that is asked for.
    pub(super) fn say(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted
            .iter()
            .all(|(name, text)| match self.claims.get(name) {
                // Scopes are a list in one text (RFC 8693, 4.2).
                Some(Value::String(said)) if name == "scope" => {
                    said.split(' ').any(|word| word == text)
                }
                Some(Value::String(said)) => said == text,
                Some(Value::Array(listed)) => listed.iter().any(|said| said == text),
                _ => false,
            })
    }
}
