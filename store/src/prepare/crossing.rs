//! Crossings and settlements: limits, places, digests.

use std::collections::HashSet;

use super::{
    PreparedCrossing, PreparedSettlement, RECORD_OVERHEAD_BYTES, parked_bytes, passes,
    prepare_parked,
};
use crate::digest::Secrets;
use crate::limits::{LimitError, Limits};
use crate::parked::{NewParked, ParkScope};
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
        ("the counts of the crossing", crossing.counts.len()),
    ] {
        LimitError::check_count(|| what.into(), count, limits.crossing_max_entries)?;
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
    LimitError::check_bytes(|| "the crossing".into(), bytes, limits.crossing_max_bytes)?;
    Ok(PreparedCrossing {
        crossing,
        keys,
        parked,
        bytes,
    })
}

/// Each cursor moves once, and further.
fn check_moves(moves: &[CursorMove]) -> Result<(), LimitError> {
    if moves.is_empty() {
        return Err(LimitError::malformed(
            "the crossing",
            "it moves no cursor; at least one is needed",
        ));
    }
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
