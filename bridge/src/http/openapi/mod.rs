//! The description of the HTTP interface (OpenAPI 3.1), made from the handlers' own types.
//!
//! A route is registered together with its description, so that none is without. What Rust's types cannot say is added here:
//! objects are closed, problems are told by status, and what every operation may answer stands at each.

pub(super) mod events;
mod kinds;
pub(super) mod problems;
pub(super) mod reading;

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::access::{Caller, OPEN_PATHS};

/// A listener that describes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Listener {
    /// Append, read and follow, and the public side
    Private,
    /// Public events, their catalogue and schemas
    Public,
    /// Status, parked keys, relays, backups
    Operator,
}

/// Whether callers have to say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// If there is `access` in the configuration.
    Either,
    /// They have to.
    Asked,
}

/// The whole description of a listener, as JSON.
pub(crate) fn document(listener: Listener, access: Access) -> Value {
    let (api, about) = match listener {
        Listener::Private => {
            let mut api = super::private_routes().into_openapi();
            api.merge(super::public::routes().into_openapi());
            (
                api,
                "The private side: append, read and follow; and the public side.",
            )
        }
        Listener::Public => (
            super::public_listener_routes().into_openapi(),
            "The public side: public events, their catalogue and schemas.",
        ),
        Listener::Operator => (
            super::operator_routes().into_openapi(),
            "The operator's side: how everything stands, what is parked, relays, backups.",
        ),
    };
    finished(&api, about, access)
}

/// Describes this listener
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "status",
    responses((status = OK, description = "OpenAPI 3.1", body = Value, content_type = "application/json"), problems::Anything),
)]
pub(super) async fn private(caller: Caller) -> impl IntoResponse {
    static DOCUMENTS: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    served(&DOCUMENTS, Listener::Private, &caller)
}

/// Describes this listener
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "status",
    responses((status = OK, description = "OpenAPI 3.1", body = Value, content_type = "application/json"), problems::Anything),
)]
pub(super) async fn public(caller: Caller) -> impl IntoResponse {
    static DOCUMENTS: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    served(&DOCUMENTS, Listener::Public, &caller)
}

/// Describes this listener
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "status",
    responses((status = OK, description = "OpenAPI 3.1", body = Value, content_type = "application/json"), problems::Anything),
)]
pub(super) async fn operator(caller: Caller) -> impl IntoResponse {
    static DOCUMENTS: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    served(&DOCUMENTS, Listener::Operator, &caller)
}

fn served(
    [either, asked]: &'static [OnceLock<String>; 2],
    listener: Listener,
    caller: &Caller,
) -> impl IntoResponse + use<> {
    let (known, access) = match caller.is_everybody() {
        true => (either, Access::Either),
        false => (asked, Access::Asked),
    };
    let text = known.get_or_init(|| document(listener, access).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

/// Adds what the types cannot say.
fn finished(api: &OpenApi, about: &str, access: Access) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["info"] = json!({
        "title": "Horizon", "version": env!("CARGO_PKG_VERSION"), "description": about,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    let [events, reading]: [Value; 2] = [events::SCHEMAS, reading::SCHEMAS]
        .map(|schemas| serde_json::from_str(schemas).unwrap_or_default());
    let mut schemas = Map::new();
    let declared = document["components"]["schemas"].take();
    for more in [declared, problems::schemas(), events, reading] {
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
    rests(&mut document["paths"]);
    credentials(&mut document, access);
    document
}

/// A parameter that takes the rest of an address is named as the others are.
fn rests(paths: &mut Value) {
    if let Value::Object(paths) = paths {
        let named = std::mem::take(paths).into_iter();
        paths.extend(named.map(|(path, operations)| (path.replace("{*", "{"), operations)));
    }
}

/// What a caller shows of who they are, and where nothing is asked.
fn credentials(document: &mut Value, access: Access) {
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "A token, or a JSON Web Token of an issuer"},
        "certificate": {"type": "mutualTLS", "description": "A client certificate"},
    });
    document["security"] = match access {
        Access::Either => json!([{}, {"token": []}, {"certificate": []}]),
        Access::Asked => json!([{"token": []}, {"certificate": []}]),
    };
    for path in OPEN_PATHS {
        document["paths"][path]["get"]["security"] = json!([]);
    }
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
            // Of 32 or 64 bits, but without a sign.
            if members
                .get("maximum")
                .is_some_and(|maximum| *maximum == u32::MAX || *maximum == u64::MAX)
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
