//! Where a contract's public events are sent.

use crate::template::Template;

/// What becomes of a public event that nobody listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unheard {
    /// It is recorded, and the relay goes on.
    #[default]
    Continue,
    /// The relay waits and tries again.
    Wait,
}

/// An outlet of a contract.
#[derive(Debug, Clone)]
pub struct OutletSpec {
    name: String,
    broker: String,
    unheard: Unheard,
    kind: OutletKind,
}

impl OutletSpec {
    /// The name, unique in its contract, such as `mqtt:main`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The broker, by its name in the configuration.
    pub fn broker(&self) -> &str {
        &self.broker
    }
    /// What becomes of a public event that nobody listened to.
    pub fn unheard(&self) -> Unheard {
        self.unheard
    }
    /// Where at the broker.
    pub fn kind(&self) -> &OutletKind {
        &self.kind
    }
}

/// Where at a broker public events go.
#[derive(Debug, Clone)]
pub enum OutletKind {
    /// To MQTT topics.
    Mqtt(MqttPlace),
    /// To an AMQP exchange.
    Amqp(AmqpPlace),
}

/// A place at an MQTT broker.
#[derive(Debug, Clone)]
pub struct MqttPlace {
    /// The topic.
    pub topic: Template,
    /// The quality of service: 1.
    pub qos: u8,
}

/// A place at an AMQP broker.
#[derive(Debug, Clone)]
pub struct AmqpPlace {
    /// The exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: Template,
}
