//! The HTTP client of the commands: JSON to and from the running daemon, errors in words.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use crate::address::{Addresses, Which};
use crate::https::{Https, pinned};
use crate::outlets::Tls;

/// Longest wait for a connection, in seconds.
const CONNECT_TIMEOUT_SECONDS: u64 = 5;
/// Longest wait for an answer, in seconds.
const ANSWER_TIMEOUT_SECONDS: u64 = 60;
/// Largest answer that is read, in bytes.
const ANSWER_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// Where the daemon is to be found.
enum Place {
    Url(String),
    /// By the addresses in its data folder, read again for each call: a restart may have changed them.
    DataFolder {
        data: PathBuf,
        which: Which,
    },
}

/// Who a command is, and whom it trusts.
pub(crate) struct Credentials {
    /// A bearer token.
    pub(crate) token: Option<String>,
    /// The authorities of an address, and the command's own certificate.
    pub(crate) tls: Tls,
}

/// A client of one listener of the daemon.
pub(crate) struct Client {
    place: Place,
    credentials: Credentials,
    answer_timeout: Option<Duration>,
    /// The agent of the last call, and the certificate that it insists on.
    agent: Mutex<Option<(Option<String>, ureq::Agent)>>,
}

/// Why a call brought no answer to go on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answered: the daemon may be down or starting. The outcome of the call is unknown.
    #[error(
        "the daemon does not answer: {0}\n  = mend: start it with `horizon serve`, or say where it is with --config or --server"
    )]
    Unreachable(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The daemon answered with a problem (RFC 9457).
    #[error("{}", problem_text(.problem, *.status))]
    Problem { status: u16, problem: Value },
}

impl Client {
    /// A client of the listener at `url`.
    pub(crate) fn at(url: &str, credentials: Credentials) -> Client {
        Client::new(
            Place::Url(url.trim_end_matches('/').to_owned()),
            credentials,
        )
    }

    /// A client of the daemon whose data folder this is. The folder tells which certificate the daemon has: no other is trusted.
    pub(crate) fn of_data_folder(data: PathBuf, which: Which, credentials: Credentials) -> Client {
        Client::new(Place::DataFolder { data, which }, credentials)
    }

    /// This client, with no bound on how long an answer may take: what is asked for takes as long as there is data.
    pub(crate) fn patient(mut self) -> Client {
        self.answer_timeout = None;
        self
    }

    fn new(place: Place, credentials: Credentials) -> Client {
        Client {
            place,
            credentials,
            answer_timeout: Some(Duration::from_secs(ANSWER_TIMEOUT_SECONDS)),
            agent: Mutex::default(),
        }
    }

    /// The listener's address without a path, and an agent that may speak to it.
    fn base(&self) -> Result<(String, ureq::Agent), ClientError> {
        let (base, certificate) = match &self.place {
            Place::Url(base) => (base.clone(), None),
            Place::DataFolder { data, which } => {
                let addresses = Addresses::read(data).ok_or_else(|| {
                    ClientError::Unreachable(format!(
                        "no daemon has left its addresses in {}",
                        data.display()
                    ))
                })?;
                let (base, certificate) = addresses.place(*which);
                (base, certificate.map(str::to_owned))
            }
        };
        let mut known = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((insists_on, agent)) = &*known
            && *insists_on == certificate
        {
            return Ok((base, agent.clone()));
        }
        let secure = base.starts_with("https:");
        let agent = self.new_agent(secure, certificate.as_deref())?;
        *known = Some((certificate, agent.clone()));
        Ok((base, agent))
    }

    fn new_agent(
        &self,
        secure: bool,
        certificate: Option<&str>,
    ) -> Result<ureq::Agent, ClientError> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A token goes to the daemon and to nobody else.
            .max_redirects(0)
            // Not by way of a proxy that the environment names either.
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(CONNECT_TIMEOUT_SECONDS)))
            .timeout_global(self.answer_timeout)
            .build();
        if !secure {
            return Ok(config.into());
        }
        let unusable = |error: crate::outlets::FieldError| ClientError::Unusable(error.to_string());
        let tls = self.credentials.tls.client_config().map_err(unusable)?;
        let tls = match certificate {
            Some(fingerprint) => Arc::new(pinned(&tls, fingerprint)),
            None => tls,
        };
        let https = Https {
            tls,
            server_name: None,
        };
        let connector = ().chain(TcpConnector::default()).chain(https);
        Ok(ureq::Agent::with_parts(
            config,
            connector,
            DefaultResolver::default(),
        ))
    }

    fn bearer(&self) -> Option<String> {
        let token = self.credentials.token.as_ref()?;
        Some(format!("Bearer {token}"))
    }

    /// The JSON document at `path`.
    pub(crate) fn get(&self, path: &str) -> Result<Value, ClientError> {
        let (base, agent) = self.base()?;
        let mut request = agent.get(format!("{base}{path}"));
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        read(
            &base,
            request.call().map_err(|error| unreachable(&base, &error))?,
        )
    }

    /// What `path` answers to a JSON body.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<Value, ClientError> {
        let (base, agent) = self.base()?;
        let mut request = agent.post(format!("{base}{path}"));
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        let request = request.header("content-type", "application/json");
        read(
            &base,
            request
                .send(body)
                .map_err(|error| unreachable(&base, &error))?,
        )
    }
}

/// Why there was no answer from `base`, without the words of a library where there are others.
fn unreachable(base: &str, error: &ureq::Error) -> ClientError {
    let reason = match error {
        // What the system itself says of a connection; its number tells no more.
        ureq::Error::Io(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "it took too long".to_owned(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "no connection came about".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too large".to_owned(),
        _ => "what answers there does not speak HTTP as the daemon does".to_owned(),
    };
    ClientError::Unreachable(format!("{base}: {reason}"))
}

fn read(base: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Value, ClientError> {
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(ANSWER_LIMIT_BYTES)
        .read_to_vec()
        .map_err(|error| unreachable(base, &error))?;
    let answer = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if status.is_success() {
        Ok(answer)
    } else {
        Err(ClientError::Problem {
            status: status.as_u16(),
            problem: answer,
        })
    }
}

fn problem_text(problem: &Value, status: u16) -> String {
    let field = |name: &str| problem.get(name).and_then(Value::as_str);
    let mut text =
        field("title").map_or_else(|| format!("the daemon answered {status}"), str::to_owned);
    if let Some(detail) = field("detail") {
        text.push_str(": ");
        text.push_str(detail);
    }
    if field("type") == Some("urn:horizon:problem:unauthenticated") {
        text.push_str("\n  = mend: give the token by HORIZON_TOKEN or --token-file, or a client certificate by --certificate-file and --key-file");
    } else if let Some(mend) = field("mend") {
        text.push_str("\n  = mend: ");
        text.push_str(mend);
    }
    text
}
