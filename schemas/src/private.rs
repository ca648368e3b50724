//! Private schemas: what may be recorded.

use crate::catalog::{EventsWithoutSchema, Rules};
use crate::crossing::Violation;

/// Why an event is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What its schema says against it.
    pub violations: Vec<Violation>,
    /// What would mend it.
    pub help: String,
}

/// The private schemas, by category and event type.
#[derive(Debug)]
pub struct PrivateSchemas {
    rules: Rules,
}

impl PrivateSchemas {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// Checks the data of an event that is to be recorded; `None` stands for no data, or data that is not JSON.
    ///
    /// # Errors
    /// What its schema says against it, or that there is no such schema.
    pub fn check(
        &self,
        _category: &str,
        _event_type: &str,
        _data: Option<&serde_json::Value>,
    ) -> Result<(), Refusal> {
        match self.rules.events_without_schema {
            EventsWithoutSchema::Accept => Ok(()),
            EventsWithoutSchema::Refuse => Err(Refusal {
                violations: Vec::new(),
                help: String::new(),
            }),
        }
    }
}
