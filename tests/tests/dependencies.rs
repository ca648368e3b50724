//! Holds what the workspace may be built from: registry, licences, and no second version of what is costly to build or big.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, MetadataCommand};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences that ask for no more than their text and a notice.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// Packages whose manifest states no SPDX expression; read by hand.
const READ_BY_HAND: [(&str, &str); 1] = [("cloudevents-sdk", "Apache-2.0")];

/// Crates of which two versions are built, each with its reason. Whoever adds one looks first for a way without.
const TWICE: [(&str, &str); 8] = [
    (
        "base64",
        "the older for cloudevents-sdk, with which tests cross-check; the newer for ureq",
    ),
    ("flume", "the older for rumqttc, the newer for lapin"),
    (
        "foldhash",
        "the older for jaq-json, the newer for hashbrown; a few hundred lines",
    ),
    (
        "getrandom",
        "ring and ahash have not moved to the newest yet",
    ),
    (
        "nom",
        "the older for bindgen, when building; the newer for lapin's amq-protocol",
    ),
    (
        "rustls-webpki",
        "the older for rumqttc, which reads private keys with it; the newer for rustls",
    ),
    ("shlex", "bindgen and cc, both when building"),
    (
        "syn",
        "a change of major version that derive macros follow one by one; when building only",
    ),
];

fn metadata() -> Result<Metadata, cargo_metadata::Error> {
    MetadataCommand::new()
        .manifest_path("../Cargo.toml")
        .other_options(
            ["--locked", "--filter-platform", "x86_64-unknown-linux-gnu"].map(str::to_owned),
        )
        .exec()
}

#[test]
fn every_dependency_comes_from_crates_io() -> Outcome {
    let metadata = metadata()?;
    for package in &metadata.packages {
        let source = package.source.as_ref().map(|source| source.repr.as_str());
        let ours = metadata.workspace_members.contains(&package.id);
        assert!(
            ours || source == Some(CRATES_IO),
            "{} comes from {source:?}",
            package.name
        );
    }
    Ok(())
}

#[test]
fn every_licence_is_on_the_list() -> Outcome {
    for package in &metadata()?.packages {
        let by_hand = READ_BY_HAND
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .map(|(_, licence)| *licence);
        let stated = package.license.as_deref().or(by_hand);
        assert!(
            stated.is_some_and(allowed),
            "{} {}: licence {stated:?}",
            package.name,
            package.version
        );
    }
    Ok(())
}

#[test]
fn what_is_built_twice_has_a_reason() -> Outcome {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in &metadata()?.packages {
        versions
            .entry(package.name.to_string())
            .or_default()
            .insert(package.version.to_string());
    }
    let twice: BTreeMap<_, _> = versions
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .collect();
    for (name, versions) in &twice {
        assert!(
            TWICE.iter().any(|(known, _)| known == name),
            "{name} is built in versions {versions:?} without a reason"
        );
    }
    for (name, reason) in TWICE {
        assert!(
            twice.contains_key(&name.to_owned()),
            "{name} is built once only now; its reason can go: {reason}"
        );
    }
    Ok(())
}

#[test]
fn licence_expressions_are_understood() {
    assert!(allowed("MIT OR Apache-2.0"));
    assert!(allowed("MIT/Apache-2.0"));
    assert!(allowed("Apache-2.0 OR GPL-2.0-only"));
    assert!(allowed("(Apache-2.0 OR MIT) AND BSD-3-Clause"));
    assert!(allowed("Apache-2.0 WITH LLVM-exception"));
    assert!(!allowed("GPL-3.0-only"));
    assert!(!allowed("MIT AND GPL-3.0-only"));
    assert!(!allowed("(MIT OR Apache-2.0) AND MPL-2.0"));
}

/// Whether an SPDX expression (or an old one with `/` for `OR`) can be met with allowed licences only.
fn allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens: Vec<String> = Vec::new();
    for word in spaced.split_whitespace() {
        match tokens.last_mut() {
            // `A WITH B` is one licence.
            Some(last) if word == "WITH" || last.ends_with(" WITH") => {
                last.push(' ');
                last.push_str(word);
            }
            _ => tokens.push(word.to_owned()),
        }
    }
    let mut rest = tokens.as_slice();
    any_of(&mut rest) && rest.is_empty()
}

fn any_of(rest: &mut &[String]) -> bool {
    let mut met = all_of(rest);
    while next_is(rest, "OR") {
        met |= all_of(rest);
    }
    met
}

fn all_of(rest: &mut &[String]) -> bool {
    let mut met = one(rest);
    while next_is(rest, "AND") {
        met &= one(rest);
    }
    met
}

fn one(rest: &mut &[String]) -> bool {
    if next_is(rest, "(") {
        let met = any_of(rest);
        return next_is(rest, ")") && met;
    }
    let Some((licence, after)) = rest.split_first() else {
        return false;
    };
    *rest = after;
    LICENCES.contains(&licence.as_str())
}

fn next_is(rest: &mut &[String], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}
