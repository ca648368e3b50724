//! The AMQP outlet: AMQP 0-9-1 with publisher confirms, structured content mode with the attributes as headers too.
//!
//! What it promises, what each of the broker's answers becomes, and its limits are in `bridge/docs/outlets.md`.

mod confirms;
mod connection;
mod encode;
mod options;
mod publisher;

use std::sync::Arc;

use horizon_schemas::AmqpPlace;

pub(super) use connection::connect;
pub(crate) use options::{Broker, Options};

/// One exchange of an AMQP broker, and how to publish to it.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    broker: Broker,
    place: Arc<AmqpPlace>,
}

impl Outlet {
    pub(super) fn new(broker: Broker, place: &AmqpPlace) -> Self {
        Self {
            broker,
            place: Arc::new(place.clone()),
        }
    }

    /// The broker's default exchange, which is always there and takes a message to the queue that its routing key names.
    pub(super) fn at_default_exchange(&self) -> Self {
        let place = AmqpPlace {
            exchange: String::new(),
            declare: false,
            alternate_exchange: None,
            queues: Vec::new(),
            bindings: Vec::new(),
            ..AmqpPlace::clone(&self.place)
        };
        Self::new(self.broker.clone(), &place)
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }
}
