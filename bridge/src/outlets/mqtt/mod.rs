//! The MQTT outlet: MQTT 5 at QoS 1, structured content mode.
//!
//! What it promises, what each of the broker's answers becomes, and its limits are in `bridge/docs/outlets.md`.

mod connection;
mod encode;
mod options;
mod reasons;

pub(super) use connection::connect;
pub(crate) use options::{Broker, Options};
