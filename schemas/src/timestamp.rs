//! Points in time in RFC 3339, as CloudEvents' `time` wants them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whether the text is a point in time by RFC 3339, section 5.6. Leap seconds are not taken, because many readers do not.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes
            .get(from..to)
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        Some(
            digits
                .iter()
                .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0')),
        )
    };
    let sign_at = |at: usize, sign: u8| bytes.get(at) == Some(&sign);
    let within = |number: Option<u32>, from: u32, to: u32| {
        number.is_some_and(|number| (from..=to).contains(&number))
    };
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !signs.iter().all(|(at, sign)| sign_at(*at, *sign)) {
        return false;
    }
    let (Some(year), Some(month)) = (number(0, 4), number(5, 7)) else {
        return false;
    };
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return false,
    };
    if year == 0 || !within(number(8, 10), 1, days) || !within(number(11, 13), 0, 23) {
        return false;
    }
    if !within(number(14, 16), 0, 59) || !within(number(17, 19), 0, 59) {
        return false;
    }
    let mut at = 19;
    if sign_at(at, b'.') {
        let digits = bytes[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 || digits > 9 {
            return false;
        }
        at += 1 + digits;
    }
    match bytes.get(at) {
        Some(b'Z') => bytes.len() == at + 1,
        Some(b'+' | b'-') => {
            bytes.len() == at + 6
                && sign_at(at + 3, b':')
                && within(number(at + 1, at + 3), 0, 23)
                && within(number(at + 4, at + 6), 0, 59)
        }
        _ => false,
    }
}

/// The milliseconds since 1970 of a point in time, rounded up; none when it is no time. What lies before is 0.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    if !is_rfc3339(text) {
        return None;
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let milliseconds = (at.unix_timestamp_nanos().max(0) + 999_999) / 1_000_000;
    u64::try_from(milliseconds).ok()
}

/// Milliseconds since 1970 as text; the last that can be written for what lies after it.
pub(crate) fn of_milliseconds(milliseconds: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59.999Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_is_a_time() {
        for good in [
            "1993-01-01T00:00:00Z",
            "2024-02-29T23:59:59.123456789+02:00",
            "2000-02-29T00:00:00-23:59",
            "1993-01-01T00:00:00.5Z",
        ] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in [
            "",
            "1993-01-01",
            "1993-01-01T00:00:00",
            "1993-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1993-13-01T00:00:00Z",
            "1993-01-01T24:00:00Z",
            "1993-01-01T00:60:00Z",
            "1993-01-01T00:00:60Z",
            "1993-01-01T00:00:00.Z",
            "1993-01-01T00:00:00z",
            "1993-01-01 00:00:00Z",
            "1993-01-01T00:00:00+0200",
            "1993-01-01T00:00:00Zx",
            "+993-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1993-01-01T00:00:00+é0:00",
            "1993-01-01T00:00:00.1234567890Z",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }

    #[test]
    fn a_time_becomes_milliseconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", Some(0)),
            ("1970-01-01T00:00:00.0000001Z", Some(1)),
            ("2023-11-14T23:13:20.123+01:00", Some(1_700_000_000_123)),
            ("2023-11-14", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn milliseconds_become_a_time() {
        assert_eq!(of_milliseconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(
            of_milliseconds(1_700_000_000_123),
            "2023-11-14T22:13:20.123Z"
        );
        assert!(is_rfc3339(&of_milliseconds(u64::MAX)));
    }
}
