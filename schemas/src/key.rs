//! What order is kept by: the key of an event, published as `partitionkey`.

use crate::crossing::Violation;
use crate::mapping::Identity;
use crate::path::Path;
use serde_json::Value;

/// The length of a key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// What order is kept by.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: Path,
    pub(crate) pseudonym: bool,
}

impl Key {
    /// The key of an event, or why it has none.
    pub(crate) fn of(&self, data: &Value, identity: &Identity<'_>) -> Result<String, Violation> {
        let refuse = |reason: &str| Violation {
            pointer: self.path.pointer(),
            reason: format!("the key {reason}"),
        };
        let key = match self.path.find(data) {
            None | Some(Value::Null) => return Err(refuse("is missing")),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            Some(_) => return Err(refuse("is neither text, number nor boolean")),
        };
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(refuse(&format!("has not from 1 to {MAX_KEY_BYTES} bytes")));
        }
        if key.chars().any(is_refused) {
            return Err(refuse("has a control character or a noncharacter"));
        }
        Ok(if self.pseudonym {
            identity.secret.pseudonym(identity.public_stream, &key)
        } else {
            key
        })
    }
}

/// Whether a CloudEvents attribute cannot have the character (CloudEvents 1.0, 3.2, String).
pub(crate) fn is_refused(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
