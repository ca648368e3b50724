//! The public types of a contract: their schemas, and the ways by which private events become them.

use super::{Frame, Resolver, attributes, fits, leaves, life, names};
use crate::contract::{Deprecation, Lifetime, Status};
use crate::crossing::Way;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::{fields, raw};
use crate::path::Path;
use crate::public_event::PublicType;
use crate::schema::shape::Declared;
use crate::source::{At, Span};
use crate::version;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What is known of a public type.
#[derive(Default)]
struct Resolved {
    public: Option<Arc<PublicType>>,
    declared: Option<Declared>,
    /// The document of the public schema.
    document: Option<usize>,
    required: Vec<String>,
    attributes: raw::Attributes,
    /// What a deprecated type says of its end.
    deprecation: Option<Deprecation>,
}

impl Resolver<'_> {
    /// Checks the public types.
    pub(super) fn ways(
        &mut self,
        raw: &raw::Contract,
        frame: &mut Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> (HashMap<String, Vec<Way>>, Vec<Lifetime>) {
        let mut types = Vec::with_capacity(raw.types.len());
        let mut ways: HashMap<String, Vec<Way>> = HashMap::new();
        let mut closed: HashSet<&str> = HashSet::new();
        let mut named: HashSet<&str> = HashSet::new();
        if raw.types.is_empty() {
            diagnostics.push(fields::missing("`types`", "a public type", &raw.span));
        }
        for public in &raw.types {
            names::public_type(&public.event_type, diagnostics);
            if let Some(name) = public
                .name
                .as_ref()
                .filter(|name| names::name(name, diagnostics))
                && !named.insert(&name.value)
            {
                diagnostics.push(
                    Diagnostic::new(
                        "name-taken",
                        format!("another public type is called `{}` too", name.value),
                    )
                    .at(&name.span)
                    .mend("give each public type a name of its own: topics tell them apart by it"),
                );
            }
            let lifetime = lifetime(public, &raw.shared, diagnostics);
            let mut resolved = self.public_type(public, frame, diagnostics);
            resolved.attributes = public.attributes.over(&raw.shared.attributes);
            resolved.deprecation = (lifetime.status == Status::Deprecated)
                .then(|| lifetime.deprecation.clone())
                .flatten();
            types.push(lifetime);
            for from in &public.from {
                if closed.contains(from.event.value.as_str()) {
                    diagnostics.push(
                        Diagnostic::new("unreachable", format!("`{}` has been taken by an entry above", from.event.value))
                            .at(&from.event.span)
                            .mend("give the entry above a `when`: the first whose condition holds is taken"),
                    );
                }
                if from.when.is_none() && is_taken(public) {
                    closed.insert(&from.event.value);
                }
                let way = self.way(public, from, &resolved, frame, diagnostics);
                if let Some(way) = way {
                    ways.entry(from.event.value.clone()).or_default().push(way);
                }
            }
        }
        check_deprecation(raw, &types, diagnostics);
        (ways, types)
    }

    /// Looks up the public schema. What it declares may be known when it cannot be compiled.
    fn public_type(
        &mut self,
        raw: &raw::PublicType,
        frame: &mut Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Resolved {
        let Some(schema) = &raw.schema else {
            return Resolved::default();
        };
        if !schema.value.starts_with("public/") {
            diagnostics.push(
                Diagnostic::new("schema-place", "a public schema stands under public/")
                    .at(&schema.span)
                    .known(self.world.documents.paths().filter(|path| path.starts_with("public/")), &schema.value)
                    .mend("write the path below the schemas folder, such as public/bank.accounts/opened.v1.json"),
            );
            return Resolved::default();
        }
        let Some(document) = self.world.documents.at_path(&schema.value) else {
            if self.world.documents.is_broken(&schema.value) {
                return Resolved::default();
            }
            diagnostics.push(
                Diagnostic::new(
                    "unknown-schema",
                    format!("there is no schema {}", schema.value),
                )
                .at(&schema.span)
                .known(
                    self.world
                        .documents
                        .paths()
                        .filter(|path| path.starts_with("public/")),
                    &schema.value,
                )
                .mend("write the file, or the path of another, below the schemas folder"),
            );
            return Resolved::default();
        };
        check_suffix(&raw.event_type, schema, diagnostics);
        frame.documents.insert(document);
        let declared = self.shape(document, diagnostics);
        let public = self.finished(raw, document, declared.as_ref(), frame, diagnostics);
        let required = self
            .world
            .documents
            .get(document)
            .value
            .get("required")
            .and_then(Value::as_array);
        let required = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        Resolved {
            public,
            declared,
            document: Some(document),
            required,
            ..Resolved::default()
        }
    }

    fn finished(
        &self,
        raw: &raw::PublicType,
        document: usize,
        declared: Option<&Declared>,
        frame: &Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Arc<PublicType>> {
        let name = &raw.name.as_ref()?.value;
        let shared = frame.shared.attributes.dataschema.as_ref();
        let dataschema = match raw.attributes.dataschema.as_ref().or(shared) {
            Some(text) => Some(attributes::dataschema(
                text,
                name,
                &raw.event_type.value,
                frame,
                diagnostics,
            )?),
            None => self.world.documents.get(document).id.clone(),
        };
        Some(Arc::new(PublicType::new(
            raw.event_type.value.clone(),
            name.clone(),
            is_taken(raw),
            frame.source.as_ref()?,
            dataschema,
            Arc::clone(self.world.validators.get(&document)?),
            declared?.clone(),
        )))
    }

    /// Reports what is mapped and can never fit the public schema.
    fn check_fits(
        &mut self,
        fields: &[&(At<String>, At<raw::Leaf>)],
        event: &str,
        private: usize,
        resolved: &Resolved,
        diagnostics: &mut Diagnostics,
    ) {
        let revisions = self.with_kept(private);
        let (Some(must), Some(document), Some(declared)) =
            (&mut self.must, resolved.document, &resolved.declared)
        else {
            return;
        };
        let private = revisions.into_iter().map(|one| must.root(one)).collect();
        let public = fits::Public {
            place: must.root(document),
            declared: Some(declared.clone()),
            path: Path::default(),
        };
        let schema = &self.world.documents.get(document).path;
        fits::Fits {
            must,
            event,
            schema,
            diagnostics,
        }
        .fields(fields, private, &public);
    }

    fn way(
        &mut self,
        public: &raw::PublicType,
        from: &raw::From,
        resolved: &Resolved,
        frame: &mut Frame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Way> {
        let (document, private) = self.private(&from.event, frame, diagnostics)?;
        frame.documents.insert(document);
        let context = leaves::Context {
            event: &from.event.value,
            public_types: &frame.public_types,
        };
        let when = match &from.when {
            Some(when) => Some(leaves::computed(when, &private, &context, diagnostics)?),
            None => None,
        };
        if public.data.is_none() && from.data.is_none() {
            diagnostics.push(
                fields::missing("the public type", "data", &public.event_type.span)
                    .mend("name each field that crosses; `data: {}` for an event without any"),
            );
            return None;
        }
        // What an entry says itself comes before what is shared.
        let own = from.data.iter().flatten();
        let shared = public.data.iter().flatten().filter(|(name, _)| {
            !from
                .data
                .iter()
                .flatten()
                .any(|(own, _)| own.value == name.value)
        });
        let fields: Vec<_> = shared.chain(own).collect();
        check_required(&fields, &from.event.span, resolved, diagnostics);
        self.check_fits(&fields, &from.event.value, document, resolved, diagnostics);
        let mapping = leaves::mapping(
            &fields,
            &private,
            resolved.declared.as_ref(),
            &context,
            diagnostics,
        );
        let attributes = attributes::attributes(
            &resolved.attributes,
            resolved.deprecation.as_ref(),
            &private,
            &context,
            diagnostics,
        );
        let flagged = from.flagged.as_ref().or(frame.shared.flagged.as_ref());
        Some(Way {
            public: Arc::clone(resolved.public.as_ref()?),
            when,
            mapping: mapping?,
            attributes: attributes?,
            flagged_crosses: flagged.is_some_and(|word| word.value == "cross"),
        })
    }
}

/// Reports what the public schema requires and nothing is mapped to.
fn check_required(
    fields: &[&(At<String>, At<raw::Leaf>)],
    span: &Span,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) {
    if resolved.declared.is_none() {
        return;
    }
    let unmapped = |name: &&String| !fields.iter().any(|(own, _)| own.value == **name);
    for name in resolved.required.iter().filter(unmapped) {
        diagnostics.push(
            Diagnostic::new(
                "required-unmapped",
                format!("the public schema requires `{name}` and nothing is mapped to it"),
            )
            .at(span)
            .mend("map it, or do not require it"),
        );
    }
}

/// Whether events become the type while its contract is in use.
fn is_taken(public: &raw::PublicType) -> bool {
    life::status(public.status.as_ref()).crosses()
}

/// Where a type stands in its life; what it does not say itself its contract says.
fn lifetime(
    public: &raw::PublicType,
    shared: &raw::Shared,
    diagnostics: &mut Diagnostics,
) -> Lifetime {
    let status = life::status(public.status.as_ref().or(shared.status.as_ref()));
    let own = public.attributes.deprecation.as_ref();
    let said = own.or(shared.attributes.deprecation.as_ref());
    Lifetime {
        event_type: public.event_type.value.clone(),
        status,
        deprecation: attributes::deprecation(said, status, diagnostics),
    }
}

/// Reports what is said about the end of something that does not end.
fn check_deprecation(raw: &raw::Contract, types: &[Lifetime], diagnostics: &mut Diagnostics) {
    let ends = |one: &Lifetime| matches!(one.status, Status::Deprecated | Status::Retired);
    for (public, lifetime) in raw.types.iter().zip(types) {
        if let Some(own) = &public.attributes.deprecation {
            attributes::check_deprecation_used(&own.span, ends(lifetime), diagnostics);
        }
    }
    if let Some(shared) = &raw.shared.attributes.deprecation {
        attributes::check_deprecation_used(&shared.span, types.iter().any(ends), diagnostics);
    }
}

/// A type and its schema that both carry a version carry the same.
fn check_suffix(event_type: &At<String>, schema: &At<String>, diagnostics: &mut Diagnostics) {
    let file = schema.value.trim_end_matches(".json");
    if let (Some(own), Some(of_file)) = (version::suffix(&event_type.value), version::suffix(file))
        && own != of_file
    {
        diagnostics.push(
            Diagnostic::new(
                "type-version",
                format!("the type is of version {own} and its schema of version {of_file}"),
            )
            .at(&schema.span)
            .mend("a type and its schema carry the same version"),
        );
    }
}
