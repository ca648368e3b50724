//! Following: events as server-sent events (HTML standard, section 9.2), through history into the present.
//!
//! - What is sent is read when the connection takes it: a reader that is slow or stands still costs one page, and delays nobody.
//! - The `id` of each is the place behind which a reader goes on that comes back, without a gap or a repeat.
//! - A follow ends when the daemon stops, and after [`LONGEST`]: whoever comes back is asked again whether it may.

mod sources;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use horizon_store::{Position, ReadLimit, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;

use super::problem::Problem;
use super::refusals::malformed;
pub(super) use sources::{LogSource, PublicSource, StreamSource};

/// After so long without anything to send, something is sent all the same.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A follow that passes so many places without an event of its own tells where it is.
const PASSED_LIMIT: u64 = 1_000;
/// Longest follow.
const LONGEST: Duration = Duration::from_secs(3_600);
/// After so many milliseconds a client that lost its connection should come back.
const RETRY_MILLISECONDS: u64 = 1_000;
/// Events of one read, and bytes of them: what each follow may hold at a time.
const READ_LIMIT: ReadLimit = ReadLimit {
    records: 256,
    bytes: 256 * 1024,
};

/// When all follows of the daemon end.
#[derive(Clone)]
pub(crate) struct Follows {
    stop: watch::Receiver<bool>,
}

impl Follows {
    /// Follows that end when `stop` says so.
    pub(crate) fn new(stop: watch::Receiver<bool>) -> Follows {
        Follows { stop }
    }

    /// Ends when a long poll has waited for so long, or when the daemon stops.
    pub(super) async fn patience(&self, began: Began, wait: Duration) {
        let mut stop = self.stop.clone();
        let stopped = stop.wait_for(|stop| *stop);
        let _ = tokio::time::timeout_at(began.0 + wait, stopped).await;
    }
}

/// When a request came in. One that waited, and whose caller is another by then, is looked at again, and waits no longer for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began(Instant);

impl Began {
    pub(crate) fn now() -> Began {
        Began(Instant::now())
    }
}

impl<S: Sync> FromRequestParts<S> for Began {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Began, Infallible> {
        let before = parts.extensions.get::<Began>().copied();
        Ok(before.unwrap_or_else(Began::now))
    }
}

/// Where a client that comes back was, by the header that it sends by itself.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    // A client that has seen none may send an empty one.
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        malformed(format!("the header `Last-Event-ID` is {text:?}"))
            .mend("send the `id` of the last event as it came, or leave it out")
    })
}

/// An event to send.
pub(super) struct Told {
    /// Its position or sequence.
    pub(super) place: u64,
    /// The CloudEvent, on one line.
    pub(super) data: Bytes,
}

/// What a source has read.
pub(super) struct Step {
    pub(super) events: Vec<Told>,
    /// Everything up to here was looked at.
    pub(super) through: u64,
    /// The last place that there was.
    pub(super) head: u64,
}

/// Something to follow.
pub(super) trait Source: Send + 'static {
    /// Where it begins, and the last place that there is now.
    fn begins(&self) -> (u64, u64);

    /// The next step; it waits for one. If the call is dropped, nothing is lost.
    fn next(&mut self) -> impl Future<Output = Result<Step, StoreError>> + Send;
}

/// The answer that never ends by itself.
pub(super) fn answer<S: Source>(source: S, follows: &Follows, method: &Method) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
        // What stands between must not gather it.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    let headers = HeaderMap::from_iter(headers);
    if *method == Method::HEAD {
        return headers.into_response();
    }
    let (after, _) = source.begins();
    let following = Following {
        source,
        stop: follows.stop.clone(),
        teller: Teller::new(after),
        ends: Instant::now() + LONGEST,
        sent: Instant::now(),
        has_begun: false,
    };
    let chunks = stream::unfold(following, |following| async {
        let (chunk, following) = following.chunk().await?;
        Some((Ok::<_, Infallible>(chunk), following))
    });
    (headers, Body::from_stream(chunks)).into_response()
}

struct Following<S> {
    source: S,
    stop: watch::Receiver<bool>,
    teller: Teller,
    ends: Instant,
    /// When something was sent last.
    sent: Instant,
    has_begun: bool,
}

impl<S: Source> Following<S> {
    /// What is to be sent next; none: it ends.
    async fn chunk(mut self) -> Option<(Bytes, Self)> {
        let mut text = String::new();
        if !self.has_begun {
            self.has_begun = true;
            let _ = write!(text, "retry: {RETRY_MILLISECONDS}\n\n");
            let (after, head) = self.source.begins();
            self.teller.caught_up(after, head, &mut text);
        }
        while text.is_empty() {
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep_until(self.ends) => return None,
                () = tokio::time::sleep_until(self.sent + KEEP_ALIVE) => self.teller.idle(&mut text),
                step = self.source.next() => match step {
                    Ok(step) => self.teller.tell(step, &mut text),
                    Err(StoreError::Closed) => return None,
                    Err(error) => {
                        tracing::warn!(%error, "a follow ends; its reader comes back");
                        return None;
                    }
                },
            }
        }
        self.sent = Instant::now();
        Some((text.into(), self))
    }
}

/// What was told of a follow.
struct Teller {
    /// The last `id` that was sent, or where it began.
    told: u64,
    /// Everything up to here was looked at.
    through: u64,
    is_caught_up: bool,
}

impl Teller {
    fn new(after: u64) -> Teller {
        Teller {
            told: after,
            through: after,
            is_caught_up: false,
        }
    }

    fn tell(&mut self, step: Step, text: &mut String) {
        for event in step.events {
            self.epoch(event.place, text);
            let data = String::from_utf8_lossy(&event.data);
            let _ = write!(text, "id: {}\ndata: {data}\n\n", event.place);
            self.told = event.place;
        }
        self.through = step.through;
        self.caught_up(step.through, step.head, text);
        if self.through.saturating_sub(self.told) >= PASSED_LIMIT {
            self.place("position", text);
        }
    }

    /// Tells once that history has ended.
    fn caught_up(&mut self, through: u64, head: u64, text: &mut String) {
        if !self.is_caught_up && through >= head {
            self.is_caught_up = true;
            self.through = through;
            self.place("caught-up", text);
        }
    }

    /// There was nothing to send for a while.
    fn idle(&mut self, text: &mut String) {
        if self.through > self.told {
            self.place("position", text);
        } else {
            text.push_str(": still there\n\n");
        }
    }

    fn place(&mut self, event: &str, text: &mut String) {
        let through = self.through;
        self.epoch(through, text);
        let _ = write!(
            text,
            "id: {through}\nevent: {event}\ndata: {{\"through\":{through}}}\n\n"
        );
        self.told = through;
    }

    /// Tells, before the first place of a later epoch, that one begins.
    fn epoch(&self, next: u64, text: &mut String) {
        let epoch = Position::new(next).epoch();
        if epoch > Position::new(self.told).epoch() {
            let _ = write!(text, "event: epoch\ndata: {{\"epoch\":{epoch}}}\n\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 1 << 40;

    fn told(teller: &mut Teller, places: &[u64], through: u64, head: u64) -> String {
        let told = |place: &u64| Told {
            place: *place,
            data: Bytes::from_static(b"{}"),
        };
        let mut text = String::new();
        let events = places.iter().map(told).collect();
        let step = Step {
            events,
            through,
            head,
        };
        teller.tell(step, &mut text);
        text
    }

    #[test]
    fn history_ends_once_and_a_long_passage_tells_its_place() {
        let mut teller = Teller::new(0);
        assert_eq!(
            told(&mut teller, &[1, 2], 2, 9),
            "id: 1\ndata: {}\n\nid: 2\ndata: {}\n\n"
        );
        assert_eq!(told(&mut teller, &[], 8, 9), "");
        assert_eq!(
            told(&mut teller, &[9], 9, 9),
            "id: 9\ndata: {}\n\nid: 9\nevent: caught-up\ndata: {\"through\":9}\n\n"
        );
        assert_eq!(told(&mut teller, &[10], 10, 10), "id: 10\ndata: {}\n\n");
        assert_eq!(told(&mut teller, &[], 1_009, 1_009), "");
        assert_eq!(
            told(&mut teller, &[], 1_010, 1_010),
            "id: 1010\nevent: position\ndata: {\"through\":1010}\n\n"
        );
    }

    #[test]
    fn silence_is_broken_with_the_place_or_with_a_comment() {
        let mut teller = Teller::new(5);
        let mut text = String::new();
        teller.idle(&mut text);
        assert_eq!(text, ": still there\n\n");
        assert_eq!(told(&mut teller, &[], 7, 9), "");
        text.clear();
        teller.idle(&mut text);
        assert_eq!(text, "id: 7\nevent: position\ndata: {\"through\":7}\n\n");
    }

    #[test]
    fn an_epoch_is_told_before_its_first_place() {
        let mut teller = Teller::new(3);
        let text = told(
            &mut teller,
            &[4, EPOCH + 2, EPOCH + 3],
            EPOCH + 3,
            EPOCH + 9,
        );
        let due = format!(
            "id: 4\ndata: {{}}\n\nevent: epoch\ndata: {{\"epoch\":1}}\n\nid: {}\ndata: {{}}\n\nid: {}\ndata: {{}}\n\n",
            EPOCH + 2,
            EPOCH + 3
        );
        assert_eq!(text, due);
    }
}
