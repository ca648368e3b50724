//! The words of the language: each mapping's keys, once, for the parser and for the JSON Schema that editors read.
//!
//! [`super::fields::Fields::read`] takes its known keys from here, and [`super::schema`] writes them down, so that the two
//! cannot drift apart.

mod outlets;
mod parts;

use super::fields::Later;
use Form::{Either, Integer, List, Named, Of, Text, Word};
pub(crate) use outlets::{
    AMQP, BINDING, CONTENT_MODES, EXPIRATION_MS, EXPIRY_SECONDS, HEADER_PREFIXES, MQTT, OUTLET,
    OUTLET_START, PER_KEY, QUEUE, QUEUE_TYPES, UNHEARD,
};
pub(crate) use parts::{DEPRECATION, KEY, LEAF, PUBLIC_ID, START, STREAMS, TAKEN, TEAM, WAIVER};

/// The keys of one kind of mapping.
pub(crate) struct Words {
    /// What it is called in errors.
    pub(crate) what: &'static str,
    /// Its name among the definitions of the JSON Schema.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
    /// Keys that are known and not built yet.
    pub(crate) later: &'static [Later],
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) form: Form,
    pub(crate) required: bool,
    /// An example in JSON, or nothing.
    pub(crate) example: &'static str,
}

/// What a key's value looks like.
pub(crate) enum Form {
    Any,
    Text,
    Boolean,
    /// Text, a whole number or a boolean.
    Scalar,
    /// A whole number from the first to the second.
    Integer(u64, u64),
    Word(&'static [&'static str]),
    List(&'static Form),
    Of(&'static Words),
    /// A mapping with names of the writer's own.
    Named(&'static Form),
    Either(&'static [Form]),
}

impl Key {
    const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            name,
            about,
            form,
            required: false,
            example: "",
        }
    }

    const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}

impl Words {
    const fn new(what: &'static str, name: &'static str, keys: &'static [Key]) -> Self {
        Self {
            what,
            name,
            keys,
            later: &[],
        }
    }
}

/// Where a contract or a type stands in its life.
pub(crate) const STATUSES: &[&str] = &["draft", "active", "deprecated", "retired"];
/// What becomes of a flagged event.
pub(crate) const FLAGGED: &[&str] = &["violation", "cross"];
/// How a trace is handed on.
pub(crate) const PASS: &[&str] = &["pass"];

const LATER: &[Later] = &[Later {
    key: "datapoints",
    mend: "take it out: transient measurements cannot be published by contract yet",
}];

/// A public field, or a CloudEvents attribute that is made like one.
static FIELD: Form = Either(&FIELD_FORMS);
static FIELD_FORMS: [Form; 2] = [Text, Of(&LEAF)];
static KEY_FORMS: [Form; 2] = [Text, Of(&KEY)];
static START_FORMS: [Form; 2] = [Word(&["beginning", "now"]), Of(&START)];
static AN_OUTLET: Form = Of(&OUTLET);
static A_TYPE: Form = Of(&TYPE);
static AN_ENTRY: Form = Of(&FROM);
static A_WAIVER: Form = Of(&WAIVER);
static TEXT: Form = Text;

const SUBJECT: Key = Key::new(
    "subject",
    Either(&FIELD_FORMS),
    "The CloudEvents subject: a path, { const: … }, { jq: … } or { public_id: … }",
)
.example("\".orderId\"");
const TIME: Key = Key::new(
    "time",
    Text,
    "The CloudEvents time: the path of an RFC 3339 time, or `recorded`; by default the private event's own",
)
.example("\".placedAt\"");
const DATASCHEMA: Key = Key::new(
    "dataschema",
    Text,
    "The CloudEvents dataschema: an absolute URI, in which {contract}, {major}, {name} and {type} may stand; by default the public schema's $id",
)
.example("\"https://schemas.shop.example/{contract}/{name}.v{major}.json\"");
const CORRELATION: Key = Key::new(
    "correlationid",
    Of(&LEAF),
    "The extension correlationid, as { public_id: … }",
);
const CAUSATION: Key = Key::new(
    "causationid",
    Of(&LEAF),
    "The extension causationid, as { public_id: … }",
);
const TRACEPARENT: Key = Key::new(
    "traceparent",
    Word(PASS),
    "`pass` hands on the private event's own trace context; by default none leaves",
)
.example("\"pass\"");
const TRACESTATE: Key = Key::new(
    "tracestate",
    Word(PASS),
    "`pass` hands on the private event's tracestate beside `traceparent: pass`",
)
.example("\"pass\"");
const DEPRECATED: Key = Key::new(
    "deprecation",
    Of(&DEPRECATION),
    "From when to when a deprecated contract or type goes on, and what follows it",
);
const ATTRIBUTES: Key = Key::new(
    "attributes",
    Named(&FIELD),
    "Further CloudEvents extensions, by name: 1 to 20 of a-z and 0-9",
)
.example("{\"region\": \".region\", \"priority\": {\"const\": 5}}");
const STATUS: Key = Key::new(
    "status",
    Word(STATUSES),
    "draft: checked, nothing crosses; active; deprecated: crosses and says that it is to be left; retired: nothing crosses any more",
)
.example("\"active\"");
const COMPATIBILITY: Key = Key::new(
    "compatibility",
    Word(&crate::compatibility::MODE_WORDS),
    "Which changes `horizon breaking` tells: what the readers of which revisions can still read",
)
.example("\"full_transitive\"");
const ON_FLAGGED: Key = Key::new(
    "flagged",
    Word(FLAGGED),
    "What becomes of an event that was recorded although it does not fit its private schema: `violation` (the default) parks its key, `cross` lets it cross",
)
.example("\"cross\"");
const VERSION: Key = Key::new("horizon", Integer(1, 1), "The version of this language: 1")
    .required()
    .example("1");
const TEAM_KEY: Key = Key::new("team", Of(&TEAM), "Whom consumers ask")
    .example("{\"name\": \"payments\", \"contact\": \"payments@bank.example\"}");
const SOURCE: Key = Key::new(
    "source",
    Text,
    "The CloudEvents source of every public event: a URI-reference of at most 255 visible characters, in which {contract} and {major} may stand",
)
.example("\"//bank.example/accounts/v1\"");
const START_KEY: Key = Key::new(
    "start",
    Either(&START_FORMS),
    "Where a new contract begins: with the first event, with what comes now, at a position of the log or at a time",
)
.example("\"beginning\"");
const OUTLETS: Key = Key::new("outlets", List(&AN_OUTLET), "Where public events are sent");

/// A contract.
pub(crate) static CONTRACT: Words = Words {
    what: "a contract",
    name: "contract",
    keys: &[
        VERSION,
        Key::new(
            "contract",
            Text,
            "The name: words of a-z, 0-9, - and _ with dots between. The public stream is this and the major version",
        )
        .required()
        .example("\"bank.accounts\""),
        Key::new("version", Text, "MAJOR.MINOR.PATCH").required().example("\"1.0.0\""),
        STATUS,
        TEAM_KEY,
        Key::new("description", Text, "For readers"),
        SOURCE,
        Key::new("streams", Of(&STREAMS), "Whose private events are read")
            .required()
            .example("{\"category\": \"account\"}"),
        START_KEY,
        Key::new(
            "key",
            Either(&KEY_FORMS),
            "What order is kept by: a path, or { pseudonym: path }; published as partitionkey",
        )
        .required()
        .example("\".accountId\""),
        Key::new("types", Named(&A_TYPE), "The public types, by their CloudEvents type").required(),
        OUTLETS,
        ON_FLAGGED,
        SUBJECT,
        TIME,
        DATASCHEMA,
        CORRELATION,
        CAUSATION,
        TRACEPARENT,
        TRACESTATE,
        DEPRECATED,
        ATTRIBUTES,
        Key::new("waivers", List(&A_WAIVER), "Breaking changes that are made on purpose, each with a reason and an end"),
        COMPATIBILITY,
    ],
    later: LATER,
};

/// `_defaults.yaml`.
pub(crate) static DEFAULTS: Words = Words {
    what: "_defaults.yaml",
    name: "defaults",
    keys: &[
        VERSION,
        STATUS,
        TEAM_KEY,
        SOURCE,
        START_KEY,
        OUTLETS,
        ON_FLAGGED,
        DATASCHEMA,
        TRACEPARENT,
        TRACESTATE,
        COMPATIBILITY,
    ],
    later: LATER,
};

/// A public type.
pub(crate) static TYPE: Words = Words {
    what: "a public type",
    name: "type",
    keys: &[
        Key::new(
            "name",
            Text,
            "What {name} stands for in topics and routing keys: a-z, 0-9, - and _",
        )
        .required()
        .example("\"opened\""),
        Key::new(
            "schema",
            Text,
            "The public schema, by its path below the schemas folder",
        )
        .required()
        .example("\"public/bank.accounts/opened.v1.json\""),
        Key::new(
            "data",
            Named(&FIELD),
            "Public fields that all entries of `from` share",
        ),
        Key::new(
            "from",
            List(&AN_ENTRY),
            "The private events that it is made from",
        )
        .required(),
        STATUS,
        SUBJECT,
        TIME,
        DATASCHEMA,
        CORRELATION,
        CAUSATION,
        TRACEPARENT,
        TRACESTATE,
        DEPRECATED,
        ATTRIBUTES,
    ],
    later: LATER,
};

/// An entry of `from`.
pub(crate) static FROM: Words = Words::new(
    "an entry of `from`",
    "from",
    &[
        Key::new("event", Text, "The private event type")
            .required()
            .example("\"AccountOpened\""),
        Key::new(
            "when",
            Text,
            "An expression that must give true or false; by default always",
        )
        .example("\".amount > 0\""),
        Key::new(
            "data",
            Named(&FIELD),
            "Public fields; one of the same name as a shared one replaces it",
        ),
        ON_FLAGGED,
    ],
);
