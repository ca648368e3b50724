//! What consumers see of the contracts of a folder, read without brokers and private schemas: so that any revision can be
//! read that once was sound, whatever has become of what it stood beside.

use super::mode::Mode;
use super::schemas::Schemas;
use super::waivers;
use crate::catalog::{DEFAULTS, Folders, is_defaults};
use crate::contract::Waiver;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::files::{self, Text};
use crate::language::yaml;
use crate::source::Source;
use crate::version::Version;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The attributes that a contract or a type may set, each by a key of its own.
const ATTRIBUTES: [&str; 6] = [
    "subject",
    "time",
    "correlationid",
    "causationid",
    "traceparent",
    "tracestate",
];

/// The contracts and public schemas of one side.
#[derive(Debug)]
pub struct Side {
    /// What it is called in a report: a folder, a revision, the daemon.
    pub label: String,
    pub(super) schemas: Schemas,
    pub(super) contracts: Vec<Outline>,
}

/// What consumers see of a contract.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outline {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) status: String,
    pub(super) source: String,
    pub(super) key: Value,
    pub(super) types: BTreeMap<String, TypeOutline>,
    pub(super) outlets: BTreeMap<String, OutletOutline>,
    pub(super) mode: Option<Mode>,
    pub(super) waivers: Vec<Waiver>,
    /// All that the contract says but its version and waivers.
    pub(super) content: Value,
}

/// What consumers see of a public type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeOutline {
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) status: String,
    /// The CloudEvents attributes beside those that every event has, and how they are made.
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) dataschema: Option<String>,
}

/// What consumers see of an outlet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutletOutline {
    pub(super) mqtt: bool,
    /// The place by its words: `broker`, `topic`, `qos`, `exchange`, `routing_key`.
    pub(super) place: BTreeMap<String, String>,
}

impl Outline {
    /// The public stream, such as `bank.accounts.v1`.
    pub(super) fn public_stream(&self) -> String {
        format!("{}.v{}", self.name, self.version.major)
    }

    /// A template with all but the key filled in.
    pub(super) fn rendered(
        &self,
        template: &str,
        event_type: &str,
        public: &TypeOutline,
    ) -> String {
        template
            .replace("{contract}", &self.name)
            .replace("{major}", &self.version.major.to_string())
            .replace("{name}", &public.name)
            .replace("{type}", event_type)
    }
}

impl Side {
    /// Reads the folders' contracts and public schemas.
    ///
    /// # Errors
    /// All that is wrong with them, by file and place.
    pub fn load(label: impl Into<String>, folders: &Folders) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let files = files::below(&folders.contracts, "yaml", &mut diagnostics);
        let schemas = Schemas::load(&folders.schemas);
        Self::assemble(label.into(), files, schemas, diagnostics)
    }

    /// Takes contracts (by their paths below the contracts folder) and schemas (below the schemas folder) as text.
    ///
    /// # Errors
    /// All that is wrong with them, by file and place.
    pub fn of(
        label: impl Into<String>,
        contracts: impl IntoIterator<Item = (String, String)>,
        schemas: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        let files = contracts.into_iter().map(|(path, text)| Text {
            source: Arc::new(Source {
                name: path.clone(),
                text,
            }),
            path,
        });
        let public = schemas
            .into_iter()
            .filter(|(path, _)| path.starts_with("public/") && path.ends_with(".json"));
        let schemas = Schemas::of(public);
        Self::assemble(
            label.into(),
            files.collect(),
            schemas,
            Diagnostics::default(),
        )
    }

    fn assemble(
        label: String,
        mut files: Vec<Text>,
        schemas: Result<Schemas, Diagnostics>,
        mut diagnostics: Diagnostics,
    ) -> Result<Self, Diagnostics> {
        files.retain(|file| !file.path.ends_with(".test.yaml"));
        // By folder, those above before those below: the nearest that says a key is taken.
        let mut defaults: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for file in files.extract_if(.., |file| is_defaults(&file.path)) {
            let node = yaml::parse(&file.source, &mut diagnostics);
            if let Some(Value::Object(says)) = node.map(|node| node.to_json()) {
                defaults.insert(file.path.trim_end_matches(DEFAULTS).to_owned(), says);
            }
        }
        let mut contracts = Vec::new();
        for file in &files {
            let Some(Value::Object(own)) =
                yaml::parse(&file.source, &mut diagnostics).map(|node| node.to_json())
            else {
                continue;
            };
            let mut content = Map::new();
            for (_, says) in defaults
                .iter()
                .filter(|(folder, _)| file.path.starts_with(*folder))
            {
                content.extend(says.clone());
            }
            content.extend(own);
            match outline(&file.path, content) {
                Ok(contract) => contracts.push(contract),
                Err(what) => diagnostics.push(
                    Diagnostic::new("contract-unreadable", what)
                        .in_file(&file.source.name)
                        .mend("see what `horizon check` says of it"),
                ),
            }
        }
        let schemas = match schemas {
            Ok(schemas) if diagnostics.is_empty() => schemas,
            Ok(_) => return Err(diagnostics),
            Err(wrong) => {
                diagnostics.extend(wrong);
                return Err(diagnostics);
            }
        };
        for contract in &contracts {
            for public in contract.types.values() {
                if schemas.at_path(&public.schema).is_none() {
                    diagnostics.extend(Schemas::missing(&public.schema));
                }
            }
        }
        contracts.sort_by_key(Outline::public_stream);
        match diagnostics.is_empty() {
            true => Ok(Self {
                label,
                schemas,
                contracts,
            }),
            false => Err(diagnostics),
        }
    }
}

fn text<'v>(content: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    content.get(key).and_then(Value::as_str)
}

fn outline(file: &str, mut content: Map<String, Value>) -> Result<Outline, String> {
    let need = |key: &str| {
        text(&content, key)
            .map(str::to_owned)
            .ok_or_else(|| format!("the contract has no `{key}`"))
    };
    let name = need("contract")?;
    let version = need("version")?;
    let version =
        Version::parse(&version).ok_or_else(|| format!("`{version}` is no semantic version"))?;
    let fill = |template: &str| {
        template
            .replace("{contract}", &name)
            .replace("{major}", &version.major.to_string())
    };
    let mode = match content.get("compatibility") {
        None => None,
        Some(word) => Some(
            word.as_str()
                .and_then(Mode::parse)
                .ok_or_else(|| format!("`compatibility: {word}` is none of {}", Mode::words()))?,
        ),
    };
    let types = match content.get("types") {
        Some(Value::Object(types)) => types,
        _ => return Err("the contract has no `types`".to_owned()),
    };
    let types = types
        .iter()
        .map(|(event_type, public)| {
            Ok((
                event_type.clone(),
                type_outline(&content, public, event_type, &fill)?,
            ))
        })
        .collect::<Result<_, String>>()?;
    let outlets = content.get("outlets").and_then(Value::as_array);
    let outlets = outlets.into_iter().flatten().filter_map(outlet).collect();
    let mut outline = Outline {
        file: file.to_owned(),
        status: text(&content, "status").unwrap_or("active").to_owned(),
        source: fill(&need("source")?),
        key: content.get("key").cloned().unwrap_or(Value::Null),
        mode,
        waivers: waivers::read(content.get("waivers"))?,
        content: Value::Null,
        version,
        types,
        outlets,
        name,
    };
    content.retain(|key, _| !matches!(key.as_str(), "version" | "waivers" | "compatibility"));
    outline.content = Value::Object(content);
    Ok(outline)
}

fn type_outline(
    contract: &Map<String, Value>,
    public: &Value,
    event_type: &str,
    fill: &dyn Fn(&str) -> String,
) -> Result<TypeOutline, String> {
    let own = public
        .as_object()
        .ok_or_else(|| format!("the type {event_type} is no mapping"))?;
    let need = |key: &str| {
        text(own, key)
            .map(str::to_owned)
            .ok_or_else(|| format!("the type {event_type} has no `{key}`"))
    };
    let name = need("name")?;
    let mut attributes = BTreeMap::new();
    for key in ATTRIBUTES {
        if let Some(value) = own.get(key).or(contract.get(key)) {
            attributes.insert(key.to_owned(), value.clone());
        }
    }
    for further in [contract, own] {
        if let Some(Value::Object(all)) = further.get("attributes") {
            attributes.extend(all.clone());
        }
    }
    let dataschema = text(own, "dataschema").or(text(contract, "dataschema"));
    let status = text(own, "status").unwrap_or("active").to_owned();
    Ok(TypeOutline {
        schema: need("schema")?,
        dataschema: dataschema.map(|template| {
            fill(template)
                .replace("{name}", &name)
                .replace("{type}", event_type)
        }),
        name,
        status,
        attributes,
    })
}

fn outlet(outlet: &Value) -> Option<(String, OutletOutline)> {
    let (kind, place) = ["mqtt", "amqp"]
        .into_iter()
        .find_map(|kind| Some((kind, outlet.get(kind)?.as_object()?)))?;
    let words = [
        "broker",
        "topic",
        "qos",
        "content_mode",
        "exchange",
        "routing_key",
        "header_prefix",
    ];
    let mut words: BTreeMap<String, String> = words
        .into_iter()
        .filter_map(|word| {
            let value = place.get(word)?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            Some((word.to_owned(), text))
        })
        .collect();
    let mut by_default = |word: &str, value: &str| {
        words
            .entry(word.to_owned())
            .or_insert_with(|| value.to_owned());
    };
    by_default("content_mode", "structured");
    match kind {
        "mqtt" => by_default("qos", "1"),
        _ => by_default("header_prefix", "cloudEvents:"),
    }
    let broker = words.get("broker").map_or("", String::as_str);
    let name = text(place, "name").map_or_else(|| format!("{kind}:{broker}"), str::to_owned);
    let outline = OutletOutline {
        mqtt: kind == "mqtt",
        place: words,
    };
    Some((name, outline))
}
