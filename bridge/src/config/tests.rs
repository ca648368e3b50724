#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use horizon_schemas::Unfit;

/// A configuration file in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("horizon.yaml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn refusal(text: &str) -> String {
    let (_folder, path) = file(text);
    Config::load(&path, &Flags::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn defaults_apply_and_paths_start_at_the_file() {
    let (folder, path) = file("horizon: 1\n");
    let config = Config::load(&path, &Flags::default()).unwrap();
    assert_eq!(config.data, folder.path().join("data"));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8480");
    assert_eq!(config.body_limit_bytes, 4 * 1024 * 1024);
    assert_eq!(config.events_without_schema, EventsWithoutSchema::Refuse);
    assert_eq!(config.doors, Doors::default());
    let marks = (
        config.appends_min_free_bytes,
        config.crossing_min_free_bytes,
    );
    let defaults = horizon_store::Options::default();
    assert_eq!(
        marks,
        (
            defaults.appends_min_free_bytes,
            defaults.crossing_min_free_bytes
        )
    );
}

#[test]
fn the_marks_of_the_disk_are_held_to_their_order() {
    let text =
        refusal("horizon: 1\ndisk: { appends_min_free_bytes: 5, crossing_min_free_bytes: 6 }\n");
    assert!(text.contains("disk.crossing_min_free_bytes"), "{text}");
    let (_folder, path) =
        file("horizon: 1\ndisk: { appends_min_free_bytes: 0, crossing_min_free_bytes: 6 }\n");
    let config = Config::load(&path, &Flags::default()).unwrap();
    let marks = (
        config.appends_min_free_bytes,
        config.crossing_min_free_bytes,
    );
    assert_eq!(marks, (0, 6));
}

#[test]
fn each_door_is_set_by_itself_and_words_that_are_none_are_refused() {
    let (_folder, path) = file("horizon: 1\nprivate_schemas: { http: flag }\n");
    let config = Config::load(&path, &Flags::default()).unwrap();
    let (http, import) = (config.doors.http, config.doors.import);
    assert_eq!((http, import), (Unfit::Flag, Doors::default().import));
    let (_folder, path) = file("horizon: 1\nprivate_schemas: { http: off, import: reject }\n");
    let config = Config::load(&path, &Flags::default()).unwrap();
    let (http, import) = (config.doors.http, config.doors.import);
    assert_eq!((http, import), (Unfit::Off, Unfit::Reject));
    for wrong in ["{ http: flagg }", "{ mqtt: flag }", "flag"] {
        let text = refusal(&format!("horizon: 1\nprivate_schemas: {wrong}\n"));
        let told = ["line 2", "2:", ":2"].iter().any(|at| text.contains(at));
        assert!(told, "{text}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let (_folder, path) =
        file("horizon: 1\nhttp: { listen: 127.0.0.1:1000, body_limit_bytes: 7777 }\n");
    let flags = Flags {
        listen: Some("127.0.0.1:2000".parse().unwrap()),
        ..Flags::default()
    };
    let config = Config::load(&path, &flags).unwrap();
    assert_eq!(config.http.listen.port(), 2000);
    assert_eq!(
        config.body_limit_bytes, 7777,
        "what the flag does not say stays as in the file"
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_known_ones() {
    let text = refusal("horizon: 1\nhttp:\n  lisen: 127.0.0.1:1\n");
    assert!(
        ["lisen", "listen", "3"]
            .iter()
            .all(|part| text.contains(part)),
        "{text}"
    );
}

#[test]
fn a_missing_version_says_what_to_write() {
    let text = refusal("data: here\n");
    assert!(text.contains("horizon: 1"), "{text}");
}

/// Somebody who may do something, and a certificate.
const ACCESS: &str =
    "access: { principals: { a: { tokens: [ { file: t } ], grants: { operate: true } } } }\n";
const TLS: &str = "tls: { certificate: c.pem, key: { file: k.pem } }";

#[test]
fn an_address_beyond_loopback_is_refused_and_told_what_is_missing() {
    let loads = |text: &str| {
        let (_folder, path) = file(text);
        Config::load(&path, &Flags::default()).is_ok()
    };
    let open = "horizon: 1\nhttp: { listen: 0.0.0.0:8480 }\n";
    let told = refusal(open);
    assert!(told.contains("neither TLS nor authentication"), "{told}");
    assert!(loads(&format!(
        "{open}listen_beyond_loopback: without TLS and authentication\n"
    )));
    let told = refusal(&format!("{open}listen_beyond_loopback: without TLS\n"));
    assert!(told.contains("asks nobody who they are"), "{told}");

    let known = format!("{open}{ACCESS}");
    let told = refusal(&known);
    assert!(told.contains("has no TLS"), "{told}");
    assert!(loads(&format!(
        "{known}listen_beyond_loopback: without TLS\n"
    )));

    let secure = format!("horizon: 1\nhttp: {{ listen: 0.0.0.0:8480, {TLS} }}\n");
    let told = refusal(&secure);
    assert!(told.contains("asks nobody who they are"), "{told}");
    assert!(loads(&format!(
        "{secure}listen_beyond_loopback: without authentication\n"
    )));
    assert!(loads(&format!("{secure}{ACCESS}")), "nothing is missing");

    for (key, text) in [
        (
            "operator.listen",
            format!("{secure}{ACCESS}operator: {{ listen: 0.0.0.0:8481 }}\n"),
        ),
        (
            "public.listen",
            format!("{secure}{ACCESS}public: {{ listen: '[::]:8482' }}\n"),
        ),
    ] {
        let told = refusal(&text);
        assert!(told.contains(key) && told.contains("has no TLS"), "{told}");
    }
    let told = refusal("horizon: 1\nlisten_beyond_loopback: yes please\n");
    assert!(told.contains("without TLS and authentication"), "{told}");
}

#[test]
fn limits_are_held_to_their_bounds_and_unknown_ones_are_refused() {
    let told = refusal("horizon: 1\nlimits: { idle_seconds: 0 }\n");
    assert!(
        told.contains("limits.idle_seconds") && told.contains("between 1 and 3600"),
        "{told}"
    );
    assert!(refusal("horizon: 1\nlimits: { conections: 5 }\n").contains("conections"));
}

#[test]
fn other_principals_need_no_restart_and_the_first_ones_do() {
    let text = format!("horizon: 1\n{ACCESS}");
    let load = |text: &str| {
        let (_folder, path) = file(text);
        Config::load(&path, &Flags::default()).unwrap()
    };
    let (open, one) = (load("horizon: 1\n"), load(&text));
    let other = load(&text.replace("operate: true", "read: [account]"));
    assert_eq!(one.differs_from(&other), Vec::<String>::new());
    assert_eq!(open.differs_from(&one), ["access"]);
    assert_eq!(one.differs_from(&open), ["access"]);
}

#[test]
fn a_secret_that_is_written_out_is_refused_and_not_repeated() {
    let (_folder, path) = file(
        "horizon: 1\nbrokers: { main: { mqtt: { host: h, username: u, password: hunter2 } } }\n",
    );
    let config = Config::load(&path, &Flags::default()).unwrap();
    let environment = |_: &str| None;
    let surroundings = crate::outlets::Surroundings {
        folder: &config.folder,
        environment: &environment,
        unset: None,
    };
    let error = config.brokers["main"]
        .resolve("main", &surroundings)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("brokers.main.mqtt.password") && error.contains("env"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn numbers_out_of_bounds_are_refused() {
    let text = refusal("horizon: 1\nshutdown_deadline_seconds: 0\n");
    assert!(
        text.contains("shutdown_deadline_seconds") && text.contains("between 1 and 3600"),
        "{text}"
    );
}

#[test]
fn a_category_may_demand_an_expected_revision() {
    let (_folder, path) = file(
        "horizon: 1\ncategories:\n  account: { expected_revision: required }\n  card: { expected_revision: optional }\n",
    );
    let config = Config::load(&path, &Flags::default()).unwrap();
    assert_eq!(config.expecting, BTreeSet::from(["account".to_owned()]));
    let (_folder, path) =
        file("horizon: 1\ncategories: { account-1: { expected_revision: required } }\n");
    let refused = Config::load(&path, &Flags::default())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("account-1"), "{refused}");
}
