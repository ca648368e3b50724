//! What a reason in a PUBACK means for a message.

use rumqttc::v5::mqttbytes::v5::PubAckReason;

use crate::outlets::Answer;

/// The answer for a PUBACK's reason (MQTT 5, table 3-4).
///
/// | reason | | answer |
/// |---|---|---|
/// | 0x00 | success | confirmed |
/// | 0x10 | no matching subscribers | unheard |
/// | 0x80 | unspecified error | try again |
/// | 0x83 | implementation specific error | try again |
/// | 0x87 | not authorized | try again |
/// | 0x90 | topic name invalid | try again |
/// | 0x91 | packet identifier in use | try again |
/// | 0x97 | quota exceeded | try again |
/// | 0x99 | payload format invalid | refused |
///
/// What a person can mend at the broker, such as an access rule, is tried again: the key waits, visibly, and goes on by itself.
///
/// The specification has no other reason here; a broker that sends one breaks the protocol, and the session is lost.
pub(super) fn answer(reason: PubAckReason) -> Answer {
    match reason {
        PubAckReason::Success => Answer::Confirmed,
        PubAckReason::NoMatchingSubscribers => Answer::Unheard,
        PubAckReason::UnspecifiedError => {
            try_again(0x80, "unspecified error: the broker's log may say more")
        }
        PubAckReason::ImplementationSpecificError => try_again(
            0x83,
            "implementation specific error: the broker's log may say more",
        ),
        PubAckReason::NotAuthorized => try_again(
            0x87,
            "not authorized: the broker's rules deny this topic to Horizon's user",
        ),
        PubAckReason::TopicNameInvalid => {
            try_again(0x90, "the broker does not accept the topic's name")
        }
        PubAckReason::PacketIdentifierInUse => try_again(0x91, "packet identifier in use"),
        PubAckReason::QuotaExceeded => try_again(0x97, "the broker's quota is exceeded"),
        PubAckReason::PayloadFormatInvalid => {
            refused(0x99, "the broker does not accept the payload's format")
        }
    }
}

fn try_again(code: u8, meaning: &str) -> Answer {
    Answer::TryAgain(format!("PUBACK 0x{code:02x}: {meaning}"))
}

fn refused(code: u8, meaning: &str) -> Answer {
    Answer::Refused(format!("PUBACK 0x{code:02x}: {meaning}"))
}
