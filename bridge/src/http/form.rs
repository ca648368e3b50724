//! Which form an answer takes: content negotiation by `Accept` (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;

/// CloudEvents 1.0, JSON format: one event.
pub(super) const CLOUD_EVENT: &str = "application/cloudevents+json";
/// CloudEvents 1.0, JSON batch format.
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
/// One JSON document a line.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// The same under its other name.
pub(super) const JSONL: &str = "application/jsonl";
/// Plain JSON.
pub(super) const JSON: &str = "application/json";
/// Server-sent events (HTML standard, section 9.2).
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The forms that a part of a stream or a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The interface's own document, with what the store knows beside each event.
    Json,
    /// An array of CloudEvents.
    Batch,
    /// One CloudEvent a line.
    Lines,
    /// The events as they come, until somebody hangs up.
    Follow,
}

/// A form with its media type.
pub(super) type Offer<F> = (&'static str, F);

/// The forms of the private side; the first is given where nothing else is asked for.
pub(super) const PRIVATE: [Offer<Form>; 5] = [
    (JSON, Form::Json),
    (BATCH, Form::Batch),
    (NDJSON, Form::Lines),
    (JSONL, Form::Lines),
    (EVENT_STREAM, Form::Follow),
];

/// The forms of the public side.
pub(super) const PUBLIC: [Offer<Form>; 5] = [
    (BATCH, Form::Batch),
    (NDJSON, Form::Lines),
    (JSONL, Form::Lines),
    (JSON, Form::Json),
    (EVENT_STREAM, Form::Follow),
];

impl Form {
    /// What tells this form's entity tags from those of the others.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Form::Json => "",
            Form::Batch => ".batch",
            Form::Lines => ".lines",
            Form::Follow => ".events",
        }
    }
}

/// A media range of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    /// None: it cannot be read, and asks for nothing.
    fn read(text: &'a str) -> Option<Range<'a>> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1_000;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.trim().eq_ignore_ascii_case("q") {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Range {
            kind,
            subtype,
            quality,
        })
    }

    /// How exactly the range names a media type; none if it does not.
    fn names(&self, media_type: &str) -> Option<u8> {
        let (kind, subtype) = media_type.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, part) if own.eq_ignore_ascii_case(kind) && part.eq_ignore_ascii_case(subtype) => {
                Some(2)
            }
            _ => None,
        }
    }
}

/// A quality value: 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}

/// The form that the caller likes best; among equals the one that is named most exactly, and then the first that is offered.
///
/// # Errors
/// 406 with what is offered.
pub(super) fn negotiate<F: Copy>(
    headers: &HeaderMap,
    offered: &[Offer<F>],
) -> Result<Offer<F>, Problem> {
    let values = headers.get_all(header::ACCEPT);
    let texts: Vec<&str> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let asked: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect();
    let ranges: Vec<Range<'_>> = asked.iter().filter_map(|text| Range::read(text)).collect();
    let mut best: Option<((u16, u8), Offer<F>)> = None;
    for offer in offered {
        // The range that names it most exactly decides.
        let named = ranges
            .iter()
            .filter_map(|range| range.names(offer.0).map(|how| (how, range.quality)))
            .max();
        let (how, quality) = match named {
            Some(named) => named,
            None if asked.is_empty() => (0, 1_000),
            None => continue,
        };
        if quality > 0 && best.is_none_or(|(rank, _)| (quality, how) > rank) {
            best = Some(((quality, how), *offer));
        }
    }
    best.map(|(_, offer)| offer).ok_or_else(|| {
        let offered: Vec<&str> = offered.iter().map(|(media_type, _)| *media_type).collect();
        Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "nothing here has the form that is asked for",
        )
        .detail(format!("`Accept` says {:?}", texts.join(", ")))
        .mend(format!("accept one of {}", offered.join(", ")))
        .with("offered", offered)
    })
}

/// JSON on one line: what breaks lines there is between the values, for in a text it is escaped.
pub(super) fn one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Events in one of the forms that have nothing else in them.
pub(super) fn joined(form: Form, events: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::new();
    if form == Form::Lines {
        for mut event in events {
            one_line(&mut event);
            body.extend_from_slice(&event);
            body.push(b'\n');
        }
        return body;
    }
    body.push(b'[');
    for (nth, event) in events.enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event);
    }
    body.push(b']');
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given where these `Accept` headers are sent.
    fn given(accept: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.extend(
                header::HeaderValue::from_str(value)
                    .ok()
                    .map(|value| (header::ACCEPT, value)),
            );
        }
        negotiate(&headers, &PRIVATE).ok().map(|(given, _)| given)
    }

    #[test]
    fn what_is_liked_best_is_given_and_the_first_where_nothing_is_said() {
        for (accept, due) in [
            (&[][..], JSON),
            (&["*/*"], JSON),
            (&[""], JSON),
            (&["application/*"], JSON),
            (&["text/event-stream"], EVENT_STREAM),
            (&["text/*"], EVENT_STREAM),
            (&["Application/CloudEvents-Batch+JSON"], BATCH),
            (
                &["application/cloudevents-batch+json; charset=utf-8"],
                BATCH,
            ),
            (&["application/json;q=0.5, application/x-ndjson"], NDJSON),
            (
                &["application/json;q=0.5", "application/jsonl;q=0.6"],
                JSONL,
            ),
            // What is named exactly goes before what a pattern takes, and has its own quality.
            (&["*/*, text/event-stream"], EVENT_STREAM),
            (&["*/*, application/json;q=0"], BATCH),
            (&["application/*;q=0.1, application/json;q=0.05"], BATCH),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], JSON),
            (&["nonsense, application/jsonl"], JSONL),
        ] {
            assert_eq!(given(accept), Some(due), "{accept:?}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for accept in [
            "text/html",
            "application/json;q=0",
            "*/*;q=0",
            "application/json;q=2",
            "application/json;q=0.1234",
            "application/json;q=x",
            "json",
        ] {
            assert_eq!(given(&[accept]), None, "{accept}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        let events = [&b"{\"data\":[1,\r\n2]}"[..], b"{}"].map(<[u8]>::to_vec);
        assert_eq!(
            joined(Form::Lines, events.clone().into_iter()),
            b"{\"data\":[1,  2]}\n{}\n"
        );
        assert_eq!(
            joined(Form::Batch, events.into_iter()),
            b"[{\"data\":[1,\r\n2]},{}]"
        );
        assert_eq!(joined(Form::Batch, std::iter::empty()), b"[]");
        assert_eq!(joined(Form::Lines, std::iter::empty()), b"");
    }
}
