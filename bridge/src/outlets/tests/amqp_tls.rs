//! AMQP over TLS, and logging in.

use std::fs;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use super::amqp::outlet_of;
use super::brokers::{Rabbit, free_port, until_listening};
use super::certificates::Authority;
use super::*;

/// A virtual host whose name has to be encoded in an address.
pub(super) const VIRTUAL_HOST: &str = "team/one 100%";

/// A RabbitMQ that wants a client certificate over TLS, with its management interface, and users with the password `secret`:
/// `manager` may use the interface, `plain` may not. Its certificate is for `rabbit.test`, and over AMQP for `alias.test`, too.
pub(super) struct Fortress {
    pub(super) rabbit: Rabbit,
    pub(super) tls_port: u16,
    pub(super) management_port: u16,
    pub(super) management_tls_port: u16,
    authority: Authority,
}

static FORTRESS: OnceCell<Fortress> = OnceCell::const_new();

/// The one that tests share.
pub(super) async fn fortress() -> &'static Fortress {
    FORTRESS.get_or_init(Fortress::start).await
}

impl Fortress {
    async fn start() -> Self {
        let (tls_port, management_port, management_tls_port) =
            (free_port(), free_port(), free_port());
        let mut authority = None;
        let configuration = |folder: &Path| {
            let authority = authority.insert(Authority::within(folder));
            let certificates = |prefix: &str, names: &[&str]| {
                let (certificate, key) = authority.sign(names);
                format!(
                    "{prefix}.cacertfile = {}\n{prefix}.certfile = {}\n{prefix}.keyfile = {}\n",
                    authority.certificate().display(),
                    certificate.display(),
                    key.display()
                )
            };
            [
                format!("listeners.ssl.1 = 127.0.0.1:{tls_port}\n"),
                certificates("ssl_options", &["rabbit.test", "alias.test"]),
                "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n".to_owned(),
                "auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name\n".to_owned(),
                format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management_port}\n"),
                format!("management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {management_tls_port}\n"),
                certificates("management.ssl", &["rabbit.test"]),
            ]
            .concat()
        };
        let plugins = "[rabbitmq_management,rabbitmq_auth_mechanism_ssl]";
        let rabbit = Rabbit::start_with(configuration, plugins).await;
        let authority = authority.expect("it was made");
        for port in [tls_port, management_port, management_tls_port] {
            until_listening(port, &rabbit.output()).await;
        }
        rabbit.control(&["add_vhost", VIRTUAL_HOST]).await;
        let everything = [".*", ".*", ".*"];
        for user in ["manager", "plain"] {
            rabbit.add_user(user, "/", everything).await;
            rabbit.permit(user, VIRTUAL_HOST, everything).await;
        }
        rabbit
            .control(&["set_user_tags", "manager", "management"])
            .await;
        Self {
            rabbit,
            tls_port,
            management_port,
            management_tls_port,
            authority,
        }
    }

    /// `tls:` for it, with the certificate of a user.
    pub(super) fn tls(&self, user: Option<&str>, server_name: &str) -> String {
        tls(&self.authority, &self.authority, user, server_name)
    }

    fn outlet(&self, options: &str) -> Outlet {
        outlet_of(self.tls_port, exchange("tls.v1"), options)
    }

    /// What logs in with a password, and with this `tls:`.
    fn with_password(&self, tls: &str) -> Outlet {
        let credentials = "username: plain, password: { env: THE_PASSWORD }";
        self.outlet(&format!(", {credentials}, {tls}"))
    }
}

/// `tls:` that trusts one authority and shows another one's certificate of a user.
fn tls(trusted: &Authority, own: &Authority, user: Option<&str>, server_name: &str) -> String {
    let identity = user.map(|user| {
        let (certificate, key) = own.sign(&[user]);
        format!(
            ", certificate: {}, key: {{ file: {} }}",
            certificate.display(),
            key.display()
        )
    });
    format!(
        "tls: {{ ca: {}, server_name: {server_name}{} }}",
        trusted.certificate().display(),
        identity.unwrap_or_default()
    )
}

async fn refusal(outlet: &Outlet) -> String {
    let connected = within("an answer", outlet.connect(IDENTITY)).await;
    connected.expect_err("no session").to_string()
}

#[tokio::test]
async fn messages_go_over_tls_and_a_session_that_is_let_go_is_closed() {
    let fortress = fortress().await;
    let outlet = fortress.with_password(&fortress.tls(Some("anyone"), "rabbit.test"));
    let mut session = connect(&outlet).await;
    let messages = (1..=3_000).map(|n| amqp_message(n, "a", payload(n)));
    let answers = publish(&mut session, messages.collect()).await;
    assert_eq!(count(&answers, &Answer::Unheard), 3_000);
    let name = IDENTITY.connection_name();
    let listed = async || {
        let list = ["list_connections", "client_properties", "ssl", "user"];
        let listed = fortress.rabbit.control(&list).await;
        let own = listed
            .lines()
            .find(|line| line.contains(&name) && line.contains("plain"));
        own.map(str::to_owned)
    };
    let own = listed().await.expect("the connection is listed");
    assert!(own.contains("true"), "{own}");
    drop(session);
    within("the end of the connection", async {
        while listed().await.is_some() {}
    })
    .await;
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_told() {
    let fortress = fortress().await;
    let stranger = Authority::new();
    let ours = &fortress.authority;
    let wrong_name = fortress.tls(Some("anyone"), "other.test");
    let by_address = wrong_name.replace("server_name: other.test, ", "");
    assert_ne!(by_address, wrong_name);
    for (case, tls, expected) in [
        (
            "an authority that did not sign",
            tls(&stranger, ours, Some("anyone"), "rabbit.test"),
            "`tls.ca`",
        ),
        ("another name", wrong_name, "`tls.server_name`"),
        ("the address for a name", by_address, "`tls.server_name`"),
        (
            "no client certificate",
            fortress.tls(None, "rabbit.test"),
            "want a client certificate",
        ),
        (
            "a client certificate of another authority",
            tls(ours, &stranger, Some("anyone"), "rabbit.test"),
            "refuse the client certificate",
        ),
    ] {
        let reason = refusal(&fortress.with_password(&tls)).await;
        // With TLS 1.3 the client learns only after its handshake that its certificate is missing or refused, or finds the
        // connection reset.
        assert!(
            reason.starts_with("amqps://127.0.0.1:") && reason.contains(expected),
            "{case}: {reason}"
        );
    }
    let good = fortress.tls(Some("anyone"), "alias.test");
    let plain_port = format!(", {good}");
    let reason = refusal(&outlet_of(
        fortress.rabbit.port,
        exchange("tls.v1"),
        &plain_port,
    ))
    .await;
    assert!(reason.contains("does not speak TLS"), "{reason}");
    let good = fortress.with_password(&good);
    drop(connect(&good).await);
}

#[tokio::test]
async fn a_client_certificate_can_be_the_login() {
    let fortress = fortress().await;
    let external = |user| {
        let tls = fortress.tls(Some(user), "rabbit.test");
        fortress.outlet(&format!(", auth: external, {tls}"))
    };
    let session = connect(&external("manager")).await;
    let list = ["list_connections", "user", "auth_mechanism"];
    let listed = fortress.rabbit.control(&list).await;
    assert!(
        listed.lines().any(|line| line == "manager\tEXTERNAL"),
        "{listed}"
    );
    drop(session);
    let reason = refusal(&external("nobody")).await;
    assert!(reason.contains("ACCESS"), "{reason}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_by_the_next_connection() {
    let fortress = fortress().await;
    let stranger = Authority::new();
    let ca = tempfile::NamedTempFile::new().expect("a file");
    fs::copy(stranger.certificate(), ca.path()).expect("copied");
    let (certificate, key) = fortress.authority.sign(&["renewed"]);
    let tls = format!(
        "tls: {{ ca: {}, server_name: rabbit.test, certificate: {}, key: {{ file: {} }} }}",
        ca.path().display(),
        certificate.display(),
        key.display()
    );
    let outlet = fortress.with_password(&tls);
    refusal(&outlet).await;
    fs::copy(fortress.authority.certificate(), ca.path()).expect("copied");
    drop(connect(&outlet).await);
    fs::write(ca.path(), "").expect("emptied");
    let reason = refusal(&outlet).await;
    assert!(reason.contains("tls.ca"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_let_go_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let authority = Authority::new();
    let yaml = format!(
        "amqp: {{ host: 127.0.0.1, port: {port}, connect_timeout_seconds: 1, {} }}",
        tls(&authority, &authority, None, "rabbit.test")
    );
    let outlet = super::outlet(&yaml, OutletKind::Amqp(exchange("any.v1")));
    let silent_peer = async {
        let (mut peer, _) = listener.accept().await.expect("a connection");
        let mut received = Vec::new();
        // Ends only when the other side has closed, or was cut.
        let _ = peer.read_to_end(&mut received).await;
        assert_eq!(received.first(), Some(&22), "a TLS handshake");
    };
    let connect = async {
        let error = outlet.connect(IDENTITY).await.expect_err("silence");
        assert!(error.to_string().contains("1 s"), "{error}");
    };
    within("the cut", async { tokio::join!(silent_peer, connect) }).await;
}

#[tokio::test]
async fn a_password_is_read_from_a_file_or_the_environment_and_never_told() {
    let rabbit = Rabbit::shared().await;
    rabbit.add_user("reader", "/", [".*", ".*", ".*"]).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "secret\n").expect("written");
    let path = file.path().display().to_string();
    let with = |source: &str| {
        let options = format!(", username: reader, password: {{ {source} }}");
        outlet_of(rabbit.port, exchange("reader.v1"), &options)
    };
    drop(connect(&with(&format!("file: {path}"))).await);
    drop(connect(&with("env: THE_PASSWORD")).await);
    fs::write(file.path(), "mistaken\n").expect("written");
    let reason = refusal(&with(&format!("file: {path}"))).await;
    assert!(reason.contains("ACCESS_REFUSED"), "{reason}");
    assert!(!reason.contains("mistaken"), "{reason}");
}

#[test]
fn options_of_the_login_and_of_the_interface_are_checked() {
    let (authority, unset) = (Authority::new(), Unset::default());
    let (certificate, key) = authority.sign(&["client"]);
    let resolve = |yaml: &str| {
        let options: BrokerOptions = serde_saphyr::from_str(yaml).expect("readable");
        let surroundings = Surroundings {
            folder: Path::new("/"),
            environment: &|_| None,
            unset: Some(&unset),
        };
        options.resolve("main", &surroundings)
    };
    let certificate = format!(
        "tls: {{ certificate: '{}', key: {{ file: '{}' }} }}",
        certificate.display(),
        key.display()
    );
    for (options, field) in [
        ("auth: external".to_owned(), "amqp.tls.certificate"),
        ("auth: external, tls: {}".to_owned(), "amqp.tls.certificate"),
        (
            format!("auth: external, {certificate}, management: 'http://h:1'"),
            "amqp.username",
        ),
        ("management: h".to_owned(), "amqp.management"),
        ("management: 'ftp://h'".to_owned(), "amqp.management"),
        ("management: 'http://u:p@h'".to_owned(), "amqp.management"),
        ("management: 'http://h?x'".to_owned(), "amqp.management"),
    ] {
        let error = resolve(&format!("amqp: {{ host: h, {options} }}")).expect_err(&options);
        assert_eq!(error.field, field, "{options}");
    }
    resolve(&format!(
        "amqp: {{ host: h, auth: external, {certificate} }}"
    ))
    .expect("right");
}
