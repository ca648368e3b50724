//! Loading a team's folder: all schemas and contracts, or all that is wrong with them.

use crate::catalogue::about::{self, About, Published};
use crate::claims::{Claims, Said};
use crate::contract::Contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::doors::Doors;
use crate::files::{self, Text};
use crate::language::{raw, yaml};
use crate::private::{EventTypes, PrivateSchemas};
use crate::resolve::{Resolver, World};
use crate::schema::check::Compiler;
use crate::schema::documents::Documents;
use crate::schema::subjects;
use crate::source::Span;
use crate::sources::Sources;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// The file that every contract of the folder takes what it does not say itself from.
pub(crate) const DEFAULTS: &str = "_defaults.yaml";

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
    /// MQTT 5.
    Mqtt,
    /// MQTT 3.1.1, which has no properties.
    Mqtt311,
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
    /// What each door does with an event that does not fit its schema, unless the schema says otherwise.
    pub doors: Doors,
}

/// All contracts and schemas of a team.
#[derive(Debug)]
pub struct Catalog {
    private: PrivateSchemas,
    contracts: Vec<Arc<Contract>>,
    pub(crate) published: Published,
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
        let event_types = EventTypes::find(&documents, &mut diagnostics);
        // Compiling may follow references, so it waits until all of them are known to be good.
        let compiler = (diagnostics.is_empty())
            .then(|| Compiler::new(&documents, &mut diagnostics))
            .flatten();
        let mut compiled: HashMap<_, _> = compiler
            .iter()
            .flat_map(|compiler| compiler.documents(&mut diagnostics))
            .collect();
        if diagnostics.is_empty() {
            subjects::check(&documents, &event_types, &mut diagnostics);
        }
        let private = event_types.take(&documents, &mut compiled, rules.doors);
        let validators = compiled
            .into_iter()
            .map(|(nth, validator)| (nth, Arc::new(validator)))
            .collect();
        let world = World {
            documents: &documents,
            event_types: &event_types.newest,
            kept: &event_types.kept,
            validators,
            brokers,
            // What is wrong is not asked what it allows.
            compiler: compiler.as_ref().filter(|_| diagnostics.is_empty()),
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
            published: about::published(&documents),
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
    let defaults = Defaults::take(&mut files, diagnostics);
    let mut resolver = Resolver::new(world);
    let mut claims = Claims::default();
    let mut contracts = Vec::new();
    for file in &files {
        let mut wrong = Diagnostics::default();
        if let Some((contract, said)) = contract(file, &defaults, &mut resolver, &mut wrong) {
            claims.add(&contract, &said, &file.path, &mut wrong);
            contracts.push(contract);
        } else if wrong.is_empty() && diagnostics.is_empty() {
            wrong.push(
                Diagnostic::new("contract", "this contract cannot be made").at(&Span::new(
                    &file.source,
                    0,
                    1,
                )),
            );
        }
        diagnostics.absorb(wrong, &file.path, is_defaults);
    }
    (contracts, sources)
}

/// Reads one contract; tells where it says what it claims.
fn contract(
    file: &Text,
    defaults: &Defaults,
    resolver: &mut Resolver<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Contract, Said)> {
    let node = yaml::parse(&file.source, diagnostics)?;
    let mut raw = raw::contract(&node, diagnostics)?;
    let own = node.to_json();
    let mut content = vec![("contract", &own)];
    defaults.inherit(&file.path, &mut raw.shared, &mut content);
    if !raw.shared.says.contains("team") {
        diagnostics.push(
            crate::language::fields::missing("a contract", "team", &raw.span)
                .mend("such as `team: { name: payments, contact: payments@bank.example }`, here or in _defaults.yaml"),
        );
    }
    let mut contract = resolver.contract(&raw, &content, diagnostics)?;
    contract.about = About::of(
        &file.source.name,
        content.iter().map(|(_, written)| *written),
    );
    Some((contract, Said::of(&raw)))
}

pub(crate) fn is_defaults(file: &str) -> bool {
    file.rsplit(['/', '\\']).next() == Some(DEFAULTS)
}

/// Every `_defaults.yaml`, by its folder.
struct Defaults {
    by_folder: BTreeMap<String, (raw::Shared, Value)>,
}

impl Defaults {
    /// Takes the files of defaults out of the contracts' and reads them.
    fn take(files: &mut Vec<Text>, diagnostics: &mut Diagnostics) -> Self {
        let mut by_folder = BTreeMap::new();
        for file in files.extract_if(.., |file| is_defaults(&file.path)) {
            let folder = file.path.trim_end_matches(DEFAULTS).to_owned();
            let node = yaml::parse(&file.source, diagnostics);
            let shared = node
                .as_ref()
                .and_then(|node| raw::defaults(node, diagnostics))
                .unwrap_or_else(raw::Shared::unreadable);
            let content = node.map_or(Value::Null, |node| node.to_json());
            by_folder.insert(folder, (shared, content));
        }
        Self { by_folder }
    }

    /// What a contract inherits: key by key from the nearest folder that says it.
    fn inherit<'d>(
        &'d self,
        path: &str,
        shared: &mut raw::Shared,
        content: &mut Vec<(&'static str, &'d Value)>,
    ) {
        for (folder, (above, written)) in self.by_folder.iter().rev() {
            if path.starts_with(folder.as_str()) {
                shared.inherit(above);
                content.push(("defaults", written));
            }
        }
        if !self.by_folder.contains_key("") {
            content.push(("defaults", &Value::Null));
        }
    }
}
