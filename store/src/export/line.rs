//! The lines of an export: one JSON object each, whose first member `kind` says what it is. `EXPORT.md` has them as
//! tables.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the export's format; raised when an older version could not read it.
pub(crate) const VERSION: u32 = 1;

pub(crate) type Text<'a> = Cow<'a, str>;

/// A line without its check.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Line<'a> {
    Export(Header<'a>),
    Log(LogLine<'a>),
    PublicStream(PublicStreamLine<'a>),
    Cursor(CursorLine<'a>),
    Relay(RelayLine<'a>),
    Parked(ParkedLine<'a>),
    Resolution(ResolutionLine<'a>),
    Event(EventLine<'a>),
    System(SystemLine<'a>),
    Marker(MarkerLine<'a>),
    Public(PublicLine<'a>),
    Settlement(SettlementLine<'a>),
    End(End<'a>),
}

/// The first line: what the export is, and the store's own entry.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Header<'a> {
    pub(crate) version: u32,
    pub(crate) store_format: u16,
    #[serde(borrow)]
    pub(crate) store: Text<'a>,
    #[serde(borrow)]
    pub(crate) secret: Text<'a>,
    pub(crate) made_ms: u64,
    pub(crate) epoch: u64,
}

/// A log, and where it ended at the moment of the export.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LogLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) made_ms: u64,
    pub(crate) head: u64,
    pub(crate) events: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PublicStreamLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    #[serde(borrow)]
    pub(crate) stream: Text<'a>,
    pub(crate) head: u64,
    pub(crate) crossed: u64,
    pub(crate) filtered: u64,
    pub(crate) unmatched: u64,
    pub(crate) violated: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CursorLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    #[serde(borrow)]
    pub(crate) cursor: Text<'a>,
    pub(crate) at: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RelayLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    #[serde(borrow)]
    pub(crate) relay: Text<'a>,
    #[serde(borrow)]
    pub(crate) stream: Text<'a>,
    pub(crate) cursor: u64,
    pub(crate) record: u64,
    pub(crate) confirmed: u64,
    pub(crate) unheard: u64,
    pub(crate) parked: u64,
    pub(crate) skipped: u64,
}

/// Where a key is parked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Scope<'a> {
    Crossing(Text<'a>),
    Relay(Text<'a>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ParkedLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) scope: Scope<'a>,
    pub(crate) at: u64,
    #[serde(borrow)]
    pub(crate) key: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Text<'a>>,
}

/// What became of an entry that was parked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResolutionLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) scope: Scope<'a>,
    pub(crate) at: u64,
    #[serde(borrow)]
    pub(crate) key_digest: Text<'a>,
    #[serde(borrow)]
    pub(crate) outcome: Text<'a>,
    pub(crate) left_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Text<'a>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) position: u64,
    #[serde(borrow)]
    pub(crate) stream: Text<'a>,
    pub(crate) revision: u64,
    #[serde(borrow)]
    pub(crate) source: Text<'a>,
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) r#type: Text<'a>,
    /// Pairs, as their order is kept; a value is a JSON Boolean, number or string.
    pub(crate) attributes: Vec<(Text<'a>, Value)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<Text<'a>>,
    pub(crate) recorded_ms: u64,
    pub(crate) commit_index: u32,
    pub(crate) commit_len: u32,
    /// Left out where it is false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flagged: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_base64: Option<Text<'a>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SystemLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) position: u64,
    #[serde(borrow)]
    pub(crate) record: Text<'a>,
    pub(crate) recorded_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body_base64: Option<Text<'a>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MarkerLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    pub(crate) position: u64,
    #[serde(borrow)]
    pub(crate) body_base64: Text<'a>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PublicLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    #[serde(borrow)]
    pub(crate) stream: Text<'a>,
    pub(crate) sequence: u64,
    pub(crate) origin: u64,
    pub(crate) crossed_ms: u64,
    #[serde(borrow)]
    pub(crate) contract_version: Text<'a>,
    #[serde(borrow)]
    pub(crate) r#type: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) key: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_base64: Option<Text<'a>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SettlementLine<'a> {
    #[serde(borrow)]
    pub(crate) log: Text<'a>,
    #[serde(borrow)]
    pub(crate) relay: Text<'a>,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) begun_ms: u64,
    pub(crate) settled_ms: u64,
    pub(crate) unheard: Vec<u64>,
    pub(crate) parked: Vec<u64>,
}

/// The last line: how much there was, and a BLAKE3 of all bytes before it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct End<'a> {
    #[serde(borrow)]
    pub(crate) blake3: Text<'a>,
    pub(crate) counts: Counts,
}

/// How many lines of each kind an export has, the first and the last not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Logs.
    pub logs: u64,
    /// Private events.
    pub events: u64,
    /// System records.
    pub system: u64,
    /// Markers.
    pub markers: u64,
    /// Public streams.
    pub public_streams: u64,
    /// Public events.
    pub public_events: u64,
    /// Cursors of the crossing.
    pub cursors: u64,
    /// Relays.
    pub relays: u64,
    /// Settlements.
    pub settlements: u64,
    /// Parked entries.
    pub parked: u64,
    /// Entries that were parked and have left.
    pub resolutions: u64,
}

impl Counts {
    /// Counts a line.
    pub(crate) fn count(&mut self, line: &Line<'_>) {
        let counter = match line {
            Line::Export(_) | Line::End(_) => return,
            Line::Log(_) => &mut self.logs,
            Line::PublicStream(_) => &mut self.public_streams,
            Line::Cursor(_) => &mut self.cursors,
            Line::Relay(_) => &mut self.relays,
            Line::Parked(_) => &mut self.parked,
            Line::Resolution(_) => &mut self.resolutions,
            Line::Event(_) => &mut self.events,
            Line::System(_) => &mut self.system,
            Line::Marker(_) => &mut self.markers,
            Line::Public(_) => &mut self.public_events,
            Line::Settlement(_) => &mut self.settlements,
        };
        *counter = counter.saturating_add(1);
    }
}
