//! Names: of logs, streams, public streams, relays and cursors.
//!
//! A name is 1 to 255 bytes of UTF-8 (relays and cursors: 512) without control characters, so that a zero byte can
//! end it in a key and the order of keys is the order of names. A name that was once made is legal for ever.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Longest name of a log, a stream or a public stream, in bytes.
pub const NAME_MAX_BYTES: usize = 255;
/// Longest name of a relay or a cursor, in bytes: they are made of other names.
pub const COMPOUND_NAME_MAX_BYTES: usize = 512;

/// Things by name. The hashes are seeded by chance, and nobody is told them.
pub(crate) type ByName<K, T> = HashMap<K, T, foldhash::fast::RandomState>;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name of a {what} must not be empty")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// The text is too long.
    #[error("the name of a {what} has {bytes} bytes; at most {limit_bytes} are allowed")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// Length of the text, in bytes.
        bytes: usize,
        /// Longest name, in bytes.
        limit_bytes: usize,
    },
    /// The text holds a control character.
    #[error(
        "the name of a {what} has the control character U+{character:04X} at byte {at_byte}; none is allowed"
    )]
    ControlCharacter {
        /// What was to be named.
        what: &'static str,
        /// The character's code point.
        character: u32,
        /// Where it starts, in bytes from 0.
        at_byte: usize,
    },
}

fn check(what: &'static str, limit_bytes: usize, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > limit_bytes {
        return Err(NameError::TooLong {
            what,
            bytes: name.len(),
            limit_bytes,
        });
    }
    if is_plain(name.as_bytes()) {
        return Ok(());
    }
    match name.char_indices().find(|(_, c)| c.is_control()) {
        Some((at_byte, c)) => Err(NameError::ControlCharacter {
            what,
            character: u32::from(c),
            at_byte,
        }),
        None => Ok(()),
    }
}

/// Whether all bytes are printable ASCII, as those of most names are.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| matches!(byte, 0x20..0x7f))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the text and makes a name of it.
            ///
            /// # Errors
            /// [`NameError`] if the text is empty, too long or has a control character.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check($what, $limit, name)?;
                Ok(Self(Arc::from(name)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// Names a log. The default is `main`.
    LogName,
    "log",
    NAME_MAX_BYTES
);
name!(
    /// Names a stream of private events: `category-id`.
    StreamName,
    "stream",
    NAME_MAX_BYTES
);
name!(
    /// Names a public stream, such as `bank.accounts.v1`.
    PublicStreamName,
    "public stream",
    NAME_MAX_BYTES
);
name!(
    /// Names a relay, such as `bank.accounts.v1/mqtt:main`.
    RelayName,
    "relay",
    COMPOUND_NAME_MAX_BYTES
);
name!(
    /// Names a cursor of the crossing, such as `crossing` or `crossing/bank.accounts.v1`.
    CursorName,
    "cursor",
    COMPOUND_NAME_MAX_BYTES
);

impl LogName {
    /// The default log, `main`.
    #[must_use]
    pub fn main() -> Self {
        Self(Arc::from("main"))
    }
}

impl StreamName {
    /// The category: the name up to its first `-`, or all of it.
    #[must_use]
    pub fn category(&self) -> &str {
        category(&self.0)
    }

    /// Whether bytes are the name of a stream. All that are read are checked.
    pub(crate) fn is_one(name: &[u8]) -> bool {
        let plain = (1..=NAME_MAX_BYTES).contains(&name.len()) && is_plain(name);
        plain || std::str::from_utf8(name).is_ok_and(|name| Self::new(name).is_ok())
    }
}

/// The category of a stream, by its name: all up to the first `-`, or all of it.
pub(crate) fn category(stream: &str) -> &str {
    stream
        .split_once('-')
        .map_or(stream, |(category, _)| category)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_category_ends_at_the_first_hyphen() {
        let category = |name: &str| StreamName::new(name).unwrap().category().to_owned();
        assert_eq!(category("account-5-7"), "account");
        assert_eq!(category("account"), "account");
        assert_eq!(category("-5"), "");
    }

    #[test]
    fn names_are_refused_with_the_reason() {
        assert_eq!(LogName::new(""), Err(NameError::Empty { what: "log" }));
        let long = "x".repeat(256);
        assert_eq!(
            StreamName::new(&long),
            Err(NameError::TooLong {
                what: "stream",
                bytes: 256,
                limit_bytes: 255
            })
        );
        let error = PublicStreamName::new("a\u{0}b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the name of a public stream has the control character U+0000 at byte 1; none is allowed"
        );
        assert!(RelayName::new(&long).is_ok());
        assert!(CursorName::new("crossing/\u{85}").is_err());
    }
}
