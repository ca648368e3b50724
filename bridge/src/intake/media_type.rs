//! Media types (RFC 9110, section 8.3.1), as far as an event bridge has to understand them.

use std::borrow::Cow;

/// The type and subtype in lower case, without parameters; none if the text is no media type.
pub(crate) fn essence(text: &str) -> Option<Cow<'_, str>> {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    Some(
        match essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(essence.to_ascii_lowercase()),
            false => Cow::Borrowed(essence),
        },
    )
}

/// Whether data of this media type is JSON (CloudEvents 1.0, JSON format, section 3.1).
pub(crate) fn is_json(essence: &str) -> bool {
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// The `charset` that the text names, in lower case.
pub(crate) fn charset(text: &str) -> Option<String> {
    let mut parameters = text
        .split(';')
        .skip(1)
        .filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"').to_ascii_lowercase())
}

/// Whether the text's `charset`, if it names one, is that of JSON.
pub(crate) fn is_utf8(text: &str) -> bool {
    charset(text).is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "us-ascii"))
}

/// Visible characters that are no delimiters (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}
