//! The public schemas of a contract, with the URIs that they are known by.

use super::about::{Within, lead};
use crate::catalog::Catalog;
use crate::contract::Contract;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A public schema that a contract's events are of, or that such a one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaOfContract<'c> {
    /// Its path below the schemas folder, which begins with `public/`.
    pub path: &'c str,
    /// What it is known by: the `dataschema` of events first, then its own `$id`; each once.
    pub uris: Vec<&'c str>,
    /// The schema as it is written.
    pub text: &'c str,
}

impl Catalog {
    /// The public schemas of a contract's types, and all that they refer to, by path.
    pub fn schemas_of<'c>(&'c self, contract: &'c Contract) -> Vec<SchemaOfContract<'c>> {
        let mut wanted: Vec<String> = Vec::new();
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for public in &contract.about.types {
            let uris = named.entry(&public.schema).or_default();
            uris.extend(contract.dataschema(&public.event_type));
            wanted.push(public.schema.clone());
        }
        let mut found = BTreeMap::new();
        while let Some(path) = wanted.pop() {
            let Some((path, schema)) = self.published.get_key_value(&path) else {
                continue;
            };
            if found.contains_key(path) {
                continue;
            }
            let Some(text) = self.sources().schemas().get(path) else {
                continue;
            };
            let reached = RefCell::new(Vec::new());
            lead(&schema.value, Within::Schema, &|reference| {
                let (to, _) = reference.split_once('#').unwrap_or((reference, ""));
                reached.borrow_mut().push(to.to_owned());
                String::new()
            });
            wanted.extend(reached.into_inner());
            let mut uris = Vec::new();
            let told = named.remove(path.as_str()).unwrap_or_default();
            for uri in told.into_iter().chain(schema.id.as_deref()) {
                if !uris.contains(&uri) {
                    uris.push(uri);
                }
            }
            found.insert(path, SchemaOfContract { path, uris, text });
        }
        found.into_values().collect()
    }
}
