//! What a preview counts. Its memory is bounded, however many events there are.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use horizon_schemas::{
    Contract, IdSecret, Outcome, PrivateEvent, Refusal, Violation, rehearsal_secret,
};
use lru::LruCache;
use serde_json::{Value, json};

use crate::commands::plural;
use crate::crossing::parked::{PARKED_KEYS_LIMIT, ParkedKeys};

/// Pairs of key and public type whose last sequence is remembered.
const REMEMBERED_LIMIT_PAIRS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999_999);

/// How many, and the place of the first.
#[derive(Debug, Default)]
struct Count {
    events: u64,
    first: Option<String>,
}

impl Count {
    fn add(&mut self, told: impl FnOnce() -> String) {
        self.events += 1;
        if self.first.is_none() {
            self.first = Some(told());
        }
    }

    fn to_json(&self) -> Value {
        json!({"events": self.events, "first": self.first})
    }
}

/// What became of all events so far.
pub(super) struct Tally<'c> {
    contract: &'c Contract,
    secret: IdSecret,
    events: u64,
    crossed: BTreeMap<String, Count>,
    filtered: Count,
    unmatched: Count,
    violated: Count,
    first_violation: Option<Value>,
    /// What `horizon import` would not take.
    refused: Count,
    first_refusal: Option<Value>,
    /// Violations without a key: the contract would halt at the first of them.
    halted: Count,
    parked: ParkedKeys,
    waiting: u64,
    /// Why nothing more could be parked, and where.
    full: Option<String>,
    sequence: u64,
    previous: LruCache<(String, String), u64>,
}

impl<'c> Tally<'c> {
    pub(super) fn new(contract: &'c Contract) -> Tally<'c> {
        Tally {
            contract,
            secret: rehearsal_secret(),
            events: 0,
            crossed: BTreeMap::new(),
            filtered: Count::default(),
            unmatched: Count::default(),
            violated: Count::default(),
            first_violation: None,
            refused: Count::default(),
            first_refusal: None,
            halted: Count::default(),
            parked: ParkedKeys::default(),
            waiting: 0,
            full: None,
            sequence: 0,
            previous: LruCache::new(REMEMBERED_LIMIT_PAIRS),
        }
    }

    /// One more event; gives the public event that it becomes.
    pub(super) fn add(&mut self, place: &str, event: &PrivateEvent<'_>) -> Option<Vec<u8>> {
        self.events += 1;
        let told = || format!("{place}: {} {}", event.event_type, event.id);
        match self.contract.rehearse(event, &self.secret).outcome {
            Outcome::Unmatched => self.unmatched.add(told),
            Outcome::Filtered => self.filtered.add(told),
            Outcome::Crossed(crossed) if self.parked.holds(crossed.key()) => {
                self.wait(crossed.key(), place);
            }
            Outcome::Crossed(crossed) => {
                self.sequence += 1;
                let count = self
                    .crossed
                    .entry(crossed.event_type().to_owned())
                    .or_default();
                count.add(told);
                let pair = (crossed.key().to_owned(), crossed.event_type().to_owned());
                let previous = self.previous.put(pair, self.sequence).unwrap_or(0);
                return Some(crossed.seal(self.sequence, previous).into_bytes());
            }
            Outcome::Violation {
                key,
                public_type,
                violations,
            } => {
                self.violated.add(told);
                self.first_violation
                    .get_or_insert_with(|| violation(&public_type, &violations));
                match key {
                    Some(key) if self.parked.holds(&key) => self.wait(&key, place),
                    Some(key) => self.park(&key, place),
                    None => self.halted.add(told),
                }
            }
        }
        None
    }

    /// One more event, which would not be recorded.
    pub(super) fn refuse(&mut self, place: &str, event: &PrivateEvent<'_>, refusal: &Refusal) {
        self.events += 1;
        self.refused
            .add(|| format!("{place}: {} {}", event.event_type, event.id));
        self.first_refusal.get_or_insert_with(
            || json!({"help": refusal.help, "violations": told(&refusal.violations)}),
        );
    }

    fn park(&mut self, key: &str, place: &str) {
        match self.parked.full(key) {
            Some(full) => {
                self.full.get_or_insert_with(|| format!("{place}: {full}"));
            }
            None => self.parked.add(key),
        }
    }

    /// One more event waits behind a parked key.
    fn wait(&mut self, key: &str, place: &str) {
        self.waiting += 1;
        self.park(key, place);
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let crossed: serde_json::Map<String, Value> = self
            .crossed
            .iter()
            .map(|(public_type, count)| (public_type.clone(), count.to_json()))
            .collect();
        let mut violated = self.violated.to_json();
        violated["violation"] = self.first_violation.clone().unwrap_or(Value::Null);
        let mut refused = self.refused.to_json();
        refused["refusal"] = self.first_refusal.clone().unwrap_or(Value::Null);
        json!({
            "contract": self.contract.public_stream(),
            "version": self.contract.version(),
            "events": self.events,
            "crossed": crossed,
            "filtered": self.filtered.to_json(),
            "unmatched": self.unmatched.to_json(),
            "violated": violated,
            "refused": refused,
            "withoutKey": self.halted.to_json(),
            "parked": {"keys": self.parked.len(), "waiting": self.waiting, "full": self.full},
        })
    }

    /// For people.
    pub(super) fn in_words(&self) -> String {
        let mut lines = vec![format!(
            "{} {}: {} private event{}",
            self.contract.public_stream(),
            self.contract.version(),
            self.events,
            plural(self.events)
        )];
        let mut row = |what: &str, count: &Count| {
            let first = count
                .first
                .as_ref()
                .map_or_else(String::new, |first| format!("   first: {first}"));
            lines.push(format!("  {:>9}  {what}{first}", count.events));
        };
        for (public_type, count) in &self.crossed {
            row(&format!("crossed as {public_type}"), count);
        }
        if self.crossed.is_empty() {
            row("crossed", &Count::default());
        }
        row("filtered", &self.filtered);
        row("unmatched", &self.unmatched);
        row("violated", &self.violated);
        if let Some(first) = &self.first_violation {
            lines.push(format!("             as {}", text(first, "type")));
            lines.extend(violations_of(first));
        }
        if let Some(first) = &self.first_refusal {
            let first_place = self.refused.first.as_deref().unwrap_or_default();
            lines.push(format!(
                "  {:>9}  refused by `horizon import`   first: {first_place}",
                self.refused.events
            ));
            lines.extend(violations_of(first));
            lines.push(format!("             {}", text(first, "help")));
        }
        lines.push(format!(
            "  {:>9}  keys would be parked (at most {PARKED_KEYS_LIMIT}), and {} event{} would wait behind the first of their key",
            self.parked.len(),
            self.waiting,
            plural(self.waiting)
        ));
        if let Some(full) = &self.full {
            lines.push(format!("  the contract would halt at {full}"));
        }
        if let Some(first) = &self.halted.first {
            lines.push(format!(
                "  the contract would halt at {first}: {} event{} without a usable key, so nothing can be parked",
                self.halted.events,
                plural(self.halted.events)
            ));
        }
        lines.join("\n")
    }
}

fn violation(public_type: &str, violations: &[Violation]) -> Value {
    json!({"type": public_type, "violations": told(violations)})
}

fn told(violations: &[Violation]) -> Vec<Value> {
    violations
        .iter()
        .map(|one| json!({"pointer": one.pointer, "reason": one.reason}))
        .collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The lines of the violations of the first event of a kind.
fn violations_of(first: &Value) -> Vec<String> {
    let violations = first.get("violations").and_then(Value::as_array);
    let line = |one: &Value| {
        format!(
            "             {} {}",
            text(one, "pointer"),
            text(one, "reason")
        )
    };
    violations.into_iter().flatten().map(line).collect()
}
