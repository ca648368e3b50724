#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::kinds::{KINDS, MEMBERS};
use super::problems::SETS;
use super::*;

/// The sources of the bridge that tell of problems, in one text.
fn sources() -> String {
    fn below(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, text);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                if source.contains("Problem") {
                    text.push_str(&source);
                }
            }
        }
    }
    let mut text = String::new();
    below(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text
}

/// The text literal that follows each occurrence of `call`, among its arguments.
fn literals(text: &str, call: &str) -> BTreeSet<String> {
    let after = text.split(call).skip(1);
    let literal = |rest: &str| {
        let end = rest.find(')').unwrap_or(rest.len());
        rest[..end].split('"').nth(1).map(str::to_owned)
    };
    after.filter_map(literal).collect()
}

#[test]
fn every_problem_is_described() {
    let known: BTreeSet<&str> = KINDS.iter().map(|kind| kind.0).collect();
    let text = sources();
    // Where the name is no literal, the first one is the title.
    let is_name = |text: &String| {
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    let made = literals(&text, concat!("Problem::", "new("));
    for name in made.into_iter().filter(is_name) {
        assert!(known.contains(name.as_str()), "{name} is not in KINDS");
    }
    for name in &known {
        let literal = format!("\"{name}\"");
        assert!(
            text.matches(&literal).count() > 1,
            "{name} is in KINDS, and never answered"
        );
    }
    let members: BTreeSet<&str> = MEMBERS.iter().map(|member| member.0).collect();
    for made in text.split(concat!("Problem::", "new(")).skip(1) {
        let end = made.find(';').unwrap_or(made.len());
        for name in literals(&made[..end], concat!(".wi", "th(")) {
            assert!(members.contains(name.as_str()), "{name} is not in MEMBERS");
        }
    }
}

#[test]
fn every_set_names_problems_that_there_are() {
    for (set, names) in SETS {
        for name in *names {
            assert!(KINDS.iter().any(|kind| kind.0 == *name), "{set}: {name}");
        }
    }
}

#[test]
fn the_reference_tells_each_problem_with_its_statuses() {
    let reference = include_str!("../../../docs/http.md");
    let mut told: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for row in reference.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let statuses: BTreeSet<u16> = cells[2]
            .split(" or ")
            .filter_map(|one| one.parse().ok())
            .collect();
        if !statuses.is_empty() {
            let names = cells[1].split(", ").map(|name| name.trim_matches('`'));
            told.extend(names.map(|name| (name, statuses.clone())));
        }
    }
    let known: BTreeMap<&str, BTreeSet<u16>> = KINDS
        .iter()
        .map(|kind| (kind.0, kind.1.iter().copied().collect()))
        .collect();
    assert_eq!(told, known);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere() {
    for listener in [Listener::Private, Listener::Public, Listener::Operator] {
        let document = document(listener, Access::Either);
        let mut names = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name), "{method} {path}: {name} is there twice");
            }
        }
        for name in references(&document) {
            let schema = &document["components"]["schemas"][&name];
            assert!(!schema.is_null(), "{listener:?}: {name} is nowhere");
        }
    }
}

#[test]
fn no_route_is_without_a_description() {
    let text = sources();
    assert!(!text.contains(concat!(".rou", "te(")));
    assert!(text.contains("routes!("));
}
