//! MQTT over TLS, with authorities and certificates made here, and with users.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::brokers::Mosquitto;
use super::certificates::Authority;
use super::mqtt::{KINDS, Kind, kind};
use super::*;

/// Files with an authority's certificate and with what it signed: `server` for 127.0.0.1, `elsewhere`, and `client`.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn make() -> Self {
        let certificates = Self {
            folder: TempDir::new().expect("a folder"),
        };
        certificates.renew();
        certificates
    }

    /// Puts certificates of another authority of the same name in the same files.
    fn renew(&self) {
        let own = TempDir::new().expect("a folder");
        let folder = own.path().join("-for-mqtt");
        std::fs::create_dir(&folder).expect("a folder");
        let authority = Authority::within(&folder);
        self.put(authority.certificate(), "ca.pem");
        for (name, subject) in [
            ("server", "127.0.0.1"),
            ("elsewhere", "elsewhere.example"),
            ("client", "client"),
        ] {
            let (certificate, key) = authority.sign(&[subject]);
            self.put(certificate, &format!("{name}.pem"));
            self.put(key, &format!("{name}.key"));
        }
    }

    fn put(&self, file: PathBuf, name: &str) {
        std::fs::copy(file, self.path(name)).expect("copied");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of Mosquitto's configuration that show `server`.
    fn listener(&self, server: &str) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "allow_anonymous true\nuser root\ncafile {}\ncertfile {}\nkeyfile {}\n",
            path("ca.pem"),
            path(&format!("{server}.pem")),
            path(&format!("{server}.key"))
        )
    }

    /// The option that trusts the authority, and shows a certificate.
    fn option(&self, client: Option<&str>) -> String {
        let ca = self.path("ca.pem");
        let client = client.map_or(String::new(), |client| {
            let path = |end: &str| self.path(&format!("{client}.{end}"));
            format!(
                ", certificate: {}, key: {{ file: {} }}",
                path("pem").display(),
                path("key").display()
            )
        });
        format!(", tls: {{ ca: {}{client} }}", ca.display())
    }
}

/// Publishes one message in a session of its own.
async fn passes(outlet: &Outlet) {
    let mut session = connect(outlet).await;
    let answers = publish(&mut session, vec![mqtt_message(1, "a", payload(1))]).await;
    assert!(
        matches!(answers[&1], Answer::Confirmed | Answer::Unheard),
        "{answers:?}"
    );
}

/// Why no session opens.
async fn fails(outlet: &Outlet) -> String {
    match within("an answer", outlet.connect(IDENTITY)).await {
        Err(error) => error.to_string(),
        Ok(session) => panic!("a session opened: {:?}", session.state),
    }
}

fn versions() -> [Kind; 2] {
    [kind("5.0", 1), kind("3.1.1", 1)]
}

#[tokio::test]
async fn thousands_of_messages_pass_over_tls() {
    let certificates = Certificates::make();
    let mosquitto = Mosquitto::start(&certificates.listener("server")).await;
    for kind in KINDS {
        let outlet = kind.outlet(mosquitto.port, &certificates.option(None));
        let mut session = connect(&outlet).await;
        let messages = (1..=2_000).map(|n| mqtt_message(n, "a", payload(n)));
        let answers = publish(&mut session, messages.collect()).await;
        assert_eq!(answers.len(), 2_000, "{kind:?}");
    }
}

#[tokio::test]
async fn a_broker_that_is_not_vouched_for_or_has_another_name_is_refused() {
    let certificates = Certificates::make();
    let mosquitto = Mosquitto::start(&certificates.listener("server")).await;
    let elsewhere = Mosquitto::start(&certificates.listener("elsewhere")).await;
    let strangers = Certificates::make();
    for kind in versions() {
        passes(&kind.outlet(mosquitto.port, &certificates.option(None))).await;
        // An authority of the same name, and authorities of other names.
        for (wrong, problem) in [
            (strangers.option(None), "BadSignature"),
            (", tls: {}".to_owned(), "UnknownIssuer"),
        ] {
            let reason = fails(&kind.outlet(mosquitto.port, &wrong)).await;
            assert!(
                reason.starts_with("mqtts://127.0.0.1:")
                    && reason.contains(problem)
                    && reason.contains("`tls.ca`"),
                "{reason}"
            );
        }
        let reason = fails(&kind.outlet(elsewhere.port, &certificates.option(None))).await;
        assert!(
            reason.contains("not valid for name") && reason.contains("`host`"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_gets_the_one_that_is_configured() {
    let certificates = Certificates::make();
    let strangers = Certificates::make();
    let mosquitto = Mosquitto::start(&format!(
        "{}require_certificate true\n",
        certificates.listener("server")
    ))
    .await;
    let stranger = strangers.option(Some("client"));
    let stranger = stranger.replace(
        &strangers.path("ca.pem").display().to_string(),
        &certificates.path("ca.pem").display().to_string(),
    );
    for kind in versions() {
        passes(&kind.outlet(mosquitto.port, &certificates.option(Some("client")))).await;
        for wrong in [&certificates.option(None), &stranger] {
            let reason = fails(&kind.outlet(mosquitto.port, wrong)).await;
            assert!(reason.contains("`tls.certificate`"), "{reason}");
        }
    }
}

#[tokio::test]
async fn renewed_certificates_hold_from_the_next_connection_on() {
    let certificates = Certificates::make();
    let mut mosquitto = Mosquitto::start(&format!(
        "{}require_certificate true\n",
        certificates.listener("server")
    ))
    .await;
    let outlets =
        versions().map(|kind| kind.outlet(mosquitto.port, &certificates.option(Some("client"))));
    for outlet in &outlets {
        passes(outlet).await;
    }
    mosquitto.kill();
    certificates.renew();
    mosquitto.restart().await;
    for outlet in &outlets {
        passes(outlet).await;
    }
    std::fs::remove_file(certificates.path("client.pem")).expect("removed");
    for outlet in &outlets {
        let reason = fails(outlet).await;
        assert!(
            reason.contains("mqtt.tls.certificate") && reason.contains("client.pem"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn tls_to_a_port_without_it_and_the_other_way_round_are_errors_that_say_so() {
    let certificates = Certificates::make();
    let plain = Mosquitto::start("allow_anonymous true").await;
    let secure = Mosquitto::start(&certificates.listener("server")).await;
    for kind in versions() {
        let reason = fails(&kind.outlet(plain.port, &certificates.option(None))).await;
        assert!(reason.starts_with("mqtts://"), "{reason}");
        let reason = fails(&kind.outlet(secure.port, "")).await;
        assert!(
            reason.starts_with("mqtt://") && reason.contains("closed the connection"),
            "{reason}"
        );
    }
}

#[test]
fn the_name_in_the_certificate_is_the_hosts() {
    let yaml = "mqtt: { host: h, tls: { server_name: elsewhere.example } }";
    let options: BrokerOptions = serde_saphyr::from_str(yaml).expect("readable");
    let surroundings = Surroundings {
        folder: Path::new("/"),
        environment: &|_| None,
        unset: None,
    };
    let error = options.resolve("main", &surroundings).expect_err("refused");
    assert_eq!(error.field, "mqtt.tls.server_name");
}

#[tokio::test]
async fn users_and_passwords_come_from_the_environment_or_a_file() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (user, password) in [("env", "secret"), ("file", "from a file")] {
        let create: &[&str] = if user == "env" {
            &["-b", "-c"]
        } else {
            &["-b"]
        };
        let status = Command::new("mosquitto_passwd")
            .args(create)
            .args([&path("users"), user, password])
            .status()
            .expect("mosquitto_passwd must be installed for this test");
        assert!(status.success());
    }
    std::fs::write(path("password"), "from a file\n").expect("written");
    let configuration = format!(
        "allow_anonymous false\npassword_file {}\nuser root",
        path("users")
    );
    let mosquitto = Mosquitto::start(&configuration).await;
    let environment = ", username: env, password: { env: THE_PASSWORD }";
    let file = format!(
        ", username: file, password: {{ file: {} }}",
        path("password")
    );
    for kind in versions() {
        passes(&kind.outlet(mosquitto.port, environment)).await;
        passes(&kind.outlet(mosquitto.port, &file)).await;
        let wrong = environment.replace("username: env", "username: file");
        for (wrong, name) in [(wrong.as_str(), "wrong"), ("", "anonymous")] {
            let reason = fails(&kind.outlet(mosquitto.port, wrong)).await;
            assert!(
                reason.contains("the broker refused") && !reason.contains("secret"),
                "{name}: {reason}"
            );
        }
    }
}
