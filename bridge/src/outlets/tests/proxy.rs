//! A line to a broker that a test can harm.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what the broker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// The broker's side is not read any more; the client's still is.
    Mute,
    Cut,
}

/// Takes connections on a port of its own and passes them on.
pub(super) struct Proxy {
    pub(super) port: u16,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    pub(super) async fn start(broker_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let lines = Arc::clone(&line);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let broker = TcpStream::connect(("127.0.0.1", broker_port));
                let (from_broker, to_broker) = broker.await.expect("a broker").into_split();
                let (from_client, to_client) = client.into_split();
                tokio::spawn(pass(from_client, to_broker, lines.subscribe(), false));
                tokio::spawn(pass(from_broker, to_client, lines.subscribe(), true));
            }
        });
        Self { port, line }
    }

    /// Keeps back everything that the broker says from now on.
    pub(super) fn mute(&self) {
        self.line.send_replace(Line::Mute);
    }

    /// Closes all connections.
    pub(super) fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    broker_side: bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let now = *line.borrow_and_update();
        if now == Line::Cut {
            return;
        }
        let muted = broker_side && now == Line::Mute;
        let read = tokio::select! {
            biased;
            changed = line.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            read = from.read(&mut bytes), if !muted => read,
        };
        let Ok(read @ 1..) = read else { return };
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
