//! One MQTT connection, from its first packet to its last.
//!
//! `rumqttc` gives neither packet ids nor tokens for what it is asked to publish, mends connections in ways that lose or
//! reorder messages, and only logs a broker's refusals. So:
//! - One task owns client and event loop. It never waits on the client: the request channel has room for the whole window.
//! - A poll of the event loop is never abandoned half-way, which would lose the packet that it was writing.
//! - Packet ids run from 1 to the window's limit and start again, and `rumqttc` gives them out in the order of the
//!   requests. The window's numbers therefore tell a message's packet id beforehand; the library's own account of what it
//!   sent is checked against it. An id is used again only when every older message is settled, so ids never collide.
//! - Any error ends the connection for good, and so does an acknowledgement that does not come.

use std::pin::pin;
use std::time::Instant;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnectProperties, PubAck};
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, StateError,
};
use rumqttc::{NetworkOptions, Outgoing};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Outlet;
use super::encode::encode;
use super::options::{Broker, Resolved};
use super::reasons;
use crate::outlets::session::{End, SessionEnds, session};
use crate::outlets::window::Window;
use crate::outlets::{ConnectError, Identity, OutboundMessage, Session, WATCH_INTERVAL};

/// The largest packet that the broker may send, in bytes: acknowledgements, with a reason and properties at the most.
const MAX_INCOMING_BYTES: u32 = 64 * 1024;

/// Opens a session.
pub(in crate::outlets) async fn connect(
    outlet: &Outlet,
    identity: Identity<'_>,
) -> Result<Session, ConnectError> {
    let resolved = outlet.broker.resolved();
    let options = library_options(resolved, &identity.connection_name());
    let (client, mut eventloop) =
        AsyncClient::new(options, resolved.endpoint.in_flight_messages + 1);
    let acknowledged = match eventloop.poll().await {
        Ok(Event::Incoming(Incoming::ConnAck(acknowledged))) => acknowledged,
        Ok(other) => return Err(ConnectError(format!("unexpected first event: {other:?}"))),
        Err(error) => return Err(ConnectError(describe(&error))),
    };
    let limits = Limits::of(&acknowledged, resolved)?;
    // A broker's keep alive of 0 would make the library ping without pause.
    if eventloop.options.keep_alive().is_zero() {
        eventloop.options.set_keep_alive(resolved.keep_alive);
    }
    let (session, ends) = session();
    let publisher = Publisher {
        client,
        window: Window::new(limits.in_flight_messages, Instant::now()),
        limits,
        taken: Vec::new(),
    };
    tokio::spawn(run(publisher, eventloop, outlet.broker.clone(), ends));
    Ok(session)
}

fn library_options(resolved: &Resolved, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, &resolved.endpoint.host, resolved.endpoint.port);
    options
        .set_clean_start(true)
        .set_keep_alive(resolved.keep_alive)
        // Longer than ours, which ends in a clearer message.
        .set_connection_timeout(resolved.endpoint.connect_timeout.as_secs() + 1)
        .set_connect_properties(ConnectProperties {
            max_packet_size: Some(MAX_INCOMING_BYTES),
            ..ConnectProperties::new()
        });
    options.set_outgoing_inflight_upper_limit(in_flight_limit(resolved));
    if let Some(credentials) = &resolved.endpoint.credentials {
        options.set_credentials(&credentials.username, credentials.password.reveal());
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

fn in_flight_limit(resolved: &Resolved) -> u16 {
    u16::try_from(resolved.endpoint.in_flight_messages).unwrap_or(u16::MAX)
}

/// What the broker and our own options allow.
#[derive(Debug)]
struct Limits {
    in_flight_messages: usize,
    max_packet_bytes: usize,
}

impl Limits {
    fn of(acknowledged: &ConnAck, resolved: &Resolved) -> Result<Self, ConnectError> {
        let properties = acknowledged.properties.as_ref();
        if properties.and_then(|p| p.max_qos) == Some(0) {
            return Err(ConnectError(
                "the broker accepts QoS 0 only, which confirms nothing".to_owned(),
            ));
        }
        let receive_maximum = properties.and_then(|p| p.receive_max).unwrap_or(u16::MAX);
        if receive_maximum == 0 {
            return Err(ConnectError(
                "the broker's receive maximum is 0, which MQTT forbids".to_owned(),
            ));
        }
        let broker_bytes = properties
            .and_then(|p| p.max_packet_size)
            .and_then(|bytes| usize::try_from(bytes).ok());
        Ok(Self {
            in_flight_messages: in_flight_limit(resolved).min(receive_maximum).into(),
            max_packet_bytes: resolved
                .max_packet_bytes
                .min(broker_bytes.unwrap_or(usize::MAX)),
        })
    }
}

async fn run(
    mut publisher: Publisher,
    mut eventloop: EventLoop,
    broker: Broker,
    mut ends: SessionEnds,
) {
    let resolved = broker.resolved();
    let end = publisher.drive(&mut eventloop, resolved, &mut ends).await;
    if end == End::Released {
        disconnect(&publisher.client, &mut eventloop).await;
    }
    ends.finish(end).await;
}

/// Says goodbye, so that the broker does not take the end for a failure. Best effort.
async fn disconnect(client: &AsyncClient, eventloop: &mut EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let goodbye = async {
        loop {
            match eventloop.poll().await {
                Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    // Too late is as good as never: the connection is dropped next.
    let _ = timeout(WATCH_INTERVAL, goodbye).await;
}

/// What happened next.
#[expect(
    clippy::large_enum_variant,
    reason = "one lives on the stack, for a moment"
)]
enum Step {
    Polled(Result<Event, ConnectionError>),
    Taken(usize),
    RelayHasRoom,
    Released,
    Watch,
}

/// Everything of a connection but the event loop, which is busy while these act.
struct Publisher {
    client: AsyncClient,
    window: Window,
    limits: Limits,
    taken: Vec<OutboundMessage>,
}

impl Publisher {
    /// Publishes and answers until the session ends.
    async fn drive(
        &mut self,
        eventloop: &mut EventLoop,
        resolved: &Resolved,
        ends: &mut SessionEnds,
    ) -> End {
        let mut watch = interval(WATCH_INTERVAL);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut accepting = true;
        loop {
            let mut poll = pin!(eventloop.poll());
            // Until the poll is through: it must not be dropped before.
            let polled = loop {
                let room = if ends.answers.is_full() {
                    0
                } else {
                    self.window.room()
                };
                let step = tokio::select! {
                    biased;
                    taken = ends.messages.recv_many(&mut self.taken, room), if accepting && room > 0 => Step::Taken(taken),
                    polled = &mut poll => Step::Polled(polled),
                    room = ends.answers.room(), if !ends.answers.is_empty() => if room { Step::RelayHasRoom } else { Step::Released },
                    () = ends.answers.released() => Step::Released,
                    _ = watch.tick() => Step::Watch,
                };
                match step {
                    Step::Polled(polled) => break polled,
                    Step::Taken(0) => accepting = false,
                    Step::Taken(_) => {
                        if let Err(end) = self.publish_taken(ends) {
                            return end;
                        }
                    }
                    Step::RelayHasRoom => ends.answers.send_now(),
                    Step::Released => return End::Released,
                    Step::Watch => {
                        if let Some(waited) = self
                            .window
                            .overdue(Instant::now(), resolved.endpoint.answer_timeout)
                        {
                            return End::suspicious(format!(
                                "no acknowledgement for {} s",
                                waited.as_secs()
                            ));
                        }
                    }
                }
                if !accepting && self.window.is_empty() {
                    ends.answers.send_rest().await;
                    return End::Released;
                }
            };
            if let Err(end) = self.take_event(polled, ends) {
                return end;
            }
        }
    }

    /// Hands what was taken from the relay to the client.
    fn publish_taken(&mut self, ends: &mut SessionEnds) -> Result<(), End> {
        let now = Instant::now();
        for message in self.taken.drain(..) {
            let encoded = match encode(&message, self.limits.max_packet_bytes) {
                Ok(encoded) => encoded,
                Err(answer) => {
                    ends.answers.push(message.sequence(), answer);
                    continue;
                }
            };
            self.window
                .push(message.sequence(), encoded.payload.len(), now);
            self.client
                .try_publish_with_properties(
                    encoded.topic,
                    QoS::AtLeastOnce,
                    false,
                    encoded.payload,
                    encoded.properties,
                )
                .map_err(|_| End::lost("the MQTT library refused a message that was checked"))?;
        }
        Ok(())
    }

    fn take_event(
        &mut self,
        polled: Result<Event, ConnectionError>,
        ends: &mut SessionEnds,
    ) -> Result<(), End> {
        match polled {
            Ok(Event::Incoming(Incoming::PubAck(acknowledged))) => self.settle(&acknowledged, ends),
            Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => self.check_sent(packet_id),
            Ok(_) => Ok(()),
            Err(error) => Err(End::suspicious(describe(&error))),
        }
    }

    fn check_sent(&mut self, packet_id: u16) -> Result<(), End> {
        match self.window.mark_sent() {
            Some(number) if self.window.packet_of_number(number) == u64::from(packet_id) => Ok(()),
            _ => Err(End::lost(format!(
                "packet id {packet_id} was not the next one"
            ))),
        }
    }

    fn settle(&mut self, acknowledged: &PubAck, ends: &mut SessionEnds) -> Result<(), End> {
        let number = self.window.number_of_packet(acknowledged.pkid);
        let settled = number.and_then(|number| self.window.settle(number, Instant::now()));
        let Some(sequence) = settled else {
            let unknown = format!(
                "acknowledgement for unknown packet id {}",
                acknowledged.pkid
            );
            return Err(End::lost(unknown));
        };
        ends.answers
            .push(sequence, reasons::answer(acknowledged.reason));
        Ok(())
    }
}

/// Why a connection failed, for a person.
fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => {
            let detail = reason_string.as_deref().unwrap_or("no detail given");
            format!("the broker disconnected: {reason_code:?} ({detail})")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            "the broker did not answer a ping".to_owned()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the broker closed the connection".to_owned()
        }
        ConnectionError::ConnectionRefused(code) => format!("the broker refused: {code:?}"),
        ConnectionError::Io(error) => error.to_string(),
        ConnectionError::MqttState(StateError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}
