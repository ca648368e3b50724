//! Loading a team's folder: all schemas and contracts, or all that is wrong with them.

use crate::contract::Contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::files::{self, Text};
use crate::language::{raw, yaml};
use crate::private::{self, PrivateSchemas};
use crate::resolve::{Resolver, World};
use crate::schema::check;
use crate::schema::documents::Documents;
use crate::source::Span;
use crate::sources::Sources;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// The file that every contract of the folder takes what it does not say itself from.
const DEFAULTS: &str = "_defaults.yaml";

/// Where contracts and schemas are.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The folder of `*.yaml` contracts.
    pub contracts: PathBuf,
    /// The folder that holds `private/` and `public/`.
    pub schemas: PathBuf,
}

/// What a configured broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT.
    Mqtt,
    /// AMQP 0-9-1.
    Amqp,
}

/// The brokers of the configuration, by name.
pub type KnownBrokers = BTreeMap<String, Protocol>;

/// What becomes of an event whose type has no private schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventsWithoutSchema {
    /// It is stored unchecked.
    Accept,
    /// It is refused.
    #[default]
    Refuse,
}

/// Settings that bear on checking.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// What becomes of an event whose type has no private schema.
    pub events_without_schema: EventsWithoutSchema,
}

/// All contracts and schemas of a team.
#[derive(Debug)]
pub struct Catalog {
    private: PrivateSchemas,
    contracts: Vec<Arc<Contract>>,
    sources: Sources,
}

impl Catalog {
    /// Reads and checks everything under `folders`.
    ///
    /// # Errors
    /// All that is wrong in any file, at once, by file and place.
    pub fn load(
        folders: &Folders,
        brokers: &KnownBrokers,
        rules: &Rules,
    ) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let documents = Documents::load(&folders.schemas, &mut diagnostics);
        let event_types = private::event_types(&documents, &mut diagnostics);
        // Compiling may follow references, so it waits until all of them are known to be good.
        let compiled = if diagnostics.is_empty() {
            check::compile(&documents, &mut diagnostics)
        } else {
            Vec::new()
        };
        let mut private_types: HashMap<usize, (String, String)> = event_types
            .iter()
            .map(|(names, nth)| (*nth, names.clone()))
            .collect();
        let mut private = Vec::new();
        let mut validators = HashMap::new();
        for (nth, validator) in compiled {
            match private_types.remove(&nth) {
                Some((category, event_type)) => private.push((category, event_type, validator)),
                None => {
                    validators.insert(nth, Arc::new(validator));
                }
            }
        }
        let world = World {
            documents: &documents,
            event_types: &event_types,
            validators,
            brokers,
        };
        let (mut contracts, sources) = contracts(folders, world, &mut diagnostics);
        if !diagnostics.is_empty() {
            diagnostics.sort();
            return Err(diagnostics);
        }
        contracts.sort_by(|a, b| a.public_stream.cmp(&b.public_stream));
        let contracts = contracts.into_iter().map(Arc::new).collect();
        Ok(Self {
            private: PrivateSchemas::new(*rules, private),
            contracts,
            sources,
        })
    }

    /// The private schemas.
    pub fn private(&self) -> &PrivateSchemas {
        &self.private
    }

    /// The contracts, by public stream.
    pub fn contracts(&self) -> &[Arc<Contract>] {
        &self.contracts
    }

    /// The contracts and public schemas as they were read.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}

fn contracts(
    folders: &Folders,
    world: World<'_>,
    diagnostics: &mut Diagnostics,
) -> (Vec<Contract>, Sources) {
    for file in files::below(&folders.contracts, "yml", diagnostics) {
        diagnostics.push(
            Diagnostic::new("contract-file", "a contract's file ends in .yaml")
                .at(&Span::new(&file.source, 0, 1))
                .mend("rename it"),
        );
    }
    let mut files = files::below(&folders.contracts, "yaml", diagnostics);
    files.retain(|file| !file.path.ends_with(".test.yaml"));
    let sources = Sources::of(&files, world.documents);
    let defaults = files
        .iter()
        .position(|file| file.path == DEFAULTS)
        .map(|nth| files.remove(nth));
    let (defaults, defaults_content) = match &defaults {
        Some(file) => defaults_of(file, diagnostics),
        None => (raw::Shared::default(), Value::Null),
    };
    let mut resolver = Resolver::new(world);
    let mut streams: HashMap<String, String> = HashMap::new();
    let mut contracts = Vec::new();
    for file in &files {
        let Some(node) = yaml::parse(&file.source, diagnostics) else {
            continue;
        };
        let Some(raw) = raw::contract(&node, diagnostics) else {
            continue;
        };
        if !raw.shared.team && !defaults.team {
            diagnostics.push(
                crate::language::fields::missing("a contract", "team", &raw.span)
                    .mend("such as `team: { name: payments, contact: payments@bank.example }`, here or in _defaults.yaml"),
            );
        }
        let content = [
            ("contract", &node.to_json()),
            ("defaults", &defaults_content),
        ];
        let Some(contract) = resolver.contract(&raw, &defaults, &content, diagnostics) else {
            if diagnostics.is_empty() {
                diagnostics.push(
                    Diagnostic::new("contract", "this contract cannot be made").at(&raw.span),
                );
            }
            continue;
        };
        if let Some(other) = streams.insert(contract.public_stream.clone(), file.path.clone()) {
            let span = raw.contract.as_ref().map_or(&raw.span, |name| &name.span);
            diagnostics.push(
                Diagnostic::new(
                    "contract-twice",
                    format!(
                        "{} is the public stream of {other} too",
                        contract.public_stream
                    ),
                )
                .at(span)
                .mend("a public stream has one contract: choose another name or major version"),
            );
        }
        contracts.push(contract);
    }
    (contracts, sources)
}

fn defaults_of(file: &Text, diagnostics: &mut Diagnostics) -> (raw::Shared, Value) {
    let Some(node) = yaml::parse(&file.source, diagnostics) else {
        return (raw::Shared::default(), Value::Null);
    };
    let shared = raw::defaults(&node, diagnostics).unwrap_or_default();
    (shared, node.to_json())
}
