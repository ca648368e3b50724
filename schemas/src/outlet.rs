//! Where a contract's public events are sent, and how.

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

/// Where in its public stream an outlet begins that has sent nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutletStart {
    /// With the first public event.
    #[default]
    Beginning,
    /// With the next public event.
    Now,
    /// With the public event of this sequence.
    Sequence(u64),
    /// With the first public event that crossed at this time or later: milliseconds since 1970.
    Time(u64),
}

/// How a public event is laid out in a message (CloudEvents' content modes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentMode {
    /// The whole event as JSON in the payload.
    #[default]
    Structured,
    /// The data in the payload, and the attributes beside it.
    Binary,
}

/// An outlet of a contract.
#[derive(Debug, Clone)]
pub struct OutletSpec {
    pub(crate) name: String,
    pub(crate) broker: String,
    pub(crate) unheard: Unheard,
    pub(crate) start: OutletStart,
    pub(crate) content_mode: ContentMode,
    pub(crate) max_in_flight_per_key: usize,
    pub(crate) kind: OutletKind,
}

impl OutletSpec {
    /// The name, unique in its contract: the contract's own, or the protocol and the broker, such as `mqtt:main`.
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

    /// Where it begins when it has sent nothing yet.
    pub fn start(&self) -> OutletStart {
        self.start
    }

    /// How events are laid out in messages.
    pub fn content_mode(&self) -> ContentMode {
        self.content_mode
    }

    /// How many events of one key may be in flight: 1 keeps their order whatever happens.
    pub fn max_in_flight_per_key(&self) -> usize {
        self.max_in_flight_per_key
    }

    /// Where at the broker.
    pub fn kind(&self) -> &OutletKind {
        &self.kind
    }

    /// What its users should know before they rely on it, one sentence each.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if let OutletKind::Mqtt(place) = &self.kind {
            if place.retain {
                warnings.push("retained events reach later subscribers as if they had just happened, and of each topic only the last one");
            }
            if place.qos == 0 {
                warnings.push("at quality of service 0 a broker confirms nothing: an event that is lost on its way counts as sent");
            }
        }
        if let (OutletKind::Mqtt(place), Unheard::Wait) = (&self.kind, self.unheard)
            && place.qos == 2
        {
            warnings.push("at quality of service 2 some brokers, Mosquitto among them, do not say that nobody listens: such an event counts as confirmed");
        }
        if self.max_in_flight_per_key > 1 {
            warnings.push("with more than one event of a key in flight, one that is tried again comes after later ones of its key");
        }
        warnings
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
    /// The quality of service: 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker keeps the last message of each topic for later subscribers.
    pub retain: bool,
    /// After how many seconds the broker drops a message that it could not hand on (MQTT 5).
    pub expiry_seconds: Option<u32>,
    /// User properties that every message carries (MQTT 5), beside the attributes of the binary content mode.
    pub user_properties: Vec<(String, String)>,
    /// Whether `datacontenttype` is a user property too in binary content mode, for readers that look for it there.
    pub datacontenttype_property: bool,
}

/// A place at an AMQP broker.
#[derive(Debug, Clone)]
pub struct AmqpPlace {
    /// The exchange.
    pub exchange: String,
    /// Whether the exchange is declared, or only checked to be there.
    pub declare: bool,
    /// The exchange that takes what no queue of this one does.
    pub alternate_exchange: Option<String>,
    /// The routing key.
    pub routing_key: Template,
    /// What stands before an attribute's name in the headers.
    pub header_prefix: String,
    /// The priority of every message, 0 to 255; the broker's default if none.
    pub priority: Option<u8>,
    /// After how many milliseconds a queue drops a message that nobody took.
    pub expiration_ms: Option<u64>,
    /// Headers that every message carries.
    pub headers: Vec<(String, String)>,
    /// Queues that are declared, with their bindings to the exchange.
    pub queues: Vec<AmqpQueue>,
    /// Bindings of others that must be there.
    pub bindings: Vec<AmqpBinding>,
}

/// A queue that an outlet declares, durable.
#[derive(Debug, Clone)]
pub struct AmqpQueue {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: AmqpQueueKind,
    /// The routing keys, patterns mostly, by which it is bound to the exchange.
    pub bind: Vec<String>,
    /// Further arguments of its declaration, such as `x-max-length`.
    pub arguments: Vec<(String, AmqpArgument)>,
}

/// A queue's type at RabbitMQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmqpQueueKind {
    /// On one node.
    Classic,
    /// Replicated.
    Quorum,
    /// A log that keeps what was read.
    Stream,
}

impl AmqpQueueKind {
    /// The value of `x-queue-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmqpArgument {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// A binding of the exchange to a queue.
#[derive(Debug, Clone)]
pub struct AmqpBinding {
    /// The queue.
    pub queue: String,
    /// The routing key, a pattern mostly.
    pub routing_key: String,
}
