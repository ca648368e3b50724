//! Keys of what is parked: entries, their places, their keys, and what became of them.

use super::{Family, Key, KeyDigest, LogId};
use crate::parked::ParkScope;

impl Key {
    fn scope(mut self, scope: &ParkScope) -> Self {
        let (kind, name) = match scope {
            ParkScope::Crossing(stream) => (1, stream.as_str()),
            ParkScope::Relay(relay) => (2, relay.as_str()),
        };
        self.bytes.push(kind);
        self.name(name)
    }
}

pub(crate) fn parked(log: LogId, scope: &ParkScope, key: &KeyDigest, at: u64) -> Key {
    parked_entries_of(log, scope, key).number(at)
}

pub(crate) fn parked_entries_of(log: LogId, scope: &ParkScope, key: &KeyDigest) -> Key {
    Key::new(Family::Parked, log).scope(scope).raw(key)
}

pub(crate) fn parked_place(log: LogId, scope: &ParkScope, at: u64, key: &KeyDigest) -> Key {
    parked_at(log, scope, at).raw(key)
}

pub(crate) fn parked_at(log: LogId, scope: &ParkScope, at: u64) -> Key {
    Key::new(Family::ParkedPlace, log).scope(scope).number(at)
}

pub(crate) fn parked_key(log: LogId, scope: &ParkScope, key: &KeyDigest) -> Key {
    parked_keys(log, scope).raw(key)
}

pub(crate) fn parked_keys(log: LogId, scope: &ParkScope) -> Key {
    Key::new(Family::ParkedKey, log).scope(scope)
}

pub(crate) fn resolution(log: LogId, scope: &ParkScope, at: u64, key: &KeyDigest) -> Key {
    resolutions(log, scope, at).raw(key)
}

pub(crate) fn resolutions(log: LogId, scope: &ParkScope, at: u64) -> Key {
    Key::new(Family::Resolution, log).scope(scope).number(at)
}
