//! The MQTT outlet: MQTT 5 at QoS 1, structured content mode.
//!
//! What it promises, what each of the broker's answers becomes, and its limits are in `bridge/docs/outlets.md`.

mod connection;
mod encode;
mod options;
mod reasons;

use std::sync::Arc;

use horizon_schemas::MqttPlace;

pub(super) use connection::connect;
pub(crate) use options::{Broker, Options, Version};

/// Topics of an MQTT broker, and how to publish to them.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    broker: Broker,
    #[expect(dead_code, reason = "the next commit publishes by it")]
    place: Arc<MqttPlace>,
}

impl Outlet {
    pub(super) fn new(broker: Broker, place: &MqttPlace) -> Self {
        Self {
            broker,
            place: Arc::new(place.clone()),
        }
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }
}
