//! What is told of a private event, as types.

use serde::Serialize;
use utoipa::ToSchema;

use crate::told::Unfit;

/// A private event, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct About {
    pub(super) id: String,
    pub(super) source: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) stream: String,
    pub(super) revision: u64,
    pub(super) position: u64,
    #[schema(format = DateTime)]
    pub(super) recorded: String,
    pub(super) contracts: Vec<AtContract>,
    /// It was recorded although it did not fit its private schema; absent of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flagged: Option<bool>,
    /// What the newest private schema has against it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unfit: Option<Vec<Unfit>>,
}

/// What a contract made of an event. What does not apply is absent.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtContract {
    pub(super) contract: String,
    pub(super) version: String,
    /// `crossed`, `filtered`, `unmatched`, `violated`, `parked`, `waiting`, `inactive`, `passed`, `skipped`, or how it has left a parked key.
    #[schema(value_type = String)]
    pub(super) outcome: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// The key under which it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// When it has left a parked key, or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) unparked: Option<String>,
    /// The public type whose schema it violates.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) public_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) violations: Option<Vec<Unfit>>,
    /// How many violations are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) untold: Option<u64>,
    /// The contract's version that parked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contract_version: Option<String>,
    /// Since when it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) since: Option<String>,
    /// The public event that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public: Option<Crossed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outlets: Option<Vec<AtOutlet>>,
}

/// The public event that a private one became.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crossed {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) key: String,
    pub(super) sequence: u64,
    pub(super) contract_version: String,
}

/// How a public event stands at an outlet. What does not apply is absent.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct AtOutlet {
    pub(super) outlet: String,
    /// `confirmed`, `unheard`, `parked`, `paused`, `retrying`, `waiting`, `not sent`, or how it has left a parked key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) state: Option<&'static str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When it was settled, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) at: Option<String>,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) since: Option<String>,
    /// The key under which it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// When it has left a parked key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) unparked: Option<String>,
}
