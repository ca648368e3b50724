//! How the bodies and headers of appends are described; `events.json` has what Rust's types cannot say.

use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// Bodies that are described in `events.json`.
macro_rules! described {
    ($($(#[doc = $doc:literal])* $name:ident)*) => {$(
        $(#[doc = $doc])*
        pub(in crate::http) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Ref::from_schema_name(stringify!($name)).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

described! {
    /// One event, an array of events, or either with what is expected.
    PlainEvents
    /// One CloudEvent.
    CloudEvent
    /// An array of CloudEvents.
    CloudEventBatch
    /// What `POST /commits` takes.
    CommitOfEvents
}

/// The schemas of those bodies.
pub(super) const SCHEMAS: &str = include_str!("events.json");

/// A stream, in an address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct StreamPath {
    /// Its name, `category-id`, percent-encoded: 1 to 255 bytes of UTF-8.
    #[param(
        min_length = 1,
        max_length = 255,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    stream: String,
}

/// What may be expected of a stream, in headers.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct Preconditions {
    /// The ETag of the stream as it was when you decided, or several of which any may hold, or `*`: it must exist. Not beside
    /// `If-None-Match`.
    #[param(
        rename = "if-match",
        pattern = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#
    )]
    if_match: Option<String>,
    /// `*`: it must not exist.
    #[param(rename = "if-none-match", inline)]
    if_none_match: Option<Anything>,
}

/// Any stream that there is.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only described")]
enum Anything {
    #[schema(rename = "*")]
    Anything,
}
