//! From what an operator asks for to a replay that runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use horizon_schemas::{Template, Unheard};
use horizon_store::{ParkScope, PublicEvent, PublicStreamName, RelayName, Sequence, StoreError};
use serde::Deserialize;
use serde_json::Value;

use super::outlets::OutletPart;
use super::reload::Reloader;
use crate::clock;
use crate::crossing::parked::ParkedKeys;
use crate::http::number::{optional, whole};
use crate::relay::{Place, Purpose, Relay, Replay, ReplayProgress, beginning, relay_name};
use crate::replays::{Stretch, Work};

/// What is to be sent again, and where to.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "camelCase",
    expecting = "a JSON object"
)]
#[schema(as = ReplayOrder)]
pub(crate) struct Wanted {
    /// The public stream, such as `bank.accounts.v1`.
    contract: String,
    /// The outlet, such as `mqtt:main`.
    outlet: String,
    /// Where it begins; with the first event unless given.
    #[serde(default)]
    #[schema(value_type = Option<ReplayBound>)]
    from: Option<Value>,
    /// Where it ends; with the last event that there is now unless given.
    #[serde(default)]
    #[schema(value_type = Option<ReplayBound>)]
    to: Option<Value>,
    /// Only events of this key.
    #[serde(default)]
    key: Option<String>,
    /// Another topic, at an MQTT outlet: a template, as in contracts.
    #[serde(default)]
    topic: Option<String>,
    /// Another routing key, at an AMQP outlet: a template, as in contracts.
    #[serde(default)]
    routing_key: Option<String>,
    /// One queue, at an AMQP outlet, past all exchanges.
    #[serde(default)]
    queue: Option<String>,
    /// Most events a second; as fast as they are answered for unless given.
    #[serde(default, deserialize_with = "optional")]
    #[schema(minimum = 1, maximum = 4294967295u32)]
    events_per_second: Option<u32>,
    /// Only tell what would be sent.
    #[serde(default)]
    dry_run: bool,
}

/// A place in a public stream, as it is given: a sequence, or a time in RFC 3339.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
enum ReplayBound {
    Sequence(u64),
    #[schema(format = DateTime)]
    Time(String),
}

/// A place in a public stream.
enum Bound {
    Sequence(u64),
    /// In milliseconds since 1970. A beginning is with the first event that crossed then or later, an end with the last one before.
    Time(u64),
}

impl Bound {
    fn read(value: &Value) -> Result<Bound, ReplayError> {
        let number = value.as_u64();
        let number = number.or_else(|| value.as_number().and_then(whole));
        let sequence = number.map(Bound::Sequence);
        let time = || value.as_str().and_then(clock::milliseconds);
        let bound = sequence.or_else(|| time().map(Bound::Time));
        bound.ok_or_else(|| {
            ReplayError::Bounds(format!(
                "{value} is neither a sequence nor an RFC 3339 time"
            ))
        })
    }
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// No contract or outlet is called so, or it is of another kind.
    #[error("{0}")]
    Place(String),
    /// There is nothing between the bounds, or a bound is no place.
    #[error("{0}")]
    Bounds(String),
    #[error("no event a second never ends")]
    Rate,
    #[error("as many replays run as may at a time")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reloader {
    /// Begins a replay; tells its number.
    pub(crate) async fn replay(&self, wanted: Wanted) -> Result<u64, ReplayError> {
        if wanted.events_per_second == Some(0) {
            return Err(ReplayError::Rate);
        }
        let (stream, part) = self.part(&wanted).await?;
        let (mut part, other) = elsewhere(part, &wanted)?;
        let store = &self.ground.store;
        // At the outlet's own place nothing may arrive by a replay before it does by live delivery.
        let (most, left_out) = match other {
            None => self.settled(&part.name).await?,
            Some(_) => (None, BTreeSet::new()),
        };
        let (after, through, head) = self.bounds(&stream, &wanted, most).await?;
        let events = store.public_between(&self.ground.log, &stream, after, through);
        let events = events.await?;
        if events == 0 {
            return Err(ReplayError::Bounds(format!(
                "there is no event between these bounds; the last of {stream}{} is {head}",
                most.map_or("", |_| " that was sent to this outlet")
            )));
        }
        // A name of its own: the broker tells connections by it.
        let replays = &self.ground.replays;
        let number = replays.number();
        let own = format!("{}:replay-{number}", wanted.outlet);
        part.name =
            relay_name(&stream, &own).map_err(|error| ReplayError::Place(error.to_string()))?;
        let stretch = Stretch {
            from: after.get() + 1,
            through: through.get(),
            events,
            place: other,
            contract: wanted.contract,
            outlet: wanted.outlet,
            key: wanted.key,
            events_per_second: wanted.events_per_second,
            dry_run: wanted.dry_run,
        };
        let progress = Arc::new(ReplayProgress::default());
        progress.reached(after);
        let (status, work) = if stretch.dry_run {
            let work = Work::Rehearse {
                store: store.clone(),
                log: self.ground.log.clone(),
                stream,
                place: part.place,
                left_out,
            };
            (Arc::default(), work)
        } else {
            let purpose = Purpose::Replay(Replay {
                through,
                key: stretch.key.clone(),
                left_out,
                events_per_second: stretch.events_per_second,
                progress: Arc::clone(&progress),
            });
            let relay = Relay {
                // Nobody listens to a replay by rule: what is not heard is counted, and not waited for.
                unheard: Unheard::Continue,
                ..part.relay(&self.ground, purpose)
            };
            (Arc::clone(&relay.status), Work::Send(Box::new(relay)))
        };
        let begun = replays.begin(number, stretch, progress, status, work);
        begun.map_err(|_| ReplayError::TooMany)?;
        Ok(number)
    }

    /// Up to where a relay has settled everything, and the keys that are parked there.
    async fn settled(
        &self,
        relay: &RelayName,
    ) -> Result<(Option<Sequence>, BTreeSet<String>), ReplayError> {
        let (store, log) = (&self.ground.store, &self.ground.log);
        let cursor = store.relay_cursor(log, relay).await?;
        let scope = ParkScope::Relay(relay.clone());
        let parked = ParkedKeys::read(store, log, &scope).await?;
        let parked = parked.keys().into_iter().collect();
        Ok((Some(cursor.unwrap_or(Sequence::ZERO)), parked))
    }

    /// The outlet that is asked for.
    async fn part(&self, wanted: &Wanted) -> Result<(PublicStreamName, OutletPart), ReplayError> {
        let unknown = || {
            let Wanted {
                contract, outlet, ..
            } = wanted;
            ReplayError::Place(format!(
                "no contract {contract} publishes to an outlet {outlet}"
            ))
        };
        let stream = PublicStreamName::new(&wanted.contract).map_err(|_| unknown())?;
        let name = relay_name(&stream, &wanted.outlet).map_err(|_| unknown())?;
        let relays = self.relays.lock().await;
        let part = relays.outlet(name.as_str()).ok_or_else(unknown)?.clone();
        Ok((stream, part))
    }

    /// The place before the first event, the last event, and the last that there is.
    async fn bounds(
        &self,
        stream: &PublicStreamName,
        wanted: &Wanted,
        most: Option<Sequence>,
    ) -> Result<(Sequence, Sequence, Sequence), ReplayError> {
        let (store, log) = (&self.ground.store, &self.ground.log);
        let head = store.public_head(log, stream).await?;
        let head = head.map_or(Sequence::ZERO, |head| head.last);
        let head = most.map_or(head, |most| most.min(head));
        let before = async |ms| {
            let before = |event: &PublicEvent| event.crossed_ms < ms;
            beginning::last_of(store, log, stream, before).await
        };
        let read = |bound: &Option<Value>| bound.as_ref().map(Bound::read).transpose();
        let after = match read(&wanted.from)? {
            None => Sequence::ZERO,
            Some(Bound::Sequence(first)) => Sequence::new(first.saturating_sub(1)).min(head),
            Some(Bound::Time(ms)) => before(ms).await?,
        };
        let through = match read(&wanted.to)? {
            None => head,
            Some(Bound::Sequence(last)) => {
                let inside = |event: &PublicEvent| event.sequence.get() <= last;
                beginning::last_of(store, log, stream, inside).await?
            }
            Some(Bound::Time(ms)) => before(ms).await?,
        };
        Ok((after, through.min(head).max(after), head))
    }
}

/// The outlet with another place, if one is asked for.
fn elsewhere(
    mut part: OutletPart,
    wanted: &Wanted,
) -> Result<(OutletPart, Option<String>), ReplayError> {
    let wrong = |error: String| ReplayError::Place(error);
    let mqtt = part.outlet.is_mqtt();
    let asked = [&wanted.topic, &wanted.routing_key, &wanted.queue];
    let mut asked = asked.into_iter().flatten();
    let Some(text) = asked.next() else {
        return Ok((part, None));
    };
    if asked.next().is_some() || wanted.topic.is_some() != mqtt {
        let may = if mqtt {
            "another topic"
        } else {
            "another routing key, or a queue"
        };
        return Err(wrong(format!(
            "at this outlet a replay can name {may}, and nothing else"
        )));
    }
    let template = match mqtt {
        true => Template::topic(text),
        false => Template::routing_key(text),
    };
    let template = template.map_err(|error| wrong(error.to_string()))?;
    if wanted.queue.is_some() {
        part.outlet = part.outlet.past_exchanges();
    }
    let place: Place = part.place.with_template(template);
    part.place = place;
    Ok((part, Some(text.clone())))
}
