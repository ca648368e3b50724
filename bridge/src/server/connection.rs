//! One connection, from its first byte to its last, and the way of each of its requests to a handler.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::Door;
use super::activity::{Activity, Working};
use super::bodies::{Inbound, Outbound, Over, throw_away};
use super::connections::Place;
use super::limits::Limits;
use super::line::Line;
use super::origin::foreign;
use crate::access::{Admitted, Shown, Side, Wire};
use crate::http::{Began, Problem};

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// What is buffered of an answer for a client that reads slowly, in bytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams that an HTTP/2 client may have reset before they were answered (CVE-2023-44487).
const RESET_STREAMS: usize = 20;
/// Header fields that hyper takes of an HTTP/1.1 request unless told otherwise.
const HYPER_HEADERS: usize = 100;
/// What a caller is told while there is too much to do.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Serves one connection to its end.
pub(super) async fn run(
    door: Arc<Door>,
    place: Place,
    stream: TcpStream,
    address: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, Arc::clone(&place.activity));
    let mut wire = Wire::new(door.side, address);
    let Some(tls) = &door.tls else {
        return http(&door, &place.activity, line, wire, stop).await;
    };
    let authority = tls.authority();
    let handshake = TlsAcceptor::from(tls.config()).accept(line);
    let handshake = tokio::time::timeout(door.house.limits.handshake, handshake);
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = place.activity.end.notified() => return,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let line = match shaken {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "a TLS handshake failed");
            return;
        }
        Err(_) => return,
    };
    let shown = line.get_ref().1.peer_certificates();
    let shown = shown.and_then(|chain| Shown::new(chain, authority));
    wire.certificate = shown.map(Arc::new);
    http(&door, &place.activity, line, wire, stop).await;
}

/// Speaks HTTP/1.1 or HTTP/2, whichever the client begins with.
async fn http(
    door: &Arc<Door>,
    activity: &Arc<Activity>,
    line: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    wire: Wire,
    mut stop: watch::Receiver<bool>,
) {
    let certificate = wire.certificate.clone();
    let disowned = async {
        match certificate {
            Some(certificate) => certificate.disowned().await,
            None => std::future::pending().await,
        }
    };
    let service = service_fn(|request: Request<Incoming>| {
        let working = activity.begin(request.version() == Version::HTTP_2);
        let (door, wire) = (Arc::clone(door), wire.clone());
        async move { Ok::<_, Infallible>(answer(&door, &wire, request, working).await) }
    });
    let builder = builder(&door.house.limits);
    let connection = builder.serve_connection(TokioIo::new(line), service);
    tokio::pin!(connection);
    tokio::select! {
        // How it ended is the client's affair.
        _ = connection.as_mut() => return,
        () = activity.end.notified() => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        // Whoever it is begins anew, with a certificate that is good.
        () = disowned => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = activity.end.notified() => {}
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The watch has its own limit, which spares connections between requests.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes);
    // With its own number, hyper needs no memory for them.
    if limits.headers != HYPER_HEADERS {
        builder.http1().max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    builder
}

/// Answers one request.
async fn answer(
    door: &Door,
    wire: &Wire,
    request: Request<Incoming>,
    working: Working,
) -> Response<Outbound> {
    let (parts, body) = request.into_parts();
    let house = &door.house;
    let outbound =
        |response: Response<Body>, working| response.map(|body| Outbound::new(body, working));
    let http2 = parts.version == Version::HTTP_2;
    let left = async |body| {
        if http2 {
            throw_away(body).await;
        }
    };
    if let Some(refusal) = refusal(door, wire, &parts) {
        left(body).await;
        return outbound(refusal, working);
    }
    let load = match door.side {
        Side::Operator => &house.operator_load,
        Side::Private | Side::Public => &house.load,
    };
    let Some(share) = load.share(house.limits.requests) else {
        return outbound(overloaded("too many requests are in flight"), working);
    };
    let is_read = is_read(&parts);
    let body = Inbound::new(body, Arc::clone(&share), house.limits.memory_bytes);
    let handled = handle(door, wire, parts, Body::new(body)).await;
    let unread = share.left().take();
    if let Some(unread) = unread {
        left(unread).await;
    }
    let (mut admitted, mut response) = match handled {
        Ok(handled) => handled,
        Err(refusal) => return outbound(refusal, working),
    };
    // What was done is told in any case.
    if is_read {
        share.answer(response.body(), house.limits.memory_bytes);
    }
    if share.was_refused() {
        response = overloaded("request bodies and answers together hold too much memory");
    }
    let follows = is_follow(&response);
    if follows && let Err(refusal) = house.gate.follow(&mut admitted) {
        return outbound(refusal.into_response(), working);
    }
    let over = follows.then(|| Box::pin(admitted.over()) as Over);
    let held = admitted.into_held();
    response.map(|body| {
        Outbound::new(body, working).holding(held, share, house.limits.memory_bytes, over)
    })
}

/// Lets a request in and has it answered.
///
/// Where it may not be served any longer before its answer is there, it is judged anew if it only reads: a long poll that waits ends,
/// or goes on as what its caller is by then, and nothing is told that came after. What does more is answered, as it is done.
async fn handle(
    door: &Door,
    wire: &Wire,
    mut parts: Parts,
    mut body: Body,
) -> Result<(Admitted, Response<Body>), Response<Body>> {
    let (gate, began) = (&door.house.gate, Began::now());
    loop {
        let admitted = gate.admit(&parts, wire).await?;
        let again = (is_read(&parts) && !gate.is_open()).then(|| parts.clone());
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(admitted.caller.clone());
        let mut router = door.router.clone();
        let handled = router.call(request);
        let Some(again) = again else {
            let Ok(response) = handled.await;
            return Ok((admitted, response));
        };
        let mut over = pin!(admitted.over());
        tokio::select! {
            biased;
            () = &mut over => {}
            Ok(response) = handled => {
                if over.now_or_never().is_none() {
                    return Ok((admitted, response));
                }
            }
        }
        (parts, body) = (again, Body::empty());
        parts.extensions.insert(began);
        // Whoever is let in and over at once, again and again, keeps nobody else waiting.
        tokio::task::yield_now().await;
    }
}

fn is_read(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD)
}

/// What is refused before anybody asks who sent it.
fn refusal(door: &Door, wire: &Wire, parts: &Parts) -> Option<Response<Body>> {
    let gate = &door.house.gate;
    if let Some(foreign) = foreign(parts, &door.names, gate.is_open()) {
        gate.turned_away(parts, wire, foreign.reason());
        return Some(foreign.problem().into_response());
    }
    let encodings = parts.headers.get_all(header::CONTENT_ENCODING);
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if encodings.iter().all(is_plain) {
        return None;
    }
    let problem = Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "encoded-body",
        "the body is encoded",
    )
    .detail("`content-encoding` names an encoding; none is taken")
    .mend("send the body as it is");
    let mut response = problem.into_response();
    let identity = HeaderValue::from_static("identity");
    response
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, identity);
    Some(response)
}

fn overloaded(reason: &str) -> Response<Body> {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "there is too much to do",
    )
    .detail(reason)
    .mend("try again in a moment")
    .retry_after(RETRY_AFTER_SECONDS)
    .into_response()
}

/// Whether an answer goes on for as long as its client likes.
fn is_follow(response: &Response<Body>) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}
