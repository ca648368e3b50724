//! The HTTP client of the commands: JSON to and from the running daemon, errors in words.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::address::Addresses;

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
        which: fn(Addresses) -> SocketAddr,
    },
}

/// A client of one listener of the daemon.
pub(crate) struct Client {
    agent: ureq::Agent,
    place: Place,
}

/// Why a call brought no answer to go on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answered: the daemon may be down or starting. The outcome of the call is unknown.
    #[error(
        "the daemon does not answer: {0}\n  = mend: start it with `horizon serve`, or say where it is with --config or --server"
    )]
    Unreachable(String),
    /// The daemon answered with a problem (RFC 9457).
    #[error("{}", problem_text(.problem, *.status))]
    Problem { status: u16, problem: Value },
}

impl Client {
    /// A client of the listener at `url`.
    pub(crate) fn at(url: &str) -> Client {
        Client::new(Place::Url(url.trim_end_matches('/').to_owned()))
    }

    /// A client of the daemon whose data folder this is.
    pub(crate) fn of_data_folder(data: PathBuf, which: fn(Addresses) -> SocketAddr) -> Client {
        Client::new(Place::DataFolder { data, which })
    }

    /// This client, with no bound on how long an answer may take: what is asked for takes as long as there is data.
    pub(crate) fn patient(mut self) -> Client {
        self.agent = agent(None);
        self
    }

    fn new(place: Place) -> Client {
        Client {
            agent: agent(Some(Duration::from_secs(ANSWER_TIMEOUT_SECONDS))),
            place,
        }
    }

    fn url(&self, path: &str) -> Result<String, ClientError> {
        match &self.place {
            Place::Url(base) => Ok(format!("{base}{path}")),
            Place::DataFolder { data, which } => Addresses::read(data)
                .map(|addresses| format!("http://{}{path}", which(addresses)))
                .ok_or_else(|| {
                    ClientError::Unreachable(format!(
                        "no daemon has left its addresses in {}",
                        data.display()
                    ))
                }),
        }
    }

    /// The JSON document at `path`.
    pub(crate) fn get(&self, path: &str) -> Result<Value, ClientError> {
        let response = self.agent.get(self.url(path)?).call();
        read(response.map_err(|error| ClientError::Unreachable(error.to_string()))?)
    }

    /// What `path` answers to a JSON body.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<Value, ClientError> {
        let response = self
            .agent
            .post(self.url(path)?)
            .header("content-type", "application/json")
            .send(body);
        read(response.map_err(|error| ClientError::Unreachable(error.to_string()))?)
    }
}

fn agent(answer_timeout: Option<Duration>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(CONNECT_TIMEOUT_SECONDS)))
        .timeout_global(answer_timeout)
        .build();
    config.into()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, ClientError> {
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(ANSWER_LIMIT_BYTES)
        .read_to_vec()
        .map_err(|error| ClientError::Unreachable(error.to_string()))?;
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
    if let Some(mend) = field("mend") {
        text.push_str("\n  = mend: ");
        text.push_str(mend);
    }
    text
}
