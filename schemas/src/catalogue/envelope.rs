//! The schema of a public event as it is on the wire: the CloudEvents envelope in structured mode, with the public schema as `data`.

use super::about::AboutType;
use crate::contract::Contract;
use serde_json::{Map, Value, json};

/// The digits of `sequence` and `previoussequence`.
const SEQUENCE: &str = "^[0-9]{20}$";

/// The schema of a public type's events; `data` is the schema of its data.
pub(super) fn schema(
    contract: &Contract,
    public: &AboutType,
    id: Option<&str>,
    data: Value,
) -> Value {
    let text =
        |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    let mut properties = Map::new();
    let mut add = |name: &str, schema: Value| {
        properties.insert(name.to_owned(), schema);
    };
    add(
        "specversion",
        json!({"const": "1.0", "description": "The version of CloudEvents."}),
    );
    add(
        "id",
        text("Tells repeats: the same event has the same id, however often it is delivered."),
    );
    add(
        "source",
        json!({"const": contract.source, "description": "The public stream's source."}),
    );
    add(
        "type",
        json!({"const": public.event_type, "description": "The public type."}),
    );
    add(
        "time",
        json!({"type": "string", "format": "date-time", "description": "When it happened."}),
    );
    add("datacontenttype", json!({"const": "application/json"}));
    if id.is_some() {
        add(
            "dataschema",
            json!({"type": "string", "format": "uri", "description": "The schema of `data`."}),
        );
    }
    add("partitionkey", text("Order is kept per key."));
    add(
        "sequence",
        json!({"type": "string", "pattern": SEQUENCE, "description": "The event's place in its public stream."}),
    );
    add(
        "previoussequence",
        json!({
            "type": "string", "pattern": SEQUENCE,
            "description": "The `sequence` of the previous event of the same key and type; all zeros if there is none. Another one than you saw last: you missed an event.",
        }),
    );
    add("data", data);
    let required: Vec<&String> = properties.keys().collect();
    let required = json!(required);
    json!({"type": "object", "required": required, "properties": properties})
}
