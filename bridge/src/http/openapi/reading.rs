//! How pages of events and their headers are described; `reading.json` has what Rust's types cannot say.

use std::collections::BTreeMap;

use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, Type,
};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use crate::http::form::{BATCH, CLOUD_EVENT, EVENT_STREAM, JSON, JSONL, NDJSON};

/// The schemas of those bodies.
pub(super) const SCHEMAS: &str = include_str!("reading.json");

const ETAG: (&str, &str) = ("etag", "What this page is, for `If-None-Match`");
const CACHE: (&str, &str) = ("cache-control", "How long it may be kept");
const VARY: (&str, &str) = ("vary", "What it depends on");
const LINK: (&str, &str) = ("link", "Other pages (RFC 8288)");
const THROUGH: (&str, &str) = ("horizon-through", "Everything up to here was looked at");
const HEAD: (&str, &str) = ("horizon-head", "The last place that there is");

/// A media type, and the schema of what has it; none: text.
type Content = (&'static str, Option<&'static str>);

/// 200 with one of these contents, and 304.
fn page(
    description: &str,
    contents: &[Content],
    headers: &[(&str, &str)],
) -> BTreeMap<String, RefOr<Response>> {
    let mut found = ResponseBuilder::new().description(description);
    let mut known = ResponseBuilder::new().description("You have it already");
    for (media_type, schema) in contents {
        let schema: RefOr<Schema> = match schema {
            Some(name) => Ref::from_schema_name(*name).into(),
            None => Schema::from(ObjectBuilder::new().schema_type(Type::String)).into(),
        };
        let content = ContentBuilder::new().schema(Some(schema)).build();
        found = found.content(*media_type, content);
    }
    for (name, text) in headers {
        let header = || HeaderBuilder::new().description(Some(*text)).build();
        found = found.header(*name, header());
        known = known.header(*name, header());
    }
    BTreeMap::from([
        ("200".to_owned(), found.build().into()),
        ("304".to_owned(), known.build().into()),
    ])
}

/// Answers with pages, for the handlers' descriptions.
macro_rules! pages {
    ($($(#[doc = $doc:literal])* $name:ident: $description:literal, [$($content:expr),*], [$($header:expr),*];)*) => {$(
        $(#[doc = $doc])*
        pub(in crate::http) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                page($description, &[$($content),*], &[$($header),*])
            }
        }
    )*};
}

pages! {
    /// Of `GET /streams/{stream}`.
    StreamEvents: "A page of the stream's events, or the events as they come",
        [(JSON, Some("StreamPage")), (BATCH, Some("RecordedBatch")), (NDJSON, None), (JSONL, None), (EVENT_STREAM, None)],
        [ETAG, CACHE, VARY, LINK, THROUGH, HEAD];
    /// Of `GET /streams/{stream}/{revision}`.
    StreamEvent: "The event", [(JSON, Some("LoggedEvent")), (CLOUD_EVENT, Some("RecordedCloudEvent"))], [ETAG, CACHE, VARY];
    /// Of `GET /streams`.
    Streams: "A page of the streams", [(JSON, Some("StreamList"))], [ETAG, CACHE, VARY, LINK];
    /// Of `GET /log`.
    LogEvents: "A page of the log's events, or the events as they come",
        [(JSON, Some("LogPage")), (BATCH, Some("RecordedBatch")), (NDJSON, None), (JSONL, None), (EVENT_STREAM, None)],
        [ETAG, CACHE, VARY, LINK, THROUGH, HEAD];
    /// Of `GET /public`.
    Contracts: "The contracts that you may read", [(JSON, Some("ContractList"))], [CACHE, VARY];
    /// Of `GET /public/{contract}`.
    PublicEvents: "A page of the public events, or the events as they come",
        [(BATCH, Some("PublicBatch")), (NDJSON, None), (JSONL, None), (JSON, Some("PublicPage")), (EVENT_STREAM, None)],
        [ETAG, CACHE, VARY, LINK, THROUGH, HEAD];
    /// Of `GET /public/{contract}/{sequence}`.
    PublicEvent: "The event", [(CLOUD_EVENT, Some("PublicEvent")), (JSON, Some("PublicEvent"))], [ETAG, CACHE, VARY, HEAD];
    /// Of `GET /catalog`.
    Catalogue: "The catalogue: an AsyncAPI document, or a page for people",
        [(JSON, Some("AnyDocument")), ("application/vnd.aai.asyncapi+json", Some("AnyDocument")), ("application/yaml", None),
         ("application/vnd.aai.asyncapi+yaml", None), ("text/html; charset=utf-8", None)], [ETAG, CACHE, VARY];
    /// Of `GET /schemas`.
    SchemaFiles: "The schemas that you may read", [(JSON, Some("SchemaList"))], [ETAG, CACHE, VARY];
    /// Of `GET /schemas/{address}`.
    SchemaFile: "The schema", [("application/schema+json", Some("AnyDocument")), (JSON, Some("AnyDocument"))], [ETAG, CACHE, VARY];
}

/// A place to go on after: a number, or `head`.
pub(in crate::http) struct AfterPlace;

impl PartialSchema for AfterPlace {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("AfterPlace").into()
    }
}

impl ToSchema for AfterPlace {}

/// What a caller has already.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct Known {
    /// ETags of pages that you have.
    #[param(rename = "if-none-match")]
    if_none_match: Option<String>,
}

/// Where a follow goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct Resumed {
    /// Of `text/event-stream` only: the `id` of the last event that you have. It goes before where the query begins.
    #[param(rename = "last-event-id")]
    last_event_id: Option<String>,
}
