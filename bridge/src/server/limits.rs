//! What clients may cost: `limits:` of `horizon.yaml`, for all listeners alike.

use std::time::Duration;

use serde::Deserialize;

use crate::access::Side;

/// `limits:`, as written; what is left out has its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitOptions {
    connections: Option<u64>,
    connections_per_address: Option<u64>,
    requests: Option<u64>,
    requests_per_caller: Option<u64>,
    follows_per_caller: Option<u64>,
    streams_per_connection: Option<u64>,
    headers: Option<u64>,
    header_bytes: Option<u64>,
    memory_bytes: Option<u64>,
    handshake_seconds: Option<u64>,
    header_seconds: Option<u64>,
    idle_seconds: Option<u64>,
    stalled_seconds: Option<u64>,
}

/// The limits in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Open connections of a listener.
    pub(crate) connections: usize,
    /// Open connections of the operator's listener.
    operator_connections: usize,
    /// Open connections of one address that is not this machine's own, at a listener.
    pub(crate) connections_per_address: usize,
    /// Requests and follows that are open at all listeners.
    pub(crate) requests: usize,
    /// Requests of one caller that are in flight.
    pub(crate) requests_per_caller: usize,
    /// Follows of one caller that are open.
    pub(crate) follows_per_caller: usize,
    /// Requests of one HTTP/2 connection that are open.
    pub(crate) streams_per_connection: u32,
    /// Header fields of a request.
    pub(crate) headers: usize,
    /// Bytes of a request's header section.
    pub(crate) header_bytes: usize,
    /// Bytes of all request bodies and of all large answers that are held in memory.
    pub(crate) memory_bytes: usize,
    /// For a TLS handshake.
    pub(crate) handshake: Duration,
    /// From the first byte of a request to the end of its header section.
    pub(crate) header: Duration,
    /// For a connection without a request.
    pub(crate) idle: Duration,
    /// For a client that takes nothing of an answer.
    pub(crate) stalled: Duration,
}

/// A limit that is out of its bounds.
pub(crate) struct OutOfBounds {
    pub(crate) key: &'static str,
    pub(crate) value: u64,
    pub(crate) lowest: u64,
    pub(crate) highest: u64,
}

impl LimitOptions {
    /// Applies defaults and bounds.
    pub(crate) fn resolve(&self) -> Result<Limits, OutOfBounds> {
        let number = |key, value: Option<u64>, default, lowest, highest| {
            let value = value.unwrap_or(default);
            match (lowest..=highest).contains(&value) {
                true => Ok(value as usize),
                false => Err(OutOfBounds {
                    key,
                    value,
                    lowest,
                    highest,
                }),
            }
        };
        let seconds = |key, value, default| {
            number(key, value, default, 1, 3_600).map(|seconds| Duration::from_secs(seconds as u64))
        };
        let connections = number("limits.connections", self.connections, 16_384, 16, 1 << 20)?;
        Ok(Limits {
            connections,
            operator_connections: connections,
            connections_per_address: number(
                "limits.connections_per_address",
                self.connections_per_address,
                1_024,
                1,
                1 << 20,
            )?,
            requests: number("limits.requests", self.requests, 8_192, 16, 1 << 20)?,
            requests_per_caller: number(
                "limits.requests_per_caller",
                self.requests_per_caller,
                1_024,
                1,
                1 << 20,
            )?,
            follows_per_caller: number(
                "limits.follows_per_caller",
                self.follows_per_caller,
                1_024,
                1,
                1 << 20,
            )?,
            streams_per_connection: number(
                "limits.streams_per_connection",
                self.streams_per_connection,
                128,
                1,
                4_096,
            )? as u32,
            headers: number("limits.headers", self.headers, 100, 16, 1_000)?,
            header_bytes: number(
                "limits.header_bytes",
                self.header_bytes,
                32 * 1024,
                8 * 1024,
                1024 * 1024,
            )?,
            memory_bytes: number(
                "limits.memory_bytes",
                self.memory_bytes,
                256 * 1024 * 1024,
                1024 * 1024,
                1 << 40,
            )?,
            handshake: seconds("limits.handshake_seconds", self.handshake_seconds, 10)?,
            header: seconds("limits.header_seconds", self.header_seconds, 10)?,
            idle: seconds("limits.idle_seconds", self.idle_seconds, 75)?,
            stalled: seconds("limits.stalled_seconds", self.stalled_seconds, 30)?,
        })
    }
}

/// Most connections of the operator's listener where files are few.
const OPERATORS_MOST: u64 = 1_024;
/// Files that are for the store (512 at most), brokers and everything else.
const FILES_APART: u64 = 768;

impl Limits {
    /// These limits, with no more connections than the system has files for, on all of so many listeners together. A store that
    /// cannot open its files stops: none of those that are set apart for it goes to a connection.
    pub(crate) fn within_files(mut self, files: Option<u64>, listeners: u64) -> Limits {
        if let Some(files) = files {
            let apart = FILES_APART
                .max(files / 4)
                .min(files.saturating_sub(listeners));
            // Operators are few, and are to get in whatever comes to the other listeners.
            let operators = ((files - apart) / 8).clamp(1, OPERATORS_MOST);
            let others =
                (files - apart).saturating_sub(operators) / listeners.saturating_sub(1).max(1);
            let most = usize::try_from(others).unwrap_or(usize::MAX).max(1);
            self.operator_connections = self.connections.min(operators as usize);
            if most < self.connections {
                tracing::warn!(
                    limit = self.connections,
                    most,
                    "the system allows fewer open files than limits.connections asks for; see `ulimit -Hn` or LimitNOFILE="
                );
                self.connections = most;
            }
        }
        self
    }

    /// The limits of a listener.
    pub(super) fn of(&self, side: Side) -> Limits {
        let connections = match side {
            Side::Operator => self.operator_connections,
            Side::Private | Side::Public => self.connections,
        };
        Limits {
            connections,
            ..self.clone()
        }
    }
}

/// Raises the limit of open files as far as it goes, and tells how far that is; none: there is no limit.
pub(crate) fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}
