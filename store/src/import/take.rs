//! Taking lines, one after the other: each is checked, and put into a batch.

use std::collections::HashMap;

use super::check::{TakenLog, known, number};
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::export::Progress;
use crate::export::convert::{attribute, decode_base64, join, outcome_of};
use crate::export::line::{
    CursorLine, EventLine, Header, Line, MarkerLine, ParkedLine, PublicLine, PublicStreamLine,
    RelayLine, ResolutionLine, Scope, SettlementLine, SystemLine, VERSION,
};
use crate::keep::KeepError;
use crate::names::{CursorName, PublicStreamName, RelayName, StreamName};
use crate::parked::{NewParked, ParkScope, Resolution};
use crate::place::{Position, Revision, Sequence};
use crate::public::{Counts, NewPublicEvent, PublicHead};
use crate::record::EventPlace;
use crate::relay::RelayTotals;
use crate::state::{FORMAT, RelayState, SettlementRecord, StoreEntry};
use crate::writer::{Draft, Fits};

/// Why a line was not taken.
pub(super) enum Refused {
    Line(String),
    Store(StoreError),
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self::Line(reason)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What was taken so far.
#[derive(Default)]
pub(super) struct Taker {
    /// None before the first line.
    store: Option<(StoreEntry, Secrets)>,
    logs: HashMap<String, TakenLog>,
    progress: Progress,
}

/// A text as the name that it must be.
fn name<N, E: std::fmt::Display>(made: Result<N, E>) -> Result<N, String> {
    made.map_err(|error| error.to_string())
}

/// A text that is part of a key, and so cannot hold a zero byte or be empty.
fn in_key(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains(char::is_control) {
        Err(format!("its {what} is empty or has a control character"))
    } else {
        Ok(())
    }
}

fn hex<const N: usize>(what: &str, text: &str) -> Result<[u8; N], String> {
    let wrong = || format!("its {what} is not {} hexadecimal digits", 2 * N);
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return Err(wrong());
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * index..2 * index + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

impl Taker {
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// The store's own entry, as it was.
    pub(super) fn entry(self) -> Result<StoreEntry, KeepError> {
        let missing = || KeepError::refused("the export", "it has no first line");
        self.store.map(|(entry, _)| entry).ok_or_else(missing)
    }

    pub(super) fn take(&mut self, line: Line<'_>, draft: &mut Draft<'_>) -> Result<(), Refused> {
        let Some((entry, secrets)) = &self.store else {
            self.store = Some(first(line)?);
            return Ok(());
        };
        let logs = &mut self.logs;
        match line {
            Line::Export(_) => return Err(Refused::Line("it is a second first line".into())),
            Line::Log(line) => {
                let log = TakenLog::new(&line, entry.epoch)?;
                self.progress.total = self.progress.total.saturating_add(line.events);
                draft.rebuild_log(&log.name, number("madeMs", line.made_ms)?);
                if logs.insert(line.log.to_string(), log).is_some() {
                    return Err(Refused::Line(format!("log {} was told before", line.log)));
                }
            }
            Line::PublicStream(line) => {
                self.progress.total = self.progress.total.saturating_add(line.crossed);
                public_stream(log_of(logs, &line.log)?, &line, draft)?;
            }
            Line::Cursor(line) => cursor(log_of(logs, &line.log)?, &line, draft)?,
            Line::Relay(line) => relay(log_of(logs, &line.log)?, &line, draft)?,
            Line::Parked(line) => parked(log_of(logs, &line.log)?, line, secrets, draft)?,
            Line::Resolution(line) => resolution(log_of(logs, &line.log)?, line, draft)?,
            Line::Event(line) => {
                event(log_of(logs, &line.log)?, line, secrets, draft)?;
                self.progress.done = self.progress.done.saturating_add(1);
            }
            Line::System(line) => system(log_of(logs, &line.log)?, line, draft)?,
            Line::Marker(line) => marker(log_of(logs, &line.log)?, &line, draft)?,
            Line::Public(line) => {
                public(log_of(logs, &line.log)?, line, secrets, draft)?;
                self.progress.done = self.progress.done.saturating_add(1);
            }
            Line::Settlement(line) => settlement(log_of(logs, &line.log)?, line, draft)?,
            Line::End(_) => logs.values().try_for_each(TakenLog::complete)?,
        }
        Ok(())
    }
}

fn log_of<'a>(
    logs: &'a mut HashMap<String, TakenLog>,
    log: &str,
) -> Result<&'a mut TakenLog, String> {
    known("log", logs, log)
}

fn first(line: Line<'_>) -> Result<(StoreEntry, Secrets), String> {
    let Line::Export(Header {
        version,
        store_format,
        store,
        secret,
        made_ms,
        epoch,
    }) = line
    else {
        return Err("an export begins with a line of the kind \"export\"".into());
    };
    if version > VERSION || store_format > FORMAT {
        return Err(format!(
            "the export has version {version} and is of a store of format {store_format}; this version reads up to {VERSION} and {FORMAT}: use a newer one"
        ));
    }
    let entry = StoreEntry {
        format: FORMAT,
        id: hex("store", &store)?,
        secret: hex("secret", &secret)?,
        created_ms: number("madeMs", made_ms)?,
        epoch,
    };
    let secrets = Secrets::new(entry.secret);
    Ok((entry, secrets))
}

fn public_stream(
    log: &mut TakenLog,
    line: &PublicStreamLine<'_>,
    draft: &mut Draft<'_>,
) -> Result<(), String> {
    log.public_stream(line)?;
    let stream = name(PublicStreamName::new(&line.stream))?;
    let head = PublicHead {
        last: Sequence::new(line.head),
        crossed: line.crossed,
        counts: Counts {
            filtered: line.filtered,
            unmatched: line.unmatched,
            violated: line.violated,
        },
    };
    draft.rebuild_public_head(&log.name, &stream, &head);
    Ok(())
}

fn cursor(log: &TakenLog, line: &CursorLine<'_>, draft: &mut Draft<'_>) -> Result<(), String> {
    let at = log.up_to_head("place", line.at)?;
    let cursor = name(CursorName::new(&line.cursor))?;
    draft.rebuild_cursor(&log.name, &cursor, at);
    Ok(())
}

fn relay(log: &mut TakenLog, line: &RelayLine<'_>, draft: &mut Draft<'_>) -> Result<(), String> {
    log.relay(line)?;
    let relay = name(RelayName::new(&line.relay))?;
    let state = RelayState {
        stream: name(PublicStreamName::new(&line.stream))?,
        cursor: Sequence::new(line.cursor),
        record: Sequence::new(line.record),
        totals: RelayTotals {
            confirmed: line.confirmed,
            unheard: line.unheard,
            parked: line.parked,
            skipped: line.skipped,
        },
    };
    draft.rebuild_relay(&log.name, &relay, &state);
    Ok(())
}

fn parked(
    log: &mut TakenLog,
    line: ParkedLine<'_>,
    secrets: &Secrets,
    draft: &mut Draft<'_>,
) -> Result<(), Refused> {
    let entry = NewParked {
        scope: parked_at(log, &line.scope, line.at)?,
        key: line.key.into_owned(),
        at: line.at,
        reason: line.reason.map(Into::into),
    };
    draft.rebuild_parked(&log.name, secrets, entry)?;
    Ok(())
}

fn resolution(
    log: &mut TakenLog,
    line: ResolutionLine<'_>,
    draft: &mut Draft<'_>,
) -> Result<(), String> {
    let scope = parked_at(log, &line.scope, line.at)?;
    let digest = hex("keyDigest", &line.key_digest)?;
    let resolution = Resolution {
        outcome: outcome_of(&scope, &line.outcome, line.reason)?,
        at_ms: number("leftMs", line.left_ms)?,
    };
    draft.rebuild_resolution(&log.name, &scope, line.at, &digest, &resolution);
    Ok(())
}

/// The scope of something parked, which must have passed its place.
fn parked_at(log: &mut TakenLog, scope: &Scope<'_>, at: u64) -> Result<ParkScope, String> {
    match scope {
        Scope::Crossing(stream) => {
            log.up_to_head("place", at)?;
            name(PublicStreamName::new(stream)).map(ParkScope::Crossing)
        }
        Scope::Relay(relay) => {
            let relay = known("relay", &mut log.relays, relay)?;
            if at > relay.cursor {
                return Err(format!(
                    "its place is {at}, and relay {} is at {}",
                    relay.name, relay.cursor
                ));
            }
            Ok(ParkScope::Relay(relay.name.clone()))
        }
    }
}

fn event(
    log: &mut TakenLog,
    line: EventLine<'_>,
    secrets: &Secrets,
    draft: &mut Draft<'_>,
) -> Result<(), Refused> {
    let position = log.event(line.position, line.commit_index, line.commit_len)?;
    let stream = name(StreamName::new(&line.stream))?;
    let revision = Revision::new(number("revision", line.revision)?);
    in_key("type", &line.r#type)?;
    let mut attributes = Vec::with_capacity(line.attributes.len());
    for (name, value) in line.attributes {
        attributes.push((name.into_owned(), attribute(value)?));
    }
    let event = NewEvent {
        id: line.id.into_owned(),
        source: Some(line.source.into_owned()),
        event_type: line.r#type.into_owned(),
        attributes,
        media_type: line.media_type.map(Into::into),
        data: join(line.data, line.data_base64)?,
        flagged: line.flagged,
    };
    let (prepared, tail) = match draft.fits(&log.name, secrets, &stream, revision, &event)? {
        Fits::Yes(prepared, tail) => (prepared, tail),
        Fits::Revision(stored) => {
            return Err(Refused::Line(format!(
                "revision {revision} does not follow {stored}, the one before it in stream {stream}"
            )));
        }
        Fits::Known(at) => {
            return Err(Refused::Line(format!(
                "an event with its id {:?} and its source stands at position {at}",
                event.id
            )));
        }
    };
    let place = EventPlace {
        stream,
        revision,
        commit_index: line.commit_index,
        commit_len: line.commit_len,
    };
    draft.recorded(number("recordedMs", line.recorded_ms)?);
    draft.rebuild_event(&log.name, &prepared, tail, position, place)?;
    Ok(())
}

fn system(log: &mut TakenLog, line: SystemLine<'_>, draft: &mut Draft<'_>) -> Result<(), Refused> {
    let position = log.other(line.position)?;
    in_key("record", &line.record)?;
    let body = join(line.body, line.body_base64)?;
    let body = body.ok_or_else(|| "it has no body".to_owned())?;
    draft.recorded(number("recordedMs", line.recorded_ms)?);
    draft.rebuild_system(&log.name, position, &line.record, &body)?;
    Ok(())
}

fn marker(log: &mut TakenLog, line: &MarkerLine<'_>, draft: &mut Draft<'_>) -> Result<(), String> {
    let position = log.other(line.position)?;
    let body = decode_base64(&line.body_base64)?;
    draft.rebuild_marker(&log.name, position, &body);
    Ok(())
}

fn public(
    log: &mut TakenLog,
    line: PublicLine<'_>,
    secrets: &Secrets,
    draft: &mut Draft<'_>,
) -> Result<(), String> {
    let origin = log.up_to_head("origin", line.origin)?;
    if origin == Position::ZERO {
        return Err("its origin is 0, which is no position".into());
    }
    let stream = known("public stream", &mut log.public, &line.stream)?;
    let event = NewPublicEvent {
        sequence: stream.sequence(line.sequence)?,
        stream: stream.name.clone(),
        origin,
        contract_version: line.contract_version.into_owned(),
        event_type: line.r#type.into_owned(),
        name: line.name.into_owned(),
        id: line.id.into_owned(),
        key: line.key.into_owned(),
        event: join(line.event, line.event_base64)?.ok_or("it has no event")?,
    };
    draft.recorded(number("crossedMs", line.crossed_ms)?);
    draft.rebuild_public(&log.name, secrets, &event);
    Ok(())
}

fn settlement(
    log: &mut TakenLog,
    line: SettlementLine<'_>,
    draft: &mut Draft<'_>,
) -> Result<(), String> {
    let relay = known("relay", &mut log.relays, &line.relay)?;
    relay.settlement(&line)?;
    let record = SettlementRecord {
        from: Sequence::new(line.from),
        to: Sequence::new(line.to),
        begun_ms: line.begun_ms,
        at_ms: line.settled_ms,
        unheard: line.unheard,
        parked: line.parked,
    };
    draft.rebuild_settlement(&log.name, &relay.name, &record);
    Ok(())
}
