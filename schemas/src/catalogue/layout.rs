//! How an outlet's messages carry their events: CloudEvents' content modes, and where the attributes are.

use crate::contract::Contract;
use crate::outlet::{ContentMode, OutletKind, OutletSpec};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The media type of structured events.
pub(super) const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of the data of public events.
const DATA: &str = "application/json";

/// One way to carry events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layout {
    /// The whole event in the payload.
    Structured,
    /// The data in the payload; each attribute is a user property or a header, whose name begins with this.
    Binary { prefix: String },
}

impl Layout {
    /// How an outlet's messages carry events.
    pub(super) fn of(outlet: &OutletSpec) -> Self {
        match (outlet.content_mode, &outlet.kind) {
            (ContentMode::Structured, _) => Self::Structured,
            (ContentMode::Binary, OutletKind::Mqtt(_)) => Self::Binary {
                prefix: String::new(),
            },
            (ContentMode::Binary, OutletKind::Amqp(place)) => Self::Binary {
                prefix: place.header_prefix.clone(),
            },
        }
    }

    /// How a contract's messages carry events, each way once; structured where it has no outlet.
    pub(super) fn all(contract: &Contract) -> BTreeSet<Self> {
        let mut all: BTreeSet<Self> = contract.outlets.iter().map(Self::of).collect();
        if all.is_empty() {
            all.insert(Self::Structured);
        }
        all
    }

    /// What tells its messages from others of the same public type.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Structured => String::new(),
            Self::Binary { prefix } => {
                let prefix = prefix.replace(':', "").replace('_', "-");
                let prefix = prefix.trim_end_matches('-');
                let dash = if prefix.is_empty() { "" } else { "-" };
                format!(".binary{dash}{prefix}")
            }
        }
    }

    /// The media type of the payload.
    pub(super) fn content_type(&self) -> &'static str {
        match self {
            Self::Structured => STRUCTURED,
            Self::Binary { .. } => DATA,
        }
    }

    /// What an MQTT message says of its payload.
    pub(super) fn mqtt_content_type(&self) -> String {
        match self {
            Self::Structured => format!("{STRUCTURED}; charset=utf-8"),
            Self::Binary { .. } => DATA.to_owned(),
        }
    }

    /// The schema of the attributes beside the payload, out of that of the whole event; none where they are in it.
    pub(super) fn headers(&self, envelope: &Value) -> Option<Value> {
        let Self::Binary { prefix } = self else {
            return None;
        };
        let properties = beside(prefix, envelope["properties"].as_object()?);
        let required: Vec<&String> = properties.keys().collect();
        Some(json!({"type": "object", "required": required, "properties": properties}))
    }

    /// An example of a structured event, as this carries it.
    pub(super) fn example(&self, name: &str, summary: &str, event: &Value) -> Value {
        let Self::Binary { prefix } = self else {
            return json!({"name": name, "summary": summary, "payload": event});
        };
        let headers = event.as_object().map(|event| beside(prefix, event));
        json!({"name": name, "summary": summary, "headers": headers, "payload": event["data"]})
    }
}

/// What stands beside the payload: all of an event's members but the data and its media type, under prefixed names.
fn beside(prefix: &str, members: &Map<String, Value>) -> Map<String, Value> {
    let others = members
        .iter()
        .filter(|(name, _)| *name != "data" && *name != "datacontenttype");
    others
        .map(|(name, value)| (format!("{prefix}{name}"), value.clone()))
        .collect()
}
