//! What names, versions and attributes of a contract may be (CloudEvents 1.0, section 3, and what brokers allow).

use crate::attributes::is_reference;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::At;
use crate::version::Version;

/// The length of a contract's name; the public stream adds its major version.
const MAX_CONTRACT_BYTES: usize = 128;
/// The length of a source or public type: AMQP 0-9-1's short string.
const MAX_ATTRIBUTE_BYTES: usize = 255;
/// The length of a public type's name.
const MAX_NAME_BYTES: usize = 64;

fn words(text: &str, separator: char, more: &[char]) -> bool {
    text.split(separator).all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(&c))
    })
}

/// The name of a contract.
pub(super) fn contract(name: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = name.value.len() <= MAX_CONTRACT_BYTES && words(&name.value, '.', &['-', '_']);
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "contract-name",
                "a contract's name is words of a-z, 0-9, `-` and `_` with dots between",
            )
            .at(&name.span)
            .mend("such as `bank.accounts`; the major version is added to it"),
        );
    } else if crate::version::suffix(&name.value).is_some() {
        diagnostics.push(
            Diagnostic::new(
                "contract-name",
                "the major version is added to the name from `version`",
            )
            .at(&name.span)
            .mend("leave the version out of the name"),
        );
        return None;
    }
    legal.then(|| name.value.clone())
}

/// The version of a contract.
pub(super) fn version(text: &At<String>, diagnostics: &mut Diagnostics) -> Option<Version> {
    let version = Version::parse(&text.value);
    if version.is_none() {
        diagnostics.push(
            Diagnostic::new(
                "version",
                format!("`{}` is no version MAJOR.MINOR.PATCH", text.value),
            )
            .at(&text.span)
            .mend("such as `version: 1.0.0`"),
        );
    }
    version
}

/// The source of the public events: a URI-reference.
pub(super) fn source(text: &At<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    let legal = !text.value.is_empty()
        && text.value.len() <= MAX_ATTRIBUTE_BYTES
        && is_reference(&text.value);
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "source",
                format!(
                    "a source is a URI-reference of 1 to {MAX_ATTRIBUTE_BYTES} visible characters"
                ),
            )
            .at(&text.span)
            .mend("such as `source: //bank.example/accounts/v1`"),
        );
    }
    legal.then(|| text.value.clone())
}

/// A public type.
pub(super) fn public_type(text: &At<String>, diagnostics: &mut Diagnostics) -> bool {
    let legal = !text.value.is_empty()
        && text.value.len() <= MAX_ATTRIBUTE_BYTES
        && text
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte));
    if !legal {
        diagnostics.push(
            Diagnostic::new(
                "public-type",
                format!("a public type has 1 to {MAX_ATTRIBUTE_BYTES} letters, digits and signs of `._-/:`"),
            )
            .at(&text.span)
            .mend("such as `example.bank.account.opened.v1`"),
        );
    }
    legal
}

/// The `{name}` of topics and routing keys.
pub(super) fn name(text: &At<String>, diagnostics: &mut Diagnostics) -> bool {
    let legal = text.value.len() <= MAX_NAME_BYTES && words(&text.value, '-', &['_']);
    if !legal {
        diagnostics.push(
            Diagnostic::new("name", format!("a name has 1 to {MAX_NAME_BYTES} of a-z, 0-9, `-` and `_`, and begins with a letter"))
                .at(&text.span)
                .mend("such as `name: opened`"),
        );
    }
    legal
}
