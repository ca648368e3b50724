//! What a principal is granted: for each verb, patterns of names.

use serde::Deserialize;

use super::{Scope, Verb};

/// `grants:` of a principal, as written and as used: what is not in it is refused.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grants {
    append: Vec<Pattern>,
    import: Vec<Pattern>,
    read: Vec<Pattern>,
    follow: Vec<Pattern>,
    public: Vec<Pattern>,
    operate: bool,
}

/// A name in which each `*` stands for any characters, none included.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
struct Pattern(String);

impl Grants {
    /// Whether `verb` may be done to `scope`. The whole log is granted by `*` only.
    pub(super) fn allow(&self, verb: Verb, scope: Scope<'_>) -> bool {
        let patterns = match verb {
            Verb::Append => &self.append,
            Verb::Import => &self.import,
            Verb::Read => &self.read,
            Verb::Follow => &self.follow,
            Verb::Public => &self.public,
            Verb::Operate => return self.operate && matches!(scope, Scope::Daemon),
        };
        match (verb, scope) {
            (Verb::Public, Scope::Contract(name)) => patterns.iter().any(|p| p.fits(name)),
            (Verb::Public, _) | (_, Scope::Contract(_) | Scope::Daemon) => false,
            (_, Scope::Category(name)) => patterns.iter().any(|pattern| pattern.fits(name)),
            (_, Scope::Log) => patterns.iter().any(|pattern| pattern.0 == "*"),
        }
    }

    /// What is written in a way that grants nothing, if anything is.
    pub(super) fn mistake(&self) -> Option<String> {
        let lists = [
            ("append", &self.append),
            ("import", &self.import),
            ("read", &self.read),
            ("follow", &self.follow),
            ("public", &self.public),
        ];
        for (verb, patterns) in lists {
            for pattern in patterns {
                if pattern.0.is_empty() {
                    return Some(format!("{verb}: an empty name fits nothing"));
                }
                if verb != "public" && pattern.0.contains('-') {
                    return Some(format!(
                        "{verb}: {:?} has a `-`: a category ends at the first one, so this fits nothing",
                        pattern.0
                    ));
                }
            }
        }
        let any = self.operate || lists.iter().any(|(_, patterns)| !patterns.is_empty());
        (!any).then(|| {
            "nothing is granted: write append, import, read, follow or public with names, or `operate: true`"
                .to_owned()
        })
    }
}

impl Pattern {
    /// Whether a name fits; takes time in proportion to the pattern times the name at most.
    fn fits(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else {
            return rest.is_empty();
        };
        for part in middle {
            // The first place leaves the most for what comes after.
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// Whether a name fits a pattern.
#[cfg(test)]
pub(super) fn fits_for_test(pattern: &str, name: &str) -> bool {
    Pattern(pattern.to_owned()).fits(name)
}
