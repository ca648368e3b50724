//! Every kind of problem, and which of them an operation may be answered with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
};

use crate::http::problem::TYPE_PREFIX;

/// A kind of problem: the end of its `type`, the statuses that it is answered with, and what it means.
pub(super) struct Kind(
    pub(super) &'static str,
    pub(super) &'static [u16],
    pub(super) &'static str,
);

/// Every kind. `bridge/docs/http.md` has the same.
pub(super) const KINDS: &[Kind] = &[
    Kind(
        "malformed",
        &[400],
        "the body is not of a known shape, or two parts of the request contradict each other",
    ),
    Kind(
        "malformed-event",
        &[400],
        "an event lacks a part, or has one of the wrong kind",
    ),
    Kind(
        "malformed-precondition",
        &[400],
        "a precondition is not understood",
    ),
    Kind("malformed-query", &[400], "the query is not understood"),
    Kind("bad-stream-name", &[400], "this cannot be a stream's name"),
    Kind(
        "no-such-place",
        &[404, 422],
        "nothing is at this address; of a replay: what it names is not there",
    ),
    Kind(
        "no-such-stream",
        &[404],
        "nothing was appended to the stream",
    ),
    Kind("no-such-event", &[404], "no private event has the id"),
    Kind("no-such-contract", &[404], "no such contract is loaded"),
    Kind("no-such-outlet", &[404], "the contract has no such outlet"),
    Kind(
        "no-such-relay",
        &[404],
        "no contract and outlet are called so",
    ),
    Kind("no-such-replay", &[404], "no replay has this number"),
    Kind("not-parked", &[404], "the key is not parked there"),
    Kind(
        "wrong-method",
        &[405],
        "this address does not take this method",
    ),
    Kind("slow-body", &[408], "the body took too long"),
    Kind(
        "wrong-expected-revision",
        &[409, 412],
        "the stream is not at the expected revision: 412 if expected by a header, 409 if in the body",
    ),
    Kind(
        "id-conflict",
        &[409],
        "a source and id was used before, and this is no repeat",
    ),
    Kind(
        "relay-paused",
        &[409],
        "the relay is paused, so nothing parked there can go on",
    ),
    Kind(
        "not-running",
        &[409],
        "the contract or the relay does not run now",
    ),
    Kind("backup-refused", &[409], "the folder holds something else"),
    Kind("export-refused", &[409], "the file is there already"),
    Kind(
        "wrong-epoch",
        &[412],
        "the store was restored since the ETag was given",
    ),
    Kind("body-too-large", &[413], "the body is over its limit"),
    Kind("limit", &[413], "an event or the commit is over a limit"),
    Kind(
        "not-json",
        &[415],
        "the content type is none of those in Accept-Post",
    ),
    Kind(
        "no-schema",
        &[422],
        "the event's type has no private schema",
    ),
    Kind("schema", &[422], "the private schema refuses an event"),
    Kind(
        "nothing-to-replay",
        &[422],
        "there is no event between the bounds",
    ),
    Kind(
        "reload-refused",
        &[422],
        "contracts, schemas or configuration have to be mended",
    ),
    Kind(
        "expectation-required",
        &[428],
        "the stream's category demands that an append says what it expects",
    ),
    Kind("too-many-replays", &[429], "as many replays run as may"),
    Kind(
        "backup-failed",
        &[500],
        "the disk refused, or the folder's backups are damaged",
    ),
    Kind("export-failed", &[500], "the disk refused"),
    Kind("store-unavailable", &[503], "the store does not serve"),
    Kind("unwell", &[503], "a part of the daemon has ended"),
    Kind("reload-failed", &[503], "nothing could be loaded"),
    Kind("failed", &[503], "it could not be done"),
    Kind("disk-low", &[507], "too little is free on the store's disk"),
];

/// What a problem may have, besides `type`, `title`, `status`, `detail` and `mend`, which all may have.
pub(in crate::http) const MEMBERS: &[(&str, &str)] = &[
    (
        "pointer",
        r#"{"type": "string", "description": "JSON pointer to the fault in the body"}"#,
    ),
    (
        "event",
        r#"{"type": "integer", "minimum": 0, "description": "The place in the request of the event at fault"}"#,
    ),
    (
        "errors",
        r##"{"type": "array", "items": {"$ref": "#/components/schemas/ProblemError"}}"##,
    ),
    (
        "events",
        r##"{"type": "array", "items": {"$ref": "#/components/schemas/ProblemEvent"}, "description": "What is known of each event of the commit"}"##,
    ),
    ("stream", r#"{"type": "string"}"#),
    (
        "actual",
        r#"{"type": "integer", "minimum": 0, "description": "The stream's revision"}"#,
    ),
    (
        "freeBytes",
        r#"{"type": ["integer", "null"], "minimum": 0}"#,
    ),
    ("neededBytes", r#"{"type": "integer", "minimum": 0}"#),
];

/// The schemas of problems, closed.
pub(super) fn schemas() -> Value {
    let text = json!({"type": "string"});
    let mut properties = json!({
        "type": {"type": "string", "format": "uri"}, "title": text,
        "status": {"type": "integer", "minimum": 400, "maximum": 599}, "detail": text,
        "mend": {"type": "string", "description": "What would mend it"},
    });
    for (name, schema) in MEMBERS {
        properties[*name] = serde_json::from_str(schema).unwrap_or_default();
    }
    let place = json!({"type": "integer", "minimum": 0});
    let nth = json!({"type": ["integer", "null"], "minimum": 1});
    json!({
        "Problem": {
            "description": "A problem (RFC 9457). Its `type` never changes its meaning.",
            "type": "object", "required": ["type", "title", "status"], "properties": properties,
        },
        "ProblemError": {
            "type": "object", "description": "One mistake: in an event, or in a file that was loaded again",
            "properties": {
                "event": place, "pointer": text, "reason": text, "code": text, "message": text,
                "file": {"type": ["string", "null"]}, "line": nth, "column": nth,
            },
        },
        "ProblemEvent": {
            "type": "object", "required": ["state"],
            "properties": {
                "state": {"enum": ["new", "stored", "different"]}, "stream": text, "revision": place, "position": place,
            },
        },
    })
}

/// Answers with one of these problems, by status.
pub(super) fn responses(names: &[&str]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
    for kind in KINDS.iter().filter(|kind| names.contains(&kind.0)) {
        for status in kind.1 {
            by_status.entry(*status).or_default().push(kind);
        }
    }
    let one =
        |(status, kinds): (u16, Vec<&Kind>)| (status.to_string(), response(status, &kinds).into());
    by_status.into_iter().map(one).collect()
}

fn response(status: u16, kinds: &[&Kind]) -> Response {
    let urns = kinds.iter().map(|kind| format!("{TYPE_PREFIX}{}", kind.0));
    let types = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .property(
            "type",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(urns)),
        );
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(types);
    let content = ContentBuilder::new()
        .schema(Some(RefOr::T(Schema::from(schema.build()))))
        .build();
    let meanings = kinds.iter().map(|kind| format!("`{}`: {}", kind.0, kind.2));
    let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
    let response = ResponseBuilder::new()
        .description(meanings.collect::<Vec<_>>().join("; "))
        .content("application/problem+json", content);
    match status {
        415 => response.header("accept-post", header("What is taken")),
        507 => response.header("retry-after", header("When to send it again, in seconds")),
        _ => response,
    }
    .build()
}

/// Names sets of problems, for the handlers' descriptions.
macro_rules! sets {
    ($($(#[doc = $doc:literal])* $set:ident: $($name:literal)*;)*) => {$(
        $(#[doc = $doc])*
        pub(in crate::http) struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$($name),*])
            }
        }
    )*

        /// Every set, by name.
        #[cfg(test)]
        pub(super) const SETS: &[(&str, &[&str])] = &[$((stringify!($set), &[$($name),*])),*];
    };
}

sets! {
    /// Of `POST /streams/{stream}`.
    Append: "malformed" "malformed-event" "malformed-precondition" "malformed-query" "bad-stream-name" "slow-body"
        "wrong-expected-revision" "id-conflict" "wrong-epoch" "body-too-large" "limit" "not-json" "no-schema" "schema"
        "expectation-required" "store-unavailable" "disk-low";
    /// Of `POST /commits`, where every expectation stands in the body.
    Commit: "malformed" "malformed-event" "malformed-query" "bad-stream-name" "slow-body" "wrong-expected-revision"
        "id-conflict" "body-too-large" "limit" "not-json" "no-schema" "schema" "expectation-required" "store-unavailable"
        "disk-low";
    /// Of what only reads the store.
    Store: "store-unavailable";
    /// Of `GET /health`.
    Health: "unwell";
    /// Of `GET /why/{id}`.
    Why: "malformed" "no-such-event" "store-unavailable";
    /// Of lists of parked keys.
    Parked: "malformed" "malformed-query" "no-such-contract" "no-such-outlet" "not-parked" "store-unavailable";
    /// Of orders that say nothing.
    Order: "malformed" "slow-body" "body-too-large" "not-json" "store-unavailable";
    /// Of orders for parked keys.
    Unpark: "malformed" "no-such-contract" "no-such-outlet" "not-parked" "slow-body" "relay-paused" "not-running"
        "body-too-large" "not-json" "store-unavailable";
    /// Of `POST /backups`.
    Backup: "malformed" "slow-body" "backup-refused" "body-too-large" "not-json" "backup-failed" "store-unavailable" "disk-low";
    /// Of `POST /exports`.
    Export: "malformed" "slow-body" "export-refused" "body-too-large" "not-json" "export-failed" "store-unavailable";
    /// Of `POST /relays/…`.
    Relay: "malformed" "no-such-relay" "slow-body" "body-too-large" "not-json" "store-unavailable" "failed" "disk-low";
    /// Of `POST /reload`.
    Reload: "malformed" "slow-body" "body-too-large" "not-json" "reload-refused" "reload-failed";
    /// Of `POST /replays`.
    Replay: "malformed" "slow-body" "body-too-large" "not-json" "no-such-place" "nothing-to-replay" "too-many-replays"
        "store-unavailable" "failed";
    /// Of `GET /replays/{id}`.
    OneReplay: "malformed" "no-such-replay";
    /// Of `POST /replays/{id}/stop`.
    StopReplay: "malformed" "no-such-replay" "slow-body" "body-too-large" "not-json";
}
