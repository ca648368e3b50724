//! Which problems an operation may be answered with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
};

use super::kinds::{ANYWHERE, GRANTED, KINDS, KNOWN, Kind, MEMBERS};
use crate::http::problem::TYPE_PREFIX;

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
pub(super) fn responses(names: &[&str], gate: &[&str]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
    for kind in KINDS
        .iter()
        .filter(|kind| names.contains(&kind.0) || gate.contains(&kind.0))
    {
        for status in kind.1 {
            by_status.entry(*status).or_default().push(kind);
        }
    }
    let one = |(status, kinds): (u16, Vec<&Kind>)| (status.to_string(), response(&kinds).into());
    by_status.into_iter().map(one).collect()
}

fn response(kinds: &[&Kind]) -> Response {
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
    let again = "When to send it again, in seconds";
    let headers = [
        ("unauthenticated", "www-authenticate", "`Bearer`"),
        ("not-json", "accept-post", "What is taken"),
        ("encoded-body", "accept-encoding", "`identity`"),
        ("too-many-requests", "retry-after", again),
        ("overloaded", "retry-after", again),
        ("disk-low", "retry-after", again),
    ];
    let own = headers
        .iter()
        .filter(|(name, ..)| kinds.iter().any(|kind| kind.0 == *name));
    own.fold(response, |response, (_, name, text)| {
        response.header(*name, header(text))
    })
    .build()
}

/// Names sets of problems, for the handlers' descriptions.
macro_rules! sets {
    ($($(#[doc = $doc:literal])* $set:ident $gate:ident: $($name:literal)*;)*) => {$(
        $(#[doc = $doc])*
        pub(in crate::http) struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$($name),*], $gate)
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
    Append GRANTED: "malformed" "malformed-event" "malformed-precondition" "malformed-query" "bad-stream-name" "slow-body"
        "wrong-expected-revision" "id-conflict" "wrong-epoch" "body-too-large" "limit" "not-json" "no-schema" "schema"
        "expectation-required" "store-unavailable" "disk-low";
    /// Of `POST /commits`, where every expectation stands in the body.
    Commit GRANTED: "malformed" "malformed-event" "malformed-query" "bad-stream-name" "slow-body" "wrong-expected-revision"
        "id-conflict" "body-too-large" "limit" "not-json" "no-schema" "schema" "expectation-required" "store-unavailable"
        "disk-low";
    /// Of `GET /streams/{stream}`.
    ReadStream GRANTED: "malformed" "malformed-query" "no-such-stream" "not-acceptable" "another-epoch" "another-history" "store-unavailable";
    /// Of `GET /streams/{stream}/{revision}`.
    ReadEvent GRANTED: "malformed" "no-such-stream" "no-such-event" "not-acceptable" "store-unavailable";
    /// Of `GET /streams`.
    Pages GRANTED: "malformed-query" "not-acceptable" "store-unavailable";
    /// Of `GET /log`.
    ReadLog GRANTED: "malformed" "malformed-query" "not-acceptable" "another-epoch" "another-history" "store-unavailable";
    /// Of lists of the public side.
    Lists KNOWN: "not-acceptable" "store-unavailable";
    /// Of `GET /catalog`.
    Catalogue KNOWN: "not-acceptable" "catalogue-failed";
    /// Of `GET /public/{contract}`.
    ReadPublic KNOWN: "malformed" "malformed-query" "no-such-contract" "not-acceptable" "another-epoch" "another-history" "store-unavailable";
    /// Of `GET /public/{contract}/{sequence}`.
    ReadPublicEvent KNOWN: "malformed" "no-such-contract" "no-such-event" "not-acceptable" "store-unavailable";
    /// Of `GET /schemas/{address}`.
    OneSchema KNOWN: "malformed" "no-such-schema" "not-acceptable";
    /// Of what asks nobody.
    Anything ANYWHERE: ;
    /// Of what only reads the store.
    Store GRANTED: "store-unavailable";
    /// Of `GET /health`.
    Health ANYWHERE: "unwell";
    /// Of `GET /why/{id}`.
    Why GRANTED: "malformed" "no-such-event" "store-unavailable";
    /// Of lists of parked keys.
    Parked GRANTED: "malformed" "malformed-query" "no-such-contract" "no-such-outlet" "not-parked" "store-unavailable";
    /// Of orders that say nothing.
    Order GRANTED: "malformed" "slow-body" "body-too-large" "not-json" "store-unavailable";
    /// Of orders for parked keys.
    Unpark GRANTED: "malformed" "no-such-contract" "no-such-outlet" "not-parked" "slow-body" "relay-paused" "not-running"
        "body-too-large" "not-json" "store-unavailable";
    /// Of `POST /contracts/skip`.
    SkipAtHalt GRANTED: "malformed" "no-such-contract" "slow-body" "not-halted" "not-running" "body-too-large" "not-json"
        "store-unavailable" "disk-low";
    /// Of `POST /backups`.
    Backup GRANTED: "malformed" "slow-body" "backup-refused" "body-too-large" "not-json" "backup-failed" "store-unavailable" "disk-low";
    /// Of `POST /exports`.
    Export GRANTED: "malformed" "slow-body" "export-refused" "body-too-large" "not-json" "export-failed" "store-unavailable";
    /// Of `POST /relays/…`.
    Relay GRANTED: "malformed" "no-such-relay" "slow-body" "body-too-large" "not-json" "store-unavailable" "failed" "disk-low";
    /// Of `POST /reload`.
    Reload GRANTED: "malformed" "slow-body" "body-too-large" "not-json" "reload-refused" "reload-failed";
    /// Of `POST /replays`.
    Replay GRANTED: "malformed" "slow-body" "body-too-large" "not-json" "no-such-place" "nothing-to-replay" "too-many-replays"
        "store-unavailable" "failed";
    /// Of `GET /replays/{id}`.
    OneReplay GRANTED: "malformed" "no-such-replay";
    /// Of `POST /replays/{id}/stop`.
    StopReplay GRANTED: "malformed" "no-such-replay" "slow-body" "body-too-large" "not-json";
}
