//! The AMQP outlet: AMQP 0-9-1 with publisher confirms, structured content mode with the attributes as headers too, or binary.
//!
//! What it promises, what each of the broker's answers becomes, and its limits are in `bridge/docs/outlets.md`.

mod confirms;
mod connection;
mod encode;
mod endings;
mod line;
mod management;
mod options;
mod publisher;
mod topology;

use std::sync::Arc;

use horizon_schemas::AmqpPlace;

pub(super) use connection::connect;
pub(crate) use options::{Broker, Options};

/// What is said of bindings that cannot be checked.
const WITHOUT_MANAGEMENT: &str = "`bindings` are checked over RabbitMQ's management interface: give the broker its address, such as `management: http://rabbit.example:15672`, or take `bindings` out";

/// One exchange of an AMQP broker, and how to publish to it.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    broker: Broker,
    place: Arc<AmqpPlace>,
}

impl Outlet {
    /// The outlet that a contract describes, or what it needs that the broker's options do not have.
    pub(super) fn new(broker: Broker, place: &AmqpPlace) -> Result<Self, String> {
        if !place.bindings.is_empty() && broker.resolved().management.is_none() {
            return Err(WITHOUT_MANAGEMENT.to_owned());
        }
        Ok(Self {
            broker,
            place: Arc::new(place.clone()),
        })
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
        Self {
            broker: self.broker.clone(),
            place: Arc::new(place),
        }
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }
}
