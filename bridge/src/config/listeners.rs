//! The listeners as they are written, and which of them other machines may reach.

use std::net::SocketAddr;

use horizon_schemas::PublicAddress;
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::address;
use crate::server::ServerTlsOptions;

/// What an operator must write to open a listener to other machines without both.
const WITHOUT_BOTH: &str = "without TLS and authentication";
/// Where something in front speaks TLS.
const WITHOUT_TLS: &str = "without TLS";
/// Where something in front lets in only those who may.
const WITHOUT_AUTHENTICATION: &str = "without authentication";

/// A listener as configured.
#[derive(Debug, Clone)]
pub(crate) struct ListenerConfig {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Names that it is asked by besides its address.
    pub(crate) hosts: Vec<String>,
    /// Its certificate; without one it speaks plain HTTP.
    pub(crate) tls: Option<ServerTlsOptions>,
}

/// `operator:` and `public:`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawListener {
    listen: Option<SocketAddr>,
    hosts: Vec<String>,
    tls: Option<ServerTlsOptions>,
}

/// `http:`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHttp {
    listen: Option<SocketAddr>,
    hosts: Vec<String>,
    tls: Option<ServerTlsOptions>,
    body_limit_bytes: Option<usize>,
}

impl RawListener {
    /// With the port that it has by default.
    pub(super) fn resolve(self, port: u16) -> ListenerConfig {
        ListenerConfig {
            listen: self
                .listen
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port))),
            hosts: self.hosts,
            tls: self.tls,
        }
    }
}

impl RawHttp {
    /// The listener, and its limit of a request's body.
    pub(super) fn resolve(self, port: u16) -> (ListenerConfig, Option<usize>) {
        let listener = RawListener {
            listen: self.listen,
            hosts: self.hosts,
            tls: self.tls,
        };
        (listener.resolve(port), self.body_limit_bytes)
    }
}

/// Where consumers reach the public side, as it is written.
pub(super) fn public_url(text: String) -> Result<PublicAddress, ConfigError> {
    let parsed = address::web(&text).and_then(|uri| {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.authority()?.as_str();
        let is_plain = !host.contains('@') && uri.query().is_none() && !text.contains('#');
        is_plain.then(|| PublicAddress {
            secure,
            host: host.to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    });
    parsed.ok_or_else(|| ConfigError::Value {
        key: "public_url",
        reason: format!("{text:?} is no address of a public side"),
        mend: "write https:// or http://, the host, and the port and a path if need be: https://events.bank.example"
            .to_owned(),
    })
}

/// Other machines reach a listener only with TLS and authentication, or where the operator has said in words what is missing.
pub(super) fn loopback_or_told(config: &Config, words: Option<&str>) -> Result<(), ConfigError> {
    let known = [WITHOUT_BOTH, WITHOUT_TLS, WITHOUT_AUTHENTICATION];
    if let Some(words) = words
        && !known.contains(&words)
    {
        return Err(ConfigError::Value {
            key: "listen_beyond_loopback",
            reason: format!("{words:?} is none of the words that it may say"),
            mend: format!("write one of: {}", known.join(", ")),
        });
    }
    let said = words;
    let told = |missing: &str| said == Some(missing) || said == Some(WITHOUT_BOTH);
    for (key, listener) in config.listeners() {
        if listener.listen.ip().is_loopback() {
            continue;
        }
        let tls = listener.tls.is_none() && !told(WITHOUT_TLS);
        let authentication = config.access.is_none() && !told(WITHOUT_AUTHENTICATION);
        let (missing, write, words) = match (tls, authentication) {
            (false, false) => continue,
            (true, false) => ("has no TLS", "give it `tls`", WITHOUT_TLS),
            (false, true) => (
                "asks nobody who they are",
                "write `access` with who may",
                WITHOUT_AUTHENTICATION,
            ),
            (true, true) => (
                "has neither TLS nor authentication",
                "give it `tls`, write `access` with who may",
                WITHOUT_BOTH,
            ),
        };
        // What is said already stays said.
        let words = said.map_or(words, |_| WITHOUT_BOTH);
        return Err(ConfigError::Value {
            key,
            reason: format!(
                "{} is reachable from other machines, and {missing}",
                listener.listen
            ),
            mend: format!(
                "{write}; or listen on 127.0.0.1 behind a proxy that has what is missing; or write `listen_beyond_loopback: \"{words}\"`"
            ),
        });
    }
    Ok(())
}
