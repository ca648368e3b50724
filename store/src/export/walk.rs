//! What an export goes through, in pages.
//!
//! First, at one moment of the database: heads, cursors, relays, parked entries and what became of those that left. They
//! move, so they are read from a snapshot; they are few, so it is held for short. Then all that is written once and never again: records up to the
//! log's head of that moment, public events up to the public stream's, settlements up to the relay's cursor. They are
//! read in pages, each with an iterator of its own, so that neither compaction nor the writer is held up.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;

use super::convert;
use super::find::{marker, named};
use super::line::{
    CursorLine, Header, Line, LogLine, MarkerLine, PublicStreamLine, RelayLine, SettlementLine,
    SystemLine, VERSION,
};
use super::lines::LineWriter;
use super::parked::{parked, resolutions};
use super::{ExportError, Exported, Progress};
use crate::database::{Database, Moment, damaged};
use crate::event::Record;
use crate::folder::hex;
use crate::keys::{self, LogId};
use crate::names::{CursorName, LogName, PublicStreamName, RelayName};
use crate::page::ReadLimit;
use crate::place::{Position, Sequence};
use crate::reading;
use crate::state::{self, FORMAT, LogHead, RelayState, SettlementRecord, StoreEntry};

/// What is read at a time: 10,000 records, 4 MiB.
const PAGE: ReadLimit = ReadLimit {
    records: ReadLimit::RECORDS_MAX,
    bytes: 4 * 1024 * 1024,
};

/// An export under way.
pub(super) struct Walk<W> {
    lines: LineWriter<W>,
    left: VecDeque<(LogName, LogId, Part)>,
    total: u64,
}

/// What is still to be written of a log.
enum Part {
    Records {
        after: Position,
        head: Position,
    },
    Public {
        stream: PublicStreamName,
        after: Sequence,
        head: Sequence,
    },
    Settlements {
        relay: RelayName,
        from: Sequence,
        /// The relay's last record, as it was: it takes in what is settled after.
        last: SettlementRecord,
    },
}

impl<W: Write> Walk<W> {
    /// Writes all that moves, as it is at one moment.
    pub(super) fn begin(database: &Database, to: W) -> Result<Self, ExportError> {
        let mut walk = Self {
            lines: LineWriter::new(to),
            left: VecDeque::new(),
            total: 0,
        };
        let moment = database.moment();
        let entry = moment.get(&keys::store(), StoreEntry::decode)?;
        let Some(Ok(entry)) = entry else {
            return Err(damaged(&keys::store().bytes, "it is missing").into());
        };
        walk.lines.line(&Line::Export(Header {
            version: VERSION,
            store_format: FORMAT,
            store: hex(&entry.id).into(),
            secret: hex(&entry.secret).into(),
            made_ms: entry.created_ms,
            epoch: entry.epoch,
        }))?;
        let mut logs = named(
            &moment,
            &keys::log_registrations(),
            LogName::new,
            state::decode_log,
        )?;
        logs.sort_by_key(|(_, (id, _))| *id);
        for (log, (id, made_ms)) in logs {
            walk.log(&moment, &log, id, made_ms)?;
        }
        Ok(walk)
    }

    fn log(
        &mut self,
        moment: &Moment<'_>,
        log: &LogName,
        id: LogId,
        made_ms: u64,
    ) -> Result<(), ExportError> {
        let key = keys::log_head(id);
        let LogHead { last, events } = moment
            .get(&key, LogHead::decode)?
            .ok_or_else(|| damaged(&key.bytes, "it is missing"))?;
        self.total = self.total.saturating_add(events);
        self.lines.line(&Line::Log(LogLine {
            log: log.as_str().into(),
            made_ms,
            head: last.get(),
            events,
        }))?;
        let mut parts = vec![Part::Records {
            after: Position::ZERO,
            head: last,
        }];
        parts.extend(self.public_streams(moment, log, id)?);
        self.cursors(moment, log, id)?;
        parts.extend(self.relays(moment, log, id)?);
        parked(&mut self.lines, moment, log, id)?;
        resolutions(&mut self.lines, moment, log, id)?;
        let parts = parts.into_iter().map(|part| (log.clone(), id, part));
        self.left.extend(parts);
        Ok(())
    }

    fn public_streams(
        &mut self,
        moment: &Moment<'_>,
        log: &LogName,
        id: LogId,
    ) -> Result<Vec<Part>, ExportError> {
        let mut parts = Vec::new();
        let family = keys::public_heads(id);
        let decode = state::decode_public_head;
        for (stream, head) in named(moment, &family, PublicStreamName::new, decode)? {
            self.total = self.total.saturating_add(head.crossed);
            self.lines.line(&Line::PublicStream(PublicStreamLine {
                log: log.as_str().into(),
                stream: stream.as_str().into(),
                head: head.last.get(),
                crossed: head.crossed,
                filtered: head.counts.filtered,
                unmatched: head.counts.unmatched,
                violated: head.counts.violated,
            }))?;
            parts.push(Part::Public {
                stream,
                after: Sequence::ZERO,
                head: head.last,
            });
        }
        Ok(parts)
    }

    fn cursors(
        &mut self,
        moment: &Moment<'_>,
        log: &LogName,
        id: LogId,
    ) -> Result<(), ExportError> {
        let family = keys::crossing_cursors(id);
        for (cursor, at) in named(moment, &family, CursorName::new, state::decode_number)? {
            self.lines.line(&Line::Cursor(CursorLine {
                log: log.as_str().into(),
                cursor: cursor.as_str().into(),
                at,
            }))?;
        }
        Ok(())
    }

    fn relays(
        &mut self,
        moment: &Moment<'_>,
        log: &LogName,
        id: LogId,
    ) -> Result<Vec<Part>, ExportError> {
        let mut parts = Vec::new();
        let family = keys::relays(id);
        for (relay, state) in named(moment, &family, RelayName::new, RelayState::decode)? {
            self.lines.line(&Line::Relay(RelayLine {
                log: log.as_str().into(),
                relay: relay.as_str().into(),
                stream: state.stream.as_str().into(),
                cursor: state.cursor.get(),
                record: state.record.get(),
                confirmed: state.totals.confirmed,
                unheard: state.totals.unheard,
                parked: state.totals.parked,
                skipped: state.totals.skipped,
            }))?;
            let key = keys::settlement(id, &relay, state.record);
            let last = moment.get(&key, SettlementRecord::decode)?;
            parts.push(Part::Settlements {
                relay,
                from: Sequence::ZERO,
                last: last.ok_or_else(|| damaged(&key.bytes, "it is missing"))?,
            });
        }
        Ok(parts)
    }

    /// Writes the next page. False when there is no more.
    pub(super) fn step(&mut self, database: &Database) -> Result<bool, ExportError> {
        let Some((log, id, part)) = self.left.pop_front() else {
            return Ok(false);
        };
        let rest = match part {
            Part::Records { after, head } => self.records(database, &log, id, after, head)?,
            Part::Public {
                stream,
                after,
                head,
            } => self.public(database, &log, id, stream, after, head)?,
            Part::Settlements { relay, from, last } => {
                self.settlements(database, &log, id, relay, from, last)?
            }
        };
        if let Some(part) = rest {
            self.left.push_front((log, id, part));
        }
        Ok(true)
    }

    fn records(
        &mut self,
        database: &Database,
        log: &LogName,
        id: LogId,
        after: Position,
        head: Position,
    ) -> Result<Option<Part>, ExportError> {
        let page = reading::log(
            database,
            reading::reach(after.get(), head.get()),
            id,
            after,
            head,
            PAGE,
        )?;
        for record in &page.records {
            match record {
                Record::Event(event) => self.lines.line(&convert::event(log, event))?,
                Record::System {
                    position,
                    kind,
                    body,
                    recorded_ms,
                } => {
                    let (body, body_base64) = convert::split(body);
                    self.lines.line(&Line::System(SystemLine {
                        log: log.as_str().into(),
                        position: position.get(),
                        record: kind.into(),
                        recorded_ms: *recorded_ms,
                        body,
                        body_base64,
                    }))?;
                }
                Record::Marker { position } => {
                    let body = marker(database, id, *position)?;
                    self.lines.line(&Line::Marker(MarkerLine {
                        log: log.as_str().into(),
                        position: position.get(),
                        body_base64: convert::encode_base64(&body).into(),
                    }))?;
                }
            }
        }
        let after = page.through;
        Ok((after < head).then_some(Part::Records { after, head }))
    }

    fn public(
        &mut self,
        database: &Database,
        log: &LogName,
        id: LogId,
        stream: PublicStreamName,
        after: Sequence,
        head: Sequence,
    ) -> Result<Option<Part>, ExportError> {
        let page = reading::public(
            database,
            reading::reach(after.get(), head.get()),
            id,
            &stream,
            after,
            head,
            PAGE,
        )?;
        for event in &page.events {
            self.lines.line(&convert::public(log, event))?;
        }
        let after = page.events.last().map_or(head, |event| event.sequence);
        Ok((after < head).then_some(Part::Public {
            stream,
            after,
            head,
        }))
    }

    fn settlements(
        &mut self,
        database: &Database,
        log: &LogName,
        id: LogId,
        relay: RelayName,
        from: Sequence,
        last: SettlementRecord,
    ) -> Result<Option<Part>, ExportError> {
        let mut page = Vec::new();
        let mut bytes = 0_usize;
        let start = keys::settlement(id, &relay, from).bytes;
        database.scan(&keys::settlements(id, &relay), &start, |key, body| {
            let record = SettlementRecord::decode(body)?;
            if record.from >= last.from {
                return Ok(ControlFlow::Break(()));
            }
            page.push(record);
            bytes = bytes.saturating_add(key.len() + body.len());
            Ok(if page.len() < PAGE.records && bytes < PAGE.bytes {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        let full = page.len() >= PAGE.records || bytes >= PAGE.bytes;
        let next = page.last().map(|record| record.to);
        for record in page {
            self.settlement(log, &relay, record)?;
        }
        match next.filter(|_| full) {
            Some(from) => Ok(Some(Part::Settlements { relay, from, last })),
            None => {
                self.settlement(log, &relay, last)?;
                Ok(None)
            }
        }
    }

    fn settlement(
        &mut self,
        log: &LogName,
        relay: &RelayName,
        record: SettlementRecord,
    ) -> Result<(), ExportError> {
        self.lines.line(&Line::Settlement(SettlementLine {
            log: log.as_str().into(),
            relay: relay.as_str().into(),
            from: record.from.get(),
            to: record.to.get(),
            begun_ms: record.begun_ms,
            settled_ms: record.at_ms,
            unheard: record.unheard,
            parked: record.parked,
        }))?;
        Ok(())
    }

    pub(super) fn progress(&self) -> Progress {
        let counts = &self.lines.counts;
        Progress {
            done: counts.events.saturating_add(counts.public_events),
            total: self.total,
        }
    }

    /// Writes the last line.
    pub(super) fn end(self) -> Result<(W, Exported), ExportError> {
        let counts = self.lines.counts;
        let (to, blake3, bytes) = self.lines.end()?;
        Ok((
            to,
            Exported {
                counts,
                bytes,
                blake3,
            },
        ))
    }
}
