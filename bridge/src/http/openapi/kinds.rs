//! Every kind of problem, and what problems may have.

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
    Kind(
        "no-such-event",
        &[404],
        "there is no event of this id, or at this place",
    ),
    Kind(
        "no-such-contract",
        &[404],
        "there is no such contract, or none that you may read",
    ),
    Kind("no-such-outlet", &[404], "the contract has no such outlet"),
    Kind(
        "no-such-relay",
        &[404],
        "no contract and outlet are called so",
    ),
    Kind("no-such-replay", &[404], "no replay has this number"),
    Kind("not-parked", &[404], "the key is not parked there"),
    Kind(
        "no-such-schema",
        &[404],
        "no contract that you may read has such a schema",
    ),
    Kind(
        "wrong-method",
        &[405],
        "this address does not take this method",
    ),
    Kind(
        "not-acceptable",
        &[406],
        "nothing here has the form that is asked for",
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
    Kind(
        "not-halted",
        &[409],
        "the contract has not halted for this event",
    ),
    Kind("backup-refused", &[409], "the folder holds something else"),
    Kind(
        "export-refused",
        &[409],
        "the file is there already, or its folder is not",
    ),
    Kind(
        "wrong-epoch",
        &[412],
        "the store was restored since the ETag was given",
    ),
    Kind(
        "another-epoch",
        &[409],
        "the address is of another epoch: the store was restored since",
    ),
    Kind(
        "another-history",
        &[409],
        "this place is not in the history that is here",
    ),
    Kind(
        "unauthenticated",
        &[401],
        "no credential came, or one that is not good",
    ),
    Kind("forbidden", &[403], "this is not granted"),
    Kind("cross-site", &[403], "a page of another site asks"),
    Kind(
        "misdirected",
        &[421],
        "the host is not one of this listener",
    ),
    Kind("encoded-body", &[415], "the body is encoded"),
    Kind(
        "too-many-requests",
        &[429],
        "the caller has as many requests or follows under way as it may",
    ),
    Kind("overloaded", &[503], "as much is under way as may be"),
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
        "contracts, schemas or access have to be mended; `takenUp` and `refused` tell of each",
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
    Kind(
        "catalogue-failed",
        &[500],
        "the catalogue could not be written",
    ),
    Kind("store-unavailable", &[503], "the store does not serve"),
    Kind("unwell", &[503], "a part of the daemon has ended"),
    Kind(
        "reload-failed",
        &[503],
        "not everything could be loaded; `takenUp` and `refused` tell of each",
    ),
    Kind("failed", &[503], "it could not be done"),
    Kind("disk-low", &[507], "too little is free on the store's disk"),
];

/// What a problem may have, besides `type`, `title`, `status`, `detail` and `mend`, which all may have.
pub(super) const MEMBERS: &[(&str, &str)] = &[
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
        "takenUp",
        r#"{"type": "array", "items": {"enum": ["access", "contracts"]}, "description": "What a reload has taken up"}"#,
    ),
    (
        "refused",
        r#"{"type": "array", "items": {"enum": ["access", "contracts"]}, "description": "What a reload has not taken up"}"#,
    ),
    (
        "actual",
        r#"{"type": "integer", "minimum": 0, "description": "The stream's revision"}"#,
    ),
    (
        "freeBytes",
        r#"{"type": ["integer", "null"], "minimum": 0}"#,
    ),
    ("neededBytes", r#"{"type": "integer", "minimum": 0}"#),
    (
        "offered",
        r#"{"type": "array", "items": {"type": "string"}, "description": "Media types"}"#,
    ),
    (
        "epoch",
        r#"{"type": "integer", "minimum": 0, "description": "The present epoch"}"#,
    ),
    (
        "after",
        r#"{"type": "integer", "minimum": 0, "description": "The place that was asked for"}"#,
    ),
    (
        "head",
        r#"{"type": "integer", "minimum": 0, "description": "The last place that there is"}"#,
    ),
    (
        "resumeAfter",
        r#"{"type": "integer", "minimum": 0, "description": "Where to go on"}"#,
    ),
];

/// What any address may answer: of requests that a page of another site sends, that are for another host, or too many.
pub(super) const ANYWHERE: &[&str] = &[
    "cross-site",
    "encoded-body",
    "misdirected",
    "too-many-requests",
    "overloaded",
];
/// The same where a credential is asked for, if there is `access`.
pub(super) const KNOWN: &[&str] = &[
    "unauthenticated",
    "cross-site",
    "encoded-body",
    "misdirected",
    "too-many-requests",
    "overloaded",
];
/// The same where a grant is needed.
pub(super) const GRANTED: &[&str] = &[
    "unauthenticated",
    "forbidden",
    "cross-site",
    "encoded-body",
    "misdirected",
    "too-many-requests",
    "overloaded",
];
