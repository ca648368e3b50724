//! From the brokers of the configuration and the outlets of the contracts to relays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use horizon_schemas::{Contract, OutletKind, Unheard};
use horizon_store::{LogName, PublicStreamName, RelayName, Store};

use crate::commands::Failure;
use crate::config::Config;
use crate::outlets::{Broker, Outlet, Surroundings};
use crate::relay::{Place, Relay, relay_name};
use crate::status::Status;

/// The outlets of every contract that publishes, with secrets resolved.
pub(super) struct Outlets {
    parts: Vec<OutletPart>,
}

/// One outlet of one contract, before the store is open.
struct OutletPart {
    stream: PublicStreamName,
    name: RelayName,
    outlet: Outlet,
    place: Place,
    unheard: Unheard,
}

impl Outlets {
    pub(super) fn resolve(
        config: &Config,
        contracts: &[Arc<Contract>],
    ) -> Result<Outlets, Failure> {
        let brokers = brokers(config, &|name| std::env::var(name).ok())?;
        let mut parts = Vec::new();
        for contract in contracts {
            let stream = PublicStreamName::new(&contract.public_stream())
                .map_err(|error| Failure::Mend(error.to_string()))?;
            for spec in contract.outlets() {
                let outlet = brokers
                    .get(spec.broker())
                    .and_then(|broker| match spec.kind() {
                        OutletKind::Mqtt(_) => broker.mqtt_outlet(),
                        OutletKind::Amqp(place) => broker.amqp_outlet(&place.exchange),
                    });
                let outlet = outlet.ok_or_else(|| {
                    Failure::Mend(format!(
                        "contract {stream}: no broker {:?} speaks the protocol of outlet {}",
                        spec.broker(),
                        spec.name()
                    ))
                })?;
                let name = relay_name(&stream, spec.name())
                    .map_err(|error| Failure::Mend(error.to_string()))?;
                let place = Place::new(contract.name(), contract.major(), spec);
                parts.push(OutletPart {
                    stream: stream.clone(),
                    name,
                    outlet,
                    place,
                    unheard: spec.unheard(),
                });
            }
        }
        Ok(Outlets { parts })
    }

    pub(super) fn relays(
        self,
        store: &Store,
        log: &LogName,
        status: &Status,
        drain: Duration,
    ) -> Vec<Relay> {
        let relay = |part: OutletPart| Relay {
            store: store.clone(),
            log: log.clone(),
            stream: part.stream,
            status: status.add_relay(part.name.as_str()),
            name: part.name,
            outlet: part.outlet,
            place: part.place,
            unheard: part.unheard,
            drain,
        };
        self.parts.into_iter().map(relay).collect()
    }
}

/// Every broker of the configuration, checked, its secrets read.
pub(super) fn brokers<'a>(
    config: &'a Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<&'a str, Broker>, Failure> {
    let surroundings = Surroundings {
        folder: &config.folder,
        environment,
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
