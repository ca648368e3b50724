//! Public ids and pseudonyms: they tell nothing of what they are made from, and are the same every time.
//!
//! Both are HMAC-SHA256 under the store's secret. Each input part goes in with its length before it, so that no two
//! different inputs are the same bytes, and the first part names the purpose.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The store's secret that public ids and pseudonyms are made under. `Debug` does not show it.
#[derive(Clone)]
pub struct IdSecret {
    keyed: Hmac<Sha256>,
}

impl IdSecret {
    /// From 32 random bytes that are made with the store and kept with it.
    pub fn new(secret: [u8; 32]) -> Self {
        // HMAC fills a short key up with zeros to the block's 64 bytes; doing it here leaves nothing that can fail.
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(&secret);
        Self {
            keyed: Hmac::new(&block.into()),
        }
    }

    fn digest(&self, parts: &[&str]) -> [u8; 16] {
        let mut hmac = self.keyed.clone();
        for part in parts {
            hmac.update(&(part.len() as u64).to_be_bytes());
            hmac.update(part.as_bytes());
        }
        let whole = hmac.finalize().into_bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }

    /// The id of the public event that a private event becomes, shaped as a UUID of version 8 (RFC 9562, 5.8).
    pub(crate) fn public_id(
        &self,
        public_stream: &str,
        public_type: &str,
        source: &str,
        id: &str,
    ) -> String {
        let mut bytes = self.digest(&["public id 1", public_stream, public_type, source, id]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (nth, byte) in bytes.iter().enumerate() {
            if matches!(nth, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            push_hex(&mut text, *byte);
        }
        text
    }

    /// What stands for a key that must not be seen: 32 hexadecimal digits.
    pub(crate) fn pseudonym(&self, public_stream: &str, key: &str) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.digest(&["pseudonym 1", public_stream, key]) {
            push_hex(&mut text, byte);
        }
        text
    }
}

/// Adds two lower-case hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

impl std::fmt::Debug for IdSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_every_time_and_differs_with_each_part() {
        let secret = IdSecret::new([7; 32]);
        let id = secret.public_id("s.v1", "t", "src", "1");
        assert_eq!(id, secret.public_id("s.v1", "t", "src", "1"));
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "8");
        assert!("89ab".contains(&id[19..20]));
        for other in [
            secret.public_id("s.v2", "t", "src", "1"),
            secret.public_id("s.v1", "u", "src", "1"),
            secret.public_id("s.v1", "t", "src2", "1"),
            secret.public_id("s.v1", "t", "src", "2"),
            secret.public_id("s.v1", "t", "src1", ""),
            secret.public_id("s.v1", "ts", "rc", "1"),
            IdSecret::new([8; 32]).public_id("s.v1", "t", "src", "1"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn the_way_ids_are_made_never_changes() {
        let secret = IdSecret::new([0x5a; 32]);
        assert_eq!(
            secret.public_id(
                "bank.accounts.v1",
                "example.bank.account.opened.v1",
                "account-576",
                "e-1"
            ),
            "2e555fbd-0d9e-87cc-8f9e-fc313659a8a0"
        );
        assert_eq!(
            secret.pseudonym("bank.accounts.v1", "576"),
            "d512ec7f02a2d4ba72cc0b082e580f9b"
        );
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", IdSecret::new([7; 32])), "IdSecret(..)");
    }
}
