//! `horizon test`: the cases beside the contracts. Exit status 0: all passed; 1: some did not; 2: what was given cannot be run.

use horizon_schemas::{CaseReport, TestReport, TestSuite};

use super::folder::TeamFolder;
use super::junit::{Case, junit};
use super::{Failure, print};
use crate::daemon;

#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    #[command(flatten)]
    folder: TeamFolder,
    /// Fail if a public type or an entry of `from` is touched by no case
    #[arg(long)]
    require_coverage: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    format: TestFormat,
}

/// How the outcome of tests is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TestFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// JUnit's XML, for CI
    Junit,
}

impl Test {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.folder.load()?;
        let catalog = daemon::load_catalog(&config)?;
        let suite =
            TestSuite::load(&daemon::folders(&config), &catalog).map_err(Failure::Diagnostics)?;
        let report = suite.run(&catalog);
        match self.format {
            TestFormat::Text => print(&in_words(&report)),
            TestFormat::Json => print(&report.to_json().to_string()),
            TestFormat::Junit => print(&as_junit(&report, self.require_coverage)),
        }
        let untouched = report.untouched().len();
        match report.failed() {
            0 if self.require_coverage && untouched > 0 => Err(Failure::Failed(format!(
                "{untouched} entries of `from` are touched by no case\n  = mend: write a case for each, beside its contract"
            ))),
            0 => Ok(()),
            failed => Err(Failure::Failed(format!(
                "{failed} of {} cases failed",
                report.cases().len()
            ))),
        }
    }
}

fn in_words(report: &TestReport) -> String {
    let mut lines = Vec::new();
    for case in report.cases().iter().filter(|case| !case.passed()) {
        lines.push(format!(
            "FAILED {}:{}: {}",
            case.file(),
            case.line(),
            case.name()
        ));
        for failure in case.failures() {
            lines.push(format!("  {}", failure.replace('\n', "\n  ")));
        }
        lines.push(String::new());
    }
    if !report.untouched().is_empty() {
        lines.push("note: no case touches".to_owned());
        lines.extend(report.untouched().iter().map(|one| format!("  {one}")));
        lines.push(String::new());
    }
    lines.push(format!(
        "{} cases: {} passed, {} failed",
        report.cases().len(),
        report.cases().len() - report.failed(),
        report.failed()
    ));
    lines.join("\n")
}

fn as_junit(report: &TestReport, require_coverage: bool) -> String {
    let case = |case: &CaseReport| Case {
        class: case.contract().to_owned(),
        name: case.name().to_owned(),
        place: Some((case.file().to_owned(), case.line())),
        failure: (!case.passed()).then(|| case.failures().join("\n")),
    };
    let coverage = require_coverage.then(|| Case {
        class: "coverage".to_owned(),
        name: "every entry of `from` is touched by a case".to_owned(),
        place: None,
        failure: (!report.untouched().is_empty()).then(|| {
            let untouched: Vec<String> =
                report.untouched().iter().map(ToString::to_string).collect();
            format!("no case touches\n{}", untouched.join("\n"))
        }),
    });
    let cases: Vec<Case> = report.cases().iter().map(case).chain(coverage).collect();
    junit("horizon test", &cases)
}
