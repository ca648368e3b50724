//! From a raw contract to a checked one: every name is looked up, every path measured against the private schema.
//!
//! All that is wrong is told, each at its place; a contract exists only when nothing is.

mod attributes;
mod fits;
mod leaves;
mod life;
mod names;
mod outlets;
mod types;

use crate::catalog::KnownBrokers;
use crate::catalogue::about::About;
use crate::contract::Contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::fingerprint::Fingerprint;
use crate::key::Key;
use crate::language::raw;
use crate::path::{NoPath, Path};
use crate::schema::check::{Compiler, Schema};
use crate::schema::documents::Documents;
use crate::schema::must::Must;
use crate::schema::shape::{Declared, Shape};
use crate::source::{At, Span};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What contracts are looked up in.
pub(crate) struct World<'a> {
    pub(crate) documents: &'a Documents,
    /// The document of each private event type, by category and type.
    pub(crate) event_types: &'a BTreeMap<(String, String), usize>,
    /// The earlier revisions of a private event type's document, by it.
    pub(crate) kept: &'a HashMap<usize, Vec<usize>>,
    /// The compiled public schemas, by document; some are missing when schemas are wrong.
    pub(crate) validators: HashMap<usize, Arc<Schema>>,
    pub(crate) brokers: &'a KnownBrokers,
    /// What asks schemas what they allow; none when one of them is wrong.
    pub(crate) compiler: Option<&'a Compiler<'a>>,
}

/// Resolves one contract after another.
pub(crate) struct Resolver<'a> {
    world: World<'a>,
    shapes: HashMap<usize, Option<Arc<Shape>>>,
    must: Option<Must<'a>>,
}

/// What is known about the contract that is being resolved.
struct Frame<'r> {
    category: Option<&'r At<String>>,
    /// The contract's name and major version.
    named: Option<(String, String)>,
    shared: &'r raw::Shared,
    source: Option<String>,
    public_types: Vec<String>,
    documents: BTreeSet<usize>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(world: World<'a>) -> Self {
        Self {
            must: world.compiler.map(Must::new),
            world,
            shapes: HashMap::new(),
        }
    }

    /// Checks a contract; none when anything about it is wrong, which has been told.
    pub(crate) fn contract(
        &mut self,
        raw: &raw::Contract,
        content: &[(&str, &Value)],
        diagnostics: &mut Diagnostics,
    ) -> Option<Contract> {
        let before = diagnostics.len();
        let name = raw
            .contract
            .as_ref()
            .and_then(|name| names::contract(name, diagnostics));
        let version = raw
            .version
            .as_ref()
            .and_then(|version| names::version(version, diagnostics));
        let named = name
            .clone()
            .zip(version.as_ref().map(|version| version.major.to_string()));
        let source = source(raw, named.as_ref(), diagnostics);
        let category = raw
            .category
            .as_ref()
            .filter(|category| self.check_category(category, diagnostics));
        let start = life::start(raw, diagnostics);
        let patterns = life::patterns(&raw.patterns, category, diagnostics);
        let waivers = life::waivers(&raw.waivers, diagnostics);
        let mut frame = Frame {
            category,
            named,
            shared: &raw.shared,
            source,
            public_types: raw
                .types
                .iter()
                .map(|public| public.event_type.value.clone())
                .collect(),
            documents: BTreeSet::new(),
        };
        let key = raw
            .key
            .as_ref()
            .and_then(|key| self.key(key, raw, &frame, diagnostics));
        let (ways, types) = self.ways(raw, &mut frame, diagnostics);
        let outlets = raw.shared.outlets.as_deref().unwrap_or_default();
        let ground = outlets::Ground {
            brokers: self.world.brokers,
            named: frame.named.as_ref(),
            types: &raw.types,
            attributes: &raw.shared.attributes,
        };
        let outlets = outlets::resolve(outlets, &ground, diagnostics);
        if diagnostics.len() > before {
            return None;
        }
        let (name, version) = (name?, version?);
        Some(Contract {
            public_stream: format!("{name}.v{}", version.major),
            fingerprint: self.fingerprint(content, &frame.documents),
            version_text: version.to_string(),
            name,
            version,
            source: frame.source?,
            status: life::status(raw.shared.status.as_ref()),
            start: start?,
            category: category?.value.clone(),
            patterns,
            types,
            waivers,
            outlets,
            key: key?,
            ways,
            about: About::default(),
        })
    }

    fn fingerprint(&self, content: &[(&str, &Value)], used: &BTreeSet<usize>) -> String {
        let mut fingerprint = Fingerprint::default();
        for (name, value) in content {
            fingerprint.add(name, value);
        }
        let reached: BTreeSet<usize> = used
            .iter()
            .flat_map(|one| self.with_kept(*one))
            .flat_map(|one| self.world.documents.reached_from(one))
            .collect();
        let mut documents: Vec<_> = reached
            .into_iter()
            .map(|one| self.world.documents.get(one))
            .collect();
        documents.sort_by(|a, b| a.path.cmp(&b.path));
        for document in documents {
            fingerprint.add(&document.path, &document.value);
        }
        fingerprint.finish()
    }

    fn check_category(&self, category: &At<String>, diagnostics: &mut Diagnostics) -> bool {
        let known: BTreeSet<&str> = self
            .world
            .event_types
            .keys()
            .map(|(category, _)| category.as_str())
            .collect();
        let found = known.contains(category.value.as_str());
        let folder = format!("private/{}/", category.value);
        if !found && !self.world.documents.is_broken(&folder) {
            diagnostics.push(
                Diagnostic::new(
                    "unknown-category",
                    format!("no private schemas for the category `{}`", category.value),
                )
                .at(&category.span)
                .known(known, &category.value)
                .mend(format!(
                    "write schemas/private/{}/<EventType>.json for the events it reads",
                    category.value
                )),
            );
        }
        found
    }

    /// A document, and the earlier revisions of the private event type that it declares.
    fn with_kept(&self, document: usize) -> Vec<usize> {
        let kept = self.world.kept.get(&document).into_iter().flatten();
        [document].into_iter().chain(kept.copied()).collect()
    }

    /// What a document declares, in any of its revisions: history was recorded under all of them.
    fn shape(&mut self, document: usize, diagnostics: &mut Diagnostics) -> Option<Declared> {
        let (documents, revisions) = (self.world.documents, self.with_kept(document));
        let shape = self.shapes.entry(document).or_insert_with(|| {
            let shape = Shape::of(documents, &revisions);
            if shape.is_none() {
                let at = documents.get(document).span("");
                diagnostics.push(
                    Diagnostic::new("schema-size", "this schema declares too many places").at(&at),
                );
            }
            shape
        });
        shape.as_ref().map(Shape::root)
    }

    /// What the private schema of an event type declares; reports an event type without one.
    fn private(
        &mut self,
        event: &At<String>,
        frame: &Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<(usize, Declared)> {
        let category = &frame.category?.value;
        let types = self.world.event_types;
        let Some(document) = types.get(&(category.clone(), event.value.clone())) else {
            let file = format!("private/{category}/{}.json", event.value);
            if self.world.documents.is_broken(&file) {
                return None;
            }
            let known = types
                .keys()
                .filter(|(own, _)| own == category)
                .map(|(_, event)| event);
            diagnostics.push(
                Diagnostic::new(
                    "unknown-event",
                    format!("no private schema for `{}` in `{category}`", event.value),
                )
                .at(&event.span)
                .known(known, &event.value)
                .mend(format!(
                    "write schemas/private/{category}/{}.json, or name another event type",
                    event.value
                )),
            );
            return None;
        };
        Some((*document, self.shape(*document, diagnostics)?))
    }

    fn key(
        &mut self,
        raw: &raw::Key,
        contract: &raw::Contract,
        frame: &Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Key> {
        let path = path(&raw.path, diagnostics)?;
        let mut legal = true;
        for from in contract.types.iter().flat_map(|public| &public.from) {
            // A missing schema is told where the event is named.
            let names = frame
                .category
                .map(|category| (category.value.clone(), from.event.value.clone()));
            let Some(document) =
                names.and_then(|names| self.world.event_types.get(&names).copied())
            else {
                continue;
            };
            let Some(declared) = self.shape(document, diagnostics) else {
                continue;
            };
            let place = declared_at(
                &declared,
                &path,
                &raw.path.span,
                &from.event.value,
                diagnostics,
            );
            let open = |place: &Declared| raw.pseudonym || !place.personal;
            if place.as_ref().is_some_and(|place| !open(place)) {
                diagnostics.push(
                    Diagnostic::new(
                        "personal",
                        format!(
                            "{path} is marked personal in the private schema of {}",
                            from.event.value
                        ),
                    )
                    .at(&raw.path.span)
                    .mend(format!(
                        "choose another key, or write `key: {{ pseudonym: {path} }}`"
                    )),
                );
            }
            legal &= place.is_some_and(|place| open(&place));
        }
        legal.then_some(Key {
            path,
            pseudonym: raw.pseudonym,
        })
    }
}

/// The CloudEvents source, its placeholders filled in; reports that nothing says it.
fn source(
    raw: &raw::Contract,
    named: Option<&(String, String)>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    if !raw.shared.says.contains("source") {
        diagnostics.push(
            crate::language::fields::missing("a contract", "source", &raw.span)
                .mend("the CloudEvents source, such as `source: //bank.example/accounts/v1`"),
        );
    }
    let text = raw.shared.source.as_ref()?;
    let filled = outlets::with_names(text, named, diagnostics)?;
    names::source(&filled, diagnostics)
}

/// Reads a path, or tells why a text is none.
fn path(text: &At<String>, diagnostics: &mut Diagnostics) -> Option<Path> {
    let constant = || {
        format!(
            "if the constant is meant, write {{ const: {} }}",
            Value::String(text.value.clone())
        )
    };
    let (message, mend) = match Path::parse(&text.value) {
        Ok(path) => return Some(path),
        Err(NoPath::NotAPath) => (format!("`{}` is no path", text.value), constant()),
        Err(NoPath::Everything) => {
            ("`.` takes the whole data and names nothing in it".to_owned(), "name each field that crosses".to_owned())
        }
        Err(NoPath::Expression) => (
            format!("`{}` is no plain path", text.value),
            "a path is written .a.b, .\"a b\" or .a[0]; where an expression is meant and allowed, write { jq: '…' }".to_owned(),
        ),
    };
    diagnostics.push(
        Diagnostic::new("not-a-path", message)
            .at(&text.span)
            .mend(mend),
    );
    None
}

/// The declared place of a path; reports a path that leads outside.
fn declared_at(
    root: &Declared,
    path: &Path,
    span: &Span,
    event: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Declared> {
    match root.find(path) {
        Ok(place) => Some(place),
        Err(outside) => {
            let there = if outside.upto.0.is_empty() {
                String::new()
            } else {
                format!(" below {}", outside.upto)
            };
            diagnostics.push(
                Diagnostic::new(
                    "undeclared",
                    format!("{path} is not declared by the private schema of {event}"),
                )
                .at(span)
                .known(outside.known, &outside.word)
                .mend(format!(
                    "declare `{}`{there} in the private schema, or read a field that it declares",
                    outside.word
                )),
            );
            None
        }
    }
}
