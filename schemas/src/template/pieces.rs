//! What a template is written with: literals and placeholders.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use super::{Fault, TemplateValues};

/// What stands between braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placeholder {
    Contract,
    Major,
    Name,
    Type,
    Key,
    Subject,
    /// The names that lead to a field of the public data.
    Data(Vec<String>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Value(Placeholder),
}

impl Placeholder {
    /// The placeholder that is written so, between its braces.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "contract" => Self::Contract,
            "major" => Self::Major,
            "name" => Self::Name,
            "type" => Self::Type,
            "key" => Self::Key,
            "subject" => Self::Subject,
            _ => {
                let path: Vec<String> = name
                    .strip_prefix("data.")?
                    .split('.')
                    .map(str::to_owned)
                    .collect();
                if path.iter().any(String::is_empty) {
                    return None;
                }
                Self::Data(path)
            }
        })
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Contract => "contract",
            Self::Major => "major",
            Self::Name => "name",
            Self::Type => "type",
            Self::Key => "key",
            Self::Subject => "subject",
            Self::Data(path) => return Cow::Owned(format!("data.{}", path.join("."))),
        })
    }

    /// Whether it varies among the events of one public type.
    pub(super) fn varies(&self) -> bool {
        matches!(self, Self::Key | Self::Subject | Self::Data(_))
    }

    /// What it stands for; nothing where the event does not have it, or has no single value there.
    pub(super) fn value<'v>(&self, values: &TemplateValues<'v>) -> Option<Cow<'v, str>> {
        Some(match self {
            Self::Contract => Cow::Borrowed(values.contract),
            Self::Major => Cow::Owned(values.major.to_string()),
            Self::Name => Cow::Borrowed(values.name),
            Self::Type => Cow::Borrowed(values.event_type),
            Self::Key => Cow::Borrowed(values.key),
            Self::Subject => Cow::Borrowed(values.subject?),
            Self::Data(path) => {
                let field = path
                    .iter()
                    .try_fold(values.data?, |value, name| value.get(name))?;
                match field {
                    Value::String(text) => Cow::Borrowed(text),
                    Value::Number(number) => Cow::Owned(number.to_string()),
                    Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
                    _ => return None,
                }
            }
        })
    }
}

/// Reads a template's text.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find(['{', '}']).map(|found| at + found) {
        let stray = |len| Fault {
            at: open,
            len,
            message: "a brace that opens or closes no placeholder".to_owned(),
            mend: "write placeholders as {key}",
            placeholder: None,
        };
        if source[open..].starts_with('}') {
            return Err(stray(1));
        }
        let close = source[open..]
            .find('}')
            .map(|found| open + found)
            .ok_or_else(|| stray(1))?;
        let name = &source[open + 1..close];
        let Some(placeholder) = Placeholder::named(name) else {
            return Err(Fault {
                at: open,
                len: close + 1 - open,
                message: format!("no placeholder is called `{name}`"),
                mend: "",
                placeholder: Some(name.to_owned()),
            });
        };
        if open > at {
            pieces.push(Piece::Literal(source[at..open].to_owned()));
        }
        pieces.push(Piece::Value(placeholder));
        at = close + 1;
    }
    if at < source.len() {
        pieces.push(Piece::Literal(source[at..].to_owned()));
    }
    Ok(pieces)
}

/// Adds a value, percent-encoded so that it stays one segment.
pub(super) fn encode(value: &str, dots: bool, text: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            b'.' if dots => text.push('.'),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}
