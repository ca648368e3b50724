//! Topic and routing key templates.

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

/// A rendered text that its protocol does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

/// A checked template.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
}

impl Template {
    /// The template as the contract has it.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Fills in the values; each is encoded so that it cannot break out of its segment.
    ///
    /// # Errors
    /// If the result is longer than the protocol allows.
    pub fn render(&self, _values: &TemplateValues<'_>) -> Result<String, TemplateError> {
        Err(TemplateError("not built".to_owned()))
    }
}
