//! Exact arithmetic on the numbers of schemas, as far as it is needed: order, whole parts, divisibility.

use crate::expression::number::compare;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// One end of a range of numbers.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) limit: Number,
    /// The limit itself lies outside.
    pub(super) exclusive: bool,
}

/// A lower or an upper end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Lower,
    Upper,
}

impl End {
    /// The keywords of this end, inclusive and exclusive.
    pub(super) fn keywords(self) -> (&'static str, &'static str) {
        match self {
            Self::Lower => ("minimum", "exclusiveMinimum"),
            Self::Upper => ("maximum", "exclusiveMaximum"),
        }
    }
}

impl Bound {
    /// Whether everything within this bound lies within the other.
    pub(super) fn within(&self, other: &Self, end: End) -> bool {
        match (compare(&self.limit, &other.limit), end) {
            (Ordering::Greater, End::Lower) | (Ordering::Less, End::Upper) => true,
            (Ordering::Equal, _) => self.exclusive || !other.exclusive,
            _ => false,
        }
    }

    /// The same bound for whole numbers; itself where the limit is too large to tell.
    pub(super) fn whole(&self, end: End) -> Self {
        let Some((mut whole, is_whole)) = floor(&self.limit) else {
            return self.clone();
        };
        match end {
            End::Lower if !is_whole || self.exclusive => whole += 1,
            End::Upper if is_whole && self.exclusive => whole -= 1,
            _ => {}
        }
        match whole.to_string().parse() {
            Ok(limit) => Self {
                limit,
                exclusive: false,
            },
            Err(_) => self.clone(),
        }
    }
}

/// Whether no number lies above the lower and below the upper bound.
pub(super) fn excludes(lower: &Bound, upper: &Bound) -> bool {
    match compare(&lower.limit, &upper.limit) {
        Ordering::Greater => true,
        Ordering::Equal => lower.exclusive || upper.exclusive,
        Ordering::Less => false,
    }
}

/// The bounds of one end that a schema's keywords set.
pub(super) fn bounds(
    schema: &serde_json::Map<String, Value>,
    draft: u8,
    end: End,
) -> Vec<(Bound, &'static str)> {
    let (inclusive, exclusive) = end.keywords();
    let number = |keyword: &str| match schema.get(keyword) {
        Some(Value::Number(number)) => Some(number.clone()),
        _ => None,
    };
    let marked = draft == 4 && schema.get(exclusive) == Some(&Value::Bool(true));
    let first = number(inclusive).map(|limit| {
        let bound = Bound {
            limit,
            exclusive: marked,
        };
        (bound, inclusive)
    });
    let second = number(exclusive).filter(|_| draft != 4).map(|limit| {
        let bound = Bound {
            limit,
            exclusive: true,
        };
        (bound, exclusive)
    });
    first.into_iter().chain(second).collect()
}

/// A decimal number as digits and how many of them are behind the point; none when it is too long.
fn decimal(number: &Number) -> Option<(i128, u32)> {
    let text = number.to_string();
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.trim_start_matches('+').parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let behind = i32::try_from(fraction.len()).ok()? - power;
    if behind >= 0 {
        return Some((digits, u32::try_from(behind).ok()?));
    }
    let scale = 10_i128.checked_pow(u32::try_from(-behind).ok()?)?;
    Some((digits.checked_mul(scale)?, 0))
}

/// The largest whole number that is not above, and whether it is the number itself.
pub(super) fn floor(number: &Number) -> Option<(i128, bool)> {
    let (digits, behind) = decimal(number)?;
    let scale = 10_i128.checked_pow(behind)?;
    Some((digits.div_euclid(scale), digits.rem_euclid(scale) == 0))
}

/// Whether every multiple of `of` is a multiple of `number`; none when it cannot be told.
pub(super) fn is_multiple(of: &Number, number: &Number) -> Option<bool> {
    let ((a, a_behind), (b, b_behind)) = (decimal(of)?, decimal(number)?);
    let behind = a_behind.max(b_behind);
    let scaled = |digits: i128, own: u32| digits.checked_mul(10_i128.checked_pow(behind - own)?);
    let (a, b) = (scaled(a, a_behind)?, scaled(b, b_behind)?);
    (b != 0).then(|| a % b == 0)
}

/// A number near another one.
pub(super) fn near(number: &Number, tenths: i64) -> Option<Number> {
    let (digits, own) = decimal(number)?;
    let behind = own.max(1);
    let scale = 10_i128.checked_pow(behind - 1)?;
    let sum = digits
        .checked_mul(10_i128.checked_pow(behind - own)?)?
        .checked_add(i128::from(tenths).checked_mul(scale)?)?;
    let point = 10_i128.checked_pow(behind)?;
    let (whole, rest) = (sum.abs() / point, sum.abs() % point);
    let sign = if sum < 0 { "-" } else { "" };
    let text = match rest {
        0 => format!("{sign}{whole}"),
        _ => {
            let fraction = format!("{rest:0width$}", width = behind as usize);
            format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
        }
    };
    text.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn whole_parts_and_neighbours_are_exact() {
        assert_eq!(floor(&number("1.5")), Some((1, false)));
        assert_eq!(floor(&number("-1.5")), Some((-2, false)));
        assert_eq!(floor(&number("2e2")), Some((200, true)));
        assert_eq!(floor(&number("1e400")), None);
        for (text, tenths, expected) in [
            ("1", 5, "1.5"),
            ("1", -10, "0"),
            ("0", -5, "-0.5"),
            ("0.25", 1, "0.35"),
            ("-1", 10, "0"),
            ("100", 10, "101"),
        ] {
            assert_eq!(near(&number(text), tenths).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn multiples_are_exact() {
        assert_eq!(is_multiple(&number("0.3"), &number("0.1")), Some(true));
        assert_eq!(is_multiple(&number("4"), &number("8")), Some(false));
        assert_eq!(is_multiple(&number("1"), &number("0.5")), Some(true));
        assert_eq!(is_multiple(&number("1"), &number("0")), None);
    }
}
