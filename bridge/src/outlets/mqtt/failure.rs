//! Why a connection failed: in words, and whether a message may be to blame.

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, ErrorKind};

use rumqttc::TlsError;
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use rumqttc::v5::{self, mqttbytes};
use rustls::{AlertDescription, CertificateError};

/// How a connection failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Why, for a person.
    pub(super) reason: String,
    /// Whether a message that was in flight, if there was one, may be the cause.
    pub(super) may_be_a_messages_fault: bool,
}

impl Failure {
    /// Something that no message has to do with.
    fn innocent(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            may_be_a_messages_fault: false,
        }
    }

    /// Something that a message may have caused.
    fn doubtful(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            may_be_a_messages_fault: true,
        }
    }

    /// The connection did not begin with what it must begin with.
    pub(super) fn unexpected(event: &impl Debug) -> Self {
        Self::innocent(format!("unexpected first event: {event:?}"))
    }
}

impl From<v5::ConnectionError> for Failure {
    fn from(error: v5::ConnectionError) -> Self {
        match error {
            v5::ConnectionError::MqttState(error) => state_5(error),
            v5::ConnectionError::Tls(error) => tls(&error),
            v5::ConnectionError::Io(error) => network(&error),
            v5::ConnectionError::ConnectionRefused(code) => refused(&code),
            other => Self::innocent(other.to_string()),
        }
    }
}

impl From<rumqttc::ConnectionError> for Failure {
    fn from(error: rumqttc::ConnectionError) -> Self {
        match error {
            rumqttc::ConnectionError::MqttState(error) => state_311(error),
            rumqttc::ConnectionError::Tls(error) => tls(&error),
            rumqttc::ConnectionError::Io(error) => network(&error),
            rumqttc::ConnectionError::ConnectionRefused(code) => refused(&code),
            other => Self::innocent(other.to_string()),
        }
    }
}

fn state_5(error: v5::StateError) -> Failure {
    use v5::StateError;
    match error {
        StateError::ServerDisconnect {
            reason_code,
            reason_string,
        } => disconnected(reason_code, reason_string.as_deref()),
        StateError::AwaitPingResp => ping_unanswered(),
        StateError::ConnectionAborted => closed(),
        StateError::Io(error) => network(&error),
        StateError::Unsolicited(packet_id) => unknown_packet_id(packet_id),
        StateError::Deserialization(mqttbytes::Error::Io(error)) => network(&error),
        StateError::Deserialization(error) => unreadable(&error),
        other => Failure::innocent(other.to_string()),
    }
}

fn state_311(error: rumqttc::StateError) -> Failure {
    use rumqttc::StateError;
    match error {
        StateError::AwaitPingResp => ping_unanswered(),
        StateError::ConnectionAborted => closed(),
        StateError::Io(error) => network(&error),
        StateError::Unsolicited(packet_id) => unknown_packet_id(packet_id),
        StateError::Deserialization(rumqttc::mqttbytes::Error::Io(error)) => network(&error),
        StateError::Deserialization(error) => unreadable(&error),
        other => Failure::innocent(other.to_string()),
    }
}

fn refused(code: &impl Debug) -> Failure {
    Failure::innocent(format!("the broker refused: {code:?}"))
}

fn closed() -> Failure {
    Failure::doubtful("the broker closed the connection")
}

fn ping_unanswered() -> Failure {
    Failure::innocent("the broker did not answer a ping")
}

fn unknown_packet_id(packet_id: u16) -> Failure {
    Failure::innocent(format!("acknowledgement for unknown packet id {packet_id}"))
}

fn unreadable(error: &impl Error) -> Failure {
    Failure::doubtful(format!("the broker sent what cannot be read: {error}"))
}

/// The broker said why it went (MQTT 5, table 3-10).
fn disconnected(code: DisconnectReasonCode, detail: Option<&str>) -> Failure {
    use DisconnectReasonCode as Code;
    let detail = detail.unwrap_or("no detail given");
    let number = code as u8;
    let reason = format!("the broker disconnected: 0x{number:02x} {code:?} ({detail})");
    match code {
        Code::UnspecifiedError
        | Code::MalformedPacket
        | Code::ProtocolError
        | Code::ImplementationSpecificError
        | Code::TopicNameInvalid
        | Code::ReceiveMaximumExceeded
        | Code::PacketTooLarge
        | Code::PayloadFormatInvalid
        | Code::RetainNotSupported
        | Code::QoSNotSupported => Failure::doubtful(reason),
        _ => Failure::innocent(reason),
    }
}

fn network(error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return handshake(error);
    }
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => {
            Failure::doubtful(format!("the broker closed the connection: {error}"))
        }
        _ => Failure::innocent(error.to_string()),
    }
}

fn tls(error: &TlsError) -> Failure {
    match error {
        TlsError::Io(error) => network(error),
        TlsError::TLS(error) => handshake(error),
        other => Failure::innocent(format!("TLS: {other}")),
    }
}

/// TLS errors, with what would mend them.
fn handshake(error: &rustls::Error) -> Failure {
    let mend = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "; `tls.ca` must hold the certificate of who vouches for the broker",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "; `host` must be a name that the broker's certificate is for",
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnknownCA,
        ) => "; the broker wants another client certificate (`tls.certificate` and `tls.key`)",
        rustls::Error::InvalidMessage(_) => "; does this port speak TLS?",
        _ => "",
    };
    Failure::innocent(format!("TLS: {error}{mend}"))
}
