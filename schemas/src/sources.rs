//! The files that a catalogue was loaded from, as far as consumers are concerned: contracts and public schemas.

use crate::files::Text;
use crate::schema::documents::Documents;
use std::collections::BTreeMap;

/// Contracts and public schemas as they were read, by their paths below the contracts folder and below the schemas folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    contracts: BTreeMap<String, String>,
    schemas: BTreeMap<String, String>,
}

impl Sources {
    pub(crate) fn of(contracts: &[Text], documents: &Documents) -> Self {
        let contracts = contracts
            .iter()
            .map(|file| (file.path.clone(), file.source.text.clone()))
            .collect();
        let schemas = documents
            .iter()
            .filter(|document| document.is_public())
            .map(|document| (document.path.clone(), document.text().to_owned()))
            .collect();
        Self { contracts, schemas }
    }

    /// The contracts and `_defaults.yaml`, by path.
    pub fn contracts(&self) -> &BTreeMap<String, String> {
        &self.contracts
    }

    /// The public schemas, by path (`public/…`).
    pub fn schemas(&self) -> &BTreeMap<String, String> {
        &self.schemas
    }
}
