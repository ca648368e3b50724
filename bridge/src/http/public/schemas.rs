//! `GET /schemas/{address}`: the public schemas of the contracts that the caller may see, at the addresses that events name.
//!
//! An event's `dataschema` is an absolute URI. Its path, below `/schemas`, is the address here, so that a host which passes these
//! addresses on serves each event's schema where the event says; so is the whole URI, percent-encoded, and the file's path.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use horizon_schemas::{Catalog, SchemaOfContract};
use serde_json::{Value, json};

use super::{Public, visible};
use crate::access::Caller;
use crate::http::body::path;
use crate::http::form::{JSON, negotiate};
use crate::http::openapi::{
    problems,
    reading::{self, Known},
};
use crate::http::page::{Keep, Page};
use crate::http::problem::Problem;
use crate::http::read::path_segment;

/// JSON Schema's media type.
const SCHEMA: &str = "application/schema+json";
/// How long a schema may be kept without asking, in seconds. Its major is in its name, and a new minor may add to it.
const KEEP_SECONDS: u32 = 3_600;

/// An entity tag of a text.
pub(super) fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// The schemas of all contracts that the caller may see, each once, by path.
fn of_caller<'c>(
    catalog: &'c Catalog,
    caller: &'c Caller,
) -> BTreeMap<&'c str, SchemaOfContract<'c>> {
    visible(catalog, caller)
        .flat_map(|contract| catalog.schemas_of(contract))
        .map(|schema| (schema.path, schema))
        .collect()
}

/// The part of an absolute URI that is the address here.
fn address(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("//")?;
    let (_, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(path.strip_prefix("schemas/").unwrap_or(path)).filter(|path| !path.is_empty())
}

/// The address below `/schemas` at which a schema is told to be.
fn place(schema: &SchemaOfContract<'_>) -> String {
    let uri = schema.uris.first().copied();
    let path = uri.map_or_else(|| Some(file(schema.path)), address);
    let segments = |path: &str| {
        let parts: Vec<String> = path.split('/').map(decoded_segment).collect();
        parts.join("/")
    };
    match (path, uri) {
        (Some(path), _) => format!("/schemas/{}", segments(path)),
        (None, uri) => format!("/schemas/{}", path_segment(uri.unwrap_or_default())),
    }
}

/// A segment as it is written in an address, whether it is encoded already or not.
fn decoded_segment(segment: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    path_segment(&decoded)
}

/// The path of a file as it is told.
fn file(path: &str) -> &str {
    path.strip_prefix("public/").unwrap_or(path)
}

/// All schemas, with where they are.
#[utoipa::path(
    get,
    path = "/schemas",
    operation_id = "publicSchemas",
    tag = "public",
    params(Known),
    responses(reading::SchemaFiles, problems::Lists)
)]
pub(in crate::http) async fn schemas(
    State(state): State<Arc<Public>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (media_type, ()) = negotiate(&headers, &[(JSON, ())])?;
    let catalog = state.catalog.current();
    let told: Vec<Value> = of_caller(&catalog, &caller)
        .values()
        .map(|schema| json!({"dataschema": schema.uris.first(), "address": place(schema)}))
        .collect();
    let body = json!({ "schemas": told }).to_string();
    let page = Page {
        etag: Some(digest(&body)),
        ..Page::new(media_type, body.into_bytes())
    };
    Ok(page.answer(&headers))
}

/// One schema, as it is published.
#[utoipa::path(
    get, path = "/schemas/{*address}", operation_id = "publicSchema", tag = "public",
    params(("address" = String, Path, description = "The path of its `dataschema`", min_length = 1), Known),
    responses(reading::SchemaFile, problems::OneSchema),
)]
pub(in crate::http) async fn schema(
    State(state): State<Arc<Public>>,
    caller: Caller,
    headers: HeaderMap,
    asked: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let asked = path(asked)?;
    let (media_type, ()) = negotiate(&headers, &[(SCHEMA, ()), (JSON, ())])?;
    let catalog = state.catalog.current();
    let schemas = of_caller(&catalog, &caller);
    let decoded = |uri: &str| {
        let path = address(uri)?;
        Some(percent_encoding::percent_decode_str(path).decode_utf8_lossy() == asked)
    };
    // What an event names goes before where the file happens to be.
    let found = schemas
        .values()
        .find(|schema| schema.uris.contains(&asked.as_str()))
        .or_else(|| {
            let named = |schema: &&SchemaOfContract<'_>| {
                let mut uris = schema.uris.iter();
                uris.any(|uri| decoded(uri).unwrap_or_default())
            };
            schemas.values().find(named)
        })
        .or_else(|| schemas.values().find(|schema| file(schema.path) == asked));
    let schema = found.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-schema",
            "there is no such schema for you",
        )
        .detail(format!(
            "no contract that you may read has a schema at {asked:?}"
        ))
        .mend("GET /schemas tells where those are that you may read")
    })?;
    let page = Page {
        etag: Some(digest(schema.text)),
        keep: Keep::Seconds(KEEP_SECONDS),
        ..Page::new(media_type, schema.text.as_bytes().to_vec())
    };
    Ok(page.answer(&headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_schema_is_the_path_of_its_uri() {
        for (uri, due) in [
            (
                "https://bank.example/schemas/bank.accounts/opened.v1.json",
                Some("bank.accounts/opened.v1.json"),
            ),
            (
                "https://schemas.bank.example/a/b.json?x=1#y",
                Some("a/b.json"),
            ),
            ("https://bank.example/schemas/", None),
            ("https://bank.example", None),
            ("urn:bank:opened", None),
        ] {
            assert_eq!(address(uri), due, "{uri}");
        }
    }

    #[test]
    fn a_schema_is_told_where_it_is_found() {
        let told = |uris: Vec<&'static str>| {
            place(&SchemaOfContract {
                path: "public/x y.json",
                uris,
                text: "{}",
            })
        };
        assert_eq!(told(vec![]), "/schemas/x%20y.json");
        assert_eq!(
            told(vec!["https://a.example/schemas/b%20c/d.json"]),
            "/schemas/b%20c/d.json"
        );
        assert_eq!(
            told(vec!["urn:bank:opened"]),
            "/schemas/urn%3Abank%3Aopened"
        );
    }
}
