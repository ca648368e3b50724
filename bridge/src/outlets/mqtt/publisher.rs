//! What one MQTT connection publishes, and what it answers for it.
//!
//! `rumqttc` gives neither packet ids nor tokens for what it is asked to publish, mends connections in ways that lose or
//! reorder messages, and only logs a broker's refusals. So:
//! - One task owns client and connection. It never waits on the client.
//! - A poll of the connection is never abandoned half-way, which would lose the packet that it was writing.
//! - Packet ids run from 1 to the window's limit and start again, and `rumqttc` gives them out in the order of the
//!   requests. The window's numbers therefore tell a message's packet id beforehand; the library's own account of what it
//!   sent is checked against it. An id is used again only when every older message is settled, so ids never collide.
//! - At QoS 1 a message is settled by PUBACK; at QoS 2 by PUBCOMP, or by a PUBREC that refuses it; at QoS 0 by being
//!   written, in the order of the requests.
//! - Any error ends the connection for good, and so does an acknowledgement that does not come.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Instant;

use rumqttc::QoS;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use tokio::time::{MissedTickBehavior, interval};

use super::Outlet;
use super::client::{Client, Connection, Happened};
use super::encode::encode;
use super::failure::Failure;
use super::reasons;
use crate::outlets::session::{End, SessionEnds};
use crate::outlets::window::Window;
use crate::outlets::{Answer, OutboundMessage, WATCH_INTERVAL};

/// What happened next.
enum Step {
    Polled(Result<Happened, Failure>),
    Taken(usize),
    RelayHasRoom,
    Released,
    Watch,
}

/// Everything of a session but the connection, which is busy while these act.
pub(super) struct Publisher {
    client: Client,
    window: Window,
    max_packet_bytes: usize,
    outlet: Outlet,
    taken: Vec<OutboundMessage>,
    /// The packet ids of messages at QoS 2 that nobody listens to, and that are not complete yet.
    unheard: HashSet<u16>,
    /// Whether a PUBREC refused a message, which the library goes on counting as in flight: nothing more is taken until
    /// everything is settled and it counts anew.
    miscounted: bool,
}

impl Publisher {
    pub(super) fn new(
        client: Client,
        window: Window,
        max_packet_bytes: usize,
        outlet: Outlet,
    ) -> Self {
        Self {
            client,
            window,
            max_packet_bytes,
            outlet,
            taken: Vec::new(),
            unheard: HashSet::new(),
            miscounted: false,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Publishes and answers until the session ends.
    pub(super) async fn drive(
        &mut self,
        connection: &mut Connection,
        ends: &mut SessionEnds,
    ) -> End {
        let mut watch = interval(WATCH_INTERVAL);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut accepting = true;
        loop {
            if self.miscounted && self.window.is_empty() {
                connection.recount();
                self.miscounted = false;
            }
            // Until the poll is through: it must not be dropped before.
            let polled = {
                let mut poll = pin!(connection.poll());
                loop {
                    let room = self.room(ends);
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
                            if let Some(end) = self.overdue() {
                                return end;
                            }
                        }
                    }
                    if !accepting && self.window.is_empty() {
                        ends.answers.send_rest().await;
                        return End::Released;
                    }
                }
            };
            let taken = match polled {
                Ok(happened) => self.take(happened, ends),
                Err(failure) => Err(self.lost(failure, connection.acknowledged_last(), ends)),
            };
            if let Err(end) = taken {
                return end;
            }
        }
    }

    /// How many messages may be taken now.
    fn room(&self, ends: &SessionEnds) -> usize {
        if ends.answers.is_full() || self.miscounted {
            0
        } else {
            self.window.room()
        }
    }

    /// Hands what was taken from the relay to the client.
    fn publish_taken(&mut self, ends: &mut SessionEnds) -> Result<(), End> {
        let now = Instant::now();
        let (place, version) = (&self.outlet.place, self.outlet.broker.resolved().version);
        for message in self.taken.drain(..) {
            let encoded = match encode(&message, place, version, self.max_packet_bytes) {
                Ok(encoded) => encoded,
                Err(answer) => {
                    ends.answers.push(message.sequence(), answer);
                    continue;
                }
            };
            self.window
                .push(message.sequence(), encoded.payload.len(), now);
            if !self.client.publish(encoded, self.outlet.qos, place.retain) {
                return Err(End::lost(
                    "the MQTT library refused a message that was checked",
                ));
            }
        }
        Ok(())
    }

    fn take(&mut self, happened: Happened, ends: &mut SessionEnds) -> Result<(), End> {
        match (happened, self.outlet.qos) {
            (Happened::Published(packet_id), qos) => self.published(packet_id, qos, ends),
            (Happened::Acknowledged(packet_id, reason), QoS::AtLeastOnce) => {
                self.settle(packet_id, reasons::answer("PUBACK", reason), ends)
            }
            (Happened::Received(packet_id, reason), QoS::ExactlyOnce) => {
                self.received(packet_id, reason, ends)
            }
            (Happened::Completed(packet_id, true), QoS::ExactlyOnce) => {
                let answer = if self.unheard.remove(&packet_id) {
                    Answer::Unheard
                } else {
                    Answer::Confirmed
                };
                self.settle(packet_id, answer, ends)
            }
            (Happened::Completed(packet_id, false), QoS::ExactlyOnce) => Err(End::lost(format!(
                "PUBCOMP 0x92: the broker has forgotten packet id {packet_id}"
            ))),
            (Happened::Disconnected | Happened::Other, _) => Ok(()),
            (acknowledged, qos) => Err(End::lost(format!(
                "the broker acknowledged a message at quality of service {} in another way: {acknowledged:?}",
                qos as u8
            ))),
        }
    }

    /// Checks the library's account of what it wrote. At QoS 0 that is all that is ever known of a message.
    fn published(&mut self, packet_id: u16, qos: QoS, ends: &mut SessionEnds) -> Result<(), End> {
        let number = self.window.mark_sent();
        if qos == QoS::AtMostOnce {
            let settled = number.and_then(|number| self.window.settle(number, Instant::now()));
            let Some(sequence) = settled else {
                return Err(End::lost("a message was written that nobody asked for"));
            };
            ends.answers.push(sequence, Answer::Confirmed);
            return Ok(());
        }
        match number {
            Some(number) if self.window.packet_of_number(number) == u64::from(packet_id) => Ok(()),
            _ => Err(End::lost(format!(
                "packet id {packet_id} was not the next one"
            ))),
        }
    }

    fn received(
        &mut self,
        packet_id: u16,
        reason: PubAckReason,
        ends: &mut SessionEnds,
    ) -> Result<(), End> {
        match reason {
            PubAckReason::Success => Ok(()),
            PubAckReason::NoMatchingSubscribers => {
                self.unheard.insert(packet_id);
                Ok(())
            }
            refusal => {
                self.miscounted = true;
                self.settle(packet_id, reasons::answer("PUBREC", refusal), ends)
            }
        }
    }

    fn settle(
        &mut self,
        packet_id: u16,
        answer: Answer,
        ends: &mut SessionEnds,
    ) -> Result<(), End> {
        let number = self.window.number_of_packet(packet_id);
        let settled = number.and_then(|number| self.window.settle(number, Instant::now()));
        let Some(sequence) = settled else {
            return Err(End::lost(format!(
                "acknowledgement for unknown packet id {packet_id}"
            )));
        };
        ends.answers.push(sequence, answer);
        Ok(())
    }

    /// The end, if the oldest message has waited too long.
    fn overdue(&self) -> Option<End> {
        let limit = self.outlet.broker.endpoint().answer_timeout;
        let waited = self.window.overdue(Instant::now(), limit)?.as_secs();
        Some(End::suspicious(match self.outlet.qos {
            QoS::AtMostOnce => format!("the broker has read nothing for {waited} s"),
            _ => format!("no acknowledgement for {waited} s"),
        }))
    }

    /// How the session ends by a failure, after what was acknowledged last is answered.
    fn lost(&mut self, failure: Failure, last: Vec<Happened>, ends: &mut SessionEnds) -> End {
        for happened in last {
            if let Err(end) = self.take(happened, ends) {
                return end;
            }
        }
        if failure.may_be_a_messages_fault && !self.window.is_empty() {
            End::suspicious(failure.reason)
        } else {
            End::lost(failure.reason)
        }
    }
}
