//! Where the daemon listens: written to `addresses.json` in the data folder once all ports are bound, so that the commands
//! find a daemon whose ports the system chose, and know its certificates.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

/// An address by HTTP or HTTPS, with a host, and with a port that can be one if it names a port.
pub(crate) fn web(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    // Behind who asks, and the brackets of an IPv6 address.
    let host = authority.as_str().rsplit(['@', ']']).next();
    let names_port = host.is_some_and(|host| host.contains(':'));
    let is_sound = matches!(uri.scheme_str()?, "http" | "https")
        && (!names_port || authority.port_u16().is_some());
    is_sound.then_some(uri)
}

const FILE_NAME: &str = "addresses.json";

/// The addresses of a running daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The private listener.
    pub(crate) http: SocketAddr,
    /// The operator's listener.
    pub(crate) operator: SocketAddr,
    /// The listener with the public side only, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<SocketAddr>,
    /// The SHA-256 of the certificate of each listener that speaks TLS, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) certificates: BTreeMap<String, String>,
}

/// One of the daemon's listeners.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Http,
    Operator,
}

impl Addresses {
    /// Writes them whole or not at all.
    pub(crate) fn write(&self, data: &Path) -> std::io::Result<()> {
        let new = data.join(format!("{FILE_NAME}.new"));
        std::fs::write(&new, serde_json::to_vec(&self)?)?;
        std::fs::rename(new, data.join(FILE_NAME))
    }

    /// Reads what the daemon of this data folder wrote last.
    pub(crate) fn read(data: &Path) -> Option<Addresses> {
        serde_json::from_slice(&std::fs::read(data.join(FILE_NAME)).ok()?).ok()
    }

    /// Removes the file when the daemon stops.
    pub(crate) fn remove(data: &Path) {
        let _ = std::fs::remove_file(data.join(FILE_NAME));
    }

    /// The address of a listener as seen from this machine, without a path, and the certificate that it has to show.
    pub(crate) fn place(&self, which: Which) -> (String, Option<&str>) {
        let (mut address, name) = match which {
            Which::Http => (self.http, "http"),
            Which::Operator => (self.operator, "operator"),
        };
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let certificate = self.certificates.get(name).map(String::as_str);
        let scheme = if certificate.is_some() {
            "https"
        } else {
            "http"
        };
        (format!("{scheme}://{address}"), certificate)
    }
}
