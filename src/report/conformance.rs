//! Reports a run of a suite of blockchain tests: a table by folder and network, the failed tests, and JSON.
//!
//! Running the tests is left to [`conformance`](crate::conformance).

use super::{
    Provenance,
    grid::{self, Column},
    wrap::fold,
};
use crate::{
    conformance::{Blocks, Ending, FilesError, Ground, Run, SkipReason, Skipped},
    text::one_line,
};
use comfy_table::CellAlignment::{Left, Right};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

/// A finished run of a suite.
#[derive(Debug)]
pub struct ConformanceReport {
    /// The date of the run and the build of the program.
    pub provenance: Provenance,
    /// The settings of the run.
    pub settings: ConformanceSettings,
    /// Tests in the order of files and names.
    pub tests: Vec<TestRow>,
    /// Files that could not be read.
    pub unreadable: Vec<FilesError>,
    /// Entries of folders and archives that are not test files.
    pub skipped: Vec<Skipped>,
    /// Duration of the whole run.
    pub elapsed: Duration,
}

/// Maximum number of skipped entries that the text names for each reason.
const MOST_NAMED: usize = 3;

/// Maximum length of the names of folders and networks in characters. Every row is as wide as the longest name.
const MOST_WIDTH: usize = 120;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct ConformanceSettings {
    /// Executors by name.
    pub executors: Vec<String>,
    /// Thread counts of the parallel executors.
    pub threads: Vec<NonZeroUsize>,
    /// Number of files that run concurrently.
    pub jobs: NonZeroUsize,
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestResult {
    /// Every block had the expected result.
    Passed,
    /// A block had another result. Holds the first difference.
    Failed(String),
    /// The test was not run. Holds the reason.
    OutOfScope(String),
}

/// One test.
#[derive(Clone, Debug)]
pub struct TestRow {
    /// Path of the file.
    pub file: String,
    /// Name of the test in the file.
    pub name: String,
    /// Network of the test; empty without one.
    pub network: String,
    /// Counts of its blocks.
    pub blocks: Blocks,
    /// The result.
    pub result: TestResult,
}

impl TestRow {
    /// The row of a test that was run.
    pub fn new(file: &str, name: &str, run: &Run) -> Self {
        let result = match &run.ending {
            Ending::Passed => TestResult::Passed,
            Ending::Failed(failure) => TestResult::Failed(chain(failure)),
            Ending::OutOfScope(why) => TestResult::OutOfScope(why.to_string()),
        };
        let (network, blocks) = (run.network.clone(), run.blocks.clone());
        Self { file: file.to_owned(), name: name.to_owned(), network, blocks, result }
    }

    /// The row of a test that panicked outside of an executor.
    pub fn panicked(file: &str, name: &str) -> Self {
        let result = TestResult::Failed("the test run panicked; this is a bug".to_owned());
        Self::without_run(file, name, result)
    }

    fn without_run(file: &str, name: &str, result: TestResult) -> Self {
        let (network, blocks) = Default::default();
        Self { file: file.to_owned(), name: name.to_owned(), network, blocks, result }
    }

    fn folder(&self) -> &str {
        self.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The single row of a file without tests.
pub fn failed_file(file: &str, error: &serde_json::Error) -> TestRow {
    TestRow::without_run(file, "", TestResult::Failed(format!("not a test file: {error}")))
}

impl fmt::Display for TestRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, name, network, result, .. } = self;
        let [file, name, network] = [file, name, network].map(|text| one_line(text));
        match result {
            TestResult::Passed => write!(f, "passed  {file}::{name} ({network})"),
            TestResult::Failed(why) => {
                write!(f, "FAILED  {file}::{name} ({network}): {}", one_line(why))
            }
            TestResult::OutOfScope(why) => write!(f, "not run {file}::{name}: {}", one_line(why)),
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Sums over some tests.
#[derive(Clone, Debug, Default)]
struct Sums {
    passed: u64,
    failed: u64,
    not_run: u64,
    accepted: u64,
    refused: BTreeMap<Ground, u64>,
    out_of_scope: u64,
}

impl Sums {
    fn of<'a>(rows: impl IntoIterator<Item = &'a TestRow>) -> Self {
        let mut sums = Self::default();
        for row in rows {
            match row.result {
                TestResult::Passed => sums.passed += 1,
                TestResult::Failed(_) => sums.failed += 1,
                TestResult::OutOfScope(_) => sums.not_run += 1,
            }
            sums.accepted += row.blocks.accepted;
            sums.out_of_scope += row.blocks.out_of_scope;
            for refused in &row.blocks.refused {
                *sums.refused.entry(refused.ground).or_default() += 1;
            }
        }
        sums
    }

    fn all_refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl ConformanceReport {
    /// Whether any test was run.
    pub fn has_run_any(&self) -> bool {
        self.tests.iter().any(|row| !matches!(row.result, TestResult::OutOfScope(_)))
    }

    /// Whether any test failed.
    pub fn has_failures(&self) -> bool {
        self.tests.iter().any(|row| matches!(row.result, TestResult::Failed(_)))
    }

    /// Sums by folder and network.
    fn groups(&self) -> BTreeMap<(&str, &str), Sums> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &self.tests {
            groups.entry((row.folder(), &*row.network)).or_default().push(row);
        }
        groups.into_iter().map(|(group, rows)| (group, Sums::of(rows))).collect()
    }

    /// Names of skipped entries, by reason.
    fn skipped(&self) -> BTreeMap<SkipReason, Vec<&str>> {
        let mut skipped: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Skipped { name, why } in &self.skipped {
            skipped.entry(*why).or_default().push(&**name);
        }
        skipped
    }

    /// Number of tests that were not run, by reason.
    fn reasons(&self) -> BTreeMap<&str, u64> {
        let mut reasons = BTreeMap::new();
        for row in &self.tests {
            if let TestResult::OutOfScope(why) = &row.result {
                *reasons.entry(&**why).or_default() += 1;
            }
        }
        reasons
    }
}

/// Titles of the table by folder and network.
const COLUMNS: [Column; 7] = [
    ("folder", Left),
    ("network", Left),
    ("passed", Right),
    ("failed", Right),
    ("not run", Right),
    ("accepted", Right),
    ("refused", Right),
];

/// Columns that may be left out, the least important first.
const DROPPED: [usize; 4] = [6, 5, 4, 0];

/// Writes the table by folder and network, the reasons of tests that were not run and of entries that were not read,
/// and the failed tests. Names come from files, so that they are escaped. Lines longer than `width` are broken.
///
/// # Errors
/// Writing to `out` fails.
pub fn write_text(report: &ConformanceReport, width: usize, mut out: impl Write) -> io::Result<()> {
    let all = Sums::of(&report.tests);
    let groups = report.groups();
    let common = common_folder(groups.keys().map(|(folder, _)| Path::new(&**folder)));
    let mut rows: Vec<_> = groups
        .iter()
        .map(|((folder, network), sums)| sums.cells(inside(folder, &common), network))
        .collect();
    rows.push(all.cells("all", ""));
    let mut lines = grid::lines(&COLUMNS, &rows, &DROPPED, width);
    let reasons = report.reasons().into_iter();
    lines.extend(reasons.map(|(why, count)| format!("not run: {count} tests: {}", one_line(why))));
    lines.extend(report.skipped().iter().map(|(why, names)| skipped_line(*why, names)));
    if all.out_of_scope > 0 {
        let count = all.out_of_scope;
        lines.push(format!("not checked: the seals of {count} blocks that have no other fault"));
    }
    let failed = report.tests.iter().filter(|row| matches!(row.result, TestResult::Failed(_)));
    lines.extend(failed.map(ToString::to_string));
    let unreadable = report.unreadable.iter();
    lines.extend(unreadable.map(|error| format!("NOT READ {}", one_line(&chain(error)))));
    lines.push(last_line(report, &all));
    writeln!(out, "{}", fold(lines.iter().map(String::as_str), width).join("\n"))
}

/// The deepest folder that all of these are in, without the last part of a folder.
fn common_folder<'a>(mut folders: impl Iterator<Item = &'a Path>) -> PathBuf {
    let first = folders.next().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
    folders.fold(first, |common, folder| {
        let parts = common.iter().zip(folder.parent().into_iter().flat_map(Path::iter));
        parts.take_while(|(one, other)| one == other).map(|(part, _)| part).collect()
    })
}

/// The part of a folder's name that differs from those of the others.
fn inside<'a>(folder: &'a str, common: &Path) -> &'a str {
    let rest = Path::new(folder).strip_prefix(common).ok().and_then(Path::to_str);
    rest.filter(|rest| !rest.is_empty()).unwrap_or(folder)
}

/// Counts the entries that were skipped for this reason, and names the first of them.
fn skipped_line(why: SkipReason, names: &[&str]) -> String {
    let named = names.iter().take(MOST_NAMED).map(|name| one_line(name).to_string());
    let named = named.collect::<Vec<_>>().join(", ");
    let others = match names.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        others => format!(" and {others} others"),
    };
    format!("not read: {} entries, because {why}: {named}{others}", names.len())
}

impl Sums {
    fn cells(&self, folder: &str, network: &str) -> Vec<String> {
        let Self { passed, failed, not_run, accepted, .. } = self;
        let counts = [*passed, *failed, *not_run, *accepted, self.all_refused()];
        let short = |name: &str| one_line(name).to_string().chars().take(MOST_WIDTH).collect();
        let names = [folder, network].map(short);
        names.into_iter().chain(counts.map(|count| count.to_string())).collect()
    }
}

fn last_line(report: &ConformanceReport, all: &Sums) -> String {
    let grounds = all.refused.iter();
    let grounds = grounds.map(|(ground, count)| format!("{} {count}", ground.name()));
    let grounds = grounds.collect::<Vec<_>>().join(", ");
    let grounds = if grounds.is_empty() { grounds } else { format!(" ({grounds})") };
    let seconds = report.elapsed.as_secs_f64();
    let tests = report.tests.len();
    format!(
        "{} of {tests} tests passed, {} failed, {} were not run; {} blocks accepted to the state root, {} \
         refused{grounds}; {seconds:.1} s",
        all.passed,
        all.failed,
        all.not_run,
        all.accepted,
        all.all_refused(),
    )
}

/// Writes the report as JSON, with one entry for each test.
///
/// # Errors
/// Writing to `out` fails.
pub fn write_json(report: &ConformanceReport, mut out: impl Write) -> io::Result<()> {
    let all = Sums::of(&report.tests);
    let ConformanceSettings { executors, threads, jobs } = &report.settings;
    let unreadable: Vec<_> = report.unreadable.iter().map(|error| chain(error)).collect();
    let skipped = report.skipped.iter();
    let skipped: Vec<_> = skipped
        .map(|Skipped { name, why }| json!({ "name": name, "why": why.to_string() }))
        .collect();
    let document = json!({
        "schema_version": 1,
        "provenance": report.provenance,
        "settings": { "executors": executors, "threads": threads, "jobs": jobs },
        "elapsed_s": report.elapsed.as_secs_f64(),
        "passed": all.passed,
        "failed": all.failed,
        "not_run": all.not_run,
        "accepted": all.accepted,
        "refused": all.all_refused(),
        "blocks_out_of_scope": all.out_of_scope,
        "unreadable": unreadable,
        "skipped": skipped,
        "tests": report.tests.iter().map(test).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

fn refused(blocks: &Blocks) -> Vec<Value> {
    let refused = blocks.refused.iter().map(|refused| {
        json!({
            "block": refused.position,
            "ground": refused.ground.name(),
            "because": refused.because,
            "expected": refused.expected,
        })
    });
    refused.collect()
}

fn test(row: &TestRow) -> Value {
    let (result, why) = match &row.result {
        TestResult::Passed => ("passed", None),
        TestResult::Failed(why) => ("failed", Some(why)),
        TestResult::OutOfScope(why) => ("not_run", Some(why)),
    };
    json!({
        "file": row.file,
        "name": row.name,
        "network": row.network,
        "result": result,
        "why": why,
        "accepted": row.blocks.accepted,
        "refused": refused(&row.blocks),
        "blocks_out_of_scope": row.blocks.out_of_scope,
    })
}
