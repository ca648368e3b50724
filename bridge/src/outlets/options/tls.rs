//! TLS to a broker: a private certificate authority or the system's, a client certificate if the broker asks for one.
//!
//! The files are read at the start, so that a mistake is told there, and again for each connection, so that certificates
//! can be renewed while the daemon runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use super::{FieldError, Secret, SecretSource, Surroundings};

/// `tls:` of a broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsOptions {
    /// A PEM file with the certificates of who may vouch for the broker; those of the system unless given.
    #[serde(default)]
    ca: Option<PathBuf>,
    /// A PEM file with the client's certificate and those between it and its authority.
    #[serde(default)]
    certificate: Option<PathBuf>,
    /// Where the client's private key is, in PEM.
    #[serde(default)]
    key: Option<SecretSource>,
    /// The name that the broker's certificate must be for; `host` unless given.
    #[serde(default)]
    server_name: Option<String>,
}

/// How to speak TLS to one broker; with the system's authorities and no certificate unless told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    ca: Option<PathBuf>,
    identity: Option<Identity>,
    /// The name that the broker's certificate must be for, where it is not the host's.
    pub(in crate::outlets) server_name: Option<String>,
}

/// What the client shows the broker.
#[derive(Debug)]
struct Identity {
    certificate: PathBuf,
    /// Where the key is; it is read with the certificate, so that both can be renewed.
    key: KeySource,
}

#[derive(Debug)]
enum KeySource {
    File(PathBuf),
    Text(Secret),
}

impl TlsOptions {
    /// Checks the options, and that what they name can be used.
    pub(super) fn resolve(&self, surroundings: &Surroundings<'_>) -> Result<Tls, FieldError> {
        let wrong = |field, problem: &str| FieldError {
            field,
            problem: problem.to_owned(),
        };
        let identity = match (&self.certificate, &self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: surroundings.folder.join(certificate),
                key: match key.file() {
                    Some(path) => KeySource::File(surroundings.folder.join(path)),
                    None => KeySource::Text(key.read("tls.key", surroundings)?),
                },
            }),
            (Some(_), None) => {
                return Err(wrong(
                    "tls.key",
                    "missing: a certificate needs its key, as { file: PATH } or { env: NAME }",
                ));
            }
            (None, Some(_)) => {
                return Err(wrong(
                    "tls.certificate",
                    "missing: a key needs its certificate",
                ));
            }
        };
        let tls = Tls {
            ca: self.ca.as_ref().map(|path| surroundings.folder.join(path)),
            identity,
            server_name: self.server_name.clone(),
        };
        let has_key = match &self.key {
            Some(key) => key.find("tls.key", surroundings)?.is_some(),
            None => true,
        };
        if has_key {
            tls.client_config()?;
            return Ok(tls);
        }
        tls.roots()?;
        if let Some(identity) = &tls.identity {
            certificates("tls.certificate", &identity.certificate)?;
        }
        Ok(tls)
    }
}

impl Tls {
    /// TLS with files of the command line: an authority, and a certificate with its key.
    pub(crate) fn of_files(ca: Option<PathBuf>, identity: Option<(PathBuf, PathBuf)>) -> Tls {
        Tls {
            ca,
            identity: identity.map(|(certificate, key)| Identity {
                certificate,
                key: KeySource::File(key),
            }),
            server_name: None,
        }
    }

    /// Whether the client has something to show the broker.
    pub(in crate::outlets) fn has_certificate(&self) -> bool {
        self.identity.is_some()
    }

    /// What the client library is given: the files as they are now.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, FieldError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let wrong = |field, problem: String| FieldError { field, problem };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("tls", error.to_string()))?
            .with_root_certificates(self.roots()?);
        let Some(identity) = &self.identity else {
            return Ok(Arc::new(config.with_no_client_auth()));
        };
        let certificates = certificates("tls.certificate", &identity.certificate)?;
        let key = match &identity.key {
            KeySource::File(path) => PrivateKeyDer::from_pem_file(path)
                .map_err(|error| wrong("tls.key", format!("{}: {error}", path.display())))?,
            KeySource::Text(text) => PrivateKeyDer::from_pem_slice(text.reveal().as_bytes())
                .map_err(|error| wrong("tls.key", error.to_string()))?,
        };
        let config = config
            .with_client_auth_cert(certificates, key)
            .map_err(|error| wrong("tls.key", format!("does not fit the certificate: {error}")))?;
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, FieldError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else {
            // What cannot be read of the system's is missed when a broker needs it.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in certificates("tls.ca", path)? {
            roots.add(certificate).map_err(|error| FieldError {
                field: "tls.ca",
                problem: format!("{}: {error}", path.display()),
            })?;
        }
        Ok(roots)
    }
}

/// The certificates of a PEM file; at least one.
pub(crate) fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, FieldError> {
    let wrong = |problem: String| FieldError {
        field,
        problem: format!("{}: {problem}", path.display()),
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<CertificateDer<'static>> =
        read.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    Ok(certificates)
}
