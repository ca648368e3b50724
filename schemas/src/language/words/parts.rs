//! The smaller mappings of a contract.

use super::Form::{Any, Integer, Of, Text};
use super::{Key, TEXT, Words};

/// `team`.
pub(crate) static TEAM: Words = Words::new(
    "`team`",
    "team",
    &[
        Key::new("name", Text, "The team's name").required(),
        Key::new("contact", Text, "Where it is reached").required(),
    ],
);

/// `streams`.
pub(crate) static STREAMS: Words = Words::new(
    "`streams`",
    "streams",
    &[
        Key::new("category", Text, "The category whose streams are read")
            .required()
            .example("\"account\""),
        Key::new(
            "match",
            super::Form::List(&TEXT),
            "Only streams whose whole name fits one of these patterns: * stands for any characters, ? for one",
        )
        .example("[\"account-5*\"]"),
    ],
);

/// `start` as a mapping.
pub(crate) static START: Words = Words::new(
    "`start`",
    "start",
    &[
        Key::new(
            "position",
            Integer(1, (1 << 53) - 1),
            "With the event at this position of the log",
        )
        .example("1"),
        Key::new(
            "time",
            Text,
            "With the first event that was recorded at this RFC 3339 time or later",
        )
        .example("\"2024-01-01T00:00:00Z\""),
    ],
);

/// `key` as a mapping.
pub(crate) static KEY: Words = Words::new(
    "`key`",
    "key",
    &[Key::new(
        "pseudonym",
        Text,
        "The path of the key that a pseudonym stands for",
    )
    .required()
    .example("\".clientId\"")],
);

/// What a public field is made of, where a path is not enough.
pub(crate) static LEAF: Words = Words::new(
    "a public field",
    "field",
    &[
        Key::new("const", Any, "This value"),
        Key::new("jq", Text, "The one value that this expression gives").example("\".net + .tax\""),
        Key::new(
            "each",
            Text,
            "The path of an array: `data` is made of each of its items",
        )
        .example("\".lines\""),
        Key::new(
            "data",
            super::Form::Named(&super::FIELD),
            "An object of these fields",
        ),
        Key::new(
            "public_id",
            Of(&PUBLIC_ID),
            "The public id of another event of this contract",
        ),
        Key::new(
            "reveal",
            Text,
            "The path of a personal field that may be public",
        ),
        Key::new("reason", Text, "Why a personal field may be public"),
    ],
);

/// `public_id`.
pub(crate) static PUBLIC_ID: Words = Words::new(
    "`public_id`",
    "public_id",
    &[
        Key::new(
            "type",
            Text,
            "The public type of the event that is referred to",
        )
        .required(),
        Key::new("of", Text, "The path of its private id")
            .required()
            .example("\".orderEventId\""),
        Key::new(
            "source",
            Text,
            "The path of its source; by default this event's own",
        ),
    ],
);

/// `deprecation`.
pub(crate) static DEPRECATION: Words = Words::new(
    "`deprecation`",
    "deprecation",
    &[
        Key::new("from", Text, "From when it is deprecated, in RFC 3339")
            .example("\"2025-01-01T00:00:00Z\""),
        Key::new(
            "sunset",
            Text,
            "When it ends, in RFC 3339; not before `from`",
        )
        .example("\"2025-07-01T00:00:00Z\""),
        Key::new(
            "migration",
            Text,
            "An absolute URI that says what to use instead",
        )
        .example("\"https://shop.example/docs/orders-v2\""),
    ],
);

/// A waiver.
pub(crate) static WAIVER: Words = Words::new(
    "a waiver",
    "waiver",
    &[
        Key::new(
            "change",
            Text,
            "The rule that the change breaks, by its code",
        )
        .required()
        .example("\"property-removed\""),
        Key::new("at", Text, "The place of the change, as a JSON pointer")
            .required()
            .example("\"/properties/total\""),
        Key::new(
            "type",
            Text,
            "The public type that changes; none: the contract itself",
        ),
        Key::new("reason", Text, "Why it is right to break it").required(),
        Key::new(
            "until",
            Text,
            "The last day on which the waiver holds, YYYY-MM-DD",
        )
        .required()
        .example("\"2025-06-30\""),
    ],
);

/// Extensions that a contract cannot set under `attributes`: they are the envelope's own, or have a key of their own.
pub(crate) const TAKEN: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "partitionkey",
    "sequence",
    "previoussequence",
    "correlationid",
    "causationid",
    "traceparent",
    "tracestate",
    "deprecated",
    "deprecationfrom",
    "deprecationsunset",
    "deprecationmigration",
];
