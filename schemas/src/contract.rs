//! A contract that passed every check.

use crate::catalogue::about::About;
use crate::crossing::{self, Outcome, PrivateEvent, Way};
use crate::glob::Glob;
use crate::ids::IdSecret;
use crate::key::Key;
use crate::outlet::OutletSpec;
use crate::version::Version;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Where a new contract begins in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first event of its category.
    Beginning,
    /// At the head of the log when the contract is first seen.
    Now,
    /// At the event at this position of the log, or the first after it.
    Position(u64),
    /// At the first event that was recorded at this time or later, in milliseconds since 1970.
    Time(u64),
}

/// Where a contract stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Being written: checked, crosses nothing.
    Draft,
    /// In use.
    Active,
    /// In use, and to be left by its consumers.
    Deprecated,
    /// Crosses nothing any more.
    Retired,
}

impl Status {
    /// Whether events cross.
    pub fn crosses(self) -> bool {
        matches!(self, Self::Active | Self::Deprecated)
    }

    /// As it is written in contracts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }
}

/// An entry of `from`, named by what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryOfFrom {
    /// The public type.
    pub public_type: String,
    /// The private event type.
    pub event: String,
    /// Which of the public type's entries for that event it is, from 1.
    pub nth: usize,
}

impl EntryOfFrom {
    /// The entry behind the way at a place of the event type's ways.
    fn of(event: &str, ways: &[Way], at: usize) -> Option<Self> {
        let public_type = &ways.get(at)?.public.event_type;
        let nth = ways
            .iter()
            .take(at + 1)
            .filter(|way| way.public.event_type == *public_type)
            .count();
        Some(Self {
            public_type: public_type.clone(),
            event: event.to_owned(),
            nth,
        })
    }
}

/// Why a contract passes over a private event: why it is unmatched, or filtered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassedOver {
    /// It is a draft or retired.
    Status(Status),
    /// It reads another category.
    Category,
    /// None of its patterns fits the stream.
    Stream,
    /// It names no event of this type.
    EventType,
    /// None of the public types that are made of it is in use: each, and where it stands.
    Types(Vec<(String, Status)>),
    /// No `when` holds: the public types that would be made of it.
    When(Vec<String>),
}

/// What [`Contract::rehearse`] tells.
#[derive(Debug)]
pub struct Rehearsed {
    /// What becomes of the event.
    pub outcome: Outcome,
    /// The entry of `from` that took it, unless it is filtered or unmatched.
    pub entry: Option<EntryOfFrom>,
}

/// Where a public type stands in its life.
#[derive(Debug)]
pub(crate) struct Lifetime {
    pub(crate) event_type: String,
    pub(crate) status: Status,
    pub(crate) deprecation: Option<Deprecation>,
}

/// From when to when something deprecated goes on, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deprecation {
    /// From when it is deprecated, in RFC 3339.
    pub from: Option<String>,
    /// When it ends, in RFC 3339.
    pub sunset: Option<String>,
    /// An absolute URI that says what to use instead.
    pub migration: Option<String>,
}

/// A breaking change that is made on purpose. Whether its end has come is for the reader to say: nothing here knows the date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The rule that the change breaks, by its code.
    pub change: String,
    /// The place of the change, as a JSON pointer (RFC 6901); empty: the whole.
    pub at: String,
    /// The public type that changes; none: the contract itself.
    pub public_type: Option<String>,
    /// Why it is right to break it.
    pub reason: String,
    /// The last day on which the waiver holds: `YYYY-MM-DD`.
    pub until: String,
}

/// A contract that passed every check.
#[derive(Debug)]
pub struct Contract {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) version_text: String,
    pub(crate) public_stream: String,
    pub(crate) status: Status,
    pub(crate) start: Start,
    pub(crate) category: String,
    /// What the stream's name must fit; none: any.
    pub(crate) patterns: Vec<Glob>,
    pub(crate) types: Vec<Lifetime>,
    pub(crate) waivers: Vec<Waiver>,
    pub(crate) source: String,
    pub(crate) fingerprint: String,
    pub(crate) outlets: Vec<OutletSpec>,
    pub(crate) key: Key,
    pub(crate) ways: HashMap<String, Vec<Way>>,
    /// What it says of itself to readers.
    pub(crate) about: About,
}

impl Contract {
    /// The name, such as `bank.accounts`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it was read from.
    pub fn file(&self) -> &Path {
        Path::new(&self.about.file)
    }

    /// The semantic version, such as `1.3.0`.
    pub fn version(&self) -> &str {
        &self.version_text
    }

    /// The major version.
    pub fn major(&self) -> u64 {
        self.version.major.into()
    }

    /// The public stream, such as `bank.accounts.v1`.
    pub fn public_stream(&self) -> String {
        self.public_stream.clone()
    }

    /// The CloudEvents source of its public events.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What order is kept by, in one canonical writing: `.accountId`, or `{ pseudonym: .accountId }`.
    pub fn key_text(&self) -> String {
        match self.key.pseudonym {
            false => self.key.path.to_string(),
            true => format!("{{ pseudonym: {} }}", self.key.path),
        }
    }

    /// Where the contract stands in its life.
    pub fn status(&self) -> Status {
        self.status
    }

    /// A SHA-256 digest of the contract, the defaults and the schemas it uses, in lower-case hexadecimal. Layout and
    /// comments do not bear on it.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Where it begins when it is new.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The category whose streams it reads.
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The private event types that it speaks of, in no order.
    pub fn event_types(&self) -> impl Iterator<Item = &str> {
        self.ways.keys().map(String::as_str)
    }

    /// Whether a stream of its category is read, by the stream's name.
    pub fn reads_stream(&self, stream: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.fits(stream))
    }

    /// The public types and where each stands in its life, in the order of the contract. Events become only those that are active or
    /// deprecated.
    pub fn type_statuses(&self) -> impl Iterator<Item = (&str, Status)> {
        self.types
            .iter()
            .map(|one| (one.event_type.as_str(), one.status))
    }

    /// What is said about the end of a public type, if anything is.
    pub fn deprecation(&self, public_type: &str) -> Option<&Deprecation> {
        self.types
            .iter()
            .find(|one| one.event_type == public_type)?
            .deprecation
            .as_ref()
    }

    /// The attribute `dataschema` of a public type's events, if they have one.
    pub(crate) fn dataschema(&self, public_type: &str) -> Option<&str> {
        let mut ways = self.ways.values().flatten();
        let way = ways.find(|way| way.public.event_type == public_type)?;
        way.public.dataschema.as_deref()
    }

    /// The breaking changes that are made on purpose.
    pub fn waivers(&self) -> &[Waiver] {
        &self.waivers
    }

    /// Whether [`Contract::cross`] could say anything but unmatched.
    pub fn matches(&self, category: &str, event_type: &str) -> bool {
        self.status.crosses() && self.category == category && self.ways.contains_key(event_type)
    }

    /// Where its public events are sent.
    pub fn outlets(&self) -> &[OutletSpec] {
        &self.outlets
    }

    /// The public types, in the order of their names.
    pub fn public_types(&self) -> impl Iterator<Item = &str> {
        let types: BTreeSet<&str> = self
            .ways
            .values()
            .flatten()
            .map(|way| way.public.event_type.as_str())
            .collect();
        types.into_iter()
    }

    /// The entries of `from`, by public type and private event type.
    pub fn entries(&self) -> Vec<EntryOfFrom> {
        let mut entries: Vec<EntryOfFrom> = self
            .ways
            .iter()
            .flat_map(|(event, ways)| {
                (0..ways.len()).filter_map(move |at| EntryOfFrom::of(event, ways, at))
            })
            .collect();
        entries.sort();
        entries
    }

    /// What it would make of an event if it were in use, whatever its status says, and by which entry of `from`.
    pub fn rehearse(&self, event: &PrivateEvent<'_>, secret: &IdSecret) -> Rehearsed {
        match self.ways_of(event) {
            None => Rehearsed {
                outcome: Outcome::Unmatched,
                entry: None,
            },
            Some(ways) => {
                let (outcome, taken) =
                    crossing::cross(ways, &self.key, &self.public_stream, event, secret);
                let entry = taken.and_then(|at| EntryOfFrom::of(event.event_type, ways, at));
                Rehearsed { outcome, entry }
            }
        }
    }

    /// What this contract makes of one private event. The same event gives the same outcome, always.
    pub fn cross(&self, event: &PrivateEvent<'_>, secret: &IdSecret) -> Outcome {
        let ways = self.status.crosses().then(|| self.ways_of(event)).flatten();
        match ways {
            Some(ways) => crossing::cross(ways, &self.key, &self.public_stream, event, secret).0,
            None => Outcome::Unmatched,
        }
    }

    /// Why [`Contract::cross`] gives nothing for an event that it takes for unmatched or filtered.
    pub fn passes_over(&self, event: &PrivateEvent<'_>) -> PassedOver {
        if !self.status.crosses() {
            return PassedOver::Status(self.status);
        }
        if self.category != event.category {
            return PassedOver::Category;
        }
        if !self.reads_stream(event.stream) {
            return PassedOver::Stream;
        }
        let Some(ways) = self.ways.get(event.event_type) else {
            return PassedOver::EventType;
        };
        let (mut asked, mut idle) = (Vec::new(), Vec::new());
        for way in ways {
            let event_type = &way.public.event_type;
            let lifetime = self.types.iter().find(|one| one.event_type == *event_type);
            let status = lifetime.map_or(self.status, |one| one.status);
            if way.public.is_taken && !asked.contains(event_type) {
                asked.push(event_type.clone());
            } else if !way.public.is_taken && !idle.iter().any(|(own, _)| own == event_type) {
                idle.push((event_type.clone(), status));
            }
        }
        match asked.is_empty() {
            true => PassedOver::Types(idle),
            false => PassedOver::When(asked),
        }
    }

    /// The ways of the event's type, if the contract reads its stream.
    fn ways_of(&self, event: &PrivateEvent<'_>) -> Option<&[Way]> {
        if self.category != event.category || !self.reads_stream(event.stream) {
            return None;
        }
        self.ways.get(event.event_type).map(Vec::as_slice)
    }
}
