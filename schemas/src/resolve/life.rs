//! What a contract says of itself beside its types: its status, its start, its streams and its waivers.

use crate::contract::{Start, Status, Waiver};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::glob::Glob;
use crate::language::{fields, raw};
use crate::source::At;
use crate::timestamp;

/// The length of a rule's code.
const MAX_CODE_BYTES: usize = 64;

/// Where the contract begins; reports that nothing says so.
pub(super) fn start(raw: &raw::Contract, diagnostics: &mut Diagnostics) -> Option<Start> {
    if !raw.shared.says.contains("start") {
        diagnostics.push(
            fields::missing("a contract", "start", &raw.span)
                .known(["beginning", "now"], "")
                .mend("`start: beginning` to publish what has already happened too, `start: now` for what is to come"),
        );
    }
    match raw.shared.start.as_ref()? {
        raw::Start::Beginning => Some(Start::Beginning),
        raw::Start::Now => Some(Start::Now),
        raw::Start::Position(position) => Some(Start::Position(*position)),
        raw::Start::Time(text) => time(text, diagnostics).map(Start::Time),
    }
}

/// The time of a `start`, in milliseconds since 1970.
pub(super) fn time(text: &At<String>, diagnostics: &mut Diagnostics) -> Option<u64> {
    let at = timestamp::milliseconds(&text.value);
    if at.is_none() {
        diagnostics.push(
            Diagnostic::new("start", format!("`{}` is no time in RFC 3339", text.value))
                .at(&text.span)
                .mend("such as `start: { time: 2024-01-01T00:00:00Z }`"),
        );
    }
    at
}

/// The status that a word stands for.
pub(super) fn status(word: Option<&At<&'static str>>) -> Status {
    match word.map(|word| word.value) {
        Some("draft") => Status::Draft,
        Some("deprecated") => Status::Deprecated,
        Some("retired") => Status::Retired,
        _ => Status::Active,
    }
}

/// The patterns of streams; reports those that no stream of the category could fit.
pub(super) fn patterns(
    raw: &[At<String>],
    category: Option<&At<String>>,
    diagnostics: &mut Diagnostics,
) -> Vec<Glob> {
    let mut patterns = Vec::with_capacity(raw.len());
    for text in raw {
        let Some(pattern) = Glob::parse(&text.value) else {
            diagnostics.push(
                Diagnostic::new(
                    "stream-pattern",
                    "a pattern has from 1 to 255 bytes and no control characters",
                )
                .at(&text.span),
            );
            continue;
        };
        if let Some(category) = category
            && !pattern.can_go_on_from(&format!("{}-", category.value))
        {
            diagnostics.push(
                Diagnostic::new(
                    "stream-pattern",
                    format!(
                        "no stream of the category `{}` can fit `{}`",
                        category.value, text.value
                    ),
                )
                .at(&text.span)
                .mend(format!(
                    "a pattern is for the whole name of a stream, such as \"{}-5*\"",
                    category.value
                )),
            );
        }
        patterns.push(pattern);
    }
    patterns
}

/// Checks the waivers, word by word: whether they waive anything is for who compares.
pub(super) fn waivers(raw: &[raw::Waiver], diagnostics: &mut Diagnostics) -> Vec<Waiver> {
    let mut waivers: Vec<Waiver> = Vec::with_capacity(raw.len());
    for one in raw {
        check_waiver(one, diagnostics);
        let waiver = Waiver {
            change: one.change.value.clone(),
            at: one.at.value.clone(),
            public_type: one.public_type.as_ref().map(|text| text.value.clone()),
            reason: one.reason.value.clone(),
            until: one.until.value.clone(),
        };
        let same = |other: &Waiver| {
            (&other.change, &other.at, &other.public_type)
                == (&waiver.change, &waiver.at, &waiver.public_type)
        };
        if waivers.iter().any(same) {
            diagnostics.push(
                Diagnostic::new("waiver", "this change is waived twice")
                    .at(&one.change.span)
                    .mend("keep one of them"),
            );
        }
        waivers.push(waiver);
    }
    waivers
}

fn check_waiver(raw: &raw::Waiver, diagnostics: &mut Diagnostics) {
    let mut refuse = |text: &At<String>, message: &str, mend: &str| {
        diagnostics.push(Diagnostic::new("waiver", message).at(&text.span).mend(mend));
    };
    let code = &raw.change.value;
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if code.is_empty() || code.len() > MAX_CODE_BYTES || !code.bytes().all(word) {
        refuse(
            &raw.change,
            "a rule's code is of a-z, 0-9 and `-`",
            "such as `change: property-removed`",
        );
    }
    let pointer = &raw.at.value;
    let escaped = pointer
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    if !(pointer.is_empty() || pointer.starts_with('/')) || !escaped {
        refuse(
            &raw.at,
            "this is no JSON pointer",
            "such as `at: /properties/total`; `\"\"` for the whole; `~` is written `~0` and `/` in a name `~1`",
        );
    }
    if raw.reason.value.trim().len() < 3 {
        refuse(
            &raw.reason,
            "the reason says nothing",
            "say why it is right to break it",
        );
    }
    let day = &raw.until.value;
    if day.len() != 10 || !timestamp::is_rfc3339(&format!("{day}T00:00:00Z")) {
        refuse(
            &raw.until,
            "this is no day",
            "the last day on which it holds, such as `until: 2025-06-30`",
        );
    }
    if let Some(public_type) = &raw.public_type {
        super::names::public_type(public_type, diagnostics);
    }
}
