//! Killed at random moments and at named points, with and without power loss: what was answered is there, what is there
//! was asked, and commits and crossings are whole.
//!
//! The child is this test's own binary, run again on a disk with faults (`shim.rs`). It tells on its standard output what
//! it is about to ask and what was answered; the test, outside, kills it and holds the store to its word (`oracle.rs`).
//! `HORIZON_TEST_SEED` replays a run, `HORIZON_CRASH_ROUNDS` makes it longer.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use horizon_store::{Options, Store};
use tempfile::TempDir;

use crate::crash_child::{AT, CHILD, CLOSE_AFTER, DIR, MEMTABLES, Numbers, ROUND};
use crate::oracle::{Oracle, Said, whole_log};
use crate::power::Before;
use crate::shim::Faults;

const KILL: &str = "FAULTS_KILL";
/// The points at which the disk kills, and how often each is passed in a run of a fraction of a second, about.
const DISK_POINTS: [(&str, u64); 8] = [
    ("write", 300),
    ("half", 300),
    ("sync", 300),
    ("synced", 300),
    ("manifest", 7),
    ("create", 14),
    ("rename", 5),
    ("unlink", 5),
];
/// The points at which the child kills itself, likewise.
const CHILD_POINTS: [(&str, u64); 4] = [
    ("answered", 1_000),
    ("cross", 100),
    ("crossed", 100),
    ("settled", 100),
];
/// Kills a child that has missed the point at which it should have died.
const MISSED: Duration = Duration::from_secs(1);

/// A store's folder, and one beside it for each round.
pub(crate) struct Ground(TempDir);

impl Ground {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    pub(crate) fn faults(&self, round: u64) -> Faults {
        Faults::new(self.0.path().join(format!("round-{round}")))
    }

    /// Opens the store without faults.
    pub(crate) async fn open(&self) -> Store {
        let opened = Store::open(&self.store(), Options::default()).await;
        opened.unwrap_or_else(|error| panic!("{error}; {}", self.keep()))
    }

    /// Keeps the folders of a failed test.
    fn keep(&self) -> String {
        let kept = std::env::temp_dir().join(format!("horizon-crash-{}", std::process::id()));
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.0.path(), &kept])
            .status();
        format!("kept in {} ({copied:?})", kept.display())
    }
}

/// One run of the child.
pub(crate) struct Run {
    pub(crate) round: u64,
    /// When it is killed, after its first answer, unless it has ended before.
    pub(crate) kill_after: Duration,
    /// What is asked of the child itself, by its variables.
    pub(crate) asked: Vec<(&'static str, String)>,
}

impl Run {
    /// A run that ends by itself.
    pub(crate) fn to_its_end(round: u64) -> Self {
        Self {
            round,
            kill_after: Duration::from_secs(60),
            asked: Vec::new(),
        }
    }
}

/// Runs the child until it dies.
pub(crate) fn run_child(dir: &Path, faults: &Faults, run: &Run) -> Said {
    fs::create_dir_all(dir).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, run.round.to_string())
        .envs(run.asked.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(File::create(faults.control().join("stderr")).unwrap());
    faults.under(&mut command, dir);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
    // A thread of its own, so that the moment does not depend on what the child has just said.
    let (news, answered_or_ended) = mpsc::channel();
    let kill_after = run.kill_after;
    let killer = std::thread::spawn(move || {
        let _ = answered_or_ended.recv_timeout(Duration::from_secs(60));
        let _ = answered_or_ended.recv_timeout(kill_after);
        // SIGKILL on Unix.
        let _ = child.kill();
        child.wait().unwrap()
    });
    let mut said = Said::default();
    let mut news = Some(news);
    let mut answered = false;
    // What the pipe holds after the kill is read to its end.
    for line in lines.map_while(Result::ok) {
        said.hear(&String::from_utf8_lossy(&line));
        if !answered && !said.appended.is_empty() {
            answered = true;
            let _ = news.as_ref().map(|news| news.send(()));
        }
    }
    drop(news.take());
    killer.join().unwrap();
    let stderr = fs::read_to_string(faults.control().join("stderr")).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    said
}

/// The seed of this run: of the environment, or of the clock. It is printed.
pub(crate) fn seed() -> u64 {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
            .to_string()
    };
    let seed = std::env::var("HORIZON_TEST_SEED").unwrap_or_else(|_| now());
    let seed = seed.parse::<u128>().unwrap() as u64;
    println!("HORIZON_TEST_SEED={seed}");
    seed
}

/// How many rounds to run: of the environment, or as many as CI has time for.
pub(crate) fn rounds(default: u64) -> u64 {
    let asked = std::env::var("HORIZON_CRASH_ROUNDS").map(|rounds| rounds.parse().unwrap());
    asked.unwrap_or(default)
}

/// How the child of a round is to die.
fn plan(round: u64, faults: &mut Faults, numbers: &mut Numbers) -> Run {
    let mut run = Run {
        round,
        kill_after: MISSED,
        asked: Vec::new(),
    };
    let mut nth = |points: &[(&str, u64)]| {
        let (point, times) = points[numbers.below(points.len() as u64) as usize];
        format!("{point}:{}", numbers.below(times) + 1)
    };
    let (disk, child) = (nth(&DISK_POINTS), nth(&CHILD_POINTS));
    match numbers.below(4) {
        0 => run.asked.push((AT, child)),
        1 | 2 => faults.ask(KILL, disk),
        _ => run.kill_after = Duration::from_micros(numbers.below(200_000)),
    }
    if numbers.below(4) == 0 {
        run.asked
            .push((CLOSE_AFTER, (numbers.below(100) + 1).to_string()));
    }
    if numbers.below(2) == 0 {
        run.asked.push((MEMTABLES, (1 << 20).to_string()));
    }
    run
}

#[tokio::test]
async fn what_was_answered_survives_kills_and_power_loss_and_commits_are_whole() {
    let mut numbers = Numbers(seed());
    let (mut ground, mut oracle) = (Ground::new(), Oracle::default());
    for round in 0..rounds(16) {
        if round % 16 == 0 {
            // What is stored is read whole in each round, so it must not grow for ever.
            (ground, oracle) = (Ground::new(), Oracle::default());
        }
        let before = Before::of(&ground.store());
        let mut faults = ground.faults(round);
        let run = plan(round, &mut faults, &mut numbers);
        let said = run_child(&ground.store(), &faults, &run);
        let power_lost = numbers.below(3) > 0;
        println!(
            "round {round}: {:?}, {:?}, power lost: {power_lost}",
            run.asked,
            faults.asked()
        );
        if power_lost {
            before.lose_power(&ground.store(), &faults, &mut numbers, false);
        }
        oracle.hear(round, &said);
        let store = ground.open().await;
        oracle.judge(&store, round, &said).await;
        if numbers.below(2) == 0 {
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_disk_under_the_child_sees_its_syncs_and_its_files() {
    let ground = Ground::new();
    let faults = ground.faults(0);
    let mut run = Run::to_its_end(0);
    run.asked.push((CLOSE_AFTER, "20".into()));
    let said = run_child(&ground.store(), &faults, &run);
    assert!(said.told("closed"), "{:?}", said.told);
    let journal = faults.journal();
    let count = |kind: &str, end: &str| {
        let of_kind = |line: &&Vec<String>| line[0] == kind && line.last().unwrap().ends_with(end);
        journal.iter().filter(of_kind).count()
    };
    assert_eq!(count("create", "store-id.new"), 1);
    assert_eq!(count("rename", "clean-stop"), 1);
    assert!(count("create", ".log") >= 1 && count("create", ".sst") >= 1);
    let is_log = |line: &&Vec<String>| line[0] == "create" && line[2].ends_with(".log");
    let logs: Vec<_> = journal.iter().filter(is_log).map(|line| &line[1]).collect();
    let log_syncs = journal
        .iter()
        .filter(|line| line[0] == "sync" && logs.contains(&&line[1]))
        .count();
    // Each task waits for its answer: a sync answers one commit of each of the eight at most.
    assert!(log_syncs >= said.appended.len() / 8, "{log_syncs} syncs");
    assert!(count("sync-all", "") >= 1);
}

#[tokio::test]
async fn a_disk_that_lies_about_its_syncs_is_found_out() {
    let ground = Ground::new();
    let mut oracle = Oracle::default();
    let said = run_child(
        &ground.store(),
        &ground.faults(0),
        &Run {
            asked: vec![(CLOSE_AFTER, "5".into())],
            ..Run::to_its_end(0)
        },
    );
    oracle.hear(0, &said);
    let before = Before::of(&ground.store());
    let mut faults = ground.faults(1);
    faults.ask("FAULTS_LIE", 1);
    let run = Run {
        kill_after: Duration::from_millis(50),
        ..Run::to_its_end(1)
    };
    let said = run_child(&ground.store(), &faults, &run);
    before.lose_power(&ground.store(), &faults, &mut Numbers(1), true);
    oracle.hear(1, &said);
    let events = whole_log(&ground.open().await).await;
    let missing = oracle.missing(&events);
    assert!(
        !missing.is_empty() && missing.iter().all(|(round, ..)| *round == 1),
        "{missing:?}"
    );
}
