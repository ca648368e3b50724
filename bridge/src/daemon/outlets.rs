//! From the brokers of the configuration and the outlets of the contracts to relays.

use std::collections::BTreeMap;
use std::sync::Arc;

use horizon_schemas::{Contract, OutletSpec};
use horizon_store::{PublicStreamName, RelayName};

use super::relays::Ground;
use crate::commands::Failure;
use crate::config::Config;
use crate::outlets::{Broker, Outlet, Surroundings, Unset};
use crate::relay::{Place, Purpose, Relay, relay_name};

/// The outlets of every contract that publishes, with secrets resolved.
#[derive(Clone, Default)]
pub(super) struct Outlets {
    parts: Vec<OutletPart>,
}

/// One outlet of one contract, before it is relayed to.
#[derive(Clone)]
pub(super) struct OutletPart {
    pub(super) stream: PublicStreamName,
    pub(super) name: RelayName,
    pub(super) outlet: Outlet,
    pub(super) place: Place,
    pub(super) spec: OutletSpec,
}

impl OutletPart {
    /// The relay to it, for live delivery or for a replay.
    pub(super) fn relay(self, ground: &Ground, purpose: Purpose) -> Relay {
        Relay {
            store: ground.store.clone(),
            log: ground.log.clone(),
            stream: self.stream,
            status: Arc::default(),
            name: self.name,
            outlet: self.outlet,
            place: self.place,
            unheard: self.spec.unheard(),
            in_flight_per_key: self.spec.max_in_flight_per_key(),
            start: self.spec.start(),
            purpose,
            drain: ground.drain,
        }
    }

    /// The outlet as its contract describes it: another text is another outlet.
    pub(super) fn made_of(&self) -> String {
        format!("{:?}", self.spec)
    }
}

impl Outlets {
    pub(super) fn resolve(
        config: &Config,
        contracts: &[Arc<Contract>],
    ) -> Result<Outlets, Failure> {
        let brokers = brokers(config, None)?;
        let mut parts = Vec::new();
        for contract in contracts {
            let stream = PublicStreamName::new(&contract.public_stream())
                .map_err(|error| Failure::Mend(error.to_string()))?;
            for spec in contract.outlets() {
                let outlet = outlet(&brokers, contract, spec)?;
                let name = relay_name(&stream, spec.name())
                    .map_err(|error| Failure::Mend(error.to_string()))?;
                let place = Place::new(contract.name(), contract.major(), spec);
                for warning in spec.warnings() {
                    tracing::warn!(relay = %name, "{warning}");
                }
                parts.push(OutletPart {
                    stream: stream.clone(),
                    name,
                    outlet,
                    place,
                    spec: spec.clone(),
                });
            }
        }
        Ok(Outlets { parts })
    }

    /// One of them.
    pub(super) fn get(&self, relay: &str) -> Option<&OutletPart> {
        self.iter().find(|part| part.name.as_str() == relay)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &OutletPart> {
        self.parts.iter()
    }
}

/// Checks that every outlet of the contracts can be had at its broker, as far as that can be told without the variables of secrets that are
/// not set.
pub(super) fn check(
    config: &Config,
    contracts: &[Arc<Contract>],
    unset: &Unset,
) -> Result<(), Failure> {
    let brokers = brokers(config, Some(unset))?;
    for contract in contracts {
        for spec in contract.outlets() {
            outlet(&brokers, contract, spec)?;
        }
    }
    Ok(())
}

/// The outlet that a contract describes.
fn outlet(
    brokers: &BTreeMap<&str, Broker>,
    contract: &Contract,
    spec: &OutletSpec,
) -> Result<Outlet, Failure> {
    let wrong = |problem: String| {
        Failure::Mend(format!(
            "contract {}, outlet {}: {problem}",
            contract.public_stream(),
            spec.name()
        ))
    };
    let broker = brokers
        .get(spec.broker())
        .ok_or_else(|| wrong(format!("there is no broker {:?}", spec.broker())))?;
    broker
        .outlet(spec.kind())
        .map_err(|error| wrong(format!("broker {}: {error}", spec.broker())))
}

/// Every broker of the configuration, checked, its secrets read unless they may be unset.
fn brokers<'a>(
    config: &'a Config,
    unset: Option<&Unset>,
) -> Result<BTreeMap<&'a str, Broker>, Failure> {
    let surroundings = Surroundings {
        folder: &config.folder,
        environment: &|name| std::env::var(name).ok(),
        unset,
    };
    let mut brokers = BTreeMap::new();
    for (name, options) in &config.brokers {
        let broker = options
            .resolve(name, &surroundings)
            .map_err(|error| Failure::Mend(error.to_string()))?;
        brokers.insert(name.as_str(), broker);
    }
    Ok(brokers)
}
