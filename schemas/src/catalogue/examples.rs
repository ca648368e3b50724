//! Examples of public events: those that came in tests, and else what the public schemas give as examples.

use super::about::AboutType;
use crate::cases::TestReport;
use crate::catalog::Catalog;
use crate::contract::Contract;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// How many examples of one type are shown.
const MAX_EXAMPLES: usize = 3;

/// An example of a public event.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// What it shows, in words.
    pub(super) name: String,
    /// The structured-mode CloudEvent.
    pub(super) event: Value,
}

/// Examples, by public stream and public type.
#[derive(Debug, Default)]
pub(super) struct Examples(HashMap<(String, String), Vec<Example>>);

impl Examples {
    pub(super) fn of(catalog: &Catalog, tests: &TestReport) -> Self {
        let mut examples = Self::default();
        for case in tests.cases().iter().filter(|case| case.passed()) {
            for (event_type, bytes) in case.public_events() {
                let Ok(event) = serde_json::from_slice(bytes) else {
                    continue;
                };
                examples.add(
                    case.contract(),
                    event_type,
                    Example {
                        name: case.name().to_owned(),
                        event,
                    },
                );
            }
        }
        for contract in catalog.contracts() {
            for public in &contract.about.types {
                let Some(schema) = catalog.published.get(&public.schema) else {
                    continue;
                };
                let of_schema = schema.value.get("examples").and_then(Value::as_array);
                for (nth, data) in of_schema.into_iter().flatten().enumerate() {
                    let event = around(contract, public, data, nth);
                    let name = format!("Example {} of the schema", nth + 1);
                    examples.add(
                        &contract.public_stream,
                        &public.event_type,
                        Example { name, event },
                    );
                }
            }
        }
        examples
    }

    /// Of one public type, at most [`MAX_EXAMPLES`].
    pub(super) fn get(&self, stream: &str, event_type: &str) -> &[Example] {
        self.0
            .get(&(stream.to_owned(), event_type.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, stream: &str, event_type: &str, example: Example) {
        let all = self
            .0
            .entry((stream.to_owned(), event_type.to_owned()))
            .or_default();
        if all.len() < MAX_EXAMPLES {
            all.push(example);
        }
    }
}

/// The envelope around an example of data, with made-up values where only the crossing knows them.
fn around(contract: &Contract, public: &AboutType, data: &Value, nth: usize) -> Value {
    let mut event = Map::new();
    let mut add = |name: &str, value: Value| {
        event.insert(name.to_owned(), value);
    };
    add("specversion", "1.0".into());
    add(
        "id",
        format!("00000000-0000-8000-8000-{:012}", nth + 1).into(),
    );
    add("source", contract.source.clone().into());
    add("type", public.event_type.clone().into());
    add("time", "2000-01-01T00:00:00Z".into());
    add("datacontenttype", "application/json".into());
    if let Some(id) = contract.dataschema(&public.event_type) {
        add("dataschema", id.into());
    }
    add("partitionkey", "example".into());
    add("sequence", format!("{:020}", nth + 1).into());
    add("previoussequence", format!("{:020}", 0).into());
    add("data", data.clone());
    json!(event)
}
