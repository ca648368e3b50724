//! Bearer tokens: made at random, kept as SHA-256 digests, compared in constant time.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::{Choice, ConstantTimeEq as _};

/// Length of a fresh token before it is written as text, in bytes.
const TOKEN_BYTES: usize = 32;
/// What a fresh token begins with, so that a scanner for secrets finds one that has leaked.
const TOKEN_PREFIX: &str = "hzn_";
/// Shortest token that is taken from a file or the environment, in bytes: shorter ones can be guessed.
pub(super) const SHORTEST_TOKEN_BYTES: usize = 32;

/// The SHA-256 of a token.
#[derive(Clone, Copy)]
pub(super) struct TokenDigest([u8; SHA256_OUTPUT_LEN]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> TokenDigest {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        TokenDigest(bytes)
    }

    /// A digest as it is written: 64 hexadecimal digits.
    pub(super) fn of_text(text: &str) -> Option<TokenDigest> {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        if text.len() != 2 * SHA256_OUTPUT_LEN || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2)?;
            if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(TokenDigest(bytes))
    }

    /// Whether two digests are the same; takes the same time whatever they are.
    pub(super) fn same(&self, other: &TokenDigest) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &TokenDigest) -> bool {
        self.same(other).into()
    }
}

/// A digest helps nobody who reads a log.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

/// A new token and the SHA-256 of it in hexadecimal digits.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn fresh_token() -> Result<(String, String), String> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gives no random bytes".to_owned())?;
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let TokenDigest(digest) = TokenDigest::of(&token);
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((token, digest))
}
