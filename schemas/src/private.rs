//! Private schemas: what may be recorded, by category and event type.

use crate::catalog::{EventsWithoutSchema, Rules};
use crate::crossing::Violation;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::schema::check;
use crate::schema::documents::Documents;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Why an event is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What its schema says against it; none when there is no schema.
    pub violations: Vec<Violation>,
    /// What would mend it.
    pub help: String,
}

/// The private schemas, by category and event type.
#[derive(Debug)]
pub struct PrivateSchemas {
    rules: Rules,
    by_category: HashMap<String, HashMap<String, jsonschema::Validator>>,
}

impl PrivateSchemas {
    pub(crate) fn new(
        rules: Rules,
        compiled: impl IntoIterator<Item = (String, String, jsonschema::Validator)>,
    ) -> Self {
        let mut by_category: HashMap<String, HashMap<String, jsonschema::Validator>> =
            HashMap::new();
        for (category, event_type, validator) in compiled {
            by_category
                .entry(category)
                .or_default()
                .insert(event_type, validator);
        }
        Self { rules, by_category }
    }

    /// Whether there is a schema for the event type.
    pub fn has(&self, category: &str, event_type: &str) -> bool {
        self.by_category
            .get(category)
            .is_some_and(|types| types.contains_key(event_type))
    }

    /// Checks the data of an event that is to be recorded; `None` stands for no data, or data that is not JSON.
    ///
    /// # Errors
    /// What its schema says against it, or that there is no such schema.
    pub fn check(
        &self,
        category: &str,
        event_type: &str,
        data: Option<&Value>,
    ) -> Result<(), Refusal> {
        let file = || format!("schemas/private/{category}/{event_type}.json");
        let found = self
            .by_category
            .get(category)
            .and_then(|types| types.get(event_type));
        let Some(validator) = found else {
            return match self.rules.events_without_schema {
                EventsWithoutSchema::Accept => Ok(()),
                EventsWithoutSchema::Refuse => Err(Refusal {
                    violations: Vec::new(),
                    help: self.how_to_declare(category, event_type),
                }),
            };
        };
        let violations = match data {
            Some(data) => check::violations(validator, data),
            None => vec![Violation {
                pointer: String::new(),
                reason: "must be JSON".to_owned(),
            }],
        };
        if violations.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            violations,
            help: format!("send data that fits {}, or change what it asks for", file()),
        })
    }

    fn how_to_declare(&self, category: &str, event_type: &str) -> String {
        let usable = |name: &str| {
            !name.is_empty() && !name.starts_with(['.', '_']) && !name.contains(['/', '\\', '\0'])
        };
        if !usable(category) || !usable(event_type) {
            return "the category and the event type must be usable as file names: the schema is \
                    schemas/private/<category>/<EventType>.json"
                .to_owned();
        }
        format!("there is no schema for it: write schemas/private/{category}/{event_type}.json")
    }
}

/// Which document declares an event type, by category and event type; reports documents that stand in no such place.
pub(crate) fn event_types(
    documents: &Documents,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<(String, String), usize> {
    let mut types = BTreeMap::new();
    for (nth, document) in documents.iter().enumerate() {
        let Some(below) = document.path.strip_prefix("private/") else {
            continue;
        };
        let parts: Vec<&str> = below.split('/').collect();
        if parts.iter().any(|part| part.starts_with('_')) {
            continue;
        }
        match parts.as_slice() {
            [category, file] if !category.contains('-') => {
                let event_type = file.strip_suffix(".json").unwrap_or(file);
                types.insert(((*category).to_owned(), event_type.to_owned()), nth);
            }
            _ => diagnostics.push(
                Diagnostic::new("schema-place", "no event type has its schema here")
                    .at(&document.span(""))
                    .mend("private/<category>/<EventType>.json, the category without `-`; begin the name of what is only referred to with `_`"),
            ),
        }
    }
    types
}
