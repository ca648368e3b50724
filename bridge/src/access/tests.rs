#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::path::Path;

use axum::http::{Request, header};

use super::certificate::CertificateNames;
use super::*;
use crate::outlets::Surroundings;

mod certificates;
mod jwt;

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
        unset: None,
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
    let mut wire = Wire::new(Side::Private, SocketAddr::from(([127, 0, 0, 1], 4242)));
    wire.certificate = certificate.map(|names| Arc::new(Shown::for_test(names)));
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
    assert_eq!(gate.view().refused.forbidden, refused.len() as u64);
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
    let wire = Wire::new(Side::Private, SocketAddr::from(([127, 0, 0, 1], 1)));
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
    let wire = Wire::new(Side::Private, SocketAddr::from(([127, 0, 0, 1], 1)));
    let admitted = gate.admit(&parts, &wire).await;
    let admitted = admitted.unwrap_or_else(|_| panic!("it is good"));
    let mut over = tokio::spawn(admitted.over());
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
    assert_eq!(audit.view().unauthenticated, 1_000);
}
