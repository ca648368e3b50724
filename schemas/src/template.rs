//! Topic and routing key templates.
//!
//! A value cannot break out of its segment: of a key every byte but letters, digits, `-`, `_` and `~` (and `.` in a topic)
//! is percent-encoded. What the template itself contributes is checked once, when the contract is loaded.

use std::fmt::Write;

/// The length of a topic, in bytes.
const MAX_TOPIC_BYTES: usize = 1024;
/// The length of a routing key, in bytes (AMQP 0-9-1's short string).
const MAX_ROUTING_KEY_BYTES: usize = 255;

/// The placeholders.
pub(crate) const PLACEHOLDERS: [&str; 5] = ["contract", "major", "name", "type", "key"];

/// What a template's placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub struct TemplateValues<'a> {
    /// `{contract}`
    pub contract: &'a str,
    /// `{major}`
    pub major: u64,
    /// `{name}`
    pub name: &'a str,
    /// `{type}`
    pub event_type: &'a str,
    /// `{key}`
    pub key: &'a str,
}

/// A rendered text that its protocol does not allow. Trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Topic,
    RoutingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Contract,
    Major,
    Name,
    Type,
    Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(Placeholder),
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
    of: Use,
}

/// What is wrong with a template: where in it, in bytes, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
    pub(crate) placeholder: Option<String>,
}

impl Template {
    /// Reads and checks a template.
    pub(crate) fn parse(source: &str, of: Use) -> Result<Self, Fault> {
        let pieces = pieces(source)?;
        let template = Self {
            source: source.to_owned(),
            pieces,
            of,
        };
        template.check()?;
        Ok(template)
    }

    /// The template as the contract has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Fills in the values; each is encoded so that it cannot break out of its segment.
    ///
    /// # Errors
    /// If a value is empty or the result is longer than the protocol allows: 1,024 bytes for a topic, 255 for a routing key.
    pub fn render(&self, values: &TemplateValues<'_>) -> Result<String, TemplateError> {
        let mut text = String::with_capacity(self.source.len() + 32);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(Placeholder::Major) => {
                    let _ = write!(text, "{}", values.major);
                }
                Piece::Value(placeholder) => {
                    let value = match placeholder {
                        Placeholder::Contract => values.contract,
                        Placeholder::Name => values.name,
                        Placeholder::Type => values.event_type,
                        _ => values.key,
                    };
                    if value.is_empty() {
                        return Err(TemplateError(format!(
                            "a value of the {} `{}` is empty",
                            self.what(),
                            self.source
                        )));
                    }
                    let dots = self.of == Use::Topic || *placeholder != Placeholder::Key;
                    encode(value, dots, &mut text);
                }
            }
        }
        let most = self.max_bytes();
        if text.len() > most {
            return Err(TemplateError(format!(
                "the {} of `{}` has {} bytes; {most} are allowed",
                self.what(),
                self.source,
                text.len()
            )));
        }
        Ok(text)
    }

    /// What all texts have in common that this template gives with these values and any key: a subscriber's pattern, in
    /// which a segment with the key is a wildcard.
    pub(crate) fn filter(&self, values: &TemplateValues<'_>) -> String {
        let (separator, wildcard) = match self.of {
            Use::Topic => ("/", "+"),
            Use::RoutingKey => (".", "*"),
        };
        // No literal and no encoded value has this character.
        let text = self.with(values, |placeholder| {
            (placeholder == Placeholder::Key).then_some("\0")
        });
        let segments: Vec<&str> = text
            .split(separator)
            .map(|segment| {
                if segment.contains('\0') {
                    wildcard
                } else {
                    segment
                }
            })
            .collect();
        segments.join(separator)
    }

    /// The template with `{contract}` and `{major}` filled in.
    pub(crate) fn address(&self, values: &TemplateValues<'_>) -> String {
        self.with(values, |placeholder| match placeholder {
            Placeholder::Key => Some("{key}"),
            Placeholder::Name => Some("{name}"),
            Placeholder::Type => Some("{type}"),
            Placeholder::Contract | Placeholder::Major => None,
        })
    }

    /// The template with all values filled in but the key.
    pub(crate) fn for_any_key(&self, values: &TemplateValues<'_>) -> String {
        self.with(values, |placeholder| {
            (placeholder == Placeholder::Key).then_some("{key}")
        })
    }

    /// The template with what `instead` gives for a placeholder, or else its value.
    fn with(
        &self,
        values: &TemplateValues<'_>,
        instead: impl Fn(Placeholder) -> Option<&'static str>,
    ) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(placeholder) => match (instead(*placeholder), placeholder) {
                    (Some(other), _) => text.push_str(other),
                    (None, Placeholder::Major) => text.push_str(&values.major.to_string()),
                    (None, Placeholder::Contract) => encode(values.contract, true, &mut text),
                    (None, Placeholder::Name) => encode(values.name, true, &mut text),
                    (None, Placeholder::Type) => encode(values.event_type, true, &mut text),
                    (None, Placeholder::Key) => {}
                },
            }
        }
        text
    }

    fn what(&self) -> &'static str {
        match self.of {
            Use::Topic => "topic",
            Use::RoutingKey => "routing key",
        }
    }

    fn max_bytes(&self) -> usize {
        match self.of {
            Use::Topic => MAX_TOPIC_BYTES,
            Use::RoutingKey => MAX_ROUTING_KEY_BYTES,
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let fault = |at: usize, len: usize, message: String, mend| Fault {
            at,
            len,
            message,
            mend,
            placeholder: None,
        };
        let (what, source) = (self.what(), self.source.as_str());
        if source.is_empty() || source.len() > self.max_bytes() {
            return Err(fault(
                0,
                source.len(),
                format!("a {what} has from 1 to {} bytes", self.max_bytes()),
                "",
            ));
        }
        let refused: &[char] = match self.of {
            Use::Topic => &['+', '#'],
            Use::RoutingKey => &['*', '#'],
        };
        if let Some((at, bad)) = source
            .char_indices()
            .find(|(_, c)| c.is_control() || refused.contains(c))
        {
            let message = format!("a {what} to publish to has no {bad:?}");
            return Err(fault(
                at,
                bad.len_utf8(),
                message,
                "wildcards are for subscribers",
            ));
        }
        if self.of == Use::Topic && source.starts_with('$') {
            return Err(fault(
                0,
                1,
                "a topic that begins with `$` is the broker's own".to_owned(),
                "begin with a name",
            ));
        }
        let separator = if self.of == Use::Topic { '/' } else { '.' };
        let mut at = 0;
        for segment in source.split(separator) {
            if segment.is_empty() {
                let message = format!("a segment of the {what} is empty");
                return Err(fault(
                    at.min(source.len().saturating_sub(1)),
                    1,
                    message,
                    "name every segment",
                ));
            }
            at += segment.len() + 1;
        }
        Ok(())
    }
}

/// The placeholders of a text that is the same for every event of a public type, and what they stand for.
pub(crate) type Fixed<'v> = [(&'static str, &'v str)];

/// Fills in what is known when a contract is loaded. The values need no encoding: names, types and numbers.
pub(crate) fn fill(text: &str, values: &Fixed<'_>) -> Result<String, Fault> {
    let mut filled = String::with_capacity(text.len() + 16);
    for piece in pieces(text)? {
        match piece {
            Piece::Literal(literal) => filled.push_str(&literal),
            Piece::Value(placeholder) => {
                let name = placeholder.name();
                match values.iter().find(|(own, _)| *own == name) {
                    Some((_, value)) => filled.push_str(value),
                    None => {
                        let word = format!("{{{name}}}");
                        return Err(Fault {
                            at: text.find(&word).unwrap_or(0),
                            len: word.len(),
                            message: format!("`{word}` cannot stand here"),
                            mend: "",
                            placeholder: Some(name.to_owned()),
                        });
                    }
                }
            }
        }
    }
    Ok(filled)
}

impl Placeholder {
    fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Major => "major",
            Self::Name => "name",
            Self::Type => "type",
            Self::Key => "key",
        }
    }
}

fn pieces(source: &str) -> Result<Vec<Piece>, Fault> {
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
        let placeholder = match name {
            "contract" => Placeholder::Contract,
            "major" => Placeholder::Major,
            "name" => Placeholder::Name,
            "type" => Placeholder::Type,
            "key" => Placeholder::Key,
            _ => {
                return Err(Fault {
                    at: open,
                    len: close + 1 - open,
                    message: format!("no placeholder is called `{name}`"),
                    mend: "",
                    placeholder: Some(name.to_owned()),
                });
            }
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

fn encode(value: &str, dots: bool, text: &mut String) {
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

#[cfg(test)]
mod tests;
