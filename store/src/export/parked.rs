//! What is parked at the moment of an export, and what became of the entries that have left.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::ExportError;
use super::convert;
use super::line::{Line, ParkedLine, ResolutionLine};
use super::lines::LineWriter;
use crate::codec::Flaw;
use crate::database::Moment;
use crate::folder::hex;
use crate::keys::{self, Family, LogId};
use crate::names::LogName;
use crate::state;

/// Writes the parked entries of a log. Their keys and places are rebuilt from them.
pub(super) fn parked<W: Write>(
    lines: &mut LineWriter<W>,
    moment: &Moment<'_>,
    log: &LogName,
    id: LogId,
) -> Result<(), ExportError> {
    each(moment, Family::Parked, id, |key, body| {
        let (scope, _, at) =
            keys::parked_parts(key).ok_or(Flaw::Content("the key is none of this family"))?;
        let entry = state::decode_parked(at, body)?;
        Ok(lines.line(&Line::Parked(ParkedLine {
            log: log.as_str().into(),
            scope: convert::scope(&scope),
            at,
            key: entry.key.into(),
            reason: entry.reason.map(Into::into),
        })))
    })
}

/// Writes what became of a log's entries that were parked.
pub(super) fn resolutions<W: Write>(
    lines: &mut LineWriter<W>,
    moment: &Moment<'_>,
    log: &LogName,
    id: LogId,
) -> Result<(), ExportError> {
    each(moment, Family::Resolution, id, |key, body| {
        let (scope, at, digest) =
            keys::parked_place_parts(key).ok_or(Flaw::Content("the key is none of this family"))?;
        let resolution = state::decode_resolution(body)?;
        let (outcome, reason) = convert::outcome(&resolution.outcome);
        Ok(lines.line(&Line::Resolution(ResolutionLine {
            log: log.as_str().into(),
            scope: convert::scope(&scope),
            at,
            key_digest: hex(&digest).into(),
            outcome: outcome.into(),
            left_ms: resolution.at_ms,
            reason: reason.map(Into::into),
        })))
    })
}

/// Writes a line for each entry of a family.
fn each(
    moment: &Moment<'_>,
    family: Family,
    log: LogId,
    mut write: impl FnMut(&[u8], &[u8]) -> Result<io::Result<()>, Flaw>,
) -> Result<(), ExportError> {
    let all = keys::all_of(family, log);
    let mut failed = None;
    moment.scan(&all, &all.bytes, |key, body| {
        failed = write(key, body)?.err();
        Ok(match failed {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        })
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}
