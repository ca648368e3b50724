//! A certificate authority for tests, and what it signs, made by the `openssl` command.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// A private certificate authority and its folder.
pub(super) struct Authority {
    folder: PathBuf,
    _own: Option<TempDir>,
    signed: AtomicU64,
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

impl Authority {
    pub(super) fn new() -> Self {
        let own = TempDir::new().expect("a folder");
        let mut authority = Self::within(own.path());
        authority._own = Some(own);
        authority
    }

    /// One in a folder of somebody else's, who removes it.
    pub(super) fn within(folder: &Path) -> Self {
        // A name of its own: an issuer is looked for by name.
        let name = folder.file_name().expect("a name").to_string_lossy();
        let files = format!("-subj /CN=authority{name} -keyout ca.key -out ca.pem");
        openssl(folder, &format!("req -x509 {NEW_KEY} -days 2 {files}"));
        Self {
            folder: folder.to_owned(),
            _own: None,
            signed: AtomicU64::new(0),
        }
    }

    /// The authority's own certificate.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate, and its key: a server's for these host names and addresses, or a client's for a user.
    pub(super) fn sign(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        let number = self.signed.fetch_add(1, Ordering::Relaxed) + 1;
        let alternatives = names.iter().map(|name| match name.parse::<IpAddr>() {
            Ok(address) => format!("IP:{address}"),
            Err(_) => format!("DNS:{name}"),
        });
        let alternatives = alternatives.collect::<Vec<_>>().join(",");
        let subject = format!(
            "-subj /CN={} -addext subjectAltName={alternatives}",
            names[0]
        );
        let files = format!("-keyout {number}.key -out {number}.csr");
        openssl(
            &self.folder,
            &format!("req -new {NEW_KEY} {subject} {files}"),
        );
        let by = format!("-CA ca.pem -CAkey ca.key -set_serial {number} -days 2");
        let files = format!("-in {number}.csr -out {number}.pem -copy_extensions copy");
        openssl(&self.folder, &format!("x509 -req {by} {files}"));
        let file = |kind: &str| self.folder.join(format!("{number}.{kind}"));
        (file("pem"), file("key"))
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
