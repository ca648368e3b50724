//! What a reason in a PUBACK or a PUBREC means for a message.

use rumqttc::v5::mqttbytes::v5::PubAckReason;

use crate::outlets::Answer;

/// The answer for a reason (MQTT 5, tables 3-4 and 3-5). `packet` is the name of the packet that gave it.
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
pub(super) fn answer(packet: &str, reason: PubAckReason) -> Answer {
    let try_again =
        |code: u8, meaning: &str| Answer::TryAgain(format!("{packet} 0x{code:02x}: {meaning}"));
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
            let code = 0x99;
            Answer::Refused(format!(
                "{packet} 0x{code:02x}: the broker does not accept the payload's format"
            ))
        }
    }
}
