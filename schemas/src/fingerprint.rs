//! A digest of what a contract says: the same for the same content, whatever its layout.

use crate::ids::push_hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A digest under way.
#[derive(Default)]
pub(crate) struct Fingerprint {
    digest: Sha256,
}

impl Fingerprint {
    /// Adds a named part. The order of object keys does not count.
    pub(crate) fn add(&mut self, name: &str, value: &Value) {
        self.text(name);
        self.value(value);
    }

    /// The digest in lower-case hexadecimal.
    pub(crate) fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.digest.finalize() {
            push_hex(&mut text, byte);
        }
        text
    }

    fn text(&mut self, text: &str) {
        self.digest.update((text.len() as u64).to_be_bytes());
        self.digest.update(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                self.digest.update([b'{']);
                self.digest.update((fields.len() as u64).to_be_bytes());
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort();
                for name in names {
                    self.text(name);
                    self.value(&fields[name]);
                }
            }
            Value::Array(items) => {
                self.digest.update([b'[']);
                self.digest.update((items.len() as u64).to_be_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            scalar => {
                self.digest.update([b'.']);
                self.text(&scalar.to_string());
            }
        }
    }
}
