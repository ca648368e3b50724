//! Waivers: breaking changes that a contract makes knowingly, each with a reason and an end.

use super::report::Change;
use crate::contract::Waiver;
use serde_json::Value;

impl Waiver {
    /// Whether the waiver speaks of a change.
    pub(super) fn covers(&self, change: &Change) -> bool {
        self.change == change.rule && self.at == change.at && self.public_type == change.public_type
    }

    /// Whether it counts on a day (`YYYY-MM-DD`).
    pub(super) fn counts_on(&self, today: &str) -> bool {
        today <= self.until.as_str()
    }
}

/// Reads the waivers of a contract.
pub(super) fn read(list: Option<&Value>) -> Result<Vec<Waiver>, String> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let items = list.as_array().ok_or("`waivers` is not a list")?;
    items.iter().map(one).collect()
}

fn one(item: &Value) -> Result<Waiver, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let need = |key: &str| text(key).ok_or_else(|| format!("a waiver has no `{key}`"));
    let until = need("until")?;
    if !is_date(&until) {
        return Err(format!("`until: {until}` is no date such as 2030-12-31"));
    }
    Ok(Waiver {
        change: need("change")?,
        at: need("at")?,
        public_type: text("type"),
        reason: need("reason")?,
        until,
    })
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(nth, byte)| match nth {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let number = |from: usize| {
        text.get(from..from + 2)
            .and_then(|part| part.parse::<u8>().ok())
    };
    shape
        && number(5).is_some_and(|month| (1..=12).contains(&month))
        && number(8).is_some_and(|day| (1..=31).contains(&day))
}
