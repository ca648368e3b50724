//! What the end of a channel or a connection says: why, and whether a message in flight may be the cause.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::outlets::session::End;

/// How RabbitMQ's text begins when the routing key is refused, and not the exchange. The code, 403, is the same for both.
const TOPIC_REFUSED: &str = "ACCESS_REFUSED - access to topic";

/// Whether the error says what happened, and not only that something did.
pub(super) fn tells(error: &lapin::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::InvalidChannel(_)
            | ErrorKind::FutureCompleted
    )
}

/// How a session ends by this error. `in_flight` says whether a message was.
pub(super) fn end(error: &lapin::Error, in_flight: bool) -> End {
    if in_flight && may_be_a_message(error) {
        return End::suspicious(error.to_string());
    }
    End::lost(error.to_string())
}

fn may_be_a_message(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            // 406 and 311: it is over a limit of the broker.
            AMQPErrorKind::Soft(
                AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::CONTENTTOOLARGE,
            ) => true,
            // 403: to the exchange, or to this routing key only.
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                error.get_message().as_str().starts_with(TOPIC_REFUSED)
            }
            // 404 the exchange is gone, 405, 313.
            AMQPErrorKind::Soft(_) => false,
            // 501, 502, 505 and 541: the broker could not read what was sent, or failed over it.
            AMQPErrorKind::Hard(
                AMQPHardError::FRAMEERROR
                | AMQPHardError::SYNTAXERROR
                | AMQPHardError::UNEXPECTEDFRAME
                | AMQPHardError::INTERNALERROR,
            ) => true,
            // 320 an operator closed it, 530, and mistakes of the client that no message makes.
            AMQPErrorKind::Hard(_) => false,
        },
        // The peer is silent to its pings, too; or this process ends.
        ErrorKind::MissingHeartbeatError | ErrorKind::RuntimeShutdownError(_) => false,
        // A line that was cut, or nothing that says more.
        _ => true,
    }
}

/// The channel's error that the broker gave as the reason, if it did.
pub(super) fn soft_error(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::AMQPError;

    fn suspicious(kind: impl Into<AMQPErrorKind>, text: &str) -> bool {
        let error = AMQPError::new(kind.into(), text.into());
        let error = lapin::Error::from(ErrorKind::ProtocolError(error));
        let End::Lost(loss) = end(&error, true) else {
            return false;
        };
        assert_eq!(end(&error, false), End::lost(loss.reason));
        loss.suspicious
    }

    #[test]
    fn only_what_a_message_can_cause_is_suspicious() {
        for kind in [
            AMQPHardError::FRAMEERROR,
            AMQPHardError::SYNTAXERROR,
            AMQPHardError::UNEXPECTEDFRAME,
            AMQPHardError::INTERNALERROR,
        ] {
            assert!(suspicious(kind.clone(), "any"), "{kind}");
        }
        for kind in [
            AMQPHardError::CONNECTIONFORCED,
            AMQPHardError::INVALIDPATH,
            AMQPHardError::COMMANDINVALID,
            AMQPHardError::CHANNELERROR,
            AMQPHardError::RESOURCEERROR,
            AMQPHardError::NOTALLOWED,
            AMQPHardError::NOTIMPLEMENTED,
        ] {
            assert!(!suspicious(kind.clone(), "any"), "{kind}");
        }
        for (kind, text, expected) in [
            (AMQPSoftError::PRECONDITIONFAILED, "any", true),
            (AMQPSoftError::CONTENTTOOLARGE, "any", true),
            (AMQPSoftError::NOTFOUND, "any", false),
            (AMQPSoftError::RESOURCELOCKED, "any", false),
            (
                AMQPSoftError::ACCESSREFUSED,
                "ACCESS_REFUSED - access to topic 'a' in exchange 'b' in vhost '/' refused for user 'c'",
                true,
            ),
            (
                AMQPSoftError::ACCESSREFUSED,
                "ACCESS_REFUSED - access to exchange 'a' in vhost '/' refused for user 'c'",
                false,
            ),
        ] {
            assert_eq!(suspicious(kind.clone(), text), expected, "{kind} {text}");
        }
    }
}
