#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

//! Follows, over real connections: a router with one that sends what a test tells it to.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::*;
use crate::access::AccessOptions;
use crate::outlets::Surroundings;

mod yardstick;

const TOKEN: &str = "hzn_a-token-that-is-long-enough-to-be-one";
/// Longest wait for what has to happen.
const SOON: Duration = Duration::from_secs(20);
/// All of the watch's limits.
const LIMIT: Duration = Duration::from_secs(1);

/// A router at work on loopback, until this is dropped.
struct Served {
    house: Arc<House>,
    address: SocketAddr,
    task: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

struct Followed {
    served: Served,
    events: broadcast::Sender<Bytes>,
    open: Arc<AtomicUsize>,
}

async fn served(gate: Gate, limits: Limits, router: Router) -> Served {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let house = Arc::new(House::new(gate, limits));
    let listener = Listener {
        side: Side::Private,
        socket,
        tls: None,
        hosts: Vec::new(),
        router,
    };
    let (stop, stopped) = watch::channel(false);
    let (_, serving) = serve(Arc::clone(&house), listener, address, stopped);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let Ok(()) = serving.await;
    });
    Served {
        house,
        address,
        task,
        _stop: stop,
    }
}

fn gate(grants: &str) -> Gate {
    Gate::new(Some(access(grants)), 100, 100)
}

fn access(grants: &str) -> crate::access::Access {
    let text = format!("principals: {{ p: {{ tokens: [ {{ env: T }} ], grants: {grants} }} }}");
    let options: AccessOptions = serde_saphyr::from_str(&text).unwrap();
    let surroundings = Surroundings {
        folder: std::path::Path::new("."),
        environment: &|_| Some(TOKEN.to_owned()),
        unset: None,
    };
    options.resolve(&surroundings).unwrap()
}

/// Tells when a follow's stream is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn start() -> Followed {
    let mut limits = LimitOptions::default().resolve().ok().unwrap();
    (limits.idle, limits.header, limits.stalled) = (LIMIT, LIMIT, LIMIT);
    let (events, open) = (broadcast::channel(1_024).0, Arc::<AtomicUsize>::default());
    let (sender, count) = (events.clone(), Arc::clone(&open));
    let follow = move || {
        count.fetch_add(1, Ordering::SeqCst);
        let state = (sender.subscribe(), Counted(Arc::clone(&count)));
        let body = stream::unfold(state, |(mut events, counted)| async move {
            let event = events.recv().await.ok()?;
            Some((Ok::<_, Infallible>(event), (events, counted)))
        });
        async move {
            (
                [(header::CONTENT_TYPE, "text/event-stream")],
                Body::from_stream(body),
            )
        }
    };
    let router = Router::new().route("/follow", get(follow));
    Followed {
        served: served(gate("{ follow: [a] }"), limits, router).await,
        events,
        open,
    }
}

impl Followed {
    async fn follow(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.served.address).await.unwrap();
        let request = format!(
            "GET /follow HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        assert!(
            read_until(&mut client, "\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 200")
        );
        client
    }

    async fn all_gone(&self) {
        let gone = async {
            while self.open.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, gone).await.unwrap();
    }
}

async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut part = [0; 4096];
        let read = timeout(SOON, client.read(&mut part))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "it ended after {text:?}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    text
}

#[tokio::test]
async fn a_follower_to_whom_nothing_happens_stays_and_ends_with_its_grants() {
    let followed = start().await;
    let mut client = followed.follow().await;
    let mut byte = [0];
    let quiet = timeout(4 * LIMIT, client.read(&mut byte)).await;
    assert!(quiet.is_err(), "it is left alone past every limit");
    followed
        .events
        .send(Bytes::from_static(b"data: 1\n\n"))
        .unwrap();
    read_until(&mut client, "data: 1").await;
    followed
        .served
        .house
        .gate
        .replace(Some(access("{ follow: [b] }")));
    // The last chunk: the follow ends whole, and is not cut off.
    assert!(
        read_until(&mut client, "0\r\n\r\n")
            .await
            .ends_with("0\r\n\r\n")
    );
    followed.all_gone().await;
}

#[tokio::test]
async fn a_follower_that_takes_nothing_is_cut_off() {
    let followed = start().await;
    let stalled = followed.follow().await;
    let mut reading = followed.follow().await;
    let event = Bytes::from(vec![b'x'; 64 * 1024]);
    let send = async {
        while followed.open.load(Ordering::SeqCst) > 1 {
            let _ = followed.events.send(event.clone());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut part = vec![0; 1024 * 1024];
    let read = async {
        loop {
            assert!(
                reading.read(&mut part).await.unwrap() > 0,
                "one that reads is left alone"
            );
        }
    };
    tokio::select! {
        sent = timeout(SOON, send) => sent.unwrap(),
        () = read => {}
    }
    assert_eq!(followed.open.load(Ordering::SeqCst), 1);
    drop((stalled, reading));
    followed.all_gone().await;
}
