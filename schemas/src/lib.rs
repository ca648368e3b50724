//! What may cross the event horizon, and in which shape: private JSON Schemas, public contracts, and the crossing.
//!
//! This crate is pure: after [`Catalog::load`] it reads no file, no clock and no network, and the same event under
//! the same contract gives the same bytes. It knows neither the store nor any broker.
//!
//! - [`Catalog`]: all contracts and schemas of a team's folder, or all that is wrong with them ([`Diagnostics`]).
//! - [`Contract::cross`]: what a contract makes of one private event ([`Outcome`]).
//! - [`PublicEvent`]: the bytes of a public event. It has no public constructor: only a crossing whose data passed
//!   its public schema makes one.
//! - [`compatibility`]: what a change of contracts and public schemas breaks for their consumers.
//! - [`envelope`]: reading the attributes of a structured CloudEvent back.
//!
//! What it does not do: no schema is fetched, no expression can define, recurse or loop for ever, and nothing here
//! decides when an event is published.

mod attributes;
mod cases;
mod catalog;
mod catalogue;
mod claims;
pub mod compatibility;
mod contract;
mod crossing;
mod diagnostics;
mod doors;
pub mod envelope;
mod expression;
mod files;
mod fingerprint;
mod foreign_json;
mod glob;
mod ids;
mod key;
mod language;
mod mapping;
mod outlet;
mod path;
mod private;
mod public_event;
mod resolve;
mod schema;
mod sight;
mod source;
mod sources;
mod template;
mod timestamp;
mod version;

pub use cases::{CaseReport, TestReport, TestSuite, Untouched, rehearsal_secret};
pub use catalog::{Catalog, EventsWithoutSchema, Folders, KnownBrokers, Protocol, Rules};
pub use catalogue::{Catalogue, PublicAddress, SchemaOfContract, Server, to_yaml};
pub use contract::{
    Contract, Deprecation, EntryOfFrom, PassedOver, Rehearsed, Start, Status, Waiver,
};
pub use crossing::{Outcome, PrivateEvent, Violation};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use doors::{Door, Doors, Unfit};
pub use foreign_json::{check_json, parse_json};
pub use ids::IdSecret;
pub use language::schema::{contract_language_schema, defaults_language_schema};
pub use outlet::{
    AmqpArgument, AmqpBinding, AmqpPlace, AmqpQueue, AmqpQueueKind, ContentMode, MqttPlace,
    OutletKind, OutletSpec, OutletStart, Unheard,
};
pub use private::{Admitted, PrivateSchemas, Refusal};
pub use public_event::{Crossed, PublicEvent};
pub use sources::Sources;
pub use template::{Template, TemplateError, TemplateValues};
