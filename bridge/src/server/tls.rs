//! TLS of a listener: its certificate, and the authority of its clients' certificates.
//!
//! The files are read at the start, at a reload, and when they change. What cannot be used is told, and what was in use stays. Open
//! connections are told of another authority, so that none goes on as somebody for whom nobody vouches any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio::sync::watch;

use crate::access::Authority;
use crate::outlets::{FieldError, SecretSource, Surroundings, Unset, certificates};

/// How often it is looked whether a file has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// `tls:` of a listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerTlsOptions {
    /// A PEM file with the listener's certificate and those between it and its authority.
    certificate: PathBuf,
    /// Where its private key is, in PEM.
    key: SecretSource,
    /// A PEM file with who may vouch for clients' certificates. A client need not have one.
    #[serde(default)]
    client_ca: Option<PathBuf>,
}

/// The TLS of one listener, shared by its connections, which each take what is in use when they begin.
#[derive(Debug)]
pub(crate) struct ServerTls {
    /// The listener's key in the configuration.
    listener: &'static str,
    options: ServerTlsOptions,
    folder: PathBuf,
    current: RwLock<Loaded>,
    authority: watch::Sender<Authority>,
    /// The files as they were looked at last.
    seen: Mutex<Stamps>,
}

/// What was read from the files.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    config: Arc<ServerConfig>,
    fingerprint: String,
    authority: Authority,
    /// The SHA-256 of each certificate of the authority.
    vouching: BTreeSet<Vec<u8>>,
    /// The files as they were when they were read.
    stamps: Stamps,
}

/// When each file was changed, and how long it is.
type Stamps = Vec<Option<(SystemTime, u64)>>;

impl ServerTls {
    /// Reads the files.
    pub(crate) fn load(
        listener: &'static str,
        options: &ServerTlsOptions,
        folder: &Path,
    ) -> Result<ServerTls, FieldError> {
        let loaded = read(options, folder)?;
        Ok(ServerTls {
            listener,
            options: options.clone(),
            folder: folder.to_owned(),
            seen: Mutex::new(loaded.stamps.clone()),
            authority: watch::channel(loaded.authority.clone()).0,
            current: RwLock::new(loaded),
        })
    }

    /// The listener's key in the configuration.
    pub(crate) fn listener(&self) -> &'static str {
        self.listener
    }

    /// What is in the files now, if it can be used.
    pub(crate) fn read_again(&self) -> Result<Loaded, FieldError> {
        read(&self.options, &self.folder)
    }

    /// New connections use this from now on, and open ones are judged by it.
    pub(crate) fn replace(&self, loaded: Loaded) {
        let current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        self.put(current, loaded);
    }

    /// The same, unless the files were read again by somebody else since they were seen so. Tells whether it was done.
    fn replace_unless_newer(&self, loaded: Loaded, seen: &Stamps) -> bool {
        let current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_newest = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == *seen;
        if is_newest {
            self.put(current, loaded);
        }
        is_newest
    }

    fn put(&self, mut current: RwLockWriteGuard<'_, Loaded>, loaded: Loaded) {
        if current.fingerprint != loaded.fingerprint {
            tracing::info!(
                listener = self.listener,
                sha256 = loaded.fingerprint,
                "another certificate is in use"
            );
        }
        self.saw(loaded.stamps.clone());
        let authority = loaded.authority.clone();
        let is_other = current.vouching != loaded.vouching;
        *current = loaded;
        if is_other {
            tracing::info!(
                listener = self.listener,
                "another authority vouches for client certificates"
            );
            self.authority.send_replace(authority);
        }
    }

    fn saw(&self, stamps: Stamps) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
    }

    /// Who may vouch for clients. It is asked for before the configuration, so that what comes between is looked at.
    pub(super) fn authority(&self) -> watch::Receiver<Authority> {
        self.authority.subscribe()
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.config)
    }

    /// The SHA-256 of the certificate that is in use, in hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.fingerprint.clone()
    }

    /// Reads the files again when they have changed, for ever; `changed` is told of another certificate.
    pub(crate) async fn watch(self: Arc<ServerTls>, changed: impl Fn()) {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        loop {
            interval.tick().await;
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                let now = stamps(&tls.options, &tls.folder);
                let seen = tls
                    .seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if seen == now {
                    return None;
                }
                let read = tls.read_again();
                if read.is_err() {
                    // It is told once.
                    tls.saw(now);
                }
                Some((seen, read))
            });
            match looked.await {
                Ok(Some((seen, Ok(loaded)))) => {
                    if self.replace_unless_newer(loaded, &seen) {
                        changed();
                    }
                }
                Ok(Some((_, Err(error)))) => tracing::error!(
                    listener = self.listener,
                    reason = error.to_string(),
                    "the files of the listener's TLS have changed and cannot be used; what was in use stays"
                ),
                Ok(None) | Err(_) => {}
            }
        }
    }
}

fn stamps(options: &ServerTlsOptions, folder: &Path) -> Stamps {
    let files = [
        Some(options.certificate.as_path()),
        options.key.file(),
        options.client_ca.as_deref(),
    ];
    let stamp = |file: &Path| {
        let metadata = std::fs::metadata(folder.join(file)).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.into_iter().flatten().map(stamp).collect()
}

impl ServerTlsOptions {
    /// Whether the files can be used; of the key, if it is in a variable that is not set here, nothing is said.
    pub(crate) fn check(&self, folder: &Path, unset: &Unset) -> Result<(), FieldError> {
        read_all(self, folder, Some(unset)).map(|_| ())
    }
}

fn read(options: &ServerTlsOptions, folder: &Path) -> Result<Loaded, FieldError> {
    let loaded = read_all(options, folder, None)?;
    loaded.ok_or_else(|| FieldError {
        field: "tls.key",
        problem: "it is not there".to_owned(),
    })
}

/// Reads everything. None: all but the key, as its variable is not set where options are only checked.
fn read_all(
    options: &ServerTlsOptions,
    folder: &Path,
    unset: Option<&Unset>,
) -> Result<Option<Loaded>, FieldError> {
    let wrong = |field, problem: String| FieldError { field, problem };
    let stamps = stamps(options, folder);
    let path = folder.join(&options.certificate);
    let chain = certificates("tls.certificate", &path)?;
    let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let fingerprint = digest(&SHA256, first);
    let fingerprint = fingerprint.as_ref().iter().map(|b| format!("{b:02x}"));
    let fingerprint = fingerprint.collect();
    let environment = |name: &str| std::env::var(name).ok();
    let surroundings = Surroundings {
        folder,
        environment: &environment,
        unset,
    };
    let key = options.key.find("tls.key", &surroundings)?;
    let (authority, vouching) = match &options.client_ca {
        None => (None, BTreeSet::new()),
        Some(path) => authority(&folder.join(path))?,
    };
    let Some(key) = key else {
        return Ok(None);
    };
    let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
        .map_err(|error| wrong("tls.key", error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", error.to_string()))?;
    let builder = match &authority {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| wrong("tls.key", format!("does not fit the certificate: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Loaded {
        config: Arc::new(config),
        fingerprint,
        authority,
        vouching,
        stamps,
    }))
}

/// Who may vouch for clients by a file, and the SHA-256 of each of its certificates.
fn authority(path: &Path) -> Result<(Authority, BTreeSet<Vec<u8>>), FieldError> {
    let wrong = |problem: String| FieldError {
        field: "tls.client_ca",
        problem,
    };
    let mut roots = RootCertStore::empty();
    let mut vouching = BTreeSet::new();
    for certificate in certificates("tls.client_ca", path)? {
        vouching.insert(digest(&SHA256, &certificate).as_ref().to_vec());
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    Ok((Some(verifier), vouching))
}
