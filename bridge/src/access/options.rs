//! `access:` of `horizon.yaml`, as written and as used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use ureq::http::Uri;

use super::certificate::CertificateNames;
use super::grants::Grants;
use super::issuer::{Claims, Issuer};
use super::jws::Algorithm;
use super::keys::{Keys, Source};
use super::token::{SHORTEST_TOKEN_BYTES, TokenDigest};
use crate::outlets::{SecretSource, Surroundings, Tls};

/// How far clocks may differ unless configured otherwise, in seconds.
const DEFAULT_LEEWAY_SECONDS: u64 = 30;
/// What `leeway_seconds` may be at most.
const LEEWAY_LIMIT_SECONDS: u64 = 300;

/// `access:`, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessOptions {
    #[serde(default)]
    issuers: BTreeMap<String, IssuerOptions>,
    principals: BTreeMap<String, PrincipalOptions>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerOptions {
    issuer: String,
    audience: String,
    jwks: KeysOptions,
    #[serde(default = "default_algorithms")]
    algorithms: Vec<Algorithm>,
    leeway_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysOptions {
    file: Option<PathBuf>,
    url: Option<String>,
    ca: Option<PathBuf>,
}

fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::ES256]
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalOptions {
    #[serde(default)]
    tokens: Vec<TokenOptions>,
    #[serde(default)]
    certificates: Vec<CertificateOptions>,
    #[serde(default)]
    jwts: Vec<JwtOptions>,
    grants: Grants,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum TokenOptions {
    Digest { sha256: String },
    Secret(SecretSource),
}

/// What a client certificate must be called; one of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum CertificateOptions {
    CommonName(String),
    Dns(String),
    Uri(String),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct JwtOptions {
    issuer: String,
    claims: BTreeMap<String, String>,
}

/// What is wrong in `access:`, and what would mend it.
#[derive(Debug, thiserror::Error)]
#[error("access.{key}: {problem}\n  = mend: {mend}")]
pub(crate) struct AccessError {
    key: String,
    problem: String,
    mend: &'static str,
}

/// Who is known, and what each may do.
#[derive(Debug)]
pub(crate) struct Access {
    pub(super) principals: Vec<Arc<Principal>>,
    pub(super) issuers: BTreeMap<String, Issuer>,
}

/// Somebody who may do something.
#[derive(Debug, PartialEq)]
pub(super) struct Principal {
    pub(super) name: Arc<str>,
    pub(super) grants: Grants,
    tokens: Vec<TokenDigest>,
    certificates: Vec<CertificateOptions>,
    jwts: Vec<JwtOptions>,
}

fn wrong(key: impl Into<String>, problem: impl Into<String>, mend: &'static str) -> AccessError {
    AccessError {
        key: key.into(),
        problem: problem.into(),
        mend,
    }
}

impl AccessOptions {
    /// Checks everything, and reads what stands in files and the environment.
    pub(crate) fn resolve(&self, surroundings: &Surroundings<'_>) -> Result<Access, AccessError> {
        if self.principals.is_empty() {
            let mend = "name those who may, or leave `access` out on loopback";
            return Err(wrong("principals", "nobody could do anything", mend));
        }
        let mut issuers = BTreeMap::new();
        for (name, options) in &self.issuers {
            issuers.insert(name.clone(), options.resolve(name, surroundings)?);
        }
        let named: BTreeSet<&str> = issuers
            .values()
            .map(|issuer| issuer.name.as_str())
            .collect();
        if named.len() < issuers.len() {
            let mend =
                "give each `issuer` once; principals of several audiences need several issuers";
            return Err(wrong("issuers", "two have the same `issuer`", mend));
        }
        let mut principals: Vec<Arc<Principal>> = Vec::new();
        for (name, options) in &self.principals {
            let principal = options.resolve(name, &issuers, surroundings)?;
            apart(&principals, &principal)?;
            principals.push(Arc::new(principal));
        }
        Ok(Access {
            principals,
            issuers,
        })
    }
}

/// A token names one principal only.
fn apart(known: &[Arc<Principal>], new: &Principal) -> Result<(), AccessError> {
    for token in &new.tokens {
        let other = known.iter().find(|known| {
            known
                .tokens
                .iter()
                .any(|known| bool::from(known.same(token)))
        });
        if let Some(other) = other {
            return Err(wrong(
                format!("principals.{}.tokens", new.name),
                format!("{} has the same token", other.name),
                "give each principal a token of its own: `horizon token` makes one",
            ));
        }
    }
    Ok(())
}

impl IssuerOptions {
    fn resolve(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Issuer, AccessError> {
        let key = |field: &str| format!("issuers.{name}.{field}");
        for (field, text) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if text.is_empty() {
                let mend = "write what its tokens say in `iss` and `aud`";
                return Err(wrong(key(field), "it is empty", mend));
            }
        }
        if self.algorithms.is_empty() {
            let mend = "name those that the issuer signs with, such as [RS256]";
            return Err(wrong(key("algorithms"), "none is allowed", mend));
        }
        let leeway_seconds = self.leeway_seconds.unwrap_or(DEFAULT_LEEWAY_SECONDS);
        if leeway_seconds > LEEWAY_LIMIT_SECONDS {
            let problem = format!("{leeway_seconds} is out of bounds");
            let mend = "write a number between 0 and 300";
            return Err(wrong(key("leeway_seconds"), problem, mend));
        }
        Ok(Issuer {
            name: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            leeway_seconds,
            keys: Arc::new(self.jwks.resolve(name, surroundings)?),
        })
    }
}

impl KeysOptions {
    fn resolve(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Keys, AccessError> {
        let key = format!("issuers.{name}.jwks");
        let mend = "write `{ file: PATH }` or `{ url: https://… }`, and `ca: PATH` beside the address where a private authority vouches for it";
        match (&self.file, &self.url) {
            (Some(path), None) => Keys::of_file(name, &surroundings.folder.join(path))
                .map_err(|problem| wrong(key, problem, mend)),
            (None, Some(url)) => {
                if !is_safe(url) {
                    let problem = "keys come over https, or from this machine";
                    return Err(wrong(key, problem, mend));
                }
                let ca = self.ca.as_ref().map(|path| surroundings.folder.join(path));
                let tls = Arc::new(Tls::of_files(ca, None));
                tls.client_config()
                    .map_err(|error| wrong(&key, error.to_string(), mend))?;
                let url = url.clone();
                Ok(Keys::of_source(name, Source { url, tls }))
            }
            _ => Err(wrong(key, "a file or an address is asked for", mend)),
        }
    }
}

/// Whether keys that come from an address can be trusted.
fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => here,
        _ => false,
    }
}

impl PrincipalOptions {
    fn resolve(
        &self,
        name: &str,
        issuers: &BTreeMap<String, Issuer>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Principal, AccessError> {
        let key = |field: &str| format!("principals.{name}.{field}");
        if self.tokens.is_empty() && self.certificates.is_empty() && self.jwts.is_empty() {
            let mend = "write `tokens`, `certificates` or `jwts`";
            return Err(wrong(key("tokens"), "it has no credential", mend));
        }
        if let Some(mistake) = self.grants.mistake() {
            let mend = "write names or patterns such as `append: [account]`, or `\"*\"` for all";
            return Err(wrong(key("grants"), mistake, mend));
        }
        let mut tokens = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            tokens.extend(token.resolve(&key(&format!("tokens[{index}]")), surroundings)?);
        }
        for certificate in &self.certificates {
            let (CertificateOptions::CommonName(text)
            | CertificateOptions::Dns(text)
            | CertificateOptions::Uri(text)) = certificate;
            if text.is_empty() {
                let mend = "write the name that the certificate is for";
                return Err(wrong(key("certificates"), "an empty name", mend));
            }
        }
        for jwt in &self.jwts {
            if !issuers.contains_key(&jwt.issuer) {
                let problem = format!("there is no issuer {:?}", jwt.issuer);
                let mend = "name one of access.issuers";
                return Err(wrong(key("jwts"), problem, mend));
            }
            if jwt.claims.is_empty() {
                let mend = "write what its tokens say, such as `claims: { sub: payments }`";
                return Err(wrong(
                    key("jwts"),
                    "every token of the issuer would fit",
                    mend,
                ));
            }
        }
        Ok(Principal {
            name: Arc::from(name),
            grants: self.grants.clone(),
            tokens,
            certificates: self.certificates.clone(),
            jwts: self.jwts.clone(),
        })
    }
}

impl TokenOptions {
    /// The token's digest; none where options are only checked and its variable is not set.
    fn resolve(
        &self,
        key: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<TokenDigest>, AccessError> {
        let mend = "write `{ sha256: DIGEST }`, `{ env: NAME }` or `{ file: PATH }`; `horizon token` makes a token and tells its digest";
        match self {
            TokenOptions::Digest { sha256 } => TokenDigest::of_text(sha256)
                .map(Some)
                .ok_or_else(|| wrong(key, "a SHA-256 has 64 hexadecimal digits", mend)),
            TokenOptions::Secret(source) => {
                let secret = source
                    .find("token", surroundings)
                    .map_err(|error| wrong(key, error.problem, mend))?;
                let Some(secret) = secret else {
                    return Ok(None);
                };
                if secret.reveal().len() < SHORTEST_TOKEN_BYTES {
                    let problem =
                        "the token is so short that it can be guessed: 32 bytes are asked for";
                    return Err(wrong(key, problem, mend));
                }
                Ok(Some(TokenDigest::of(secret.reveal())))
            }
        }
    }
}

impl Principal {
    /// Whether a token is one of this principal's; every digest is compared.
    pub(super) fn has_token(&self, token: &TokenDigest) -> bool {
        let fold = |found, known: &TokenDigest| found | known.same(token);
        self.tokens
            .iter()
            .fold(subtle::Choice::from(0), fold)
            .into()
    }

    /// Whether a certificate is this principal's.
    pub(super) fn has_certificate(&self, names: &CertificateNames) -> bool {
        self.certificates.iter().any(|wanted| match wanted {
            CertificateOptions::CommonName(name) => names.common_name.as_ref() == Some(name),
            CertificateOptions::Dns(name) => {
                names.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name))
            }
            CertificateOptions::Uri(uri) => names.uris.contains(uri),
        })
    }

    /// Whether what a token of this issuer says makes its bearer this principal.
    pub(super) fn has_claims(&self, issuer: &str, claims: &Claims) -> bool {
        let mut of_issuer = self.jwts.iter().filter(|jwt| jwt.issuer == issuer);
        of_issuer.any(|jwt| claims.say(&jwt.claims))
    }
}
