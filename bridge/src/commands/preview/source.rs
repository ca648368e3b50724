//! Where a preview takes private events from: a file of JSON lines, a stopped store, or the running daemon. Nothing is written.

use std::path::Path;

use horizon_schemas::{Admitted, Door, PrivateEvent, PrivateSchemas, Refusal};
use horizon_store::{LogName, Position, ReadLimit, Record, Selection, Store};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::client::Client;
use crate::commands::import::lines::Lines;
use crate::commands::{Failure, open_stopped, run_to_end};
use crate::crossing::pass::{payload, private_event};
use crate::http::read::path_segment;

/// Bytes of records that are read from a store at a time.
const PAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// A private event that came from outside the store, with the place that it is told by.
struct Told {
    place: String,
    stream: String,
    source: Option<String>,
    id: String,
    event_type: String,
    time: Option<String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
    recorded_ms: u64,
    flagged: bool,
    data: Value,
}

impl Told {
    /// From the members of an event as it is appended.
    fn of(
        place: String,
        stream: String,
        recorded_ms: u64,
        event: &mut Value,
    ) -> Result<Told, Failure> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| {
            text(name).ok_or_else(|| {
                Failure::Mend(format!("{place}: the event has no `{name}`\n  = mend: each line of the file is one event, {{\"stream\": \"…\", \"id\": \"…\", \"type\": \"…\", \"data\": …}}"))
            })
        };
        let (id, event_type) = (required("id")?, required("type")?);
        let (source, time) = (text("source"), text("time"));
        Ok(Told {
            stream,
            source,
            id,
            event_type,
            time,
            traceparent: text("traceparent"),
            tracestate: text("tracestate"),
            recorded_ms,
            flagged: false,
            data: event.get_mut("data").map_or(Value::Null, Value::take),
            place,
        })
    }

    fn event(&self) -> PrivateEvent<'_> {
        PrivateEvent {
            source: self.source.as_deref().unwrap_or(&self.stream),
            id: &self.id,
            stream: &self.stream,
            category: self.stream.split('-').next().unwrap_or_default(),
            event_type: &self.event_type,
            time: self.time.as_deref(),
            traceparent: self.traceparent.as_deref(),
            tracestate: self.tracestate.as_deref(),
            recorded_ms: self.recorded_ms,
            flagged: self.flagged,
            data: &self.data,
        }
    }
}

/// One event of a source.
pub(super) enum Previewed<'a> {
    /// It is in the log, or could be.
    Event(&'a PrivateEvent<'a>),
    /// `horizon import` would not take it.
    Refused(&'a PrivateEvent<'a>, &'a Refusal),
}

/// What is done with each event, told by its place.
pub(super) type Each<'a> = &'a mut dyn FnMut(&str, Previewed<'_>);

/// What is shown of how far it is: what has been done of how much, if that is known.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Each event of a file, flagged or refused as `horizon import` would do it.
pub(super) fn file(
    path: &Path,
    schemas: &PrivateSchemas,
    each: Each<'_>,
    progress: OnProgress<'_>,
) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    while let Some(chunk) = lines.next_chunk()? {
        for (number, line) in chunk.lines() {
            let place = format!("line {number}");
            let mut event: Value = serde_json::from_str(line)
                .map_err(|error| Failure::Mend(format!("{place}: it is no JSON: {error}")))?;
            let stream = event
                .get("stream")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let stream =
                stream.ok_or_else(|| Failure::Mend(format!("{place}: `stream` is no text")))?;
            let mut told = Told::of(place, stream, 0, &mut event)?;
            let category = told.event().category;
            match schemas.admit(Door::Import, category, &told.event_type, Some(&told.data)) {
                Ok(admitted) => {
                    told.flagged = matches!(admitted, Admitted::Flagged(_));
                    each(&told.place, Previewed::Event(&told.event()));
                }
                Err(refusal) => each(&told.place, Previewed::Refused(&told.event(), &refusal)),
            }
        }
        progress(lines.read_bytes(), lines.total_bytes());
    }
    Ok(())
}

/// Each event of a category in a stopped store.
pub(super) fn store(
    folder: &Path,
    category: &str,
    each: Each<'_>,
    progress: OnProgress<'_>,
) -> Result<(), Failure> {
    run_to_end(async {
        let store = open_stopped(folder).await?;
        let read = read(&store, category, each, progress).await;
        let closed = store.close().await;
        read?;
        closed.map_err(|error| Failure::Failed(error.to_string()))
    })?
}

async fn read(
    store: &Store,
    category: &str,
    each: Each<'_>,
    progress: OnProgress<'_>,
) -> Result<(), Failure> {
    let (log, selection) = (LogName::main(), Selection::Category(category.to_owned()));
    let mut after = Position::ZERO;
    let limit = ReadLimit {
        records: 1_000,
        bytes: PAGE_LIMIT_BYTES,
    };
    loop {
        let page = store
            .read_log(&log, &selection, after, limit)
            .await
            .map_err(|error| Failure::Failed(error.to_string()))?;
        for record in &page.records {
            if let Record::Event(event) = record {
                let data = payload(event);
                each(
                    &format!("position {}", event.position),
                    Previewed::Event(&private_event(event, &data)),
                );
            }
        }
        if page.through <= after || page.through >= page.head {
            return Ok(());
        }
        after = page.through;
        progress(after.get(), Some(page.head.get()));
    }
}

/// Each event of a category in the running daemon's store.
pub(super) fn daemon(
    client: &Client,
    category: &str,
    each: Each<'_>,
    progress: OnProgress<'_>,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let mut page = client.get(&format!(
            "/log?category={}&after={after}",
            path_segment(category)
        ))?;
        let number = |name: &str| page.get(name).and_then(Value::as_u64);
        let (through, head) = number("through").zip(number("head")).ok_or_else(|| {
            Failure::Failed("the daemon's answer tells no `through` and `head`".to_owned())
        })?;
        let events = page.get_mut("events").and_then(Value::as_array_mut);
        for stored in events.into_iter().flatten() {
            let text = |name: &str| stored.get(name).and_then(Value::as_str);
            let stream = text("stream").unwrap_or_default().to_owned();
            let recorded_ms = text("recorded").map_or(0, milliseconds);
            let place = format!(
                "position {}",
                stored.get("position").unwrap_or(&Value::Null)
            );
            let flagged = stored.get("flagged") == Some(&Value::Bool(true));
            if let Some(event) = stored.get_mut("event") {
                let mut told = Told::of(place, stream, recorded_ms, event)?;
                told.flagged = flagged;
                each(&told.place, Previewed::Event(&told.event()));
            }
        }
        if through <= after || through >= head {
            return Ok(());
        }
        after = through;
        progress(after, Some(head));
    }
}

/// A time of RFC 3339 in milliseconds since 1970.
fn milliseconds(text: &str) -> u64 {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
        .unwrap_or(0)
}
