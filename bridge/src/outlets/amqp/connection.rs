//! One AMQP connection with one channel in confirm mode, from its first frame to its last.
//!
//! `lapin` runs a thread for each connection, and stops writing while the broker blocks it, its own goodbye included. So
//! the socket has a second handle here, and a connection that is let go is cut there after its goodbye: no thread is left
//! behind by a broker that does not answer.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use tokio::time::timeout;

use super::Outlet;
use super::encode::{Limits, short};
use super::options::Resolved;
use super::publisher::Publisher;
use crate::outlets::session::{End, SessionEnds, session};
use crate::outlets::window::Window;
use crate::outlets::{ConnectError, Identity, Session, WATCH_INTERVAL};

/// The reply code of an orderly end.
const REPLY_SUCCESS: u16 = 200;

/// Opens a session: connects, opens a channel in confirm mode, declares the exchange.
pub(in crate::outlets) async fn connect(
    outlet: &Outlet,
    identity: Identity<'_>,
) -> Result<Session, ConnectError> {
    let resolved = outlet.broker.resolved();
    let exchange = short("exchange's name", &outlet.place.exchange).map_err(ConnectError)?;
    let line = Line::open(resolved, &identity.connection_name()).await?;
    let channel = open_channel(&line.connection).await?;
    if !outlet.place.exchange.is_empty() {
        declare(&channel, &exchange).await?;
    }
    let limits = Limits {
        max_payload_bytes: resolved.max_payload_bytes,
        frame_bytes: usize::try_from(line.connection.configuration().frame_max()).unwrap_or(0),
    };
    let window = Window::new(resolved.endpoint.in_flight_messages, Instant::now());
    let publisher = Publisher::new(
        Arc::new(channel),
        exchange,
        limits,
        window,
        resolved.endpoint.answer_timeout,
    );
    let (session, ends) = session();
    tokio::spawn(run(line, publisher, ends));
    Ok(session)
}

async fn run(line: Line, mut publisher: Publisher, mut ends: SessionEnds) {
    let end = publisher.drive(&line.connection, &mut ends).await;
    if end == End::Released {
        let goodbye = line.connection.close(REPLY_SUCCESS, ShortString::default());
        // Too late is as good as never: the socket is cut next.
        let _ = timeout(WATCH_INTERVAL, goodbye).await;
    }
    drop(line);
    ends.finish(end).await;
}

/// A connection that is cut when it is dropped.
struct Line {
    connection: Connection,
    _cut: Cut,
}

/// The second handle on a connection's socket. Dropping it cuts the connection.
#[derive(Clone, Default)]
struct CutHandle(Arc<Mutex<Option<TcpStream>>>);

struct Cut(CutHandle);

impl Drop for Cut {
    fn drop(&mut self) {
        let socket = self
            .0
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(socket) = socket {
            // It fails where the peer was faster.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Line {
    async fn open(resolved: &Resolved, name: &str) -> Result<Self, ConnectError> {
        let handle = CutHandle::default();
        // Before the connection is there: a connect that is abandoned is cut, too.
        let cut = Cut(handle.clone());
        let runtime = lapin::runtime::default_runtime().map_err(|error| failed(&error))?;
        let connection = Connection::connector(
            uri(resolved),
            runtime,
            async move |uri, runtime| {
                let stream = uri.connect_async(&runtime).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    let socket = plain.get_ref().as_fd().try_clone_to_owned()?;
                    let kept = TcpStream::from(socket);
                    kept.set_nodelay(true)?;
                    *handle.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
                }
                Ok(stream)
            },
            ConnectionProperties::default().with_connection_name(LongString::from(name)),
        )
        .await
        .map_err(|error| failed(&error))?;
        Ok(Self {
            connection,
            _cut: cut,
        })
    }
}

fn uri(resolved: &Resolved) -> AMQPUri {
    let (username, password) = match &resolved.endpoint.credentials {
        Some(credentials) => (credentials.username.as_str(), credentials.password.reveal()),
        None => ("guest", "guest"),
    };
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: username.to_owned(),
                password: password.to_owned(),
            },
            host: resolved.endpoint.host.clone(),
            port: resolved.endpoint.port,
        },
        vhost: resolved.virtual_host.clone(),
        query: AMQPQueryString {
            heartbeat: Some(resolved.heartbeat_seconds),
            ..AMQPQueryString::default()
        },
    }
}

async fn open_channel(connection: &Connection) -> Result<Channel, ConnectError> {
    let channel = connection
        .create_channel()
        .await
        .map_err(|error| failed(&error))?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .map_err(|error| failed(&error))?;
    Ok(channel)
}

/// Declares the durable topic exchange; it may be there already, but only as the same.
async fn declare(channel: &Channel, exchange: &ShortString) -> Result<(), ConnectError> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(exchange.clone(), ExchangeKind::Topic, options, FieldTable::default())
        .await
        .map_err(|error| {
            let hint = match soft_error(&error) {
                Some(AMQPSoftError::PRECONDITIONFAILED) => {
                    "it exists, but not as a durable topic exchange: delete it, or let the contract name another"
                }
                Some(AMQPSoftError::ACCESSREFUSED) => {
                    "the user needs the configure and write permissions for it"
                }
                _ => "it could not be declared",
            };
            ConnectError(format!("exchange {exchange}: {hint} ({error})"))
        })
}

fn soft_error(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

fn failed(error: &lapin::Error) -> ConnectError {
    ConnectError(error.to_string())
}
