//! One session: a connection with one channel in confirm mode, from its first frame to its last.

use std::sync::Arc;
use std::time::Instant;

use lapin::options::ConfirmSelectOptions;
use lapin::types::ShortString;
use lapin::{Channel, Connection};
use tokio::time::timeout;

use super::encode::{Encoder, Limits};
use super::line::Line;
use super::publisher::Publisher;
use super::{Outlet, topology};
use crate::outlets::session::{End, SessionEnds, session};
use crate::outlets::window::Window;
use crate::outlets::{ConnectError, Identity, Session, WATCH_INTERVAL};

/// The reply code of an orderly end.
const REPLY_SUCCESS: u16 = 200;

/// Opens a session: connects, opens a channel in confirm mode, declares and checks what is needed at the broker.
pub(in crate::outlets) async fn connect(
    outlet: &Outlet,
    identity: Identity<'_>,
) -> Result<Session, ConnectError> {
    let resolved = outlet.broker.resolved();
    let line = Line::open(resolved, &identity.connection_name()).await?;
    let channel = open_channel(&line.connection).await?;
    topology::prepare(&channel, &outlet.place, resolved).await?;
    let limits = Limits {
        max_payload_bytes: resolved.max_payload_bytes,
        frame_bytes: usize::try_from(line.connection.configuration().frame_max()).unwrap_or(0),
    };
    let encoder = Encoder::new(&outlet.place, limits).map_err(ConnectError)?;
    let window = Window::new(resolved.endpoint.in_flight_messages, Instant::now());
    let answer_timeout = resolved.endpoint.answer_timeout;
    let publisher = Publisher::new(Arc::new(channel), encoder, window, answer_timeout);
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

pub(super) fn failed(error: &lapin::Error) -> ConnectError {
    ConnectError(error.to_string())
}
