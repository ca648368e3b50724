//! JSON text that somebody else wrote.
//!
//! `serde_json` gives members of some names a meaning of its own once numbers are kept as they were written: in a [`Value`],
//! `{"$serde_json::private::Number":"5"}` is the number 5, and `{"$serde_json::private::RawValue":"…"}` is whatever the text says, read
//! with a new bound of nesting. Text from outside must not: what a schema checks would be something else than what is kept, and
//! texts within texts would use up the stack. So members of such names are refused.

use serde::de::Error as _;
use serde_json::{Error, Value};

/// What the names begin with that `serde_json` keeps for itself.
const PRIVATE: &[u8] = b"$serde_json::private::";

/// Reads JSON text that somebody else wrote.
///
/// # Errors
/// As `serde_json` tells them: it is no JSON, it is nested deeper than 128 levels, or a member has a name that is kept back.
pub fn parse_json(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(check_json(text)?)
}

/// The text, unless a member in it has a name that `serde_json` would take for its own. Text that is no JSON may pass.
///
/// # Errors
/// A member has a name that is kept back.
pub fn check_json(text: &[u8]) -> Result<&[u8], Error> {
    // Neither as it is nor escaped: most text.
    if memchr::memchr2(b'$', b'\\', text).is_none() {
        return Ok(text);
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        let (is_private, after) = read_string(rest.get(at + 1..).unwrap_or_default());
        if is_private {
            return Err(Error::custom(
                "names that begin with `$serde_json::private::` are kept back: rename the member, or the text",
            ));
        }
        rest = after;
    }
    Ok(text)
}

/// Whether a string, from behind its first quote, begins as the private names do; and what comes after it.
fn read_string(text: &[u8]) -> (bool, &[u8]) {
    let (mut at, mut matched) = (0, Some(0));
    while let Some(&byte) = text.get(at) {
        at += 1;
        let character = match byte {
            b'"' => break,
            b'\\' => {
                let escaped = text.get(at).copied();
                at += 1;
                match escaped {
                    Some(b'u') => {
                        let digits = text.get(at..at + 4).unwrap_or_default();
                        at += digits.len();
                        let digits = std::str::from_utf8(digits).unwrap_or_default();
                        u32::from_str_radix(digits, 16).unwrap_or(u32::MAX)
                    }
                    // None of those that a backslash makes is in the names.
                    _ => u32::MAX,
                }
            }
            byte => u32::from(byte),
        };
        matched = match matched {
            Some(count) if count == PRIVATE.len() => Some(count),
            Some(count) if PRIVATE.get(count).map(|byte| u32::from(*byte)) == Some(character) => {
                Some(count + 1)
            }
            _ => None,
        };
    }
    (
        matched == Some(PRIVATE.len()),
        text.get(at..).unwrap_or_default(),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn members_that_the_library_would_take_for_its_own_are_refused_however_they_are_written() {
        for text in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"{"$serde_json::private::Number":"5"}"#,
            r#"{"a":[{"b":{"\u0024serde_json::private::Number" : "5"}}]}"#,
            r#"{"x\"":1,"$\u0073erde_json\u003a\u003Aprivate::RawValue":"[]"}"#,
            r#"{"\\":"\\","$serde_json::private::RawValue":"1"}"#,
        ] {
            let error = parse_json(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("kept back"), "{text}: {error}");
        }
    }

    #[test]
    fn all_other_text_is_read_as_it_is() {
        for text in [
            r#"{"amount":12345678901234567890.10,"b":1e400}"#,
            r#"{"$serde_json":"private","a":"say $serde_json::private::Number"}"#,
            r#"["\"","\\","\u00fc\/","$serde_json::privat"]"#,
        ] {
            let read = parse_json(text.as_bytes()).unwrap();
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read, plain, "{text}");
        }
        assert!(parse_json(b"{\"a").is_err());
        assert!(parse_json(b"\"\\").is_err());
    }
}
