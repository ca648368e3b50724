//! Crossings and settlements: limits, places, digests.

use std::collections::HashSet;

use super::{
    PreparedCrossing, PreparedResolved, PreparedResolving, PreparedSettlement,
    RECORD_OVERHEAD_BYTES, parked_bytes, passes, prepare_parked, prepare_resolved, resolved_bytes,
};
use crate::digest::Secrets;
use crate::limits::{LimitError, Limits};
use crate::names::RelayName;
use crate::parked::{NewParked, ParkOutcome, ParkScope, ResolvedParked};
use crate::public::{Crossing, CursorMove, NewPublicEvent};
use crate::relay::Settlement;

/// Longest version, type, name or id of a public event, in bytes.
const PUBLIC_TEXT_MAX_BYTES: usize = 1_024;

pub(crate) fn crossing(
    mut crossing: Crossing,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedCrossing, LimitError> {
    for (what, count) in [
        ("the cursors of the crossing", crossing.cursors.len()),
        ("the public events of the crossing", crossing.public.len()),
        ("the parked entries of the crossing", crossing.parked.len()),
        ("the entries that leave", crossing.resolved.len()),
        ("the counts of the crossing", crossing.counts.len()),
    ] {
        LimitError::check_count(|| what.into(), count, limits.crossing_max_entries)?;
    }
    if crossing.cursors.is_empty() && crossing.resolved.is_empty() {
        return Err(LimitError::malformed(
            "the crossing",
            "it moves no cursor, and no parked entry leaves; at least one is needed",
        ));
    }
    check_moves(&crossing.cursors)?;
    let mut bytes = RECORD_OVERHEAD_BYTES * crossing.cursors.len();
    let mut keys = Vec::with_capacity(crossing.public.len());
    for event in &crossing.public {
        bytes = bytes.saturating_add(public_event(event, limits)?);
        keys.push(secrets.key_and_type(&event.key, &event.event_type));
    }
    let moves = &crossing.cursors;
    let fits = |entry: &NewParked| {
        let passes = |one: &CursorMove| passes(&(one.expected.get()..one.to.get()), entry.at);
        matches!(entry.scope, ParkScope::Crossing(_)) && moves.iter().any(passes)
    };
    let parked = prepare_parked(std::mem::take(&mut crossing.parked), limits, secrets, fits)?;
    bytes = bytes.saturating_add(parked_bytes(&parked));
    let entries = std::mem::take(&mut crossing.resolved);
    let resolved = resolved(entries, &crossing, limits, secrets)?;
    bytes = bytes.saturating_add(resolved_bytes(&resolved));
    LimitError::check_bytes(|| "the crossing".into(), bytes, limits.crossing_max_bytes)?;
    Ok(PreparedCrossing {
        crossing,
        keys,
        parked,
        resolved,
        bytes,
    })
}

/// Entries that leave by a crossing: what crossed has its public event, and what does not became none.
fn resolved(
    entries: Vec<ResolvedParked>,
    crossing: &Crossing,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<Vec<PreparedResolved>, LimitError> {
    let made: HashSet<_> = crossing
        .public
        .iter()
        .map(|event| (&event.stream, event.origin.get()))
        .collect();
    prepare_resolved(entries, limits, secrets, |entry| {
        let ParkScope::Crossing(stream) = &entry.scope else {
            return Err("it is of a relay, and cannot leave by a crossing");
        };
        let crossed = match entry.outcome {
            ParkOutcome::Crossed => true,
            ParkOutcome::Filtered | ParkOutcome::Skipped { .. } => false,
            ParkOutcome::Confirmed | ParkOutcome::Unheard => {
                return Err("a crossing confirms nothing; it crosses, filters or skips");
            }
        };
        match (crossed, made.contains(&(stream, entry.at))) {
            (true, false) => {
                Err("it is to have crossed, and the crossing has no public event of it")
            }
            (false, true) => {
                Err("it is not to have crossed, and the crossing has a public event of it")
            }
            _ => Ok(()),
        }
    })
}

/// Entries that leave a relay.
pub(crate) fn resolving(
    relay: &RelayName,
    entries: Vec<ResolvedParked>,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedResolving, LimitError> {
    LimitError::check_count(
        || "the entries that leave".into(),
        entries.len(),
        limits.settlement_max_entries,
    )?;
    let scope = ParkScope::Relay(relay.clone());
    let resolved = prepare_resolved(entries, limits, secrets, |entry| {
        if entry.scope != scope {
            return Err("it is not of this relay");
        }
        match entry.outcome {
            ParkOutcome::Confirmed | ParkOutcome::Unheard | ParkOutcome::Skipped { .. } => Ok(()),
            ParkOutcome::Crossed | ParkOutcome::Filtered => {
                Err("a relay crosses nothing; an entry is confirmed, unheard or skipped")
            }
        }
    })?;
    let bytes = RECORD_OVERHEAD_BYTES + resolved_bytes(&resolved);
    Ok(PreparedResolving {
        relay: relay.clone(),
        resolved,
        bytes,
    })
}

/// Each cursor moves once, and further.
fn check_moves(moves: &[CursorMove]) -> Result<(), LimitError> {
    let mut cursors = HashSet::with_capacity(moves.len());
    for CursorMove {
        cursor,
        expected,
        to,
    } in moves
    {
        let what = || format!("cursor {cursor}");
        if to <= expected {
            let reason = format!("it must move further than {expected}, not to {to}");
            return Err(LimitError::malformed(what(), reason));
        }
        if !cursors.insert(cursor) {
            return Err(LimitError::malformed(
                what(),
                "it moves twice in the crossing",
            ));
        }
    }
    Ok(())
}

fn public_event(event: &NewPublicEvent, limits: &Limits) -> Result<usize, LimitError> {
    let of = |what: &str| {
        format!(
            "the {what} of public event {} of {}",
            event.sequence, event.stream
        )
    };
    for (what, text) in [
        ("contract version", &event.contract_version),
        ("type", &event.event_type),
        ("name", &event.name),
        ("id", &event.id),
    ] {
        LimitError::check_bytes(|| of(what), text.len(), PUBLIC_TEXT_MAX_BYTES)?;
    }
    LimitError::check_bytes(|| of("key"), event.key.len(), limits.key_max_bytes)?;
    Ok(event.event.len()
        + event.key.len()
        + event.id.len()
        + event.event_type.len()
        + RECORD_OVERHEAD_BYTES)
}

pub(crate) fn settlement(
    mut settlement: Settlement,
    limits: &Limits,
    secrets: &Secrets,
) -> Result<PreparedSettlement, LimitError> {
    if settlement.to <= settlement.expected {
        return Err(LimitError::malformed(
            "the settlement",
            format!(
                "its cursor must move further than {}, not to {}",
                settlement.expected, settlement.to
            ),
        ));
    }
    for (what, count) in [
        (
            "the unheard events of the settlement",
            settlement.unheard.len(),
        ),
        (
            "the parked entries of the settlement",
            settlement.parked.len(),
        ),
    ] {
        LimitError::check_count(|| what.into(), count, limits.settlement_max_entries)?;
    }
    let passed = settlement.expected.get()..settlement.to.get();
    let unheard: Vec<u64> = settlement
        .unheard
        .iter()
        .map(|sequence| sequence.get())
        .collect();
    let ascending = unheard.is_sorted_by(|one, next| one < next);
    if !ascending || unheard.iter().any(|at| !passes(&passed, *at)) {
        return Err(LimitError::malformed(
            "the unheard events of the settlement",
            "they must ascend, and be among those that the cursor passes",
        ));
    }
    if settlement.not_sent && !(unheard.is_empty() && settlement.parked.is_empty()) {
        return Err(LimitError::malformed(
            "the settlement",
            "what was not sent is neither unheard nor parked",
        ));
    }
    let entries = std::mem::take(&mut settlement.parked);
    let relay = ParkScope::Relay(settlement.relay.clone());
    let fits = |entry: &NewParked| entry.scope == relay && passes(&passed, entry.at);
    let mut parked = prepare_parked(entries, limits, secrets, fits)?;
    parked.sort_by_key(|parked| parked.entry.at);
    let distinct = parked.is_sorted_by(|one, next| one.entry.at < next.entry.at);
    if !distinct
        || parked
            .iter()
            .any(|parked| unheard.binary_search(&parked.entry.at).is_ok())
    {
        return Err(LimitError::malformed(
            "the parked entries of the settlement",
            "an event is parked once, and is not unheard as well",
        ));
    }
    let bytes = RECORD_OVERHEAD_BYTES + 10 * unheard.len() + parked_bytes(&parked);
    Ok(PreparedSettlement {
        settlement,
        parked,
        bytes,
    })
}
