//! A checked contract.

use crate::crossing::{Outcome, PrivateEvent};
use crate::ids::IdSecret;
use crate::outlet::OutletSpec;

/// Where a new contract begins in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// At the first event of its category.
    Beginning,
    /// At the head of the log when the contract is first seen.
    Now,
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

/// A contract that passed every check.
#[derive(Debug)]
pub struct Contract {
    name: String,
    version: String,
    major: u64,
    status: Status,
    start: Start,
    category: String,
    fingerprint: String,
    outlets: Vec<OutletSpec>,
}

impl Contract {
    /// The name, such as `bank.accounts`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The semantic version, such as `1.3.0`.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The major version.
    pub fn major(&self) -> u64 {
        self.major
    }
    /// The public stream, such as `bank.accounts.v1`.
    pub fn public_stream(&self) -> String {
        format!("{}.v{}", self.name, self.major)
    }
    /// Where the contract stands in its life.
    pub fn status(&self) -> Status {
        self.status
    }
    /// A digest of the contract and of the schemas it uses, in lower-case hexadecimal.
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
    /// Whether [`Contract::cross`] could say anything but unmatched.
    pub fn matches(&self, category: &str, _event_type: &str) -> bool {
        self.category == category
    }
    /// Where its public events are sent.
    pub fn outlets(&self) -> &[OutletSpec] {
        &self.outlets
    }
    /// What this contract makes of one private event.
    pub fn cross(&self, _event: &PrivateEvent<'_>, _secret: &IdSecret) -> Outcome {
        Outcome::Unmatched
    }
}
