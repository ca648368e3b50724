//! Signed tokens (JSON Web Signature, RFC 7515, in the compact form) and the keys that check them (JSON Web Key, RFC 7517).
//!
//! Only asymmetric algorithms exist here: a token cannot say `none`, and no public key can be taken for a shared secret. A key checks
//! signatures of the algorithm that the token names only if the key is made for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horizon_schemas::{check_json, parse_json};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// The algorithms that may be allowed (RFC 7518, 3.1; RFC 8037, 3.1). There is no `none`, and no HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// How an algorithm's signatures are checked.
enum Means {
    Rsa(&'static RsaParameters),
    /// A point on the curve of this name.
    Point(&'static str, &'static dyn VerificationAlgorithm),
}

impl Algorithm {
    fn means(self) -> Means {
        match self {
            Algorithm::RS256 => Means::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Means::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Means::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Means::Rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Means::Rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Means::Rsa(&RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Means::Point("P-256", &ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Means::Point("P-384", &ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Means::Point("Ed25519", &ED25519),
        }
    }
}

/// A signed token whose signature has not been checked.
pub(super) struct Signed<'a> {
    pub(super) header: Header,
    /// What is signed.
    message: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// A token's header; members that are not named here change nothing (RFC 7515, 4).
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    /// As text: an algorithm that nobody knows is refused by those who choose, with its name.
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// Extensions that have to be understood. None is.
    crit: Option<IgnoredAny>,
}

impl<'a> Signed<'a> {
    /// Reads a token; none, where it is no such thing.
    pub(super) fn read(token: &'a str) -> Option<Signed<'a>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let header: Header = serde_json::from_slice(check_json(&part(header)?).ok()?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Signed {
            header,
            message,
            signature: part(signature)?,
            claims: match parse_json(&part(claims)?).ok()? {
                Value::Object(claims) => claims,
                _ => return None,
            },
        })
    }

    /// A claim that nobody has vouched for yet.
    pub(super) fn unchecked(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// What the token says, if one of the keys signed it. `algorithm` is that of its header, and one of those that are allowed.
    pub(super) fn check(self, key: &Key, algorithm: Algorithm) -> Option<Map<String, Value>> {
        key.has_signed(algorithm, self.message.as_bytes(), &self.signature)
            .then_some(self.claims)
    }
}

/// A public key, as its issuer writes it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Key {
    kty: String,
    pub(super) kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<Bytes>,
    e: Option<Bytes>,
    x: Option<Bytes>,
    y: Option<Bytes>,
}

/// Bytes in base64url.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Bytes(Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Bytes, base64::DecodeError> {
        URL_SAFE_NO_PAD.decode(text).map(Bytes)
    }
}

impl Key {
    /// Whether the key can be of any use.
    pub(super) fn is_usable(&self) -> bool {
        let known = match self.kty.as_str() {
            "RSA" => self.n.is_some() && self.e.is_some(),
            "EC" => self.x.is_some() && self.y.is_some(),
            "OKP" => self.x.is_some(),
            _ => false,
        };
        known
            && self
                .purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
    }

    /// Whether the key is made for signatures of this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm.means() {
            Means::Rsa(_) => self.kty == "RSA",
            Means::Point(curve, _) => {
                let kty = if curve == "Ed25519" { "OKP" } else { "EC" };
                self.kty == kty && self.crv.as_deref() == Some(curve)
            }
        };
        let name = format!("{algorithm:?}");
        kind && self.alg.as_ref().is_none_or(|alg| *alg == name)
    }

    fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        let bytes = |part: &Option<Bytes>| part.clone().map(|Bytes(bytes)| bytes);
        let checked = match (
            algorithm.means(),
            bytes(&self.n),
            bytes(&self.e),
            bytes(&self.x),
        ) {
            (Means::Rsa(parameters), Some(n), Some(e), _) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Means::Point(_, means), _, _, Some(mut x)) => {
                if let Some(y) = bytes(&self.y) {
                    // An uncompressed point (SEC 1, 2.3.3).
                    x.insert(0, 4);
                    x.extend(y);
                }
                UnparsedPublicKey::new(means, x).verify(message, signature)
            }
            _ => return false,
        };
        checked.is_ok()
    }
}
