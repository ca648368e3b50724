//! Client certificates: the names in them, and that they are good only for as long as somebody vouches for them.

use std::time::Duration;

use futures_util::FutureExt as _;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use tokio::sync::watch;

use super::*;

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

/// An authority, and a client's certificate that it has signed.
fn authority(folder: &Path, name: &str) -> (CertificateDer<'static>, CertificateDer<'static>) {
    let openssl = |arguments: &str| {
        let made = std::process::Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
    ));
    openssl(&format!(
        "req -new {key} -subj /CN=budgeting -addext subjectAltName=DNS:q -keyout client.key -out client.csr"
    ));
    openssl(&format!(
        "x509 -req -CA {name}.pem -CAkey {name}.key -set_serial 1 -days 2 -in client.csr -out client.pem -copy_extensions copy"
    ));
    let read = |file: &str| CertificateDer::from_pem_file(folder.join(file)).unwrap();
    (read(&format!("{name}.pem")), read("client.pem"))
}

/// Who vouches for clients where these authorities may.
fn vouching(authorities: &[&CertificateDer<'static>]) -> Authority {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add((*authority).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    Some(verifier.build().unwrap())
}

#[tokio::test]
async fn a_certificate_is_good_for_as_long_as_an_authority_of_now_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, own) = authority(folder.path(), "ours");
    let (theirs, _) = authority(folder.path(), "theirs");
    let text = "principals: { p: { certificates: [ { dns: q } ], grants: { read: [a] } } }";
    let gate = gate(text, folder.path());
    let (change, authority) = watch::channel(vouching(&[&ours]));
    let shown = Arc::new(Shown::new(&[own], authority).unwrap());
    let mut wire = Wire::new(Side::Private, SocketAddr::from(([127, 0, 0, 1], 1)));
    wire.certificate = Some(Arc::clone(&shown));
    let (parts, ()) = Request::new(()).into_parts();
    let admitted = gate.admit(&parts, &wire).await;
    let mut over = Box::pin(admitted.unwrap_or_else(|_| panic!("it is good")).over());
    change.send_replace(vouching(&[&theirs, &ours]));
    assert!(gate.admit(&parts, &wire).await.is_ok(), "one of them does");
    assert!(over.as_mut().now_or_never().is_none());
    change.send_replace(vouching(&[&theirs]));
    let refused = gate.admit(&parts, &wire).await.err();
    assert_eq!(
        refused.map(|refused| refused.status()),
        Some(StatusCode::UNAUTHORIZED)
    );
    // What needs no credential does not rest on one.
    let (mut open, ()) = Request::new(()).into_parts();
    open.uri = "/health".parse().unwrap();
    let admitted = gate.admit(&open, &wire).await;
    let still = admitted.unwrap_or_else(|_| panic!("it needs none")).over();
    assert!(still.now_or_never().is_none());
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, over).await.unwrap();
    tokio::time::timeout(soon, shown.disowned()).await.unwrap();
}
