//! Where an outlet begins that has sent nothing yet, and how that is remembered.
//!
//! A beginning elsewhere than at the first event is a record in the log, so that `why` can tell what was never meant for the outlet.

use horizon_schemas::OutletStart;
use horizon_store::{
    LogName, Position, PublicEvent, PublicStreamName, Sequence, Settlement, Store, StoreError,
};
use serde::{Deserialize, Serialize};

use super::Relay;
use super::session::settle_failure;
use crate::clock;
use crate::patience::patiently;
use crate::stored::public_after;

/// The kind of these system records.
const KIND: &str = "relay-start";

/// The body of a record: a JSON document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beginning {
    relay: String,
    /// The last event that is not sent.
    after: u64,
}

/// The relay's cursor. A relay that has none yet begins where its outlet says, once and for all.
pub(super) async fn cursor(relay: &Relay) -> Result<Sequence, StoreError> {
    let (store, log) = (&relay.store, &relay.log);
    if let Some(cursor) = store.relay_cursor(log, &relay.name).await? {
        return Ok(cursor);
    }
    if let Some(after) = after(store, log, relay.name.as_str()).await? {
        return pass(relay, after).await;
    }
    let head = store.public_head(log, &relay.stream).await?;
    let head = head.map_or(Sequence::ZERO, |head| head.last);
    let after = match relay.start {
        OutletStart::Beginning => return Ok(Sequence::ZERO),
        OutletStart::Now => head,
        OutletStart::Sequence(first) => {
            let before = |event: &PublicEvent| event.sequence.get() < first;
            last_of(store, log, &relay.stream, before).await?
        }
        OutletStart::Time(ms) => {
            let before = |event: &PublicEvent| event.crossed_ms < ms;
            last_of(store, log, &relay.stream, before).await?
        }
    };
    let body = Beginning {
        relay: relay.name.as_str().to_owned(),
        after: after.get(),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let record = || store.append_system(log, KIND, body.clone().into());
    patiently("recording where an outlet begins", record).await?;
    tracing::info!(relay = %relay.name, %after, "a new outlet begins after this sequence");
    pass(relay, after).await
}

/// Moves the cursor over what is not sent.
async fn pass(relay: &Relay, after: Sequence) -> Result<Sequence, StoreError> {
    if after == Sequence::ZERO {
        return Ok(after);
    }
    let settlement = Settlement {
        not_sent: true,
        relay: relay.name.clone(),
        stream: relay.stream.clone(),
        expected: Sequence::ZERO,
        to: after,
        at_ms: clock::now_ms(),
        unheard: Vec::new(),
        parked: Vec::new(),
    };
    let settle = || relay.store.settle(&relay.log, settlement.clone());
    let settled = patiently("writing a relay's cursor", settle).await;
    settled.map_err(settle_failure)?;
    Ok(after)
}

/// After which event a relay began, if that was not with the first.
pub(crate) async fn after(
    store: &Store,
    log: &LogName,
    relay: &str,
) -> Result<Option<Sequence>, StoreError> {
    let records = store.read_system(log, KIND).await?;
    let read = |(_, body): &(Position, _)| -> Option<Beginning> {
        let body: &bytes::Bytes = body;
        serde_json::from_slice(body).ok()
    };
    let own = records.iter().filter_map(read);
    let own = own.filter(|beginning| beginning.relay == relay);
    Ok(own.last().map(|beginning| Sequence::new(beginning.after)))
}

/// The last event of a public stream of which something holds that holds of all before it and of none behind it. It is always
/// one that there is: between two epochs there are sequences that no event has.
pub(crate) async fn last_of(
    store: &Store,
    log: &LogName,
    stream: &PublicStreamName,
    holds: impl Fn(&PublicEvent) -> bool,
) -> Result<Sequence, StoreError> {
    let head = store.public_head(log, stream).await?;
    let head = head.map_or(Sequence::ZERO, |head| head.last);
    // It holds of everything up to `low`, and of nothing after `high`.
    let (mut low, mut high) = (Sequence::ZERO, head);
    while low < high {
        let middle = Sequence::new(low.get() + (high.get() - low.get()) / 2);
        let next = || public_after(store, log, stream, middle);
        match patiently("reading the public log", next).await? {
            Some(event) if event.sequence <= high && holds(&event) => low = event.sequence,
            _ => high = middle,
        }
    }
    Ok(low)
}
