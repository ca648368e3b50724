//! Holds the arrows between the workspace's folders: which crate may use which, and which library is known where.
//!
//! It reads the manifests (through `cargo metadata`) and the sources. A violation names file and line.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What may stand at the top of the repository; names that begin with a dot are free.
const TOP_LEVEL: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "bridge",
    "store",
    "schemas",
    "deploy",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
];
/// What building and testing leave there; never committed.
const PRODUCED: [&str; 1] = ["target"];

/// Which crates of the workspace a crate may use.
const MAY_USE: [(&str, &[&str]); 4] = [
    ("horizon-store", &[]),
    ("horizon-schemas", &[]),
    ("horizon-bridge", &["horizon-store", "horizon-schemas"]),
    ("horizon-tests", &["horizon-store", "horizon-schemas"]),
];

/// Libraries that one place only may know. The bare publishing loops of `tests/` measure the client libraries themselves, and the
/// outlets' tests listen with them.
const KNOWN_ONLY_IN: [(&str, &[&str]); 4] = [
    ("rocksdb", &["store/"]),
    ("jsonschema", &["schemas/"]),
    (
        "rumqttc",
        &[
            "bridge/src/outlets/mqtt",
            "bridge/src/outlets/tests/",
            "tests/src/bin/",
        ],
    ),
    (
        "lapin",
        &[
            "bridge/src/outlets/amqp",
            "bridge/src/outlets/tests/",
            "tests/src/bin/",
        ],
    ),
];

/// Names that one place of the bridge only may say. A crossing that passed its public schema is the only thing that becomes a public
/// event, and the public log is the only thing that becomes an outbound message.
const SAID_ONLY_IN: [(&str, &[&str]); 2] = [
    ("NewPublicEvent", &["bridge/src/crossing/member.rs"]),
    (
        "from_public_log",
        &["bridge/src/outlets/message.rs", "bridge/src/relay/place.rs"],
    ),
];

/// What a crate must not depend on, because its folder's purpose excludes it.
const NEVER_IN: [(&str, &[&str]); 2] = [
    // No network and no JSON Schema.
    (
        "horizon-store",
        &["axum", "hyper", "ureq", "rumqttc", "lapin", "jsonschema"],
    ),
    // Pure: no sockets, no store, no runtime.
    (
        "horizon-schemas",
        &[
            "axum", "hyper", "ureq", "rumqttc", "lapin", "rocksdb", "tokio",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from("..")
}

fn metadata() -> Result<Metadata, cargo_metadata::Error> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned()])
        .exec()
}

#[test]
fn the_top_level_is_fixed() -> Outcome {
    for entry in fs::read_dir(root())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = name.starts_with('.')
            || TOP_LEVEL.contains(&name.as_str())
            || PRODUCED.contains(&name.as_str());
        assert!(known, "{name} does not belong at the top of the repository");
    }
    Ok(())
}

#[test]
fn crates_of_the_workspace_use_only_those_they_may() -> Outcome {
    let metadata = metadata()?;
    let members: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let ruled: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, ruled, "every crate of the workspace has its rule");
    for package in &metadata.packages {
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .ok_or("no rule")?;
        for dependency in &package.dependencies {
            let inside = members.contains(dependency.name.as_str());
            assert!(
                !inside || allowed.contains(&dependency.name.as_str()),
                "{} may not use {}",
                package.name,
                dependency.name
            );
        }
    }
    Ok(())
}

#[test]
fn no_crate_depends_on_what_its_purpose_excludes() -> Outcome {
    for package in &metadata()?.packages {
        for (_, excluded) in NEVER_IN
            .iter()
            .filter(|(name, _)| *name == package.name.as_str())
        {
            for dependency in package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
            {
                assert!(
                    !excluded.contains(&dependency.name.as_str()),
                    "{} may not use {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
    Ok(())
}

#[test]
fn each_library_is_known_in_its_place_only() -> Outcome {
    let metadata = metadata()?;
    for (library, places) in KNOWN_ONLY_IN {
        for package in &metadata.packages {
            let folder = package
                .manifest_path
                .parent()
                .and_then(|folder| folder.file_name())
                .unwrap_or_default();
            let depends = package
                .dependencies
                .iter()
                .any(|dependency| dependency.name == library);
            let allowed = places
                .iter()
                .any(|place| place.split('/').next() == Some(folder));
            assert!(
                !depends || allowed,
                "{} may not depend on {library}",
                package.name
            );
        }
        let mut met_at_home = false;
        for (path, text) in sources()? {
            let at_home = places.iter().any(|place| path.starts_with(place));
            for (number, line) in code_lines(&text) {
                if mentions(line, library) {
                    assert!(
                        at_home,
                        "{path}:{number} knows {library}, which only {} may: {}",
                        places.join(" and "),
                        line.trim()
                    );
                    met_at_home = true;
                }
            }
        }
        assert!(
            met_at_home,
            "{library} is used nowhere: this rule, or this test's reading, is out of date"
        );
    }
    Ok(())
}

#[test]
fn what_may_leave_is_made_in_one_place_only() -> Outcome {
    for (name, places) in SAID_ONLY_IN {
        let mut said = BTreeSet::new();
        for (path, text) in sources()? {
            let inside = path.starts_with("bridge/");
            if inside && code_lines(&text).any(|(_, line)| line.contains(name)) {
                said.insert(path);
            }
        }
        let allowed: BTreeSet<String> = places.iter().map(|place| (*place).to_owned()).collect();
        assert_eq!(
            said, allowed,
            "{name} is said where it may be, and only there"
        );
    }
    Ok(())
}

#[test]
fn every_outlet_has_the_same_files() -> Outcome {
    let outlets = root().join("bridge/src/outlets");
    let mut folders = 0;
    for entry in fs::read_dir(outlets)? {
        let folder = entry?.path();
        // Beside the outlets: what they share, and their tests.
        let shared = |name: &OsStr| name == "tests" || name == "options";
        if folder.is_dir() && !folder.file_name().is_some_and(shared) {
            folders += 1;
            for name in ["options.rs", "encode.rs", "connection.rs"] {
                assert!(
                    folder.join(name).exists(),
                    "{} lacks {name}",
                    folder.display()
                );
            }
        }
    }
    assert!(folders >= 2, "there are outlets");
    Ok(())
}

#[test]
fn a_mention_is_told_from_a_likeness() {
    assert!(mentions("use lapin::Channel;", "lapin"));
    assert!(mentions("    let x = ::rocksdb::DB::open();", "rocksdb"));
    assert!(mentions("use {lapin, std::fs};", "lapin"));
    assert!(!mentions("let lapins = 3; // rabbits", "lapin"));
    assert!(!mentions("warn,horizon=info", "horizon_store"));
    assert!(!mentions(r#"const FILTER: &str = "lapin=error";"#, "lapin"));
    assert_eq!(
        code_lines("a\n// lapin::x\n//! lapin::y\nb // lapin::z\n").count(),
        2
    );
}

/// All Rust sources of the workspace: path from the root, and text.
fn sources() -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["store", "schemas", "bridge", "tests"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root())
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                found.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    found.retain(|(name, _)| name != "tests/tests/architecture.rs");
    Ok(found)
}

/// The lines of a source without comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Whether a line of code names a library as a path (`library::…`) or in a `use`.
fn mentions(line: &str, library: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect();
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(library).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + library.len()..];
        let whole = !before.is_some_and(is_word) && !after.chars().next().is_some_and(is_word);
        // A module or field may bear the name (`outlets::amqp::lapin` would be a path into our own code).
        let own_path =
            code[..at].ends_with("::") && code[..at - 2].chars().next_back().is_some_and(is_word);
        whole
            && !own_path
            && (after.starts_with("::")
                || code.trim_start().starts_with("use ")
                || code.trim_start().starts_with("pub use "))
    })
}
