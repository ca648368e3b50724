//! Accepting connections: TLS, HTTP/1.1 and HTTP/2 on one port, and limits on everything that a client can make Horizon hold.
//!
//! - Whatever is held for a client is bounded: connections, header sections, bodies, requests, parts of answers.
//! - Nothing waits for a client for ever. Only a follower to whom nothing happens may stay as long as it likes.
//! - Too many of anything are refused at once; nothing grows. Room for a new connection is made of those that are idle.
//! - Every request comes past the [`Gate`] before a handler sees it.

mod activity;
mod bodies;
mod connection;
mod connections;
mod limits;
mod line;
mod origin;
#[cfg(test)]
mod tests;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::access::{Gate, Side};
use bodies::Load;
use connections::Connections;
pub(crate) use connections::ListenerView;
pub(crate) use limits::{LimitOptions, Limits, raise_file_limit};
use origin::Names;
pub(crate) use tls::{Loaded, ServerTls, ServerTlsOptions};

/// Pause after a connection could not be accepted, which happens when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) gate: Gate,
    limits: Limits,
    load: Arc<Load>,
    /// Of the operator's listener, which the others keep nobody out of.
    operator_load: Arc<Load>,
}

/// One listener with everything that it takes to serve it.
pub(crate) struct Listener {
    pub(crate) side: Side,
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) hosts: Vec<String>,
    pub(crate) router: Router,
}

/// One listener at work.
struct Door {
    house: Arc<House>,
    side: Side,
    names: Names,
    tls: Option<Arc<ServerTls>>,
    router: Router,
    limits: Limits,
    connections: Arc<Connections>,
}

/// Numbers of a listener, for the status.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(Arc<Connections>);

impl Numbers {
    pub(crate) fn view(&self) -> ListenerView {
        self.0.view()
    }
}

impl House {
    pub(crate) fn new(gate: Gate, limits: Limits) -> House {
        House {
            gate,
            limits,
            load: Arc::default(),
            operator_load: Arc::default(),
        }
    }
}

/// Serves a listener until `stop` says so; then answers what is in flight, and ends.
pub(crate) fn serve(
    house: Arc<House>,
    listener: Listener,
    bound: SocketAddr,
    stop: watch::Receiver<bool>,
) -> (Numbers, impl Future<Output = Result<(), Infallible>> + Send) {
    let connections = Arc::<Connections>::default();
    let limits = house.limits.of(listener.side);
    let door = Door {
        house,
        side: listener.side,
        names: Names {
            bound,
            hosts: listener.hosts,
        },
        tls: listener.tls,
        router: listener.router,
        limits,
        connections: Arc::clone(&connections),
    };
    let served = accept(Arc::new(door), listener.socket, stop);
    (Numbers(connections), served)
}

async fn accept(
    door: Arc<Door>,
    socket: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Infallible> {
    let mut served = JoinSet::new();
    let connections = Arc::clone(&door.connections);
    let watching = connections.watch(&door.house.limits);
    tokio::pin!(watching);
    loop {
        let accepted = tokio::select! {
            biased;
            // An end of the sender is the daemon's.
            _ = stop.wait_for(|stop| *stop) => break,
            () = &mut watching => continue,
            Some(_) = served.join_next() => continue,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let place = connections.take_in(address.ip(), &door.limits);
                // Without a place it is closed at once.
                if let Some(place) = place {
                    let serving =
                        connection::run(Arc::clone(&door), place, stream, address, stop.clone());
                    served.spawn(serving);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    let ending = async { while served.join_next().await.is_some() {} };
    tokio::select! {
        () = ending => {}
        () = &mut watching => {}
    }
    Ok(())
}
