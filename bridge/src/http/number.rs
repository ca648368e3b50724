//! Whole numbers in JSON: `5` and `5.0` are the same (JSON Schema 2020-12, section 4.2.3), and some clients write the latter.

use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, de};
use serde_json::Number;

/// The largest number that every JSON reader holds (RFC 8259, section 6); places in logs are below it.
pub(crate) const MAX: u64 = (1 << 53) - 1;

/// The whole number that a JSON number is, if it is one of this type and at most [`MAX`].
pub(crate) fn whole<N: TryFrom<u64>>(number: &Number) -> Option<N> {
    let text = number.as_str();
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    let number = text.parse().ok().filter(|number| *number <= MAX)?;
    N::try_from(number).ok()
}

/// For parts of a query that may be absent.
pub(crate) fn in_query<'de, N, D>(deserializer: D) -> Result<Option<N>, D::Error>
where
    N: FromStr,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let number = text.parse().map(Some);
    number.map_err(|_| {
        de::Error::custom(format_args!(
            "{text:?} is no whole number within its bounds"
        ))
    })
}

/// For members that may be absent or null.
pub(crate) fn optional<'de, N, D>(deserializer: D) -> Result<Option<N>, D::Error>
where
    N: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let refused = || {
        de::Error::custom(format_args!(
            "{number} is no whole number within its bounds"
        ))
    };
    whole(&number).map(Some).ok_or_else(refused)
}
