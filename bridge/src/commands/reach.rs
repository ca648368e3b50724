//! How a command finds the running daemon, and shows who it is.

use std::path::PathBuf;

use super::{Failure, Format};
use crate::address::{self, Which};
use crate::client::{Client, Credentials};
use crate::config::Config;
use crate::outlets::Tls;

/// The variable with the token that a command shows.
const TOKEN_VARIABLE: &str = "HORIZON_TOKEN";

/// How a command finds the running daemon.
#[derive(Debug, clap::Args)]
pub(crate) struct Daemon {
    /// The daemon's configuration; its data folder tells where the daemon listens, and which certificate it has
    #[arg(long, value_name = "FILE", default_value = "horizon.yaml")]
    pub(super) config: PathBuf,
    /// The address of the daemon's listener instead: the private one for `import` and `preview` (http://127.0.0.1:8480), else the
    /// operator's (http://127.0.0.1:8481)
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    credentials: CredentialFlags,
}

/// How a command shows who it is, and whom it trusts.
#[derive(Debug, clap::Args)]
pub(super) struct CredentialFlags {
    /// A file with the token to show to the daemon, instead of the variable HORIZON_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Who may vouch for the certificate of --server, in PEM; those of the system unless given
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to the daemon, in PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

impl CredentialFlags {
    /// Reads what the flags and the environment name.
    pub(super) fn read(&self) -> Result<Credentials, Failure> {
        let token = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| {
                    Failure::Mend(format!("--token-file {}: {error}", path.display()))
                })?;
                Some(text.trim_end().to_owned())
            }
            None => std::env::var(TOKEN_VARIABLE).ok(),
        };
        let token = token.filter(|token| !token.is_empty());
        let shown = |token: &str| token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.as_deref().is_some_and(|token| !shown(token)) {
            return Err(Failure::Mend(
                "the token holds characters that no token has\n  = mend: give the token alone, in one line".to_owned(),
            ));
        }
        let identity = self.certificate_file.clone().zip(self.key_file.clone());
        let tls = Tls::of_files(self.ca.clone(), identity);
        Ok(Credentials { token, tls })
    }
}

/// Refuses what is no address of a listener.
fn known_address(url: &str) -> Result<(), Failure> {
    if address::web(url).is_some() {
        return Ok(());
    }
    Err(Failure::Mend(format!(
        "--server {url}: this is no address of a listener\n  = mend: write it as http://127.0.0.1:8481, with https:// where the listener has TLS"
    )))
}

impl Daemon {
    /// A client of one of the daemon's listeners.
    pub(super) fn client(&self, which: Which) -> Result<Client, Failure> {
        let credentials = self.credentials.read()?;
        Ok(match &self.server {
            Some(url) => {
                known_address(url)?;
                Client::at(url, credentials)
            }
            None => {
                let data = Config::data_of(&self.config)?;
                Client::of_data_folder(data, which, credentials)
            }
        })
    }
}

/// How a command asks the daemon, and prints what it is told.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

impl How {
    /// A client of the operator's listener.
    pub(super) fn operator(&self) -> Result<Client, Failure> {
        self.daemon.client(Which::Operator)
    }
}
