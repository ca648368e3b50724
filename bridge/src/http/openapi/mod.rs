//! The description of the HTTP interface (OpenAPI 3.1), made from the handlers' own types.
//!
//! A route is registered together with its description, so that none is without. What Rust's types cannot say is added here:
//! objects are closed, problems are told by status, and what every operation may answer stands at each.

pub(super) mod events;
pub(super) mod problems;

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// A listener that describes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Listener {
    /// Append and read
    Private,
    /// Status, parked keys, relays, backups
    Operator,
}

/// The whole description of a listener, as JSON.
pub(crate) fn document(listener: Listener) -> Value {
    let (api, about) = match listener {
        Listener::Private => (
            super::private_routes().into_openapi(),
            "The private side: append and read.",
        ),
        Listener::Operator => (
            super::operator_routes().into_openapi(),
            "The operator's side: how everything stands, what is parked, relays, backups.",
        ),
    };
    finished(&api, about)
}

/// Describes this listener
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "status",
    responses((status = OK, description = "OpenAPI 3.1", body = Value, content_type = "application/json")),
)]
pub(super) async fn private() -> impl IntoResponse {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    served(DOCUMENT.get_or_init(|| document(Listener::Private).to_string()))
}

/// Describes this listener
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "status",
    responses((status = OK, description = "OpenAPI 3.1", body = Value, content_type = "application/json")),
)]
pub(super) async fn operator() -> impl IntoResponse {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    served(DOCUMENT.get_or_init(|| document(Listener::Operator).to_string()))
}

fn served(document: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document)
}

/// Adds what the types cannot say.
fn finished(api: &OpenApi, about: &str) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["info"] = json!({
        "title": "Horizon", "version": env!("CARGO_PKG_VERSION"), "description": about,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    let events: Value = serde_json::from_str(events::SCHEMAS).unwrap_or_default();
    let mut schemas = Map::new();
    let declared = document["components"]["schemas"].take();
    for more in [declared, problems::schemas(), events] {
        if let Value::Object(more) = more {
            schemas.extend(more);
        }
    }
    schemas.values_mut().for_each(close);
    for order in ["RetryOrder", "SkipOrder"] {
        if let Some(Value::Object(order)) = schemas.get_mut(order) {
            let choice = json!([{"$ref": "#/components/schemas/OneOrAll"}]);
            order.insert("allOf".to_owned(), choice);
        }
    }
    document["components"]["schemas"] = Value::Object(schemas);
    bound(&mut document);
    keep_used(&mut document);
    parameters(&mut document["paths"]);
    document
}

/// An object has no property that is not declared, unless it says which.
fn close(schema: &mut Value) {
    if schema["type"] == "object"
        && schema["properties"].is_object()
        && schema.get("additionalProperties").is_none()
    {
        schema["additionalProperties"] = false.into();
    }
}

/// Whole numbers are at most what every JSON reader holds.
fn bound(part: &mut Value) {
    match part {
        Value::Object(members) => {
            let is_large = members
                .get("format")
                .is_some_and(|format| format == "int64");
            if is_large && !members.contains_key("maximum") {
                members.insert("maximum".to_owned(), super::number::MAX.into());
            }
            // Of 32 bits, but without a sign.
            if members
                .get("maximum")
                .is_some_and(|maximum| *maximum == u32::MAX)
            {
                members.remove("format");
            }
            members.values_mut().for_each(bound);
        }
        Value::Array(items) => items.iter_mut().for_each(bound),
        _ => {}
    }
}

/// A parameter that may be absent is never null.
fn parameters(paths: &mut Value) {
    let operations = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
    let operations = operations.filter_map(Value::as_object_mut);
    for operation in operations.flat_map(Map::values_mut) {
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            if let Some(schema) = parameter.get_mut("schema") {
                not_null(schema);
            }
        }
    }
}

fn not_null(schema: &mut Value) {
    let one_of = schema.get("oneOf").and_then(Value::as_array);
    if let Some(kept) = one_of.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        *schema = kept.clone();
    }
    let types = schema.get("type").and_then(Value::as_array);
    if let Some(kept) = types.and_then(|all| all.iter().find(|one| *one != "null")) {
        schema["type"] = kept.clone();
    }
}

/// Leaves out the schemas that no operation leads to.
fn keep_used(document: &mut Value) {
    let schemas = document["components"]["schemas"].take();
    let mut used = Map::new();
    let mut found = references(&document["paths"]);
    while let Some(name) = found.pop() {
        if let (false, Some(schema)) = (used.contains_key(&name), schemas.get(&name)) {
            found.extend(references(schema));
            used.insert(name, schema.clone());
        }
    }
    used.sort_keys();
    document["components"]["schemas"] = Value::Object(used);
}

/// The names of the schemas that a part of a document refers to.
fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|text| text.strip_prefix("#/components/schemas/"));
            let below = members.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(below).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
