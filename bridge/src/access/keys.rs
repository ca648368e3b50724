//! The keys of an issuer of tokens (a JWK Set, RFC 7517): read from a file at the start and at a reload, or fetched.
//!
//! A fetch happens at the start, again for a key that is not known, and now and then while tokens come; never more often than
//! [`FETCH_INTERVAL`]. Where it fails, the keys that are known stay in use; while none are, no token of that issuer is good.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use horizon_schemas::parse_json;
use serde::Serialize;
use serde_json::Value;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use utoipa::ToSchema;

use super::jws::{Algorithm, Key};
use crate::clock;
use crate::https::Https;
use crate::outlets::Tls;

/// Shortest time between two fetches.
const FETCH_INTERVAL: Duration = Duration::from_secs(30);
/// Age at which keys are fetched again although they are known, so that a key which was taken back goes.
const KEYS_AGE: Duration = Duration::from_secs(3_600);
/// Longest time for a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest set of keys, in bytes.
const SET_LIMIT_BYTES: u64 = 1024 * 1024;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    /// Where they are fetched; none: they came from a file.
    source: Option<Source>,
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

/// Where keys are fetched.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) url: String,
    pub(super) tls: Arc<Tls>,
}

/// How it stands with an issuer's keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IssuerView {
    /// Its name in the configuration.
    issuer: String,
    /// How many are known.
    keys: usize,
    /// When they were fetched last (RFC 3339).
    fetched: Option<String>,
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    keys: Vec<Key>,
    asked: Option<Instant>,
    fetched_ms: Option<u64>,
    error: Option<String>,
}

impl Keys {
    /// Keys that stand in a file.
    pub(super) fn of_file(issuer: &str, path: &Path) -> Result<Keys, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let keys = parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))?;
        Ok(Keys::new(issuer, None, keys))
    }

    /// Keys that are to be fetched.
    pub(super) fn of_source(issuer: &str, source: Source) -> Keys {
        Keys::new(issuer, Some(source), Vec::new())
    }

    fn new(issuer: &str, source: Option<Source>, keys: Vec<Key>) -> Keys {
        Keys {
            issuer: issuer.to_owned(),
            source,
            state: Mutex::new(State {
                keys,
                ..State::default()
            }),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Keys that were fetched at the same address stay in use until that is done again.
    pub(super) fn take_over(&self, known: &Keys) {
        let url = |keys: &Keys| keys.source.as_ref().map(|source| source.url.clone());
        if url(self).is_some() && url(self) == url(known) {
            let (keys, fetched_ms) = {
                let known = known.state();
                (known.keys.clone(), known.fetched_ms)
            };
            let mut state = self.state();
            (state.keys, state.fetched_ms) = (keys, fetched_ms);
        }
    }

    /// The key that a token names, if it is for its algorithm. A token that names none has to be the only key's.
    pub(super) async fn find(
        self: &Arc<Keys>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<Key> {
        if let Some(key) = self.known(id, algorithm) {
            if self.is_old() {
                tokio::spawn(Arc::clone(self).fetch());
            }
            return Some(key);
        }
        Arc::clone(self).fetch().await;
        self.known(id, algorithm)
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let state = self.state();
        let mut fitting = state.keys.iter().filter(|key| {
            key.is_for(algorithm) && id.is_none_or(|id| key.kid.as_deref() == Some(id))
        });
        let key = fitting.next()?;
        fitting.next().is_none().then(|| key.clone())
    }

    fn is_old(&self) -> bool {
        let asked = self.state().asked;
        self.source.is_some() && asked.is_some_and(|asked| asked.elapsed() > KEYS_AGE)
    }

    /// Fetches the keys, unless that was done a moment ago.
    pub(super) async fn fetch(self: Arc<Keys>) {
        let Some(source) = self.source.clone() else {
            return;
        };
        let _one_at_a_time = self.fetching.lock().await;
        {
            let mut state = self.state();
            if state
                .asked
                .is_some_and(|asked| asked.elapsed() < FETCH_INTERVAL)
            {
                return;
            }
            state.asked = Some(Instant::now());
        }
        let fetched = tokio::task::spawn_blocking(move || fetch(&source)).await;
        let fetched = fetched.unwrap_or_else(|error| Err(error.to_string()));
        let mut state = self.state();
        match fetched {
            Ok(keys) => {
                tracing::info!(
                    issuer = self.issuer,
                    keys = keys.len(),
                    "the issuer's keys are fetched"
                );
                state.keys = keys;
                state.fetched_ms = Some(clock::now_ms());
                state.error = None;
            }
            Err(reason) => {
                let known = state.keys.len();
                tracing::warn!(
                    issuer = self.issuer,
                    reason,
                    known,
                    "the issuer's keys could not be fetched; its tokens are refused while no key is known"
                );
                state.error = Some(reason);
            }
        }
    }

    /// How many keys are known, since when, and what went wrong last.
    pub(super) fn view(&self) -> IssuerView {
        let state = self.state();
        IssuerView {
            issuer: self.issuer.clone(),
            keys: state.keys.len(),
            fetched: state.fetched_ms.map(clock::rfc3339),
            last_error: state.error.clone(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys of a set that can check signatures; others are left out, as RFC 7517 (5) asks.
fn parse(text: &str) -> Result<Vec<Key>, String> {
    let set = parse_json(text.as_bytes()).map_err(|error| error.to_string())?;
    let listed = set.get("keys").and_then(Value::as_array);
    let listed = listed.ok_or("it has no array `keys`: a JWK Set is asked for (RFC 7517)")?;
    let keys: Vec<Key> = listed
        .iter()
        .filter_map(|key| serde_json::from_value(key.clone()).ok())
        .filter(Key::is_usable)
        .collect();
    match keys.is_empty() {
        true => Err("no public key of it is usable".to_owned()),
        false => Ok(keys),
    }
}

fn fetch(source: &Source) -> Result<Vec<Key>, String> {
    let config = ureq::Agent::config_builder()
        // The connector below knows of none.
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(FETCH_TIMEOUT))
        .build();
    let tls = source
        .tls
        .client_config()
        .map_err(|error| error.to_string())?;
    let https = Https {
        tls,
        server_name: None,
    };
    let connector = ().chain(TcpConnector::default()).chain(https);
    let agent = ureq::Agent::with_parts(config, connector, DefaultResolver::default());
    let answer = agent.get(&source.url).call();
    let mut answer = answer.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("the answer is {}", answer.status()));
    }
    let body = answer.body_mut().with_config().limit(SET_LIMIT_BYTES);
    parse(&body.read_to_string().map_err(|error| error.to_string())?)
}
