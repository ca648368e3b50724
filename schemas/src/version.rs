//! Semantic versions of contracts.

use std::fmt;

/// `MAJOR.MINOR.PATCH`; neither pre-releases nor build marks, because a contract is either in use or it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads a version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| {
            let plain = number.bytes().all(|byte| byte.is_ascii_digit())
                && (number == "0" || !number.starts_with('0'));
            number.parse::<u32>().ok().filter(|_| plain)
        });
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next()??,
        };
        numbers.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The number of a name that ends in `.vN`.
pub(crate) fn suffix(name: &str) -> Option<u32> {
    let number = &name[name.rfind(".v")? + 2..];
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| number.parse().ok())?
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_plain_numbers() {
        assert_eq!(Version::parse("1.20.3").unwrap().to_string(), "1.20.3");
        for bad in [
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.0.0-rc.1",
            "1.0.x",
            "",
            "+1.0.0",
            "1..0",
            "99999999999.0.0",
        ] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_suffix_is_found_at_the_end_only() {
        assert_eq!(suffix("example.opened.v12"), Some(12));
        assert_eq!(suffix("example.v1.opened"), None);
        assert_eq!(suffix("example.v"), None);
        assert_eq!(suffix("opened"), None);
    }
}
