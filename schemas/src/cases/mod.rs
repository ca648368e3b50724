//! Tests of contracts: what a contract must make of given private events, written beside it as `*.test.yaml`.
//!
//! Every given event is accounted for: it is listed as crossed, filtered, unmatched or a violation, or its case fails. Ids
//! are made under a fixed secret, so that a run gives the same bytes every time.

mod diff;
mod listed;
mod read;
mod report;
mod run;

use crate::catalog::{Catalog, Folders};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::files;
use crate::ids::IdSecret;
use crate::language::yaml;

pub use report::{CaseReport, TestReport, Untouched};

/// What the files of tests end with.
pub(crate) const SUFFIX: &str = ".test.yaml";

/// What public ids and pseudonyms are made under in tests and previews: never a store's secret, so that nothing that is shown
/// there is the id of a real public event.
const FIXED_SECRET: [u8; 32] = *b"horizon: for tests and previews\0";

/// The secret of tests and previews.
pub fn rehearsal_secret() -> IdSecret {
    IdSecret::new(FIXED_SECRET)
}

/// The tests of a folder of contracts.
#[derive(Debug)]
pub struct TestSuite {
    files: Vec<read::TestFile>,
}

impl TestSuite {
    /// Reads every `*.test.yaml` of the folder of contracts and checks what it says against the contracts.
    ///
    /// # Errors
    /// All that is wrong in any file, at once, by file and place.
    pub fn load(folders: &Folders, catalog: &Catalog) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let mut read = Vec::new();
        for file in files::below(&folders.contracts, "yaml", &mut diagnostics) {
            let Some(stream) = file.path.strip_suffix(SUFFIX) else {
                continue;
            };
            let Some(node) = yaml::parse(&file.source, &mut diagnostics) else {
                continue;
            };
            let before = diagnostics.len();
            match read::file(&file.source.name, stream, &node, catalog, &mut diagnostics) {
                Some(file) => read.push(file),
                None if diagnostics.len() == before => diagnostics.push(
                    Diagnostic::new("test", "this file of tests cannot be read").at(&node.span),
                ),
                None => {}
            }
        }
        if diagnostics.is_empty() {
            Ok(Self { files: read })
        } else {
            diagnostics.sort();
            Err(diagnostics)
        }
    }

    /// Runs every case.
    pub fn run(&self, catalog: &Catalog) -> TestReport {
        run::suite(&self.files, catalog)
    }
}
