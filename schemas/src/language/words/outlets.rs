//! The words of outlets.

use super::Form::{self, Boolean, Either, Integer, List, Named, Of, Scalar, Text, Word};
use super::{Key, Words};

static TEXTS: Form = Text;
static SCALARS: Form = Scalar;
static A_QUEUE: Form = Of(&QUEUE);
static A_BINDING: Form = Of(&BINDING);
static START_FORMS: [Form; 2] = [Word(&["beginning", "now"]), Of(&OUTLET_START)];

/// An outlet.
pub(crate) static OUTLET: Words = Words::new(
    "an outlet",
    "outlet",
    &[
        Key::new("mqtt", Of(&MQTT), "MQTT topics at a broker"),
        Key::new("amqp", Of(&AMQP), "An AMQP exchange at a broker"),
    ],
);

const BROKER: Key = Key::new("broker", Text, "A broker of the configuration")
    .required()
    .example("\"main\"");
const OUTLET_NAME: Key = Key::new(
    "name",
    Text,
    "The outlet's name, once in a contract; by default its protocol and broker",
);
/// What becomes of an event that nobody listened to.
pub(crate) const UNHEARD: &[&str] = &["continue", "wait"];
const UNHEARD_KEY: Key = Key::new(
    "unheard",
    Word(UNHEARD),
    "What becomes of an event that nobody listened to",
);
/// How an event is laid out in a message.
pub(crate) const CONTENT_MODES: &[&str] = &["structured", "binary"];
const CONTENT_MODE: Key = Key::new(
    "content_mode",
    Word(CONTENT_MODES),
    "structured: the whole event as JSON in the payload; binary: the data there, the attributes beside it. structured unless given",
);
const START_KEY: Key = Key::new(
    "start",
    Either(&START_FORMS),
    "Where the outlet begins in the public stream when it has sent nothing yet; beginning unless given",
);
/// The bounds of `max_in_flight_per_key`.
pub(crate) const PER_KEY: (u64, u64) = (1, 100);
const PER_KEY_KEY: Key = Key::new(
    "max_in_flight_per_key",
    Integer(PER_KEY.0, PER_KEY.1),
    "How many events of one key may be in flight; 1 unless given. With more, a retry can come after a later event of its key",
);

/// `start` of an outlet as a mapping.
pub(crate) static OUTLET_START: Words = Words::new(
    "`start`",
    "outletStart",
    &[
        Key::new(
            "sequence",
            Integer(1, (1 << 53) - 1),
            "With the public event of this sequence",
        )
        .example("1"),
        Key::new(
            "time",
            Text,
            "With the first event that crossed at this RFC 3339 time or later",
        )
        .example("\"2024-01-01T00:00:00Z\""),
    ],
);

/// The longest `expiry_seconds`: what MQTT's four bytes hold.
pub(crate) const EXPIRY_SECONDS: (u64, u64) = (1, u32::MAX as u64);

/// An MQTT outlet.
pub(crate) static MQTT: Words = Words::new(
    "an mqtt outlet",
    "mqtt",
    &[
        BROKER,
        Key::new(
            "topic",
            Text,
            "The topic; {contract}, {major}, {name}, {type}, {key}, {subject} and {data.FIELD} may stand in it",
        )
        .required()
        .example("\"bank/accounts/v1/{key}/{name}\""),
        Key::new(
            "qos",
            Integer(0, 2),
            "The quality of service: 0 (nothing is confirmed), 1 or 2; 1 unless given",
        ),
        Key::new(
            "retain",
            Boolean,
            "Whether the broker keeps the last message of each topic for later subscribers; false unless given",
        ),
        Key::new(
            "expiry_seconds",
            Integer(EXPIRY_SECONDS.0, EXPIRY_SECONDS.1),
            "After how many seconds the broker drops a message that it could not hand on (MQTT 5)",
        ),
        Key::new(
            "user_properties",
            Named(&TEXTS),
            "User properties that every message carries (MQTT 5)",
        ),
        CONTENT_MODE,
        Key::new(
            "datacontenttype_property",
            Boolean,
            "In binary content mode: datacontenttype as a user property too, for readers that look for it there",
        ),
        OUTLET_NAME,
        UNHEARD_KEY,
        START_KEY,
        PER_KEY_KEY,
    ],
);

/// What may stand before an attribute's name in an AMQP header.
pub(crate) const HEADER_PREFIXES: &[&str] = &["cloudEvents:", "cloudEvents_", "ce-"];
/// The bounds of `expiration_ms`: RabbitMQ's.
pub(crate) const EXPIRATION_MS: (u64, u64) = (0, u32::MAX as u64);

/// An AMQP outlet.
pub(crate) static AMQP: Words = Words::new(
    "an amqp outlet",
    "amqp",
    &[
        BROKER,
        Key::new(
            "exchange",
            Text,
            "The exchange; {contract} and {major} may stand in it",
        )
        .required()
        .example("\"bank.accounts.v1\""),
        Key::new(
            "declare",
            Boolean,
            "Whether the exchange is declared (durable, topic) or only checked to be there; true unless given",
        ),
        Key::new(
            "alternate_exchange",
            Text,
            "The exchange that takes what no queue of this one does; it must be there",
        ),
        Key::new(
            "routing_key",
            Text,
            "The routing key; {contract}, {major}, {name}, {type}, {key}, {subject} and {data.FIELD} may stand in it",
        )
        .required()
        .example("\"account.{name}\""),
        CONTENT_MODE,
        Key::new(
            "header_prefix",
            Word(HEADER_PREFIXES),
            "What stands before an attribute's name in the headers; `cloudEvents:` unless given",
        ),
        Key::new("priority", Integer(0, 255), "The priority of every message"),
        Key::new(
            "expiration_ms",
            Integer(EXPIRATION_MS.0, EXPIRATION_MS.1),
            "After how many milliseconds a queue drops a message that nobody took",
        ),
        Key::new("headers", Named(&TEXTS), "Headers that every message carries"),
        Key::new(
            "queues",
            List(&A_QUEUE),
            "Queues that are declared and bound; consumers mostly declare their own",
        ),
        Key::new(
            "bindings",
            List(&A_BINDING),
            "Bindings of others that must be there; looked for over the broker's management interface",
        ),
        OUTLET_NAME,
        UNHEARD_KEY,
        START_KEY,
        PER_KEY_KEY,
    ],
);

/// A queue's types.
pub(crate) const QUEUE_TYPES: &[&str] = &["classic", "quorum", "stream"];

/// A queue that is declared.
pub(crate) static QUEUE: Words = Words::new(
    "a queue",
    "queue",
    &[
        Key::new("name", Text, "The queue's name")
            .required()
            .example("\"budgets\""),
        Key::new(
            "type",
            Word(QUEUE_TYPES),
            "RabbitMQ's type of the queue; classic unless given",
        ),
        Key::new(
            "bind",
            List(&TEXTS),
            "The routing keys, patterns mostly, by which it is bound to the exchange",
        ),
        Key::new(
            "arguments",
            Named(&SCALARS),
            "Further arguments of its declaration, such as x-max-length",
        ),
    ],
);

/// A binding that must be there.
pub(crate) static BINDING: Words = Words::new(
    "a binding",
    "binding",
    &[
        Key::new("queue", Text, "The queue")
            .required()
            .example("\"budgets\""),
        Key::new("routing_key", Text, "The routing key, a pattern mostly")
            .required()
            .example("\"account.*\""),
    ],
);
