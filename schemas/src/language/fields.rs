//! Reading a mapping of the language: its known keys once each, everything else told.

use super::words::Words;
use super::yaml::{Kind, Node};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{At, Span};
use std::collections::HashSet;

/// A key of the language that is known and not built yet.
pub(crate) struct Later {
    pub(crate) key: &'static str,
    pub(crate) mend: &'static str,
}

/// The entries of a mapping whose keys have been checked.
pub(crate) struct Fields<'n> {
    what: &'static str,
    span: &'n Span,
    entries: Vec<(&'n At<String>, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// Checks that `node` is a mapping of the given words, each at most once.
    pub(crate) fn read(
        node: &'n Node,
        words: &'static Words,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let keys: Vec<&'static str> = words.keys.iter().map(|key| key.name).collect();
        Self::of(node, words.what, &keys, words.later, diagnostics)
    }

    /// Checks that `node` is a mapping of `keys`, each at most once.
    pub(crate) fn of(
        node: &'n Node,
        what: &'static str,
        keys: &[&'static str],
        later: &[Later],
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let Kind::Map(all) = &node.kind else {
            diagnostics.push(
                Diagnostic::new(
                    "not-a-mapping",
                    format!("{what} is {}, not a mapping", node.is_a()),
                )
                .at(&node.span)
                .known(keys, ""),
            );
            return None;
        };
        let mut entries: Vec<(&At<String>, &Node)> = Vec::new();
        for (key, value) in all {
            if let Some(later) = later.iter().find(|later| later.key == key.value) {
                diagnostics.push(
                    Diagnostic::new("not-yet", format!("`{}` is not built yet", key.value))
                        .at(&key.span)
                        .mend(later.mend),
                );
            } else if !keys.contains(&key.value.as_str()) {
                diagnostics.push(
                    Diagnostic::new("unknown-key", format!("{what} has no key `{}`", key.value))
                        .at(&key.span)
                        .known(keys, &key.value),
                );
            } else if entries.iter().any(|(other, _)| other.value == key.value) {
                diagnostics.push(twice(key));
            } else {
                entries.push((key, value));
            }
        }
        Some(Self {
            what,
            span: &node.span,
            entries,
        })
    }

    /// The text of a key, if it is there.
    pub(crate) fn text(
        &self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<At<String>> {
        text(self.get(key)?, &format!("`{key}`"), diagnostics)
    }

    /// The text of a key that must be there.
    pub(crate) fn require_text(
        &self,
        key: &'static str,
        mend: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<At<String>> {
        let found = self.require(key, mend, diagnostics)?;
        text(found, &format!("`{key}`"), diagnostics)
    }

    /// The word of a key, if it is there.
    pub(crate) fn word(
        &self,
        key: &'static str,
        known: &[&'static str],
        diagnostics: &mut Diagnostics,
    ) -> Option<At<&'static str>> {
        word(self.get(key)?, &format!("`{key}`"), known, diagnostics)
    }

    /// The whole number of a key, if it is there, within its bounds.
    pub(crate) fn integer(
        &self,
        key: &'static str,
        (least, most): (u64, u64),
        diagnostics: &mut Diagnostics,
    ) -> Option<At<u64>> {
        let node = self.get(key)?;
        let number = match &node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => None,
        };
        let Some(value) = number.filter(|value| (least..=most).contains(value)) else {
            let message = format!("`{key}` is a whole number from {least} to {most}");
            diagnostics.push(Diagnostic::new("not-in-bounds", message).at(&node.span));
            return None;
        };
        Some(At {
            value,
            span: node.span.clone(),
        })
    }

    /// The boolean of a key, if it is there.
    pub(crate) fn boolean(
        &self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<At<bool>> {
        let node = self.get(key)?;
        let Kind::Bool(value) = node.kind else {
            let message = format!("`{key}` is {}, not true or false", node.is_a());
            diagnostics.push(Diagnostic::new("not-a-boolean", message).at(&node.span));
            return None;
        };
        Some(At {
            value,
            span: node.span.clone(),
        })
    }

    /// The entries of a mapping of texts that may be left out.
    pub(crate) fn texts(
        &self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(At<String>, At<String>)> {
        let what = format!("`{key}`");
        let entries = self
            .get(key)
            .and_then(|node| named(node, &what, diagnostics));
        let read = |(name, node): (&At<String>, &Node)| {
            let text = text(node, &format!("`{key}.{}`", name.value), diagnostics)?;
            Some((name.clone(), text))
        };
        entries.into_iter().flatten().filter_map(read).collect()
    }

    /// The items of a list that may be left out.
    pub(crate) fn list(
        &self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<&'n [Node]> {
        list(self.get(key)?, &format!("`{key}`"), diagnostics)
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(own, _)| own.value == key)
            .map(|(_, value)| *value)
    }

    /// The value of a key that must be there.
    pub(crate) fn require(
        &self,
        key: &'static str,
        mend: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            diagnostics.push(missing(self.what, key, self.span).mend(mend));
        }
        found
    }
}

/// A key that is not there.
pub(crate) fn missing(what: &str, key: &str, span: &Span) -> Diagnostic {
    let start = Span::new(&span.source, span.start, span.start + 1);
    Diagnostic::new("missing-key", format!("{what} needs `{key}`")).at(&start)
}

/// A key that is written twice.
pub(crate) fn twice(key: &At<String>) -> Diagnostic {
    Diagnostic::new("key-twice", format!("`{}` is written twice", key.value))
        .at(&key.span)
        .mend("keep one of them")
}

/// Text; anything else is told.
pub(crate) fn text(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<At<String>> {
    match &node.kind {
        Kind::Text(text) => Some(At {
            value: text.clone(),
            span: node.span.clone(),
        }),
        _ => {
            diagnostics.push(
                Diagnostic::new("not-text", format!("{what} is {}, not text", node.is_a()))
                    .at(&node.span)
                    .mend("put it in quotes if it is meant as text"),
            );
            None
        }
    }
}

/// One word of a list.
pub(crate) fn word(
    node: &Node,
    what: &str,
    known: &[&'static str],
    diagnostics: &mut Diagnostics,
) -> Option<At<&'static str>> {
    let text = text(node, what, diagnostics)?;
    match known.iter().find(|one| **one == text.value) {
        Some(value) => Some(At {
            value,
            span: text.span,
        }),
        None => {
            diagnostics.push(
                Diagnostic::new("unknown-word", format!("{what} cannot be `{}`", text.value))
                    .at(&text.span)
                    .known(known, &text.value),
            );
            None
        }
    }
}

/// The items of a list.
pub(crate) fn list<'n>(
    node: &'n Node,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::List(items) => Some(items),
        _ => {
            diagnostics.push(
                Diagnostic::new(
                    "not-a-list",
                    format!("{what} is {}, not a list", node.is_a()),
                )
                .at(&node.span),
            );
            None
        }
    }
}

/// The entries of a mapping with names of the writer's own, each once.
pub(crate) fn named<'n>(
    node: &'n Node,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<(&'n At<String>, &'n Node)>> {
    let Kind::Map(all) = &node.kind else {
        diagnostics.push(
            Diagnostic::new(
                "not-a-mapping",
                format!("{what} is {}, not a mapping", node.is_a()),
            )
            .at(&node.span),
        );
        return None;
    };
    let mut entries: Vec<(&At<String>, &Node)> = Vec::new();
    let mut seen = HashSet::new();
    for (key, value) in all {
        if !seen.insert(key.value.as_str()) {
            diagnostics.push(twice(key));
        } else {
            entries.push((key, value));
        }
    }
    Some(entries)
}
