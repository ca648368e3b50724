//! The MQTT outlet: MQTT 5 and 3.1.1, each quality of service, structured and binary content mode.
//!
//! What it promises, what each of the broker's answers becomes, and its limits are in `bridge/docs/outlets.md`.

mod client;
mod connection;
mod encode;
mod failure;
mod options;
mod publisher;
mod reasons;

use std::sync::Arc;

use horizon_schemas::MqttPlace;
use rumqttc::QoS;

pub(super) use connection::connect;
pub(crate) use options::{Broker, Options, Version};

/// Topics of an MQTT broker, and how to publish to them.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    broker: Broker,
    place: Arc<MqttPlace>,
    qos: QoS,
}

impl Outlet {
    pub(super) fn new(broker: Broker, place: &MqttPlace) -> Self {
        let qos = match place.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        Self {
            broker,
            place: Arc::new(place.clone()),
            qos,
        }
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }
}
