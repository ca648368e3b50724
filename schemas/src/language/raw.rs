//! A contract as it is written: words and places, nothing looked up yet.

use super::fields::{self, Fields, Later};
use super::yaml::{Kind, Node};
use super::{LATER, leaf, outlet};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{At, Span};
use serde_json::Value;

/// A contract as written. What is missing or unreadable has been told.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) span: Span,
    pub(crate) contract: Option<At<String>>,
    pub(crate) version: Option<At<String>>,
    pub(crate) source: Option<At<String>>,
    pub(crate) category: Option<At<String>>,
    pub(crate) key: Option<Key>,
    pub(crate) types: Vec<PublicType>,
    pub(crate) shared: Shared,
}

/// What `_defaults.yaml` may say as well.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shared {
    pub(crate) status: Option<At<&'static str>>,
    pub(crate) start: Option<At<&'static str>>,
    /// Whether anything was said of `start`.
    pub(crate) says_start: bool,
    pub(crate) outlets: Option<Vec<Outlet>>,
    pub(crate) team: bool,
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
}

/// One of `from`.
#[derive(Debug)]
pub(crate) struct From {
    pub(crate) event: At<String>,
    pub(crate) when: Option<At<String>>,
    pub(crate) data: Option<Data>,
}

/// A mapping of public fields.
pub(crate) type Data = Vec<(At<String>, At<Leaf>)>;

/// What a public field is made of.
#[derive(Debug)]
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
    pub(crate) kind: OutletKind,
    pub(crate) span: Span,
}

/// What an outlet speaks.
#[derive(Debug, Clone)]
pub(crate) enum OutletKind {
    Mqtt {
        topic: At<String>,
    },
    Amqp {
        exchange: At<String>,
        routing_key: At<String>,
    },
}

/// How many entries of `from` a contract may have.
const MAX_ENTRIES: usize = 1000;

const CONTRACT: &[&str] = &[
    "horizon",
    "contract",
    "version",
    "status",
    "team",
    "description",
    "source",
    "streams",
    "start",
    "key",
    "types",
    "outlets",
    "compatibility",
];
const DEFAULTS: &[&str] = &[
    "horizon",
    "status",
    "team",
    "start",
    "outlets",
    "compatibility",
];

/// Reads a contract.
pub(crate) fn contract(node: &Node, diagnostics: &mut Diagnostics) -> Option<Contract> {
    let fields = Fields::of(node, "a contract", CONTRACT, LATER, diagnostics)?;
    language_version(&fields, diagnostics);
    let mut required = |key, mend: &str| {
        let found = fields.require(key, mend, diagnostics)?;
        fields::text(found, &format!("`{key}`"), diagnostics)
    };
    let contract = required("contract", "name it, such as `contract: bank.accounts`");
    let version = required("version", "a semantic version, such as `version: 1.0.0`");
    let source = required(
        "source",
        "the CloudEvents source, such as `source: //bank.example/accounts/v1`",
    );
    if let Some(description) = fields.get("description") {
        fields::text(description, "`description`", diagnostics);
    }
    let category = fields
        .require(
            "streams",
            "say which streams it reads, such as `streams: { category: account }`",
            diagnostics,
        )
        .and_then(|node| category(node, diagnostics));
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
    let shared = shared(&fields, diagnostics);
    Some(Contract {
        span: node.span.clone(),
        contract,
        version,
        source,
        category,
        key,
        types,
        shared,
    })
}

/// Reads `_defaults.yaml`.
pub(crate) fn defaults(node: &Node, diagnostics: &mut Diagnostics) -> Option<Shared> {
    if matches!(node.kind, Kind::Null) {
        return Some(Shared::default());
    }
    let fields = Fields::of(node, "_defaults.yaml", DEFAULTS, LATER, diagnostics)?;
    language_version(&fields, diagnostics);
    Some(shared(&fields, diagnostics))
}

fn language_version(fields: &Fields<'_>, diagnostics: &mut Diagnostics) {
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

fn shared(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Shared {
    let status = fields.get("status").and_then(|node| {
        fields::word(
            node,
            "`status`",
            &["draft", "active", "deprecated", "retired"],
            diagnostics,
        )
    });
    let start = fields
        .get("start")
        .and_then(|node| start(node, diagnostics));
    let outlets = fields.get("outlets").and_then(|node| {
        let items = fields::list(node, "`outlets`", diagnostics)?;
        Some(
            items
                .iter()
                .filter_map(|item| outlet::outlet(item, diagnostics))
                .collect(),
        )
    });
    if let Some(node) = fields.get("compatibility") {
        fields::word(
            node,
            "`compatibility`",
            &crate::compatibility::MODE_WORDS,
            diagnostics,
        );
    }
    let team = fields.get("team").is_some_and(|node| {
        let Some(team) = Fields::of(node, "`team`", &["name", "contact"], &[], diagnostics) else {
            return true;
        };
        for key in ["name", "contact"] {
            if let Some(found) = team.require(key, "consumers must know whom to ask", diagnostics) {
                fields::text(found, &format!("`team.{key}`"), diagnostics);
            }
        }
        true
    });
    Shared {
        status,
        start,
        says_start: fields.get("start").is_some(),
        outlets,
        team,
    }
}

fn start(node: &Node, diagnostics: &mut Diagnostics) -> Option<At<&'static str>> {
    if let Kind::Map(_) | Kind::Number(_) = node.kind {
        diagnostics.push(
            Diagnostic::new(
                "not-yet",
                "a contract cannot start at a position or a time yet",
            )
            .at(&node.span)
            .known(["beginning", "now"], ""),
        );
        return None;
    }
    fields::word(node, "`start`", &["beginning", "now"], diagnostics)
}

fn category(node: &Node, diagnostics: &mut Diagnostics) -> Option<At<String>> {
    let later = [Later {
        key: "pattern",
        mend: "select by `category`; patterns cannot be used yet",
    }];
    let fields = Fields::of(node, "`streams`", &["category"], &later, diagnostics)?;
    let found = fields.require(
        "category",
        "such as `streams: { category: account }`",
        diagnostics,
    )?;
    fields::text(found, "`category`", diagnostics)
}

fn key(node: &Node, diagnostics: &mut Diagnostics) -> Option<Key> {
    if let Kind::Map(_) = node.kind {
        let fields = Fields::of(node, "`key`", &["pseudonym"], &[], diagnostics)?;
        let found = fields.require(
            "pseudonym",
            "write `key: .path` or `key: { pseudonym: .path }`",
            diagnostics,
        )?;
        return Some(Key {
            path: fields::text(found, "`pseudonym`", diagnostics)?,
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
    let fields = Fields::of(
        node,
        "a public type",
        &["name", "schema", "data", "from"],
        LATER,
        diagnostics,
    )?;
    let mut required = |key, mend: &str| {
        let found = fields.require(key, mend, diagnostics)?;
        fields::text(found, &format!("`{key}`"), diagnostics)
    };
    let name = required(
        "name",
        "the `{name}` of topics and routing keys, such as `name: opened`",
    );
    let schema = required(
        "schema",
        "the public schema, such as `schema: public/bank.accounts/opened.v1.json`",
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
    })
}

fn from_event(node: &Node, diagnostics: &mut Diagnostics) -> Option<From> {
    let fields = Fields::of(
        node,
        "an entry of `from`",
        &["event", "when", "data"],
        &[],
        diagnostics,
    )?;
    let event = fields.require(
        "event",
        "the private event type, such as `event: AccountOpened`",
        diagnostics,
    );
    let event = event.and_then(|node| fields::text(node, "`event`", diagnostics));
    let when = fields
        .get("when")
        .and_then(|node| fields::text(node, "`when`", diagnostics));
    let data = fields
        .get("data")
        .and_then(|node| leaf::data(node, diagnostics));
    Some(From {
        event: event?,
        when,
        data,
    })
}
