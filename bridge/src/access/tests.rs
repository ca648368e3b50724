#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::path::Path;

use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::*;
use crate::clock;
use crate::outlets::Surroundings;

const TOKEN: &str = "hzn_a-token-that-is-long-enough-to-be-one";

fn resolve(text: &str, folder: &Path) -> Result<Access, String> {
    let options: AccessOptions = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let environment = |name: &str| match name {
        "TOKEN" => Some(TOKEN.to_owned()),
        "SHORT" => Some("secret".to_owned()),
        _ => None,
    };
    let surroundings = Surroundings {
        folder,
        environment: &environment,
        without_secrets: false,
    };
    let access = options.resolve(&surroundings);
    access.map_err(|error| error.to_string())
}

fn gate(text: &str, folder: &Path) -> Gate {
    let access = resolve(text, folder).unwrap_or_else(|error| panic!("{error}"));
    Gate::new(Some(access), 4, 2)
}

fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    resolve(text, folder.path())
        .err()
        .unwrap_or_else(|| panic!("it is sound: {text}"))
}

/// The caller that a request with these headers has; none, where it is refused as not authenticated.
async fn caller(
    gate: &Gate,
    authorization: &[&str],
    certificate: Option<CertificateNames>,
) -> Option<Caller> {
    let mut request = Request::builder().uri("/streams/account-1?secret=1");
    for value in authorization {
        request = request.header(header::AUTHORIZATION, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let wire = Wire {
        side: Side::Private,
        address: SocketAddr::from(([127, 0, 0, 1], 4242)),
        certificate: certificate.map(Arc::new),
    };
    match gate.admit(&parts, &wire).await {
        Ok(admitted) => Some(admitted.caller),
        Err(refusal) => {
            assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(refusal.headers()["www-authenticate"], "Bearer");
            None
        }
    }
}

async fn by_token(gate: &Gate, token: &str) -> Option<Caller> {
    caller(gate, &[&format!("Bearer {token}")], None).await
}

#[test]
fn patterns_fit_names_whole() {
    let fits = grants::fits_for_test;
    for (pattern, name) in [
        ("account", "account"),
        ("*", ""),
        ("*", "x.y"),
        ("bank.*", "bank.accounts.v1"),
        ("*.v1", "bank.accounts.v1"),
        ("b*k.*.v1", "bank.accounts.v1"),
        ("a*a", "aa"),
        ("*b*b*", "abab"),
    ] {
        assert!(fits(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("account", "accounts"),
        ("account", "Account"),
        ("", "x"),
        ("bank.*", "bank"),
        ("a*a", "a"),
        ("*.v1", "bank.v11"),
        ("*b*b*", "ab"),
    ] {
        assert!(!fits(pattern, name), "{pattern} {name}");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate(
        "principals: { p: { tokens: [ { env: TOKEN } ], grants: { append: [account], read: ['*'], follow: [card], public: ['bank.*'] } } }",
        folder.path(),
    );
    let caller = by_token(&gate, TOKEN).await.unwrap();
    let granted = [
        (Verb::Append, Scope::Category("account")),
        (Verb::Read, Scope::Category("loan")),
        (Verb::Read, Scope::Log),
        (Verb::Follow, Scope::Category("card")),
        (Verb::Public, Scope::Contract("bank.accounts.v1")),
    ];
    for (verb, scope) in granted {
        assert!(caller.may(verb, scope).is_ok(), "{verb:?} {scope}");
    }
    let refused = [
        (Verb::Append, Scope::Category("accounts")),
        (Verb::Append, Scope::Log),
        (Verb::Follow, Scope::Category("account")),
        (Verb::Follow, Scope::Log),
        (Verb::Public, Scope::Contract("shop.orders.v1")),
        (Verb::Public, Scope::Log),
        (Verb::Read, Scope::Contract("bank.accounts.v1")),
        (Verb::Operate, Scope::Daemon),
    ];
    for (verb, scope) in refused {
        assert!(caller.may(verb, scope).is_err(), "{verb:?} {scope}");
    }
    assert_eq!(gate.view()["refused"]["forbidden"], refused.len());
}

#[tokio::test]
async fn only_one_good_bearer_token_lets_in() {
    let folder = tempfile::tempdir().unwrap();
    let (fresh, digest) = fresh_token().unwrap();
    let gate = gate(
        &format!(
            "principals: {{ p: {{ tokens: [ {{ sha256: {digest} }}, {{ env: TOKEN }} ], grants: {{ operate: true }} }} }}"
        ),
        folder.path(),
    );
    for good in [format!("Bearer {fresh}"), format!("bearer  {TOKEN}")] {
        assert!(caller(&gate, &[&good], None).await.is_some());
    }
    let bad = [
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        fresh.clone(),
        format!("Basic {fresh}"),
        format!("Bearer {digest}"),
        format!("Bearer {fresh}x"),
        format!("Bearer {}", &fresh[..fresh.len() - 1]),
    ];
    for bad in &bad {
        assert!(caller(&gate, &[bad], None).await.is_none(), "{bad}");
    }
    let good = format!("Bearer {fresh}");
    assert!(
        caller(&gate, &[&good, &good], None).await.is_none(),
        "two of them"
    );
    assert!(caller(&gate, &[], None).await.is_none());
    assert_ne!(fresh, fresh_token().unwrap().0);
    let shown = format!("{gate:?}");
    assert!(
        !shown.contains(&digest) && !shown.contains(TOKEN),
        "{shown}"
    );
}

#[tokio::test]
async fn a_certificate_is_known_by_its_names_and_a_bad_token_is_not_made_good_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "principals: { n: { certificates: [ { common_name: N } ], grants: { operate: true } }, u: { certificates: [ { uri: 'spiffe://bank/u' }, { dns: u.bank.example } ], grants: { read: [x] } } }";
    let gate = gate(text, folder.path());
    let names = |common_name: Option<&str>, dns: &[&str], uris: &[&str]| CertificateNames {
        common_name: common_name.map(str::to_owned),
        dns: dns.iter().map(|&name| name.to_owned()).collect(),
        uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
    };
    let known = [
        (names(Some("N"), &[], &[]), "n"),
        (names(None, &["U.bank.example"], &[]), "u"),
        (names(None, &[], &["spiffe://bank/u"]), "u"),
    ];
    for (certificate, who) in known {
        let caller = caller(&gate, &[], Some(certificate)).await.unwrap();
        assert_eq!(caller.principal(), Some(who));
    }
    let unknown = [
        names(Some("n"), &["N"], &["N"]),
        names(Some("u.bank.example"), &[], &["spiffe://bank/u/x"]),
        names(Some("N"), &["u.bank.example"], &[]),
    ];
    for certificate in unknown {
        assert!(caller(&gate, &[], Some(certificate)).await.is_none());
    }
    let good = names(Some("N"), &[], &[]);
    assert!(caller(&gate, &["Bearer x"], Some(good)).await.is_none());
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    let grants = "grants: { operate: true }";
    for (text, told) in [
        ("principals: {}".to_owned(), "nobody"),
        (
            format!("principals: {{ a: {{ {grants} }} }}"),
            "principals.a.tokens",
        ),
        (
            format!("principals: {{ a: {{ tokens: [ {{ env: SHORT }} ], {grants} }} }}"),
            "guessed",
        ),
        (
            format!("principals: {{ a: {{ tokens: [ {{ env: MISSING }} ], {grants} }} }}"),
            "MISSING",
        ),
        (
            format!("principals: {{ a: {{ tokens: [ {{ sha256: abc }} ], {grants} }} }}"),
            "64 hexadecimal",
        ),
        (
            format!("principals: {{ a: {{ tokens: [ hunter2 ], {grants} }} }}"),
            "never written here",
        ),
        (
            format!(
                "principals: {{ a: {{ tokens: [ {{ env: TOKEN }} ], {grants} }}, b: {{ tokens: [ {{ env: TOKEN }} ], {grants} }} }}"
            ),
            "same token",
        ),
        (
            "principals: { a: { tokens: [ { env: TOKEN } ], grants: {} } }".to_owned(),
            "nothing is granted",
        ),
        (
            "principals: { a: { tokens: [ { env: TOKEN } ], grants: { append: [account-1] } } }"
                .to_owned(),
            "fits nothing",
        ),
        (
            "principals: { a: { tokens: [ { env: TOKEN } ], grants: { apend: [account] } } }"
                .to_owned(),
            "apend",
        ),
        (
            format!(
                "principals: {{ a: {{ jwts: [ {{ issuer: i, claims: {{ sub: a }} }} ], {grants} }} }}"
            ),
            "no issuer",
        ),
        (
            format!(
                "issuers: {{ i: {{ issuer: x, audience: y, jwks: {{ url: 'http://keys.example/jwks' }} }} }}\nprincipals: {{ a: {{ tokens: [ {{ env: TOKEN }} ], {grants} }} }}"
            ),
            "https",
        ),
        (
            format!(
                "issuers: {{ i: {{ issuer: x, audience: y, algorithms: [HS256], jwks: {{ url: 'https://keys.example' }} }} }}\nprincipals: {{ a: {{ tokens: [ {{ env: TOKEN }} ], {grants} }} }}"
            ),
            "HS256",
        ),
        (
            format!(
                "issuers: {{ i: {{ issuer: x, audience: y, algorithms: [none], jwks: {{ url: 'https://keys.example' }} }} }}\nprincipals: {{ a: {{ tokens: [ {{ env: TOKEN }} ], {grants} }} }}"
            ),
            "none",
        ),
    ] {
        let refused = refusal(&text);
        assert!(refused.contains(told), "{text}\n{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

/// An issuer with a key of each kind, whose tokens with `sub: fraud` are a principal's.
struct Issuer {
    folder: tempfile::TempDir,
    point: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
    rsa: RsaKeyPair,
    random: SystemRandom,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    fn new() -> Issuer {
        let (folder, random) = (tempfile::tempdir().unwrap(), SystemRandom::new());
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let point = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let edwards = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let made = std::process::Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
            ])
            .output()
            .unwrap();
        let key = PrivatePkcs8KeyDer::from_pem_slice(&made.stdout).unwrap();
        let rsa = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let issuer = Issuer {
            folder,
            point,
            edwards,
            rsa,
            random,
        };
        issuer.publish();
        issuer
    }

    fn publish(&self) {
        let point = self.point.public_key().as_ref();
        let rsa = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "point", "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": encode(self.edwards.public_key())},
            {"kty": "RSA", "kid": "rsa", "alg": "RS256", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "RSA", "kid": "pss", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "RSA", "kid": "enc", "use": "enc", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "oct", "kid": "shared", "k": encode("a shared secret")},
            {"kty": "of tomorrow"},
        ]});
        std::fs::write(self.folder.path().join("jwks.json"), keys.to_string()).unwrap();
    }

    fn gate(&self) -> Gate {
        gate(
            "issuers: { login: { issuer: 'https://login.example', audience: horizon, jwks: { file: jwks.json }, algorithms: [ES256, EdDSA, RS256, PS256] } }\nprincipals: { fraud: { jwts: [ { issuer: login, claims: { sub: fraud, scope: 'events:read' } } ], grants: { read: [account] } } }",
            self.folder.path(),
        )
    }

    fn claims() -> Value {
        let now = clock::now_ms() / 1_000;
        json!({"iss": "https://login.example", "aud": "horizon", "sub": "fraud", "scope": "profile events:read", "exp": now + 60})
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.sign(header["alg"].as_str().unwrap(), message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let rsa = |padding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(padding, &self.random, message, &mut signature)
                .unwrap();
            signature
        };
        match algorithm {
            "ES256" => self
                .point
                .sign(&self.random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            "EdDSA" => self.edwards.sign(message).as_ref().to_vec(),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS256" => rsa(&RSA_PSS_SHA256),
            // With the public key for a shared secret, as the attack has it.
            "HS256" => {
                let secret = self.rsa.public();
                let secret = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(secret).n;
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message)
                    .as_ref()
                    .to_vec()
            }
            _ => Vec::new(),
        }
    }
}

#[tokio::test]
async fn a_token_of_the_issuer_lets_its_principal_in() {
    let issuer = Issuer::new();
    let gate = issuer.gate();
    let mut claims = Issuer::claims();
    for (algorithm, key) in [
        ("ES256", "point"),
        ("EdDSA", "edwards"),
        ("RS256", "rsa"),
        ("PS256", "pss"),
    ] {
        let token = issuer.token(&json!({"alg": algorithm, "kid": key}), &claims);
        let caller = by_token(&gate, &token).await;
        assert_eq!(caller.unwrap().principal(), Some("fraud"), "{algorithm}");
    }
    let token = issuer.token(&json!({"alg": "ES256"}), &claims);
    assert!(
        by_token(&gate, &token).await.is_some(),
        "one key only is for it"
    );
    claims["aud"] = json!(["other", "horizon"]);
    claims["scope"] = json!(["events:read"]);
    let now = clock::now_ms() / 1_000;
    claims["nbf"] = json!(now + 10);
    claims["exp"] = json!(now as f64 - 10.5);
    let token = issuer.token(&json!({"alg": "ES256", "kid": "point"}), &claims);
    assert!(
        by_token(&gate, &token).await.is_some(),
        "clocks may differ a little"
    );
}

#[tokio::test]
async fn a_token_with_anything_wrong_lets_nobody_in() {
    let issuer = Issuer::new();
    let gate = issuer.gate();
    let good = json!({"alg": "ES256", "kid": "point"});
    let now = clock::now_ms() / 1_000;
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(["https://login.example"])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", Value::Null),
        ("sub", json!("payments")),
        ("sub", Value::Null),
        ("scope", json!("events:readwrite")),
        ("exp", json!(now - 31)),
        ("exp", json!("tomorrow")),
        ("exp", Value::Null),
        ("exp", json!(-1)),
        ("nbf", json!(now + 40)),
        ("nbf", json!(now.to_string())),
    ] {
        let mut claims = Issuer::claims();
        claims[name] = value;
        let token = issuer.token(&good, &claims);
        assert!(by_token(&gate, &token).await.is_none(), "{claims}");
    }
    let claims = Issuer::claims();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "point"}),
        json!({"alg": "HS256", "kid": "rsa"}),
        json!({"alg": "HS256", "kid": "shared"}),
        json!({"alg": "RS256", "kid": "point"}),
        json!({"alg": "PS256", "kid": "rsa"}),
        json!({"alg": "PS256", "kid": "enc"}),
        json!({"alg": "ES256", "kid": "edwards"}),
        json!({"alg": "ES256", "kid": "unknown"}),
        json!({"alg": "ES256", "kid": "point", "crit": ["exp"]}),
    ] {
        let token = issuer.token(&header, &claims);
        assert!(by_token(&gate, &token).await.is_none(), "{header}");
    }
    let token = issuer.token(&good, &claims);
    let parts: Vec<&str> = token.split('.').collect();
    let mut others = claims.clone();
    others["sub"] = json!("fraud2");
    let stranger = Issuer::new();
    for bad in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], encode(others.to_string()), parts[2]),
        format!("{token}."),
        format!("{token}A"),
        "..".to_owned(),
        stranger.token(&good, &claims),
    ] {
        assert!(by_token(&gate, &bad).await.is_none(), "{bad}");
    }
    assert!(
        by_token(&gate, &token).await.is_some(),
        "only what was wrong was refused"
    );
}

#[tokio::test]
async fn a_caller_has_so_much_open_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate(
        "principals: { p: { tokens: [ { env: TOKEN } ], grants: { read: [a] } } }",
        folder.path(),
    );
    let request = || {
        Request::builder()
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(())
    };
    let wire = Wire {
        side: Side::Private,
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        certificate: None,
    };
    let mut open = Vec::new();
    for _ in 0..4 {
        let (parts, ()) = request().unwrap().into_parts();
        open.push(
            gate.admit(&parts, &wire)
                .await
                .unwrap_or_else(|_| panic!("four may be open")),
        );
    }
    let (parts, ()) = request().unwrap().into_parts();
    let refused = gate
        .admit(&parts, &wire)
        .await
        .err()
        .unwrap_or_else(|| panic!("a fifth"));
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    // Follows are counted by themselves.
    assert!(gate.follow(&mut open[0]).is_ok() && gate.follow(&mut open[1]).is_ok());
    assert!(gate.follow(&mut open[2]).is_err());
    assert!(gate.admit(&parts, &wire).await.is_ok());
    open.clear();
    for _ in 0..4 {
        open.push(
            gate.admit(&parts, &wire)
                .await
                .unwrap_or_else(|_| panic!("all were given back")),
        );
    }
}

#[tokio::test]
async fn what_is_open_ends_when_its_principal_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = "principals: { p: { tokens: [ { env: TOKEN } ], grants: { follow: [a] } }, q: { certificates: [ { dns: q } ], grants: { read: [a] } } }";
    let gate = gate(text, folder.path());
    let request = Request::builder()
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(());
    let (parts, ()) = request.unwrap().into_parts();
    let wire = Wire {
        side: Side::Private,
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        certificate: None,
    };
    let admitted = gate.admit(&parts, &wire).await;
    let (_held, over) = admitted
        .unwrap_or_else(|_| panic!("it is good"))
        .into_hold();
    let mut over = tokio::spawn(over);
    let others = resolve(&text.replace("read: [a]", "read: [b]"), folder.path()).unwrap();
    gate.replace(Some(others));
    let moment = std::time::Duration::from_millis(100);
    assert!(
        tokio::time::timeout(moment, &mut over).await.is_err(),
        "another's grants changed"
    );
    let changed = resolve(&text.replace("follow: [a]", "follow: [b]"), folder.path()).unwrap();
    gate.replace(Some(changed));
    tokio::time::timeout(std::time::Duration::from_secs(10), over)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn a_flood_of_refusals_is_counted_and_told_in_part() {
    let audit = Audit::default();
    let before = audit.lines_for_test(1_000);
    assert!((100..=110).contains(&before), "{before}");
    assert_eq!(audit.view()["unauthenticated"], 1_000);
}

#[test]
fn the_names_of_a_certificate_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /O=Bank/CN=budgeting -addext".split(' '))
        .arg("subjectAltName=DNS:budgeting.bank.example,URI:spiffe://bank/budgeting,IP:127.0.0.1")
        .args(["-keyout", "/dev/null"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(&made.stdout).unwrap();
    let names = CertificateNames::of(&certificate);
    assert_eq!(names.common_name.as_deref(), Some("budgeting"));
    assert_eq!(names.dns, ["budgeting.bank.example"]);
    assert_eq!(names.uris, ["spiffe://bank/budgeting"]);
}
