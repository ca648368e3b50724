//! A disk with faults under a child process: `shim/faults.c`, compiled once and preloaded. What it can do stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The faults of one run of a child. `control` is a folder that outlives the child, on the store's file system.
pub(crate) struct Faults {
    control: PathBuf,
    asked: Vec<(&'static str, String)>,
}

impl Faults {
    /// A disk without faults, whose syncs take as long as those of a good one.
    pub(crate) fn new(control: PathBuf) -> Self {
        fs::create_dir_all(&control).unwrap();
        let mut faults = Self {
            control,
            asked: Vec::new(),
        };
        faults.ask("FAULTS_SYNC_US", 100);
        faults
    }

    /// Asks for a fault by its variable.
    pub(crate) fn ask(&mut self, variable: &'static str, value: impl ToString) {
        self.asked.push((variable, value.to_string()));
    }

    /// Puts the disk under a process that is about to be started.
    pub(crate) fn under(&self, command: &mut Command, dir: &Path) {
        command
            .env("LD_PRELOAD", library())
            .env("FAULTS_CONTROL", &self.control)
            .env("FAULTS_DIR", dir)
            .envs(self.asked.iter().map(|(name, value)| (name, value)));
    }

    pub(crate) fn asked(&self) -> &[(&'static str, String)] {
        &self.asked
    }

    pub(crate) fn control(&self) -> &Path {
        &self.control
    }

    /// The lines of the journal, whole ones only, each by its fields.
    pub(crate) fn journal(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.control.join("journal")).unwrap_or_default();
        text.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect()
    }
}

/// The compiled shim.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/shim/faults.c");
        let compiled = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .args([&path, &source])
            .args(["-ldl", "-lpthread"])
            .status()
            .unwrap();
        assert!(compiled.success(), "cc cannot compile {}", source.display());
        (dir, path)
    });
    path
}
