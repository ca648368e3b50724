//! A plain path into data, such as `.customer.id` or `.lines[0]."unit price"`.
//!
//! A path names fields and places in arrays one by one; nothing in it iterates or computes. What is absent, or lies
//! under something that is neither object nor array, is simply not there.

use serde_json::Value;
use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A property of an object.
    Field(String),
    /// An item of an array; below zero counts from the end.
    Item(i64),
    /// Every item of an array. Only expressions have it.
    Each,
}

/// A path from the root of the data; never empty when it comes from [`Path::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Path(pub(crate) Vec<Step>);

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPath {
    /// It does not begin as one.
    NotAPath,
    /// It is `.` alone.
    Everything,
    /// It begins as a path and goes on as an expression.
    Expression,
}

impl Path {
    /// Reads a plain path.
    pub(crate) fn parse(text: &str) -> Result<Self, NoPath> {
        let text = text.trim();
        if !text.starts_with('.') {
            return Err(NoPath::NotAPath);
        }
        if text == "." {
            return Err(NoPath::Everything);
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = step(rest, steps.is_empty()).ok_or(NoPath::Expression)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// What the path leads to.
    pub(crate) fn find<'v>(&self, data: &'v Value) -> Option<&'v Value> {
        self.0
            .iter()
            .try_fold(data, |value, step| match (step, value) {
                (Step::Field(name), Value::Object(fields)) => fields.get(name),
                (Step::Item(nth), Value::Array(items)) => nth_of(items, *nth),
                _ => None,
            })
    }

    /// The path as a JSON pointer, with `*` for every item.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.0 {
            pointer.push('/');
            match step {
                Step::Field(name) => pointer.push_str(&escape(name)),
                Step::Item(nth) => pointer.push_str(&nth.to_string()),
                Step::Each => pointer.push('*'),
            }
        }
        pointer
    }
}

/// An array's item, counted from the end when below zero.
pub(crate) fn nth_of(items: &[Value], nth: i64) -> Option<&Value> {
    let at = if nth < 0 {
        i64::try_from(items.len()).ok()?.checked_add(nth)?
    } else {
        nth
    };
    items.get(usize::try_from(at).ok()?)
}

/// A property name as a segment of a JSON pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads `.name`, `."name"`, `.["name"]`, `["name"]`, `.[0]` or `[0]`.
fn step(text: &str, first: bool) -> Option<(Step, &str)> {
    let after_dot = text.strip_prefix('.');
    if first && after_dot.is_none() {
        return None;
    }
    if let Some(rest) = after_dot {
        if rest.starts_with('"') {
            let (name, rest) = quoted(rest)?;
            return Some((Step::Field(name), rest));
        }
        if !rest.starts_with('[') {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            let name = &rest[..end];
            let legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            return legal.then(|| (Step::Field(name.to_owned()), &rest[end..]));
        }
    }
    let inner = after_dot.unwrap_or(text).strip_prefix('[')?;
    let (step, rest) = if inner.starts_with('"') {
        let (name, rest) = quoted(inner)?;
        (Step::Field(name), rest)
    } else {
        let end = inner.find(']')?;
        (Step::Item(inner[..end].parse().ok()?), &inner[end..])
    };
    Some((step, rest.strip_prefix(']')?))
}

/// Reads a JSON string.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let name = stream.next()?.ok()?;
    let end = stream.byte_offset();
    Some((name, &text[end..]))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if is_identifier(name) => write!(f, ".{name}")?,
                Step::Field(name) => write!(f, ".{}", Value::String(name.clone()))?,
                Step::Item(nth) => write!(f, "{}[{nth}]", if at == 0 { "." } else { "" })?,
                Step::Each => write!(f, "{}[]", if at == 0 { "." } else { "" })?,
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_reads_fields_and_items() {
        let data = json!({"a": {"b c": [1, {"d": 2}]}});
        let path = Path::parse(".a.\"b c\"[-1].d").unwrap();
        assert_eq!(path.find(&data), Some(&json!(2)));
        assert_eq!(path.to_string(), ".a.\"b c\"[-1].d");
        assert_eq!(path.pointer(), "/a/b c/-1/d");
        assert_eq!(
            Path::parse(".a[\"b c\"][0]").unwrap().find(&data),
            Some(&json!(1))
        );
        assert_eq!(Path::parse(".a.x.y").unwrap().find(&data), None);
    }

    #[test]
    fn what_is_no_path_says_what_it_is() {
        assert_eq!(Path::parse("cash"), Err(NoPath::NotAPath));
        assert_eq!(Path::parse(""), Err(NoPath::NotAPath));
        assert_eq!(Path::parse("."), Err(NoPath::Everything));
        for text in [
            ".a | .b",
            ".a[]",
            "..",
            ".a > 0",
            ".a.",
            ".1",
            ".a-b",
            ".a[",
            ".a[99999999999999999999]",
        ] {
            assert_eq!(Path::parse(text), Err(NoPath::Expression), "{text}");
        }
    }
}
