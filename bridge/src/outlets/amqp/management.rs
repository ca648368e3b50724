//! RabbitMQ's management interface, asked for one thing: whether a queue is bound as a contract says.
//!
//! AMQP 0-9-1 has no way to ask for a binding. The interface takes the user and the password of the broker's options, the
//! same authorities and, over HTTPS, the same client certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use horizon_schemas::AmqpPlace;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::http::{StatusCode, Uri};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use super::line::secure;
use super::options::Resolved;
use crate::https::Https;
use crate::outlets::ConnectError;
use crate::outlets::options::{FieldError, Tls};

/// How long one question may take, connecting included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: some thousands of bindings of one queue.
const ANSWER_LIMIT_BYTES: u64 = 1024 * 1024;

/// Where the interface is.
#[derive(Debug)]
pub(super) struct Management {
    /// Scheme, host, port and path, without a `/` at the end.
    address: String,
    host: String,
    secure: bool,
}

/// A binding as the interface tells it.
#[derive(Deserialize)]
struct Binding {
    routing_key: String,
}

impl Management {
    /// Reads the option.
    pub(super) fn read(text: &str) -> Result<Self, FieldError> {
        let wrong = |problem: &str| FieldError {
            field: "management",
            problem: problem.to_owned(),
        };
        let shape = "an address such as http://rabbit.example:15672 is asked for";
        let uri: Uri = text.parse().map_err(|_| wrong(shape))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong(shape)),
        };
        let authority = uri.authority().ok_or_else(|| wrong(shape))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "the user and the password are `username` and `password`: take them out here",
            ));
        }
        if uri.query().is_some() {
            return Err(wrong(shape));
        }
        let host = authority.host();
        Ok(Self {
            address: text.trim_end_matches('/').to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            secure,
        })
    }
}

/// Checks that the bindings are there which the place relies on.
pub(super) async fn check(place: &AmqpPlace, resolved: &Resolved) -> Result<(), ConnectError> {
    if place.bindings.is_empty() {
        return Ok(());
    }
    let Some(management) = &resolved.management else {
        return Err(ConnectError(super::WITHOUT_MANAGEMENT.to_owned()));
    };
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for binding in &place.bindings {
        let of_queue = wanted.entry(&binding.queue).or_default();
        of_queue.insert(&binding.routing_key);
    }
    let agent = agent(management, resolved)?;
    for (queue, wanted) in wanted {
        let url = url(management, resolved, &place.exchange, queue);
        let there = ask(agent.clone(), url, resolved).await.map_err(|problem| {
            ConnectError(format!(
                "bindings of queue {queue}: {}: {problem}",
                management.address
            ))
        })?;
        let missing = wanted.into_iter().filter(|key| !there.contains(*key));
        let missing: Vec<String> = missing.map(|key| format!("{key:?}")).collect();
        if !missing.is_empty() {
            return Err(ConnectError(format!(
                "queue {queue}: it is not bound to exchange {} by {}: its consumer binds it, or the contract does under `queues`",
                place.exchange,
                missing.join(", ")
            )));
        }
    }
    Ok(())
}

fn url(management: &Management, resolved: &Resolved, exchange: &str, queue: &str) -> String {
    let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!(
        "{}/api/bindings/{}/e/{}/q/{}",
        management.address,
        part(&resolved.virtual_host),
        part(exchange),
        part(queue)
    )
}

/// The routing keys by which a queue is bound.
async fn ask(
    agent: ureq::Agent,
    url: String,
    resolved: &Resolved,
) -> Result<BTreeSet<String>, String> {
    let (username, password) = resolved.user();
    let credentials = STANDARD.encode(format!("{username}:{password}"));
    let asked = tokio::task::spawn_blocking(move || {
        let mut response = agent
            .get(url)
            .header("authorization", format!("Basic {credentials}"))
            .call()
            .map_err(|error| error.to_string())?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                return Err(
                    "the user or the password is refused, or the user has not the tag `management`"
                        .to_owned(),
                );
            }
            StatusCode::NOT_FOUND => return Ok(Vec::new()),
            other => return Err(format!("the answer is {other}")),
        }
        let body = response.body_mut().with_config().limit(ANSWER_LIMIT_BYTES);
        body.read_json::<Vec<Binding>>()
            .map_err(|error| error.to_string())
    });
    let bindings = asked.await.map_err(|error| error.to_string())??;
    Ok(bindings
        .into_iter()
        .map(|binding| binding.routing_key)
        .collect())
}

fn agent(management: &Management, resolved: &Resolved) -> Result<ureq::Agent, ConnectError> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(ANSWER_TIMEOUT))
        .build();
    let (tcp, resolver) = (
        ().chain(TcpConnector::default()),
        DefaultResolver::default(),
    );
    if !management.secure {
        return Ok(ureq::Agent::with_parts(config, tcp, resolver));
    }
    let by_default = Tls::default();
    let tls = resolved.endpoint.tls.as_ref().unwrap_or(&by_default);
    let (tls, server_name) = secure(tls, &management.host)?;
    let https = Https {
        tls,
        server_name: Some(server_name),
    };
    Ok(ureq::Agent::with_parts(config, tcp.chain(https), resolver))
}
