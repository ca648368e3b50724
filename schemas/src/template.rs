//! Topic and routing key templates.
//!
//! A value cannot break out of its segment: of a key, a subject and a field every byte but letters, digits, `-`, `_` and `~`
//! (and `.` in a topic) is percent-encoded. What the template itself contributes is checked once, when the contract is loaded.

mod pieces;

use serde_json::Value;

use pieces::{Piece, Placeholder, encode, pieces};

/// The length of a topic, in bytes.
const MAX_TOPIC_BYTES: usize = 1024;
/// The length of a routing key, in bytes (AMQP 0-9-1's short string).
const MAX_ROUTING_KEY_BYTES: usize = 255;

/// The placeholders.
pub(crate) const PLACEHOLDERS: [&str; 7] = [
    "contract",
    "major",
    "name",
    "type",
    "key",
    "subject",
    "data.FIELD",
];

/// What a template's placeholders stand for.
#[derive(Debug, Clone, Copy, Default)]
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
    /// `{subject}`; nothing where the event has none, or the template does not ask for it
    pub subject: Option<&'a str>,
    /// What `{data.a.b}` is looked up in; nothing where the template does not ask for it
    pub data: Option<&'a Value>,
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
    /// Reads and checks the template of a topic.
    ///
    /// # Errors
    /// If it is no topic to publish to; the text says what is wrong.
    pub fn topic(source: &str) -> Result<Self, TemplateError> {
        Self::parse(source, Use::Topic).map_err(|fault| TemplateError(fault.message))
    }

    /// Reads and checks the template of a routing key.
    ///
    /// # Errors
    /// If it is no routing key to publish with; the text says what is wrong.
    pub fn routing_key(source: &str) -> Result<Self, TemplateError> {
        Self::parse(source, Use::RoutingKey).map_err(|fault| TemplateError(fault.message))
    }

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
            let placeholder = match piece {
                Piece::Literal(literal) => {
                    text.push_str(literal);
                    continue;
                }
                Piece::Value(placeholder) => placeholder,
            };
            let value = placeholder.value(values);
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Err(TemplateError(format!(
                    "{{{}}} of the {} `{}` is empty or missing",
                    placeholder.name(),
                    self.what(),
                    self.source
                )));
            };
            let dots = self.of == Use::Topic || !placeholder.varies();
            encode(&value, dots, &mut text);
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

    /// Whether the template asks for the subject or for fields of the public data.
    pub fn reads_event(&self) -> bool {
        self.reads_subject() || self.reads_data()
    }

    /// Whether it asks for fields of the public data.
    pub fn reads_data(&self) -> bool {
        self.fields().next().is_some()
    }

    /// Whether `{subject}` stands in it.
    pub(crate) fn reads_subject(&self) -> bool {
        self.pieces.contains(&Piece::Value(Placeholder::Subject))
    }

    /// The fields of the public data that stand in it.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &[String]> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(Placeholder::Data(path)) => Some(path.as_slice()),
            _ => None,
        })
    }

    /// What all texts have in common that this template gives with these values and any event: a subscriber's pattern, in
    /// which a segment that varies is a wildcard.
    pub(crate) fn filter(&self, values: &TemplateValues<'_>) -> String {
        let (separator, wildcard) = match self.of {
            Use::Topic => ("/", "+"),
            Use::RoutingKey => (".", "*"),
        };
        // No literal and no encoded value has this character.
        let text = self.with(values, |placeholder| {
            placeholder.varies().then(|| "\0".to_owned())
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
            Placeholder::Contract | Placeholder::Major => None,
            open => Some(format!("{{{}}}", open.name())),
        })
    }

    /// The template with all values filled in but those that vary from event to event.
    pub(crate) fn for_any_event(&self, values: &TemplateValues<'_>) -> String {
        self.with(values, |placeholder| {
            placeholder
                .varies()
                .then(|| format!("{{{}}}", placeholder.name()))
        })
    }

    /// The template with what `instead` gives for a placeholder, or else its value.
    fn with(
        &self,
        values: &TemplateValues<'_>,
        instead: impl Fn(&Placeholder) -> Option<String>,
    ) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(placeholder) => match instead(placeholder) {
                    Some(other) => text.push_str(&other),
                    None => encode(
                        &placeholder.value(values).unwrap_or_default(),
                        true,
                        &mut text,
                    ),
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
                            placeholder: Some(name.into_owned()),
                        });
                    }
                }
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
