//! The catalogue for consumers: what is published, where to subscribe, in which shape; as an AsyncAPI document and as a page.
//!
//! It is made of contracts, public schemas and public events of tests only, so nothing private can be in it. The same
//! contracts give the same bytes.

pub(crate) mod about;
mod addresses;
mod asyncapi;
mod components;
mod distinct;
mod envelope;
mod examples;
mod fields;
mod html;
mod layout;
mod neutral;
mod outlets;
mod over_http;
mod yaml;

use crate::cases::TestReport;
use crate::catalog::{Catalog, Protocol};
use crate::contract::Contract;
use crate::fingerprint::Fingerprint;
use about::AboutType;
use examples::Examples;
use serde_json::Value;

pub use addresses::SchemaOfContract;
pub use over_http::PublicAddress;
pub use yaml::to_yaml;

/// A broker, as consumers reach it. It holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name in the configuration.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Host and port, such as `mqtt.example:1883`.
    pub host: String,
    /// The virtual host, of an AMQP broker.
    pub virtual_host: Option<String>,
}

/// What is published, told to consumers.
#[derive(Debug)]
pub struct Catalogue<'c> {
    catalog: &'c Catalog,
    title: String,
    servers: Vec<Server>,
    public_address: Option<PublicAddress>,
    examples: Examples,
    /// The contracts that are told of.
    shown: Vec<&'c Contract>,
}

impl<'c> Catalogue<'c> {
    /// Of all contracts. `tests`, a run of their cases, gives examples of public events.
    pub fn new(
        catalog: &'c Catalog,
        title: &str,
        servers: Vec<Server>,
        tests: &TestReport,
    ) -> Self {
        Self {
            catalog,
            title: title.to_owned(),
            servers,
            public_address: None,
            examples: Examples::of(catalog, tests),
            shown: catalog.contracts().iter().map(AsRef::as_ref).collect(),
        }
    }

    /// The same, and where consumers read over HTTP if that is known.
    #[must_use]
    pub fn read_at_address(mut self, address: Option<PublicAddress>) -> Self {
        self.public_address = address;
        self
    }

    /// The same of some contracts only, by their public streams: of the others nothing is told.
    #[must_use]
    pub fn only(mut self, shown: &dyn Fn(&str) -> bool) -> Self {
        self.shown.retain(|contract| shown(&contract.public_stream));
        self
    }

    /// The AsyncAPI 3.0 document.
    pub fn asyncapi(&self) -> Value {
        asyncapi::document(self)
    }

    /// A page for people: one HTML document that needs neither network nor script.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// The contracts that consumers may know of.
    fn contracts(&self) -> impl Iterator<Item = &'c Contract> {
        self.shown.iter().copied()
    }

    /// What tells one state of the catalogue from another: twelve hexadecimal digits.
    fn version(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for contract in self.contracts() {
            fingerprint.add(
                &contract.public_stream,
                &contract.fingerprint.clone().into(),
            );
        }
        fingerprint.finish().chars().take(12).collect()
    }
}

/// A public type's status: its own; its contract's where it says none, or where nothing of the contract crosses.
fn status_of<'a>(contract: &Contract, public: &'a AboutType) -> &'a str {
    match public.status.as_deref() {
        Some(own) if contract.status.crosses() => own,
        _ => contract.status.name(),
    }
}
