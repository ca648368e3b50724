//! A contract as it is written: words and places, nothing looked up yet.

use super::fields::{self, Fields};
pub(crate) use super::shared::{Attributes, Deprecation, Shared, Start};
use super::yaml::{Kind, Node};
use super::{attributes, leaf, shared, waiver, words};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{At, Span};
use serde_json::Value;

/// A contract as written. What is missing or unreadable has been told.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) span: Span,
    pub(crate) contract: Option<At<String>>,
    pub(crate) version: Option<At<String>>,
    pub(crate) category: Option<At<String>>,
    /// What the stream's name must fit; none: any.
    pub(crate) patterns: Vec<At<String>>,
    pub(crate) key: Option<Key>,
    pub(crate) types: Vec<PublicType>,
    pub(crate) waivers: Vec<Waiver>,
    pub(crate) shared: Shared,
}

/// One of `waivers`.
#[derive(Debug)]
pub(crate) struct Waiver {
    pub(crate) change: At<String>,
    pub(crate) at: At<String>,
    pub(crate) public_type: Option<At<String>>,
    pub(crate) reason: At<String>,
    pub(crate) until: At<String>,
}

/// `key`.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: At<String>,
    pub(crate) pseudonym: bool,
}

/// One of `types`.
#[derive(Debug)]
pub(crate) struct PublicType {
    pub(crate) event_type: At<String>,
    pub(crate) name: Option<At<String>>,
    pub(crate) schema: Option<At<String>>,
    pub(crate) data: Option<Data>,
    pub(crate) from: Vec<From>,
    pub(crate) status: Option<At<&'static str>>,
    pub(crate) attributes: Attributes,
}

/// One of `from`.
#[derive(Debug)]
pub(crate) struct From {
    pub(crate) event: At<String>,
    pub(crate) when: Option<At<String>>,
    pub(crate) data: Option<Data>,
    pub(crate) flagged: Option<At<&'static str>>,
}

/// A mapping of public fields.
pub(crate) type Data = Vec<(At<String>, At<Leaf>)>;

/// What a public field is made of.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// What could not be read has been told.
    Unreadable,
    /// A text, which should be a path.
    Path(String),
    Const(Value),
    Jq(At<String>),
    Each {
        over: At<String>,
        data: Data,
    },
    Data(Data),
    PublicId {
        event_type: At<String>,
        of: At<String>,
        source: Option<At<String>>,
    },
    Reveal {
        path: At<String>,
    },
}

/// One of `outlets`.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pub(crate) broker: At<String>,
    pub(crate) name: Option<At<String>>,
    pub(crate) wait: bool,
    pub(crate) start: Option<OutletStart>,
    pub(crate) binary: Option<At<bool>>,
    pub(crate) max_in_flight_per_key: Option<u64>,
    pub(crate) kind: OutletKind,
    pub(crate) span: Span,
}

/// Where an outlet begins.
#[derive(Debug, Clone)]
pub(crate) enum OutletStart {
    Beginning,
    Now,
    Sequence(u64),
    Time(At<String>),
}

/// What an outlet speaks.
#[derive(Debug, Clone)]
pub(crate) enum OutletKind {
    Mqtt(Mqtt),
    Amqp(Amqp),
}

/// `mqtt`.
#[derive(Debug, Clone)]
pub(crate) struct Mqtt {
    pub(crate) topic: At<String>,
    pub(crate) qos: Option<u64>,
    pub(crate) retain: bool,
    pub(crate) expiry_seconds: Option<At<u64>>,
    pub(crate) user_properties: Vec<(At<String>, At<String>)>,
    pub(crate) datacontenttype_property: Option<At<bool>>,
}

/// `amqp`.
#[derive(Debug, Clone)]
pub(crate) struct Amqp {
    pub(crate) exchange: At<String>,
    pub(crate) declare: bool,
    pub(crate) alternate_exchange: Option<At<String>>,
    pub(crate) routing_key: At<String>,
    pub(crate) header_prefix: Option<&'static str>,
    pub(crate) priority: Option<u64>,
    pub(crate) expiration_ms: Option<u64>,
    pub(crate) headers: Vec<(At<String>, At<String>)>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) bindings: Vec<(At<String>, At<String>)>,
}

/// One of `queues`.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) name: At<String>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) bind: Vec<At<String>>,
    pub(crate) arguments: Vec<(At<String>, At<Value>)>,
}

/// How many entries of `from` a contract may have.
const MAX_ENTRIES: usize = 1000;

/// How many patterns `streams` may have.
const MAX_PATTERNS: usize = 64;

/// Reads a contract.
pub(crate) fn contract(node: &Node, diagnostics: &mut Diagnostics) -> Option<Contract> {
    let fields = Fields::read(node, &words::CONTRACT, diagnostics)?;
    language_version(&fields, diagnostics);
    let contract = fields.require_text(
        "contract",
        "name it, such as `contract: bank.accounts`",
        diagnostics,
    );
    let version = fields.require_text(
        "version",
        "a semantic version, such as `version: 1.0.0`",
        diagnostics,
    );
    fields.text("description", diagnostics);
    let streams = fields.require(
        "streams",
        "say which streams it reads, such as `streams: { category: account }`",
        diagnostics,
    );
    let Streams { category, patterns } = streams
        .and_then(|node| streams_of(node, diagnostics))
        .unwrap_or_default();
    let key = fields
        .require(
            "key",
            "say what order is kept by, such as `key: .accountId`",
            diagnostics,
        )
        .and_then(|node| key(node, diagnostics));
    let types = fields
        .require(
            "types",
            "name the public types and what they are made from",
            diagnostics,
        )
        .and_then(|node| fields::named(node, "`types`", diagnostics))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, node)| public_type(name, node, diagnostics))
        .collect::<Vec<PublicType>>();
    let entries: usize = types.iter().map(|public| public.from.len()).sum();
    if entries > MAX_ENTRIES {
        let message =
            format!("the contract has {entries} entries of `from`; {MAX_ENTRIES} are allowed");
        diagnostics.push(Diagnostic::new("too-many", message).at(&Span::new(
            &node.span.source,
            0,
            1,
        )));
        return None;
    }
    Some(Contract {
        span: node.span.clone(),
        contract,
        version,
        category,
        patterns,
        key,
        types,
        waivers: waiver::waivers(&fields, diagnostics),
        shared: shared::shared(&fields, diagnostics),
    })
}

/// Reads `_defaults.yaml`.
pub(crate) fn defaults(node: &Node, diagnostics: &mut Diagnostics) -> Option<Shared> {
    if matches!(node.kind, Kind::Null) {
        return Some(Shared::default());
    }
    let fields = Fields::read(node, &words::DEFAULTS, diagnostics)?;
    language_version(&fields, diagnostics);
    Some(shared::shared(&fields, diagnostics))
}

/// Checks `horizon: 1`.
pub(crate) fn language_version(fields: &Fields<'_>, diagnostics: &mut Diagnostics) {
    let mend = "begin with `horizon: 1`, the version of the language";
    if let Some(node) = fields.require("horizon", mend, diagnostics)
        && !matches!(&node.kind, Kind::Number(number) if number.as_u64() == Some(1))
    {
        diagnostics.push(
            Diagnostic::new(
                "language-version",
                "this version of the language is not known",
            )
            .at(&node.span)
            .mend(mend),
        );
    }
}

/// `streams`.
#[derive(Default)]
struct Streams {
    category: Option<At<String>>,
    patterns: Vec<At<String>>,
}

fn streams_of(node: &Node, diagnostics: &mut Diagnostics) -> Option<Streams> {
    let fields = Fields::read(node, &words::STREAMS, diagnostics)?;
    let category = fields.require_text(
        "category",
        "such as `streams: { category: account }`",
        diagnostics,
    );
    let Some(items) = fields.list("match", diagnostics) else {
        return Some(Streams {
            category,
            patterns: Vec::new(),
        });
    };
    if items.is_empty() || items.len() > MAX_PATTERNS {
        diagnostics.push(
            Diagnostic::new(
                "stream-pattern",
                format!("`match` has from 1 to {MAX_PATTERNS} patterns"),
            )
            .at(&node.span)
            .mend("such as `match: [ \"account-5*\" ]`; leave it out for every stream"),
        );
    }
    let patterns = items
        .iter()
        .take(MAX_PATTERNS)
        .filter_map(|item| fields::text(item, "a pattern", diagnostics))
        .collect();
    Some(Streams { category, patterns })
}

fn key(node: &Node, diagnostics: &mut Diagnostics) -> Option<Key> {
    if let Kind::Map(_) = node.kind {
        let fields = Fields::read(node, &words::KEY, diagnostics)?;
        return Some(Key {
            path: fields.require_text(
                "pseudonym",
                "write `key: .path` or `key: { pseudonym: .path }`",
                diagnostics,
            )?,
            pseudonym: true,
        });
    }
    Some(Key {
        path: fields::text(node, "`key`", diagnostics)?,
        pseudonym: false,
    })
}

fn public_type(
    event_type: &At<String>,
    node: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<PublicType> {
    let fields = Fields::read(node, &words::TYPE, diagnostics)?;
    let name = fields.require_text(
        "name",
        "the `{name}` of topics and routing keys, such as `name: opened`",
        diagnostics,
    );
    let schema = fields.require_text(
        "schema",
        "the public schema, such as `schema: public/bank.accounts/opened.v1.json`",
        diagnostics,
    );
    let data = fields
        .get("data")
        .and_then(|node| leaf::data(node, diagnostics));
    let from = fields
        .require(
            "from",
            "the private events it is made from, such as `from: [{ event: AccountOpened }]`",
            diagnostics,
        )
        .and_then(|node| fields::list(node, "`from`", diagnostics))
        .unwrap_or_default();
    let from = from
        .iter()
        .filter_map(|node| from_event(node, diagnostics))
        .collect();
    Some(PublicType {
        event_type: event_type.clone(),
        name,
        schema,
        data,
        from,
        status: fields.word("status", words::STATUSES, diagnostics),
        attributes: attributes::attributes(&fields, diagnostics),
    })
}

fn from_event(node: &Node, diagnostics: &mut Diagnostics) -> Option<From> {
    let fields = Fields::read(node, &words::FROM, diagnostics)?;
    let event = fields.require_text(
        "event",
        "the private event type, such as `event: AccountOpened`",
        diagnostics,
    );
    let when = fields.text("when", diagnostics);
    let data = fields
        .get("data")
        .and_then(|node| leaf::data(node, diagnostics));
    let flagged = fields.word("flagged", words::FLAGGED, diagnostics);
    Some(From {
        event: event?,
        when,
        data,
        flagged,
    })
}
