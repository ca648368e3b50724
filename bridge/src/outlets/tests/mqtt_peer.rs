//! An MQTT broker that says what a test says, packet by packet.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::mqtt::Kind;
use super::*;

/// CONNACK: accepted, without and with properties.
const ACCEPTED: &[u8] = &[0x20, 3, 0, 0, 0];
const ACCEPTED_311: &[u8] = &[0x20, 2, 0, 0];
/// Receive maximum 5.
pub(super) const ACCEPTED_FIVE: &[u8] = &[0x20, 6, 0, 0, 3, 0x21, 0, 5];

/// A broker that says what the test says.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    unread: Vec<u8>,
}

/// Starts a session of this kind with a peer that answers CONNECT so.
pub(super) async fn start(
    kind: Kind,
    more: &str,
    connack: &[u8],
) -> (Result<Session, ConnectError>, Peer) {
    start_at(kind, more, topics(), connack).await
}

/// The same for an outlet that publishes as `place` says otherwise.
pub(super) async fn start_at(
    kind: Kind,
    more: &str,
    place: MqttPlace,
    connack: &[u8],
) -> (Result<Session, ConnectError>, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let accept = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut peer = Peer {
            stream,
            unread: Vec::new(),
        };
        assert_eq!(peer.next().await.0, 0x10, "CONNECT comes first");
        peer.say(connack).await;
        peer
    };
    let outlet = kind.outlet_at(port, more, place);
    tokio::join!(within("an answer", outlet.connect(IDENTITY)), accept)
}

/// A session of this kind with a peer that has accepted it, with further options of its broker.
pub(super) async fn accepted(kind: Kind, more: &str) -> (Session, Peer) {
    let connack = if kind.version == "5.0" {
        ACCEPTED
    } else {
        ACCEPTED_311
    };
    let (session, peer) = start(kind, more, connack).await;
    (session.expect("the peer accepts"), peer)
}

impl Peer {
    pub(super) async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("written");
    }

    /// Sends an acknowledgement of MQTT 5 with a reason, or of either version without.
    pub(super) async fn acknowledge(&mut self, packet: u8, packet_id: u16, reason: Option<u8>) {
        let [high, low] = packet_id.to_be_bytes();
        match reason {
            Some(reason) => self.say(&[packet, 3, high, low, reason]).await,
            None => self.say(&[packet, 2, high, low]).await,
        }
    }

    /// The next packet: its first byte and what follows its length.
    pub(super) async fn next(&mut self) -> (u8, Vec<u8>) {
        within("a packet", async {
            loop {
                if let Some(packet) = self.complete() {
                    return packet;
                }
                let read = self.stream.read_buf(&mut self.unread).await;
                assert!(read.expect("bytes") > 0, "the connection goes on");
            }
        })
        .await
    }

    fn complete(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut length = 0;
        let mut end = 1;
        loop {
            let byte = *self.unread.get(end)?;
            length |= usize::from(byte & 0x7f) << (7 * (end - 1));
            end += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = self.unread.get(end..end + length)?.to_vec();
        let packet = (self.unread[0], body);
        self.unread.drain(..end + length);
        Some(packet)
    }

    /// The packet id of the next packet, which is a PUBLISH of this quality of service to a topic of one byte.
    pub(super) async fn published(&mut self, qos: u8) -> u16 {
        let (first, body) = self.next().await;
        assert_eq!(first, 0x30 | qos << 1, "not a duplicate, not retained");
        u16::from_be_bytes([body[3], body[4]])
    }
}
