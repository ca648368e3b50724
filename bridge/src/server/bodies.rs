//! The bodies of requests and answers, held to what they may cost.
//!
//! What is held of all request bodies and answers together is bounded. An answer leaves in small parts, so that it is known whether its client
//! takes any; a follow ends when its caller may not follow any longer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::activity::Working;
use crate::access::Held;

/// Largest part of an answer that is handed over at a time, in bytes. An answer that is no larger is not counted.
const PART_BYTES: usize = 64 * 1024;

/// What a piece of a request's body takes up besides its bytes, roughly.
const FRAME_BYTES: usize = 64;

/// What all request bodies and large answers hold in memory, and how many requests are open.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) requests: AtomicUsize,
    body_bytes: AtomicUsize,
}

/// One open request, and the bytes of its body and its answer, until this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    load: Arc<Load>,
    bytes: AtomicUsize,
    refused: AtomicBool,
    /// What nobody has read of the body.
    left: Mutex<Option<Incoming>>,
}

impl Load {
    /// One more request, if that is not too many.
    pub(super) fn share(self: &Arc<Load>, limit: usize) -> Option<Arc<Share>> {
        let share = Share {
            load: Arc::clone(self),
            bytes: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            left: Mutex::default(),
        };
        let open = self.requests.fetch_add(1, Ordering::Relaxed);
        // Dropped, it gives its place back.
        (open < limit).then(|| Arc::new(share))
    }
}

impl Share {
    /// Whether the body or the answer was refused because all of them together hold too much.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts an answer whose size is known, if it is large.
    pub(super) fn answer(&self, body: &Body, limit: usize) {
        let size = body.size_hint().exact();
        let size = size.and_then(|size| usize::try_from(size).ok());
        if let Some(size) = size.filter(|size| *size > PART_BYTES) {
            self.take(size, limit);
        }
    }

    /// What its handler has not read of the body.
    pub(super) fn left(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.load.body_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize, limit: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let held = self.load.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = held + bytes <= limit;
        if !fits {
            self.refused.store(true, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.load.body_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Most of a request's body that is read and thrown away when nobody wants it, in bytes, and for how long.
const LEFT_BYTES: usize = 256 * 1024;
const LEFT_TIME: Duration = Duration::from_secs(1);

/// Reads what a client still sends of a body that nobody wants, within bounds. Without that HTTP/2 resets the stream beside its
/// answer, and clients such as curl 7.88 tell of the reset and not of the answer.
pub(super) async fn throw_away(mut body: Incoming) {
    let read = async {
        let mut bytes = 0;
        while bytes < LEFT_BYTES
            && let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(LEFT_TIME, read).await;
}

/// A request's body.
pub(super) struct Inbound {
    /// None only while this is dropped.
    body: Option<Incoming>,
    share: Arc<Share>,
    limit_bytes: usize,
}

impl Inbound {
    pub(super) fn new(body: Incoming, share: Arc<Share>, limit_bytes: usize) -> Inbound {
        Inbound {
            body: Some(body),
            share,
            limit_bytes,
        }
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        *self.share.left() = left;
    }
}

impl HttpBody for Inbound {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        let bytes = match &frame {
            Some(Ok(frame)) => FRAME_BYTES + frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        if !self.share.take(bytes, self.limit_bytes) {
            return Poll::Ready(Some(Err("too much is held of all bodies".into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

/// When a follow has to end.
pub(super) type Over = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer's body.
pub(super) struct Outbound {
    body: Body,
    rest: Bytes,
    over: Option<Over>,
    answer: u64,
    working: Working,
    _held: Option<Held>,
    share: Option<Arc<Share>>,
    limit_bytes: usize,
    /// What is counted of a follow.
    followed_bytes: usize,
}

impl Outbound {
    pub(super) fn new(body: Body, working: Working) -> Outbound {
        Outbound {
            body,
            rest: Bytes::new(),
            over: None,
            answer: working.answer(),
            working,
            _held: None,
            share: None,
            limit_bytes: 0,
            followed_bytes: 0,
        }
    }

    /// What stays counted until the answer has left, and when that has to be if it is a follow. What a follow's client has not taken
    /// counts as well, below `limit_bytes` of all together.
    pub(super) fn holding(
        mut self,
        held: Held,
        share: Arc<Share>,
        limit_bytes: usize,
        over: Option<Over>,
    ) -> Outbound {
        self._held = Some(held);
        self.share = Some(share);
        self.limit_bytes = limit_bytes;
        self.over = over;
        self
    }

    /// Counts what a follow has given last, in place of what it gave before; false if it is too much.
    fn count_followed(&mut self, bytes: usize) -> bool {
        let Some(share) = self.share.as_ref().filter(|_| self.over.is_some()) else {
            return true;
        };
        share.give_back(self.followed_bytes);
        self.followed_bytes = bytes;
        share.take(bytes, self.limit_bytes)
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            if let Some(over) = &mut self.over
                && over.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        if !self.count_followed(data.len()) {
                            // Its client comes back, and goes on where it was.
                            return Poll::Ready(None);
                        }
                        self.rest = data;
                    }
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let part = self.rest.len().min(PART_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(part)))))
    }
}

impl HttpBody for Outbound {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Who asks for more has taken what there was.
        let answer = self.answer;
        self.working.given(answer, false);
        let next = self.next(cx);
        if matches!(next, Poll::Ready(Some(_))) {
            self.working.given(answer, true);
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.working.done(self.answer);
    }
}
