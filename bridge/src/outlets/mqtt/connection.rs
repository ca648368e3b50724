//! One MQTT connection, from its first packet to its last.

use std::time::Instant;

use rumqttc::{QoS, TlsConfiguration, Transport};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Outlet;
use super::client::{self, Client, Connection, Granted, Happened};
use super::options::{Broker, Resolved, Version};
use super::publisher::Publisher;
use crate::outlets::session::{End, SessionEnds, session};
use crate::outlets::window::Window;
use crate::outlets::{ConnectError, Identity, Session, WATCH_INTERVAL};

/// How many messages at QoS 2 may be in flight over MQTT 3.1.1, in messages. There a broker cannot say how many it takes,
/// nor that it drops what is more: Mosquitto takes 20 unless configured otherwise.
const MAX_QOS_2_MESSAGES_311: u16 = 20;

/// Opens a session.
pub(in crate::outlets) async fn connect(
    outlet: &Outlet,
    identity: Identity<'_>,
) -> Result<Session, ConnectError> {
    let resolved = outlet.broker.resolved();
    let client_id = identity.connection_name();
    let transport = transport(&outlet.broker).await?;
    let in_flight_messages = in_flight_limit(resolved, outlet.qos);
    let (client, mut connection) =
        client::open(resolved, &client_id, transport, in_flight_messages);
    let connected = connection.connect().await;
    let granted = connected.map_err(|failure| ConnectError(failure.reason))?;
    let limits = Limits::of(&granted, outlet, in_flight_messages)?;
    let window = Window::new(limits.in_flight_messages, Instant::now());
    let publisher = Publisher::new(client, window, limits.max_packet_bytes, outlet.clone());
    let (session, ends) = session();
    tokio::spawn(run(publisher, connection, ends));
    Ok(session)
}

/// How to reach the broker: with the certificates as they are now.
async fn transport(broker: &Broker) -> Result<Transport, ConnectError> {
    if broker.endpoint().tls.is_none() {
        return Ok(Transport::Tcp);
    }
    let broker = broker.clone();
    let read = spawn_blocking(move || {
        let tls = broker.endpoint().tls.as_ref();
        tls.map(|tls| tls.client_config()).transpose()
    });
    let config = read
        .await
        .map_err(|error| ConnectError(error.to_string()))?;
    let config =
        config.map_err(|wrong| ConnectError(format!("mqtt.{}: {}", wrong.field, wrong.problem)))?;
    Ok(config.map_or(Transport::Tcp, |config| {
        Transport::tls_with_config(TlsConfiguration::Rustls(config))
    }))
}

fn in_flight_limit(resolved: &Resolved, qos: QoS) -> u16 {
    let asked = u16::try_from(resolved.endpoint.in_flight_messages).unwrap_or(u16::MAX);
    match (resolved.version, qos) {
        (Version::V311, QoS::ExactlyOnce) => asked.min(MAX_QOS_2_MESSAGES_311),
        _ => asked,
    }
}

/// What the broker and our own options allow.
#[derive(Debug)]
struct Limits {
    in_flight_messages: usize,
    max_packet_bytes: usize,
}

impl Limits {
    fn of(
        granted: &Granted,
        outlet: &Outlet,
        in_flight_messages: u16,
    ) -> Result<Self, ConnectError> {
        let qos = outlet.qos as u8;
        if let Some(max_qos) = granted.max_qos.filter(|max_qos| *max_qos < qos) {
            return Err(ConnectError(format!(
                "the broker accepts quality of service {max_qos} at most, and the outlet has `qos: {qos}`"
            )));
        }
        if outlet.place.retain && granted.retain_available == Some(0) {
            return Err(ConnectError(
                "the broker retains nothing, and the outlet has `retain: true`".to_owned(),
            ));
        }
        let receive_maximum = granted.receive_maximum.unwrap_or(u16::MAX);
        if receive_maximum == 0 {
            return Err(ConnectError(
                "the broker's receive maximum is 0, which MQTT forbids".to_owned(),
            ));
        }
        let broker_bytes = granted
            .max_packet_bytes
            .and_then(|bytes| usize::try_from(bytes).ok());
        Ok(Self {
            in_flight_messages: in_flight_messages.min(receive_maximum).into(),
            max_packet_bytes: outlet
                .broker
                .resolved()
                .max_packet_bytes
                .min(broker_bytes.unwrap_or(usize::MAX)),
        })
    }
}

async fn run(mut publisher: Publisher, mut connection: Connection, mut ends: SessionEnds) {
    let end = publisher.drive(&mut connection, &mut ends).await;
    if end == End::Released {
        disconnect(publisher.client(), &mut connection).await;
    }
    ends.finish(end).await;
}

/// Says goodbye, so that the broker does not take the end for a failure. Best effort.
async fn disconnect(client: &Client, connection: &mut Connection) {
    if !client.disconnect() {
        return;
    }
    let goodbye = async {
        loop {
            match connection.poll().await {
                Ok(Happened::Disconnected) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    // Too late is as good as never: the connection is dropped next.
    let _ = timeout(WATCH_INTERVAL, goodbye).await;
}
