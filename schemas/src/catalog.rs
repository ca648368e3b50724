//! Loading a team's folder: all schemas and contracts, or all that is wrong with them.

use crate::contract::Contract;
use crate::diagnostics::Diagnostics;
use crate::private::PrivateSchemas;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

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
}

impl Catalog {
    /// Reads and checks everything under `folders`.
    ///
    /// # Errors
    /// All that is wrong in any file, at once.
    pub fn load(
        _folders: &Folders,
        _brokers: &KnownBrokers,
        rules: &Rules,
    ) -> Result<Self, Diagnostics> {
        Ok(Self {
            private: PrivateSchemas::new(*rules),
            contracts: Vec::new(),
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
}
