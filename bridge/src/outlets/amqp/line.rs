//! The line to a broker: one AMQP connection over TCP or TLS, and a handle that cuts it.
//!
//! `lapin` runs a thread for each connection, and stops writing while the broker blocks it, its own goodbye included. So
//! the socket has a second handle here, and a connection that is let go is cut there after its goodbye: no thread is left
//! behind by a broker that does not answer.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_compat::{Compat, CompatExt};
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio, TokioRuntime};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::stream::Stream;
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::LongString;
use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::failed;
use super::options::{Auth, Resolved};
use crate::outlets::ConnectError;
use crate::outlets::options::Tls;

/// What is said where a broker closes a TLS connection before anything was said over AMQP.
const CLIENT_CERTIFICATE: &str = "the broker closed the connection: it may want a client certificate (`tls.certificate` and `tls.key`), or refuse the client certificate that it was shown";

/// How a connection shows itself as closed by the peer.
const CLOSED: [io::ErrorKind; 4] = [
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::UnexpectedEof,
];

/// A connection that is cut when it is dropped.
pub(super) struct Line {
    pub(super) connection: Connection,
    _cut: Cut,
}

impl Line {
    /// Connects and logs in. `name` is what the broker shows for the connection.
    pub(super) async fn open(resolved: &Resolved, name: &str) -> Result<Self, ConnectError> {
        let socket = Socket::default();
        // Before the connection is there: a connect that is abandoned is cut, too.
        let cut = Cut(socket.clone());
        let options = ConnectionProperties::default().with_connection_name(LongString::from(name));
        let connection = match &resolved.endpoint.tls {
            None => plain(uri(resolved), socket, options)
                .await
                .map_err(|error| failed(&error))?,
            Some(tls) => {
                let (config, server_name) = secure(tls, &resolved.endpoint.host)?;
                let tcp = SecureTcp {
                    tokio: Tokio::current(),
                    socket,
                    connector: TlsConnector::from(config),
                    server_name,
                };
                let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), tcp));
                let stream = async |uri: AMQPUri, runtime| Ok(uri.connect_async(&runtime).await?);
                Connection::connector(uri(resolved), runtime, stream, options)
                    .await
                    .map_err(|error| failed_over_tls(&error))?
            }
        };
        Ok(Self {
            connection,
            _cut: cut,
        })
    }
}

/// What TLS needs: the configuration, and the name that the broker's certificate must be for.
pub(super) fn secure(
    tls: &Tls,
    host: &str,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), ConnectError> {
    let config = tls
        .client_config()
        .map_err(|error| ConnectError(format!("{}: {}", error.field, error.problem)))?;
    let name = tls.server_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_| ConnectError(format!("{name:?} is not a name that a certificate is for")))?;
    Ok((config, server_name))
}

fn failed_over_tls(error: &lapin::Error) -> ConnectError {
    match mend(error) {
        Some(mend) => ConnectError(format!("{mend} ({error})")),
        None => failed(error),
    }
}

/// What would mend a TLS connection that could not be opened.
fn mend(error: &lapin::Error) -> Option<&'static str> {
    let ErrorKind::IOError(error) = error.kind() else {
        return None;
    };
    let tls = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidMessage(_)) => Some("the port does not speak TLS"),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Some(
            "the broker's certificate is signed by an authority that is not in `tls.ca`, or without that not in the system",
        ),
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            ..
        })) => Some(
            "the broker's certificate is for other names than `host`: let `tls.server_name` be one of them",
        ),
        // A broker says what it thinks of the client's certificate after the handshake, and closes; the words may be lost.
        Some(rustls::Error::AlertReceived(_)) => Some(CLIENT_CERTIFICATE),
        None if CLOSED.contains(&error.kind()) => Some(CLIENT_CERTIFICATE),
        _ => None,
    }
}

async fn plain(
    uri: AMQPUri,
    socket: Socket,
    options: ConnectionProperties,
) -> lapin::Result<Connection> {
    let runtime = Runtime::tokio_current();
    let stream = async move |uri: AMQPUri, runtime: TokioRuntime| {
        let stream = uri.connect_async(&runtime).await?;
        if let AsyncTcpStream::Plain(plain) = &stream {
            socket.keep(plain.get_ref())?;
        }
        Ok(stream)
    };
    Connection::connector(uri, runtime, stream, options).await
}

fn uri(resolved: &Resolved) -> AMQPUri {
    let (username, password) = resolved.user();
    AMQPUri {
        // TLS is the reactor's matter; here everything is TCP.
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
            frame_max: Some(resolved.frame_bytes),
            heartbeat: Some(resolved.heartbeat_seconds),
            auth_mechanism: match resolved.auth {
                Auth::Password => None,
                Auth::External => Some(SASLMechanism::External),
            },
            ..AMQPQueryString::default()
        },
    }
}

/// The second handle on a connection's socket, and whether it was cut before there was one.
#[derive(Debug, Clone, Default)]
struct Socket(Arc<Mutex<(Option<TcpStream>, bool)>>);

impl Socket {
    fn keep(&self, stream: &tokio::net::TcpStream) -> io::Result<()> {
        let kept = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.1 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        slot.0 = Some(kept);
        Ok(())
    }
}

/// Dropping it cuts the connection, now or as soon as there is one.
struct Cut(Socket);

impl Drop for Cut {
    fn drop(&mut self) {
        let mut slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.1 = true;
        if let Some(socket) = slot.0.take() {
            // It fails where the peer was faster.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// TLS over Tokio's TCP, which `lapin` takes for TCP.
#[derive(Clone)]
struct SecureTcp {
    tokio: Tokio,
    socket: Socket,
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl fmt::Debug for SecureTcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureTcp").finish_non_exhaustive()
    }
}

impl Reactor for SecureTcp {
    type TcpStream = Compat<TlsStream<tokio::net::TcpStream>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.tokio.tcp_connect_addr(address);
        let socket = self.socket.clone();
        let connector = self.connector.clone();
        let server_name = self.server_name.clone();
        async move {
            let stream = connecting.await?.into_inner();
            // Before the handshake, which a silent peer would never end.
            socket.keep(&stream)?;
            Ok(connector.connect(server_name, stream).await?.compat())
        }
    }
}
