//! `horizon breaking`: what a change of contracts means for their consumers.
//!
//! What it is compared with is a folder, revisions of the git repository that the folder is in, or the running daemon. Exit status
//! 0: nothing breaks; 1: something does; 2: it cannot be told, and nothing else ever gives 1.

mod git;
mod render;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use horizon_schemas::Folders;
use horizon_schemas::compatibility::{Mode, Question, Side, breaking};
use serde_json::Value;

use super::folder::TeamFolder;
use super::reach::CredentialFlags;
use super::{Failure, print};
use crate::address::Which;
use crate::client::Client;
use crate::clock;
use crate::config::{Config, Flags};

/// The word for the running daemon in `--against`.
const DAEMON: &str = "daemon";
/// How many revisions of a git history are looked at unless told otherwise.
const DEFAULT_REVISIONS: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Breaking {
    #[command(flatten)]
    folder: TeamFolder,
    /// What to compare with: a folder with horizon.yaml, a git revision (main, v1.2.0, HEAD~1), `daemon`, or the URL of a daemon's
    /// operator listener
    #[arg(long, value_name = "REF")]
    against: String,
    /// What must hold, instead of what the contracts say: backward, forward or full, each also with `_transitive`
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<Mode>,
    /// How many revisions of a git history are looked at in a transitive mode
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_REVISIONS, value_parser = revisions)]
    revisions: usize,
    /// The day on which waivers are looked at, instead of today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    today: Option<String>,
    #[command(flatten)]
    credentials: CredentialFlags,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// JUnit's XML, one case for each contract and public type
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

fn mode(word: &str) -> Result<Mode, String> {
    Mode::parse(word).ok_or_else(|| format!("one of {}", Mode::words()))
}

fn revisions(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=10_000).contains(count))
        .ok_or_else(|| "a number from 1 to 10000".to_owned())
}

fn day(text: &str) -> Result<String, String> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(nth, byte)| match nth {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape
        .then(|| text.to_owned())
        .ok_or_else(|| "a day such as 2030-12-31".to_owned())
}

/// What is compared with, the last revision first, and what is to be said of how it was found.
#[derive(Default)]
struct Against {
    sides: Vec<Side>,
    notes: Vec<String>,
}

impl Breaking {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.folder.load()?;
        let new = Side::load("this folder", &folders(&config)).map_err(Failure::Diagnostics)?;
        let against = self.against(&config)?;
        let today = self.today.clone().unwrap_or_else(today);
        let reports = breaking(&Question {
            new: &new,
            against: &against.sides,
            mode: self.mode,
            today: &today,
        })
        .map_err(Failure::Diagnostics)?;
        let place = render::Place {
            contracts: &config.contracts,
            schemas: &config.schemas,
        };
        print(&match self.format {
            Form::Text => render::text(&reports, &against.notes),
            Form::Json => render::json(&reports, &against.notes).to_string(),
            Form::Junit => render::junit(&reports),
            Form::Github => render::github(&reports, &against.notes, &place),
        });
        let count: usize = reports.iter().map(|report| report.breaking().count()).sum();
        match count {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 change breaks consumers".to_owned())),
            _ => Err(Failure::Failed(format!("{count} changes break consumers"))),
        }
    }

    fn against(&self, config: &Config) -> Result<Against, Failure> {
        let reference = self.against.as_str();
        if reference == DAEMON {
            let data = config.data.clone();
            let client = Client::of_data_folder(data, Which::Operator, self.credentials.read()?);
            return of_daemon(&client);
        }
        if reference.starts_with("http://") || reference.starts_with("https://") {
            return of_daemon(&Client::at(reference, self.credentials.read()?));
        }
        let path = Path::new(reference);
        if path.exists() {
            return of_folder(path);
        }
        git::read(config, reference, self.revisions)
    }
}

fn folders(config: &Config) -> Folders {
    Folders {
        contracts: config.contracts.clone(),
        schemas: config.schemas.clone(),
    }
}

fn of_folder(path: &Path) -> Result<Against, Failure> {
    let file: PathBuf = match path.is_dir() {
        true => path.join("horizon.yaml"),
        false => path.to_owned(),
    };
    let config = Config::load(&file, &Flags::default())?;
    let side = Side::load(path.display().to_string(), &folders(&config));
    Ok(Against {
        sides: vec![side.map_err(Failure::Diagnostics)?],
        notes: Vec::new(),
    })
}

/// The contracts and public schemas that the daemon runs with, as it loaded them.
fn of_daemon(client: &Client) -> Result<Against, Failure> {
    // A failure would read as a break.
    let answer = client.get("/contracts");
    let answer = answer.map_err(|error| Failure::Mend(error.to_string()))?;
    let files = |name: &str| -> Vec<(String, String)> {
        let files = answer.get(name).and_then(Value::as_object);
        let texts = files.into_iter().flatten();
        let texts =
            texts.map(|(path, text)| (path.clone(), text.as_str().unwrap_or("").to_owned()));
        texts.collect::<BTreeMap<_, _>>().into_iter().collect()
    };
    let side = Side::of("the running daemon", files("contracts"), files("schemas"));
    Ok(Against {
        sides: vec![side.map_err(Failure::Diagnostics)?],
        notes: vec![
            "the daemon knows the revision that it runs with, and those kept beside it; compare with a git revision for all others"
                .to_owned(),
        ],
    })
}

/// Today, in UTC.
fn today() -> String {
    let now = clock::rfc3339(clock::now_ms());
    now.chars().take("YYYY-MM-DD".len()).collect()
}
