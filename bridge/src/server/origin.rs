//! What keeps web pages away: a page that a browser loaded from elsewhere may not use the browser to reach Horizon.
//!
//! Where nobody has to say who they are, being able to reach the port is all that a caller needs, and a browser on this machine can.
//! So requests that a page of another site makes are refused, by what browsers say of them (Fetch Metadata, and `Origin`), and so are
//! requests under a name that is not this machine's, which is what a page sends whose name was pointed at loopback (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::http::Problem;

/// Why a request may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// A page of another site sends it.
    Site,
    /// It is for a host that is not this listener.
    Host,
}

/// What a listener may be called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) bound: SocketAddr,
    /// Further names, from the configuration, without ports.
    pub(super) hosts: Vec<String>,
}

impl Foreign {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Foreign::Site => "a page of another site sends it",
            Foreign::Host => "it is for another host",
        }
    }

    pub(super) fn problem(self) -> Problem {
        match self {
            Foreign::Site => Problem::new(
                StatusCode::FORBIDDEN,
                "cross-site",
                "pages of other sites may not send requests here",
            )
            .mend("send it from a program, or from a page that this listener serves"),
            Foreign::Host => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "this is not the host that was asked for",
            )
            .mend("use the address that Horizon listens on, or name the host in `hosts` beside `listen`"),
        }
    }
}

/// Why a request is a stranger's, if it is. `open`: nobody has to say who they are.
pub(super) fn foreign(parts: &Parts, names: &Names, open: bool) -> Option<Foreign> {
    let host = parts.uri.authority().map(|authority| authority.as_str());
    let host = host.or_else(|| text(&parts.headers, "host"));
    if open
        && let Some(host) = host
        && !names.include(host)
    {
        return Some(Foreign::Host);
    }
    is_cross_site(parts, host).then_some(Foreign::Site)
}

fn is_cross_site(parts: &Parts, host: Option<&str>) -> bool {
    if let Some(site) = text(&parts.headers, "sec-fetch-site") {
        // A link that somebody followed shows its page to nobody else; a frame would.
        let followed = matches!(parts.method, Method::GET | Method::HEAD)
            && text(&parts.headers, "sec-fetch-mode") == Some("navigate")
            && text(&parts.headers, "sec-fetch-dest").is_none_or(|dest| dest == "document");
        return !matches!(site, "same-origin" | "none") && !followed;
    }
    let Some(origin) = parts.headers.get(header::ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    origin.map(|(_, authority)| authority) != host
}

impl Names {
    fn include(&self, host: &str) -> bool {
        let name = without_port(host);
        if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
            let bound = self.bound.ip();
            return address.is_loopback() || address == bound || bound.is_unspecified();
        }
        let name = name.trim_end_matches('.');
        name.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn verdict(method: &str, headers: &[(&str, &str)], open: bool) -> Option<Foreign> {
        let mut request = axum::http::Request::builder().method(method).uri("/log");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(());
        let (parts, ()) = request
            .unwrap_or_else(|error| panic!("{error}"))
            .into_parts();
        let names = Names {
            bound: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: vec!["api.bank.example".to_owned()],
        };
        foreign(&parts, &names, open)
    }

    #[test]
    fn a_name_that_was_pointed_at_loopback_is_refused() {
        for good in [
            "127.0.0.1:8480",
            "localhost:8480",
            "LOCALHOST",
            "[::1]:8480",
            "127.0.0.1",
            "api.bank.example",
        ] {
            assert_eq!(verdict("GET", &[("host", good)], true), None, "{good}");
        }
        for bad in [
            "evil.example:8480",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
        ] {
            assert_eq!(
                verdict("GET", &[("host", bad)], true),
                Some(Foreign::Host),
                "{bad}"
            );
            assert_eq!(
                verdict("GET", &[("host", bad)], false),
                None,
                "a credential is asked for"
            );
        }
    }

    #[test]
    fn a_page_of_another_site_may_follow_a_link_here_and_nothing_else() {
        let here = ("host", "127.0.0.1:8480");
        let site = |site| ("sec-fetch-site", site);
        let mode = |mode| ("sec-fetch-mode", mode);
        assert_eq!(verdict("POST", &[here, site("same-origin")], true), None);
        assert_eq!(
            verdict("GET", &[here, site("cross-site"), mode("navigate")], true),
            None
        );
        for (method, mode_of) in [("GET", "no-cors"), ("GET", "cors"), ("POST", "navigate")] {
            let told = verdict(method, &[here, site("cross-site"), mode(mode_of)], false);
            assert_eq!(told, Some(Foreign::Site), "{method} {mode_of}");
        }
        let origin = |origin| ("origin", origin);
        assert_eq!(
            verdict("POST", &[here, origin("http://127.0.0.1:8480")], true),
            None
        );
        assert_eq!(
            verdict("POST", &[here, origin("http://evil.example")], true),
            Some(Foreign::Site)
        );
        assert_eq!(
            verdict("POST", &[here, origin("null")], true),
            Some(Foreign::Site)
        );
    }
}
