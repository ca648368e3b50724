//! Revisions of contracts and public schemas, read from a git repository with the `git` binary. Nothing is checked out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use horizon_schemas::compatibility::Side;

use super::Against;
use crate::commands::Failure;
use crate::config::Config;

/// How large a file of a revision may be, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;
/// How many files a revision may have.
const MAX_FILES: usize = 20_000;
/// How many characters of a commit's name are told.
const SHORT: usize = 10;

/// A repository, and where the contracts and schemas are in it.
struct Repository {
    top: PathBuf,
    contracts: String,
    schemas: String,
}

/// Reads the revision and, behind it, those commits in which contracts or public schemas changed.
pub(super) fn read(config: &Config, reference: &str, most: usize) -> Result<Against, Failure> {
    let repository = Repository::of(config, reference)?;
    let commit = repository.commit(reference)?;
    let mut against = Against::default();
    let label = format!("{reference} ({})", short(&commit));
    let side = repository.side(&commit, label)?;
    if side.is_empty() {
        return Err(Failure::Mend(format!(
            "{reference} has no contracts in {}\n  = mend: compare with a revision that has the folder, or with the folder itself",
            repository.contracts
        )));
    }
    against
        .sides
        .push(side.read().map_err(Failure::Diagnostics)?);
    let earlier = repository.earlier(&commit, most)?;
    if earlier.len() >= most {
        against.notes.push(format!(
            "only the last {most} changes of contracts and public schemas are looked at; --revisions looks further"
        ));
    }
    if repository.is_shallow()? {
        against.notes.push(
            "the repository is a shallow clone: what lies behind it is not seen (fetch it all, such as with `fetch-depth: 0`)".to_owned(),
        );
    }
    for earlier in earlier {
        let side = repository.side(&earlier, short(&earlier))?;
        if earlier == commit || side.is_empty() {
            continue;
        }
        match side.read() {
            Ok(side) => against.sides.push(side),
            Err(wrong) => {
                let first = wrong
                    .iter()
                    .next()
                    .map_or("", |one| one.message())
                    .to_owned();
                let commit = short(&earlier);
                against.notes.push(format!(
                    "the revision {commit} is passed over, because it is not sound: {first}"
                ));
            }
        }
    }
    Ok(against)
}

fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

/// The files of a revision.
struct Files {
    label: String,
    contracts: Vec<(String, String)>,
    schemas: Vec<(String, String)>,
}

impl Files {
    fn is_empty(&self) -> bool {
        self.contracts.is_empty()
    }

    fn read(self) -> Result<Side, horizon_schemas::Diagnostics> {
        Side::of(self.label, self.contracts, self.schemas)
    }
}

impl Repository {
    fn of(config: &Config, reference: &str) -> Result<Repository, Failure> {
        let top = run(&config.folder, &["rev-parse", "--show-toplevel"], &[]).map_err(|error| match error {
            GitError::Missing(_) => error.into(),
            GitError::Failed(why) => Failure::Mend(format!(
                "`{reference}` is no folder, and {} is in no git repository: {why}\n  = mend: name a folder, a git revision, `daemon` or a daemon's URL",
                config.folder.display()
            )),
        })?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n'));
        let inside = |folder: &Path| {
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            let below = folder.strip_prefix(&top).map_err(|_| {
                Failure::Mend(format!(
                    "{} is not in the repository {}\n  = mend: compare with a folder instead",
                    folder.display(),
                    top.display()
                ))
            })?;
            Ok::<_, Failure>(below.to_string_lossy().into_owned())
        };
        Ok(Repository {
            contracts: inside(&config.contracts)?,
            schemas: inside(&config.schemas)?,
            top,
        })
    }

    fn commit(&self, reference: &str) -> Result<String, Failure> {
        // A reference that begins with a dash would be taken for an option.
        let named = format!("{reference}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &named,
        ];
        let found = run(&self.top, &arguments, &[]).map_err(|error| match error {
            GitError::Missing(_) => error.into(),
            GitError::Failed(_) => Failure::Mend(format!(
                "`{reference}` is neither a folder nor a revision of {}\n  = mend: name a folder, a branch, tag or commit (fetch it first), `daemon` or a daemon's URL",
                self.top.display()
            )),
        })?;
        Ok(text(&found).trim().to_owned())
    }

    fn is_shallow(&self) -> Result<bool, Failure> {
        let told = run(&self.top, &["rev-parse", "--is-shallow-repository"], &[])?;
        Ok(text(&told).trim() == "true")
    }

    /// The commits up to this one that changed contracts or public schemas, the last one first.
    fn earlier(&self, commit: &str, most: usize) -> Result<Vec<String>, Failure> {
        let (contracts, public) = self.places();
        let most = format!("--max-count={most}");
        let arguments = [
            "log",
            "--format=%H",
            &most,
            commit,
            "--",
            &contracts,
            &public,
        ];
        let log = run(&self.top, &arguments, &[])?;
        Ok(text(&log).lines().map(str::to_owned).collect())
    }

    fn places(&self) -> (String, String) {
        // Taken as they are, not as patterns.
        let literal = |path: String| format!(":(literal){path}");
        let public = match self.schemas.is_empty() {
            true => "public".to_owned(),
            false => format!("{}/public", self.schemas),
        };
        let contracts = match self.contracts.is_empty() {
            true => ".".to_owned(),
            false => self.contracts.clone(),
        };
        (literal(contracts), literal(public))
    }

    fn side(&self, commit: &str, label: String) -> Result<Files, Failure> {
        let (contracts, public) = self.places();
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", commit];
        let listed = run(&self.top, &arguments, &[])?;
        let (contracts, public) = (
            contracts.trim_start_matches(":(literal)").to_owned(),
            public.trim_start_matches(":(literal)").to_owned(),
        );
        let mut wanted: Vec<(String, String)> = Vec::new();
        for entry in text(&listed).split('\0') {
            let Some((about, path)) = entry.split_once('\t') else {
                continue;
            };
            let mut words = about.split(' ').skip(1);
            let (kind, object) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let below = |folder: &str| folder == "." || path.starts_with(&format!("{folder}/"));
            let ours = (below(&contracts) && path.ends_with(".yaml"))
                || (below(&public) && path.ends_with(".json"));
            if kind == "blob" && ours {
                wanted.push((object.to_owned(), path.to_owned()));
            }
        }
        if wanted.len() > MAX_FILES {
            return Err(Failure::Mend(format!(
                "{label} has more than {MAX_FILES} contracts and schemas"
            )));
        }
        let mut files = Files {
            label,
            contracts: Vec::new(),
            schemas: Vec::new(),
        };
        for (path, content) in self.contents(wanted)? {
            let strip = |folder: &str| match folder {
                "" | "." => Some(path.clone()),
                _ => path.strip_prefix(&format!("{folder}/")).map(str::to_owned),
            };
            if path.ends_with(".yaml") {
                files
                    .contracts
                    .extend(strip(&contracts).map(|path| (path, content)));
            } else {
                files
                    .schemas
                    .extend(strip(&self.schemas).map(|path| (path, content)));
            }
        }
        Ok(files)
    }

    /// The contents of objects, each with the path that it was wanted for.
    fn contents(&self, wanted: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
        let names: String = wanted
            .iter()
            .map(|(object, _)| format!("{object}\n"))
            .collect();
        let answer = run(&self.top, &["cat-file", "--batch"], names.as_bytes())?;
        let mut rest = answer.as_slice();
        let mut files = Vec::new();
        for (_, path) in wanted {
            let broken = || Failure::Mend(format!("git gave no content for {path}"));
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .ok_or_else(broken)?;
            let head = text(&rest[..end]);
            let size: usize = head
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse().ok())
                .ok_or_else(broken)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(broken)?;
            rest = rest.get(end + 2 + size..).unwrap_or_default();
            if size > MAX_FILE_BYTES {
                return Err(Failure::Mend(format!(
                    "{path} has {size} bytes; {MAX_FILE_BYTES} are allowed"
                )));
            }
            files.push((path, text(content)));
        }
        Ok(files)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Why git gave no answer.
enum GitError {
    /// It cannot be started.
    Missing(String),
    /// It failed, and said why.
    Failed(String),
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Failure {
        match error {
            GitError::Missing(why) => Failure::Mend(format!(
                "`git` cannot be run: {why}\n  = mend: install git, or compare with a folder or the running daemon"
            )),
            GitError::Failed(why) => Failure::Mend(format!("git: {why}")),
        }
    }
}

/// Runs git in a folder; gives its standard output.
fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
    let missing = |error: std::io::Error| GitError::Missing(error.to_string());
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    // Written beside the reading of the answer: both pipes are bounded.
    let stdin = child.stdin.take();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child.wait_with_output().map_err(missing)?;
    let _ = writer.join();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(GitError::Failed(text(&output.stderr).trim().to_owned())),
    }
}
