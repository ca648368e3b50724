//! The command line. Each command is a file; exit status 0 is success, 1 a failure, 2 something to mend in what was given.

mod backup;
mod breaking;
mod catalog;
mod check;
mod export;
mod folder;
mod import;
mod init;
mod junit;
mod openapi;
mod parked;
mod pause;
mod preview;
mod reach;
mod reload;
mod replay;
mod restore;
mod restore_export;
mod schema;
mod serve;
mod skip;
mod status;
mod test;
mod token;
mod verify;
mod why;

use std::path::Path;
use std::process::ExitCode;

use horizon_schemas::Diagnostics;
use horizon_store::{OpenError, Options, Store};

use reach::{Daemon, How};

/// What stands behind a word for so many.
fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Exit status where the command line, configuration, contracts or schemas have to be mended.
const MEND: u8 = 2;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a folder that works: configuration, a contract with its schemas and tests, a CI file
    Init(init::Init),
    /// Run the daemon until SIGTERM or SIGINT
    Serve(serve::Serve),
    /// Check configuration, schemas and contracts without running anything
    Check(check::Check),
    /// Run the cases beside the contracts: given private events, what must come of them
    Test(test::Test),
    /// Write what consumers may know: an AsyncAPI document and a readable page
    Catalog(catalog::Catalog),
    /// Tell what a contract would make of a file of events or of stored history; nothing is written
    Preview(preview::Preview),
    /// Print the JSON Schema of the contract language, for editors
    Schema(schema::Schema),
    /// Print the description of the HTTP interface (OpenAPI 3.1), without a daemon
    Openapi(openapi::Openapi),
    /// Tell what a change of contracts breaks for their consumers
    Breaking(breaking::Breaking),
    /// Append the events of a file of JSON lines (.gz too) through the running daemon
    Import(import::Import),
    /// Tell what became of one private event: at each contract and at each outlet
    Why(why::Why),
    /// Show positions, contracts and relays of the running daemon
    Status(status::Status),
    /// List the keys that cannot go on, show what waits, try it again, or give it up
    Parked(parked::Parked),
    /// Give up the event at which a contract has halted, for good
    Skip(skip::Skip),
    /// Send a stretch of a public stream to an outlet again; live delivery goes on beside it
    Replay(replay::Replay),
    /// Pause the relay to one outlet, also over restarts
    Pause(pause::Pause),
    /// Let a paused relay go on where it stood
    Resume(pause::Resume),
    /// Have the running daemon load principals and certificates again, and contracts with schemas; each all or nothing
    Reload(reload::Reload),
    /// Make a fresh token for a principal, and tell its digest for the configuration
    Token(token::Token),
    /// Back the running daemon's store up into a folder of backups
    Backup(backup::Backup),
    /// List the backups in a folder
    Backups(backup::Backups),
    /// Restore a backup or an export into an empty folder, in a new epoch
    Restore(restore::Restore),
    /// Verify a stopped store, a backup, or (less of it) the running daemon's store
    Verify(verify::Verify),
    /// Open a new epoch in a stopped store, after its volume was rolled back
    NewEpoch(restore::NewEpoch),
    /// Export everything in the store as JSON lines, through the running daemon or from a stopped store
    Export(export::Export),
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let result = match self {
            Command::Serve(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Catalog(command) => command.run(),
            Command::Preview(command) => command.run(),
            Command::Schema(command) => command.run(),
            Command::Openapi(command) => command.run(),
            Command::Breaking(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Why(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Parked(command) => command.run(),
            Command::Replay(command) => command.run(),
            Command::Skip(command) => command.run(),
            Command::Pause(command) => command.run(),
            Command::Resume(command) => command.run(),
            Command::Reload(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Backups(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::Verify(command) => command.run(),
            Command::NewEpoch(command) => command.run(),
            Command::Export(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(),
        }
    }
}

/// Why a command did not succeed, in words for the person who ran it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was given has to be mended.
    Mend(String),
    /// Contracts or schemas have to be mended; each mistake is told in full.
    Diagnostics(Diagnostics),
    /// It was sound, but could not be done.
    Failed(String),
}

impl Failure {
    #[expect(clippy::print_stderr, reason = "the command line speaks here")]
    fn tell(self) -> ExitCode {
        let (text, status) = match self {
            Failure::Mend(text) => (format!("error: {text}"), ExitCode::from(MEND)),
            Failure::Diagnostics(diagnostics) => (diagnostics.to_string(), ExitCode::from(MEND)),
            Failure::Failed(text) => (format!("error: {text}"), ExitCode::FAILURE),
        };
        eprintln!("{}", text.trim_end());
        status
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Mend(text) | Failure::Failed(text) => f.write_str(text),
            Failure::Diagnostics(diagnostics) => diagnostics.fmt(f),
        }
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Failure {
        Failure::Mend(error.to_string())
    }
}

impl From<crate::client::ClientError> for Failure {
    fn from(error: crate::client::ClientError) -> Failure {
        Failure::Failed(error.to_string())
    }
}

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Runs work on a store to its end.
pub(crate) fn run_to_end<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start the runtime: {error}")))?;
    Ok(runtime.block_on(work))
}

/// Opens the store of a daemon that is stopped.
pub(crate) async fn open_stopped(folder: &Path) -> Result<Store, Failure> {
    Store::open_existing(folder, Options::default())
        .await
        .map_err(|error| match error {
            OpenError::InUse { .. } => Failure::Failed(format!(
                "{error}\n  = mend: leave --store out to go through the running daemon, or stop it"
            )),
            error => Failure::Failed(error.to_string()),
        })
}

/// Prints to standard error.
#[expect(clippy::print_stderr, reason = "the command line speaks here")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Prints to standard output; a reader that went away (`| head`) ends the command quietly.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"));
}
