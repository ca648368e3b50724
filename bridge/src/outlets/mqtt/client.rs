//! The two clients of `rumqttc`, one for each version of MQTT, as one.
//!
//! What they make differently, and what is made good here:
//! - MQTT 5's client goes on counting a message as in flight that a PUBREC refused, and takes no more when that count is
//!   full: [`Connection::recount`].
//! - MQTT 3.1.1's client limits packets to 10 KiB unless told otherwise, and gives up a write after its connection timeout.

use rumqttc::v5::mqttbytes::v5::{
    ConnAckProperties, ConnectProperties, PubAckReason, PubCompReason, PubRecReason,
};
use rumqttc::v5::{self, mqttbytes};
use rumqttc::{NetworkOptions, Outgoing, QoS, Transport};

use super::encode::Encoded;
use super::failure::Failure;
use super::options::{Resolved, Version};

/// The largest packet that the broker may send, in bytes: acknowledgements, with a reason and properties at the most.
const MAX_INCOMING_BYTES: u16 = u16::MAX;

/// Takes what is to be published, without waiting: it has room for the whole window and a goodbye.
pub(super) enum Client {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// The connection, which works only while it is polled.
pub(super) enum Connection {
    V5(Box<v5::EventLoop>),
    V311(Box<rumqttc::EventLoop>),
}

/// What a broker grants; none where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Granted {
    pub(super) receive_maximum: Option<u16>,
    pub(super) max_packet_bytes: Option<u32>,
    pub(super) max_qos: Option<u8>,
    pub(super) retain_available: Option<u8>,
}

/// What a connection did.
#[derive(Debug)]
pub(super) enum Happened {
    /// It wrote a PUBLISH of this packet id, which is 0 at QoS 0.
    Published(u16),
    /// PUBACK came.
    Acknowledged(u16, PubAckReason),
    /// PUBREC came.
    Received(u16, PubAckReason),
    /// PUBCOMP came; whether the broker knew the packet id.
    Completed(u16, bool),
    /// It wrote DISCONNECT.
    Disconnected,
    /// Something that nobody waits for.
    Other,
}

/// Makes a client and its connection, which connects when it is polled first. `in_flight_messages` is at least 1.
pub(super) fn open(
    resolved: &Resolved,
    client_id: &str,
    transport: Transport,
    in_flight_messages: u16,
) -> (Client, Connection) {
    let requests = usize::from(in_flight_messages) + 1;
    match resolved.version {
        Version::V5 => {
            let options = options_5(resolved, client_id, transport, in_flight_messages);
            let (client, events) = v5::AsyncClient::new(options, requests);
            (Client::V5(client), Connection::V5(Box::new(events)))
        }
        Version::V311 => {
            let options = options_311(resolved, client_id, transport, in_flight_messages);
            let (client, mut events) = rumqttc::AsyncClient::new(options, requests);
            let mut network = network_options();
            // It bounds each write as well; the wait for an answer is to end first, in a clearer message.
            let limit = resolved.endpoint.connect_timeout + resolved.endpoint.answer_timeout;
            network.set_connection_timeout(limit.as_secs() + 1);
            events.set_network_options(network);
            (Client::V311(client), Connection::V311(Box::new(events)))
        }
    }
}

fn options_5(
    resolved: &Resolved,
    client_id: &str,
    transport: Transport,
    in_flight_messages: u16,
) -> v5::MqttOptions {
    let endpoint = &resolved.endpoint;
    let mut options = v5::MqttOptions::new(client_id, &endpoint.host, endpoint.port);
    options
        .set_clean_start(true)
        .set_keep_alive(resolved.keep_alive)
        // Longer than ours, which ends in a clearer message.
        .set_connection_timeout(endpoint.connect_timeout.as_secs() + 1)
        .set_connect_properties(ConnectProperties {
            max_packet_size: Some(MAX_INCOMING_BYTES.into()),
            ..ConnectProperties::new()
        })
        .set_transport(transport);
    options.set_outgoing_inflight_upper_limit(in_flight_messages);
    if let Some(credentials) = &endpoint.credentials {
        options.set_credentials(&credentials.username, credentials.password.reveal());
    }
    options.set_network_options(network_options());
    options
}

fn options_311(
    resolved: &Resolved,
    client_id: &str,
    transport: Transport,
    in_flight_messages: u16,
) -> rumqttc::MqttOptions {
    let endpoint = &resolved.endpoint;
    let mut options = rumqttc::MqttOptions::new(client_id, &endpoint.host, endpoint.port);
    options
        .set_clean_session(true)
        .set_keep_alive(resolved.keep_alive)
        // What goes out has been measured.
        .set_max_packet_size(MAX_INCOMING_BYTES.into(), usize::MAX)
        .set_inflight(in_flight_messages)
        .set_transport(transport);
    if let Some(credentials) = &endpoint.credentials {
        options.set_credentials(&credentials.username, credentials.password.reveal());
    }
    options
}

fn network_options() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network
}

impl Client {
    /// Hands over a packet; false if it was not taken.
    pub(super) fn publish(&self, packet: Encoded, qos: QoS, retain: bool) -> bool {
        let Encoded {
            topic,
            payload,
            properties,
        } = packet;
        match self {
            Self::V5(client) => {
                let qos = qos_5(qos);
                client
                    .try_publish_with_properties(topic, qos, retain, payload, properties)
                    .is_ok()
            }
            Self::V311(client) => client.try_publish(topic, qos, retain, payload).is_ok(),
        }
    }

    /// Asks for a DISCONNECT after everything before it; false if that was not taken.
    pub(super) fn disconnect(&self) -> bool {
        match self {
            Self::V5(client) => client.try_disconnect().is_ok(),
            Self::V311(client) => client.try_disconnect().is_ok(),
        }
    }
}

impl Connection {
    /// Connects, and tells what the broker grants.
    pub(super) async fn connect(&mut self) -> Result<Granted, Failure> {
        match self {
            Self::V5(events) => {
                let keep_alive = events.options.keep_alive();
                let properties = match events.poll().await? {
                    v5::Event::Incoming(v5::Incoming::ConnAck(accepted)) => accepted.properties,
                    other => return Err(Failure::unexpected(&other)),
                };
                // A broker's keep alive of 0 would make the library ping without pause.
                if events.options.keep_alive().is_zero() {
                    events.options.set_keep_alive(keep_alive);
                }
                Ok(properties.as_ref().map(Granted::of).unwrap_or_default())
            }
            Self::V311(events) => match events.poll().await? {
                rumqttc::Event::Incoming(rumqttc::Incoming::ConnAck(_)) => Ok(Granted::default()),
                other => Err(Failure::unexpected(&other)),
            },
        }
    }

    /// Works until something happens. Must not be dropped before: that would lose the packet that it was writing.
    pub(super) async fn poll(&mut self) -> Result<Happened, Failure> {
        Ok(match self {
            Self::V5(events) => Happened::of_5(events.poll().await?),
            Self::V311(events) => Happened::of_311(events.poll().await?),
        })
    }

    /// The acknowledgements that came together with the end of the connection: the library has read them, and tells the end first.
    /// What it wrote is left out: the write may have failed.
    pub(super) fn acknowledged_last(&mut self) -> Vec<Happened> {
        let all: Vec<Happened> = match self {
            Self::V5(events) => {
                let rest = events.state.events.drain(..);
                rest.map(Happened::of_5).collect()
            }
            Self::V311(events) => {
                let rest = events.state.events.drain(..);
                rest.map(Happened::of_311).collect()
            }
        };
        let acknowledges = |happened: &Happened| {
            matches!(
                happened,
                Happened::Acknowledged(..) | Happened::Received(..) | Happened::Completed(..)
            )
        };
        all.into_iter().filter(acknowledges).collect()
    }

    /// Makes the library count what is in flight anew. Only while nothing is.
    pub(super) fn recount(&mut self) {
        if let Self::V5(events) = self {
            let in_flight = events.state.clean();
            debug_assert!(in_flight.is_empty(), "something was in flight");
        }
    }
}

impl Granted {
    fn of(properties: &ConnAckProperties) -> Self {
        Self {
            receive_maximum: properties.receive_max,
            max_packet_bytes: properties.max_packet_size,
            max_qos: properties.max_qos,
            retain_available: properties.retain_available,
        }
    }
}

impl Happened {
    fn of_5(event: v5::Event) -> Self {
        match event {
            v5::Event::Outgoing(outgoing) => Self::out(&outgoing),
            v5::Event::Incoming(v5::Incoming::PubAck(ack)) => {
                Self::Acknowledged(ack.pkid, ack.reason)
            }
            v5::Event::Incoming(v5::Incoming::PubRec(ack)) => {
                Self::Received(ack.pkid, same_reason(ack.reason))
            }
            v5::Event::Incoming(v5::Incoming::PubComp(ack)) => {
                Self::Completed(ack.pkid, ack.reason == PubCompReason::Success)
            }
            v5::Event::Incoming(_) => Self::Other,
        }
    }

    fn of_311(event: rumqttc::Event) -> Self {
        match event {
            rumqttc::Event::Outgoing(outgoing) => Self::out(&outgoing),
            rumqttc::Event::Incoming(rumqttc::Incoming::PubAck(ack)) => {
                Self::Acknowledged(ack.pkid, PubAckReason::Success)
            }
            rumqttc::Event::Incoming(rumqttc::Incoming::PubRec(ack)) => {
                Self::Received(ack.pkid, PubAckReason::Success)
            }
            rumqttc::Event::Incoming(rumqttc::Incoming::PubComp(ack)) => {
                Self::Completed(ack.pkid, true)
            }
            rumqttc::Event::Incoming(_) => Self::Other,
        }
    }

    fn out(outgoing: &Outgoing) -> Self {
        match outgoing {
            Outgoing::Publish(packet_id) => Self::Published(*packet_id),
            Outgoing::Disconnect => Self::Disconnected,
            _ => Self::Other,
        }
    }
}

fn qos_5(qos: QoS) -> mqttbytes::QoS {
    match qos {
        QoS::AtMostOnce => mqttbytes::QoS::AtMostOnce,
        QoS::AtLeastOnce => mqttbytes::QoS::AtLeastOnce,
        QoS::ExactlyOnce => mqttbytes::QoS::ExactlyOnce,
    }
}

/// PUBREC's reasons are those of PUBACK (MQTT 5, tables 3-4 and 3-5).
fn same_reason(reason: PubRecReason) -> PubAckReason {
    match reason {
        PubRecReason::Success => PubAckReason::Success,
        PubRecReason::NoMatchingSubscribers => PubAckReason::NoMatchingSubscribers,
        PubRecReason::UnspecifiedError => PubAckReason::UnspecifiedError,
        PubRecReason::ImplementationSpecificError => PubAckReason::ImplementationSpecificError,
        PubRecReason::NotAuthorized => PubAckReason::NotAuthorized,
        PubRecReason::TopicNameInvalid => PubAckReason::TopicNameInvalid,
        PubRecReason::PacketIdentifierInUse => PubAckReason::PacketIdentifierInUse,
        PubRecReason::QuotaExceeded => PubAckReason::QuotaExceeded,
        PubRecReason::PayloadFormatInvalid => PubAckReason::PayloadFormatInvalid,
    }
}
