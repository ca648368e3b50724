//! What is told of events in more than one place: by `why`, of parked keys, in answers to appends, and in the reason of a parked entry.

use horizon_schemas::Violation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::intake::Mistake;

/// What a schema has against an event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Unfit {
    /// JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    pub(crate) reason: String,
}

impl From<&Violation> for Unfit {
    fn from(violation: &Violation) -> Unfit {
        Unfit {
            pointer: violation.pointer.clone(),
            reason: violation.reason.clone(),
        }
    }
}

impl From<Mistake> for Unfit {
    fn from(mistake: Mistake) -> Unfit {
        Unfit {
            pointer: mistake.pointer,
            reason: mistake.reason,
        }
    }
}

/// A violation; as a JSON document, the reason of an entry that is parked at a contract. Part of what is stored: members are added,
/// and never change their meaning.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Violated {
    /// The public type whose schema is violated.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) public_type: Option<String>,
    /// How many violations are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) untold: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) violations: Option<Vec<Unfit>>,
    /// The contract's version that found them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contract_version: Option<String>,
    /// Since when it is parked, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
}
