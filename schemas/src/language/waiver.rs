//! Waivers as they are written.

use super::fields::Fields;
use super::raw::Waiver;
use super::words;
use crate::diagnostics::Diagnostics;

/// Reads `waivers`.
pub(super) fn waivers(fields: &Fields<'_>, diagnostics: &mut Diagnostics) -> Vec<Waiver> {
    let items = fields.list("waivers", diagnostics).unwrap_or_default();
    let mut waivers = Vec::with_capacity(items.len());
    for item in items {
        let Some(fields) = Fields::read(item, &words::WAIVER, diagnostics) else {
            continue;
        };
        let mut text = |key, mend: &str| fields.require_text(key, mend, diagnostics);
        let change = text("change", "the code that `horizon breaking` tells");
        let at = text("at", "the JSON pointer that `horizon breaking` tells");
        let reason = text("reason", "say why it is right to break it");
        let until = text(
            "until",
            "the last day on which it holds, such as `until: 2025-06-30`",
        );
        let public_type = fields.text("type", diagnostics);
        if let (Some(change), Some(at), Some(reason), Some(until)) = (change, at, reason, until) {
            waivers.push(Waiver {
                change,
                at,
                public_type,
                reason,
                until,
            });
        }
    }
    waivers
}
