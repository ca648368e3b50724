//! A client's certificate, which TLS has found good when its connection began: its names, and whether it still is.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tokio::sync::watch;
use webpki::EndEntityCert;

/// Who may vouch for the clients of a listener now; none, where nobody may.
pub(crate) type Authority = Option<Arc<dyn ClientCertVerifier>>;

/// A certificate that a client has shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(super) names: CertificateNames,
    /// The client's own, and those between it and its authority.
    chain: Vec<CertificateDer<'static>>,
    judged: Mutex<Judged>,
}

/// Whether the authority that was asked last vouches for a certificate.
#[derive(Debug)]
struct Judged {
    authority: watch::Receiver<Authority>,
    is_good: bool,
}

impl Shown {
    /// What a handshake has found good. `authority` is as it was before the handshake, or older; none: there is no certificate.
    pub(crate) fn new(
        chain: &[CertificateDer<'_>],
        authority: watch::Receiver<Authority>,
    ) -> Option<Shown> {
        let names = CertificateNames::of(chain.first()?);
        Some(Shown {
            names,
            chain: chain
                .iter()
                .cloned()
                .map(CertificateDer::into_owned)
                .collect(),
            judged: Mutex::new(Judged {
                authority,
                is_good: true,
            }),
        })
    }

    /// Whether the authority of now vouches for it. It is asked once.
    pub(super) fn is_vouched_for(&self) -> bool {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        // An end of the sender is the daemon's.
        if judged.authority.has_changed().unwrap_or(false) {
            let authority = judged.authority.borrow_and_update().clone();
            judged.is_good = authority.zip(self.chain.split_first()).is_some_and(
                |(authority, (own, between))| {
                    let verified = authority.verify_client_cert(own, between, UnixTime::now());
                    verified.is_ok()
                },
            );
        }
        judged.is_good
    }

    /// Ends when nobody vouches for it any longer.
    pub(crate) async fn disowned(&self) {
        let mut changes = {
            let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
            judged.authority.clone()
        };
        while self.is_vouched_for() {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// A certificate with these names, which stays good.
    #[cfg(test)]
    pub(super) fn for_test(names: CertificateNames) -> Shown {
        Shown {
            names,
            chain: Vec::new(),
            judged: Mutex::new(Judged {
                authority: watch::channel(None).1,
                is_good: true,
            }),
        }
    }
}

/// What a client certificate calls its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertificateNames {
    /// The subject's common name, if it has exactly one.
    pub(super) common_name: Option<String>,
    /// Alternative names that are DNS names.
    pub(super) dns: Vec<String>,
    /// Alternative names that are URIs, such as `spiffe://bank/payments`.
    pub(super) uris: Vec<String>,
}

impl CertificateNames {
    /// The names in a certificate; none, where it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> CertificateNames {
        let Ok(parsed) = EndEntityCert::try_from(certificate) else {
            return CertificateNames::default();
        };
        CertificateNames {
            common_name: common_name(parsed.subject()),
            dns: parsed.valid_dns_names().map(str::to_owned).collect(),
            uris: parsed.valid_uri_names().map(str::to_owned).collect(),
        }
    }
}

/// The object identifier 2.5.4.3, `commonName` (X.520), as DER.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;

/// The common name of a subject: the inside of `RDNSequence ::= SEQUENCE OF SET OF SEQUENCE { type, value }` (RFC 5280, 4.1.2.4).
/// Two of them name nobody.
fn common_name(subject: &[u8]) -> Option<String> {
    let mut found = None;
    let mut names = subject;
    while !names.is_empty() {
        let (mut set, rest) = element(names, SET)?;
        names = rest;
        while !set.is_empty() {
            let (attribute, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
            if kind != COMMON_NAME {
                continue;
            }
            let text = element(value, UTF8_STRING).or_else(|| element(value, PRINTABLE_STRING));
            let (text, _) = text?;
            if found.is_some() {
                return None;
            }
            found = Some(String::from_utf8(text.to_vec()).ok()?);
        }
    }
    found
}

/// The content of the first element, which must have this tag, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest
            .split_first()
            .map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (first == tag).then(|| rest.split_at_checked(length))?
}
