//! Patterns of stream names: `*` stands for any characters, `?` for one, everything else for itself.

/// The length of a pattern, in bytes: that of a stream's name.
const MAX_BYTES: usize = 255;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<char>);

impl Glob {
    /// Reads a pattern; none if no stream's name could be as long or have its characters.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let legal =
            !text.is_empty() && text.len() <= MAX_BYTES && !text.chars().any(char::is_control);
        legal.then(|| Self(text.chars().collect()))
    }

    /// Whether the whole name fits. It takes at most the product of both lengths in steps.
    pub(crate) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut own) = (0, 0);
        // Where the last star stands, and how far it has been stretched.
        let mut star: Option<(usize, usize)> = None;
        while let Some(c) = name.get(at) {
            match self.0.get(own) {
                Some('*') => {
                    star = Some((own, at));
                    own += 1;
                }
                Some(one) if *one == '?' || one == c => {
                    own += 1;
                    at += 1;
                }
                _ => match star {
                    Some((stars, from)) => {
                        star = Some((stars, from + 1));
                        own = stars + 1;
                        at = from + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0.iter().skip(own).all(|rest| *rest == '*')
    }

    /// Whether a name can fit that begins with `prefix` and goes on.
    pub(crate) fn can_go_on_from(&self, prefix: &str) -> bool {
        let mut places = vec![0];
        for c in prefix.chars() {
            let mut next = Vec::new();
            for place in self.with_stars(&places) {
                match self.0.get(place) {
                    Some('*') => next.push(place),
                    Some(one) if *one == '?' || *one == c => next.push(place + 1),
                    _ => {}
                }
            }
            next.sort_unstable();
            next.dedup();
            places = next;
        }
        places.iter().any(|place| *place < self.0.len())
    }

    /// The places, and those behind the stars that stand there.
    fn with_stars(&self, places: &[usize]) -> Vec<usize> {
        let mut all = places.to_vec();
        let mut nth = 0;
        while let Some(place) = all.get(nth).copied() {
            if self.0.get(place) == Some(&'*') && !all.contains(&(place + 1)) {
                all.push(place + 1);
            }
            nth += 1;
        }
        all
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().fits(name)
    }

    /// The meaning, written down without any thought of cost.
    fn means(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                means(rest, name)
                    || name
                        .split_first()
                        .is_some_and(|(_, name)| means(pattern, name))
            }
            (Some((one, rest)), Some((c, name))) if *one == '?' || one == c => means(rest, name),
            _ => false,
        }
    }

    #[test]
    fn a_pattern_is_for_the_whole_name() {
        assert!(fits("account-5*", "account-576") && fits("account-5*", "account-5"));
        assert!(!fits("account-5*", "account-65") && !fits("account-5", "account-576"));
        assert!(fits("*-é?", "a-é1") && !fits("*-é?", "a-é12"));
        assert!(Glob::parse("").is_none() && Glob::parse("a\n").is_none());
        assert!(Glob::parse(&"a".repeat(256)).is_none());
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        assert!(!fits(&"*a".repeat(127), &"a".repeat(126)));
        assert!(
            Glob::parse(&"*".repeat(255))
                .unwrap()
                .can_go_on_from("account-")
        );
    }

    #[test]
    fn whether_a_category_can_fit_is_known_beforehand() {
        let can = |pattern: &str| Glob::parse(pattern).unwrap().can_go_on_from("account-");
        for pattern in [
            "*",
            "account-*",
            "account-5*",
            "a*",
            "*5",
            "????????5",
            "account-?",
            "*-5",
        ] {
            assert!(can(pattern), "{pattern}");
        }
        for pattern in ["client-*", "account", "account-", "accounts-*", "?", "5*"] {
            assert!(!can(pattern), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn matching_means_what_it_says(pattern in "[ab*?]{1,8}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &name), means(&chars(&pattern), &chars(&name)));
        }

        #[test]
        fn what_fits_can_go_on(pattern in "[a\\-*?]{1,8}", rest in "[a\\-]{1,4}") {
            if fits(&pattern, &format!("a-{rest}")) {
                prop_assert!(Glob::parse(&pattern).unwrap().can_go_on_from("a-"));
            }
        }
    }
}
