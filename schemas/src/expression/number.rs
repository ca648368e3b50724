//! Numbers by their text: compared exactly, computed as integers where they are, else as 64-bit floats, as jq does.

use serde_json::Number;
use std::cmp::Ordering;

/// A decimal number taken apart: its value is 0.DIGITS × 10^exponent.
struct Decimal<'t> {
    negative: bool,
    integer: &'t str,
    fraction: &'t str,
    exponent: i64,
}

impl<'t> Decimal<'t> {
    fn of(text: &'t str) -> Self {
        let (negative, text) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], power(&text[at + 1..])),
            None => (text, 0),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Self {
            negative,
            integer,
            fraction,
            exponent: power,
        };
        decimal.normalise();
        decimal
    }

    /// Takes zeros away at both ends, so that equal values have equal parts.
    fn normalise(&mut self) {
        self.fraction = self.fraction.trim_end_matches('0');
        self.integer = self.integer.trim_start_matches('0');
        let mut point = i64::try_from(self.integer.len()).unwrap_or(i64::MAX);
        if self.integer.is_empty() {
            let stripped = self.fraction.trim_start_matches('0');
            point = -i64::try_from(self.fraction.len() - stripped.len()).unwrap_or(i64::MAX);
            self.fraction = stripped;
        }
        if self.fraction.is_empty() {
            self.integer = self.integer.trim_end_matches('0');
        }
        self.exponent = self.exponent.saturating_add(point);
    }

    fn is_zero(&self) -> bool {
        self.integer.is_empty() && self.fraction.is_empty()
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.integer.bytes().chain(self.fraction.bytes())
    }
}

fn power(text: &str) -> i64 {
    let beyond = if text.starts_with('-') {
        i64::MIN / 2
    } else {
        i64::MAX / 2
    };
    text.trim_start_matches('+')
        .parse::<i64>()
        .unwrap_or(beyond)
        .clamp(i64::MIN / 2, i64::MAX / 2)
}

/// Which is the larger value.
pub(crate) fn compare(a: &Number, b: &Number) -> Ordering {
    let (a, b) = (Decimal::of(a.as_str()), Decimal::of(b.as_str()));
    match (a.is_zero(), b.is_zero()) {
        (true, true) => return Ordering::Equal,
        (true, false) => {
            return if b.negative {
                Ordering::Greater
            } else {
                Ordering::Less
            };
        }
        (false, true) => {
            return if a.negative {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        (false, false) => {}
    }
    match (a.negative, b.negative) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a
            .exponent
            .cmp(&b.exponent)
            .then_with(|| a.digits().cmp(b.digits())),
        (true, true) => b
            .exponent
            .cmp(&a.exponent)
            .then_with(|| b.digits().cmp(a.digits())),
    }
}

/// `+ - * / %`; none where there is no result.
pub(super) fn compute(operator: char, a: &Number, b: &Number) -> Option<Number> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        let exact = match operator {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            '/' if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
            '%' => return a.checked_rem(b).map(Number::from),
            _ => None,
        };
        if let Some(exact) = exact {
            return Some(Number::from(exact));
        }
    }
    let (a, b) = (a.as_f64()?, b.as_f64()?);
    from_f64(match operator {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' if b != 0.0 => a / b,
        _ => return None,
    })
}

/// A finite number, without a fraction where it is whole.
pub(super) fn from_f64(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// The number without its sign.
pub(super) fn absolute(number: &Number) -> Number {
    number
        .as_str()
        .strip_prefix('-')
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| number.clone())
}

/// The number with the other sign.
pub(super) fn negate(number: &Number) -> Number {
    let text = number.as_str();
    let other = text
        .strip_prefix('-')
        .map_or_else(|| format!("-{text}"), str::to_owned);
    if Decimal::of(&other).is_zero() {
        return absolute(number);
    }
    serde_json::from_str(&other).unwrap_or_else(|_| number.clone())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_exactly() {
        for (a, b, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("100", "1e2", Ordering::Equal),
            ("0.001", "1e-3", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("0", "-5", Ordering::Greater),
            ("0", "0.1", Ordering::Less),
            ("-2", "-10", Ordering::Greater),
            (
                "12345678901234567890.1",
                "12345678901234567890.2",
                Ordering::Less,
            ),
            ("1e999999999999999999999", "2", Ordering::Greater),
            ("1e-999999999999999999999", "0", Ordering::Greater),
            ("120", "12", Ordering::Greater),
            ("0.5", "5", Ordering::Less),
            ("700.0", "700.00", Ordering::Equal),
        ] {
            assert_eq!(compare(&number(a), &number(b)), expected, "{a} {b}");
            assert_eq!(
                compare(&number(b), &number(a)),
                expected.reverse(),
                "{b} {a}"
            );
        }
    }

    #[test]
    fn arithmetic_is_exact_on_integers_and_has_no_result_where_there_is_none() {
        assert_eq!(
            compute('+', &number("9007199254740993"), &number("1")),
            Some(number("9007199254740994"))
        );
        assert_eq!(compute('/', &number("10"), &number("2")), Some(number("5")));
        assert_eq!(compute('/', &number("1"), &number("0")), None);
        assert_eq!(compute('%', &number("1"), &number("0")), None);
        assert_eq!(compute('*', &number("1e308"), &number("10")), None);
        assert_eq!(negate(&number("0.0")).to_string(), "0.0");
        assert_eq!(negate(&number("1.50")).to_string(), "-1.50");
    }
}
