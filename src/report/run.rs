//! Reads a run back from its JSON, so that [`compare`](super::compare) can compare it with another run.
//!
//! Only verified rows have samples, so a run holds times of verified rows only. The reader skips fields
//! that it does not need. A newer release can therefore add fields.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::json::SCHEMA_VERSION;

/// The oldest schema version that can be read.
const OLDEST_VERSION: u32 = 2;

/// The oracle knowledge among the settings of schema version 2.
const OLD_ORACLE_KNOWLEDGE: &str = "known_beforehand";

/// A file is not a run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RunError {
    /// `replay --json` did not write the file.
    #[error("the file was not written by replay --json")]
    Malformed(#[from] serde_json::Error),

    /// A release with another schema version wrote the file.
    #[error(
        "the file has schema version {found}, and this release reads {OLDEST_VERSION} to {SCHEMA_VERSION}"
    )]
    Version { found: u32 },

    /// A time or a ratio that no measurement gives.
    #[error(
        "block {block} has a time of {value} for {executor}; times must be positive and finite"
    )]
    Time { block: u64, executor: String, value: f64 },
}

/// A run of `replay`, or several joined runs.
#[derive(Clone, Debug)]
pub struct Run {
    /// Fields of the machine.
    pub machine: BTreeMap<String, Value>,
    /// Fields of the settings.
    pub settings: BTreeMap<String, Value>,
    /// Hashes of the blocks with rows, by chain id and number.
    pub blocks: BTreeMap<BlockKey, String>,
    /// Wall-clock times of execution in nanoseconds, by iteration.
    pub times: HashMap<RowKey, BTreeMap<u64, f64>>,
    /// The baseline. Its rows have a speedup without an interval.
    pub baseline: Option<Runner>,
    /// Thread counts with as many concurrent baselines. Their times are stored as the baseline's on these threads.
    pub side_by_side: BTreeSet<u64>,
    /// Contenders in the order of the file.
    pub runners: Vec<Runner>,
    /// Rows that did not match.
    pub mismatches: usize,
    /// The block and the contender of these rows.
    pub mismatched: BTreeSet<RowKey>,
    /// Verified rows that a joined run lacks.
    pub incomplete: BTreeSet<RowKey>,
    /// Noise floor from the A/A run, as a share; `None` without an A/A run.
    pub noise_floor: Option<f64>,
    /// Number of joined runs.
    pub runs: usize,
    /// Warnings, each with its remedy.
    pub warnings: Vec<String>,
}

/// A block: chain id and number.
pub type BlockKey = (u64, u64);

/// A row: a block and a contender.
pub type RowKey = (BlockKey, Runner);

/// An executor on a number of threads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Runner {
    /// Name of the executor.
    pub executor: String,
    /// Maximum number of threads.
    pub threads: u64,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

#[derive(Deserialize)]
struct Document {
    machine: BTreeMap<String, Value>,
    settings: BTreeMap<String, Value>,
    results: Vec<ResultRow>,
    self_checks: Vec<SelfCheck>,
    samples: Vec<Lap>,
    #[serde(default)]
    warnings: Vec<RunWarning>,
}

#[derive(Deserialize)]
struct RunWarning {
    what: String,
    remedy: String,
}

#[derive(Deserialize)]
struct ResultRow {
    chain_id: u64,
    block_number: u64,
    block_hash: String,
    executor: String,
    threads: u64,
    speedup: Option<f64>,
    speedup_ci_low: Option<f64>,
    verdict: String,
}

#[derive(Deserialize)]
struct SelfCheck {
    chain_id: u64,
    block_number: u64,
    threads: u64,
    ratio: f64,
    ci_low: f64,
    ci_high: f64,
    execute_ns: Vec<f64>,
}

#[derive(Deserialize)]
struct Lap {
    chain_id: u64,
    block_number: u64,
    executor: String,
    threads: u64,
    /// Schema version 2 calls it a round.
    #[serde(alias = "round")]
    iteration: u64,
    execute_ns: f64,
}

impl Run {
    /// Reads a file of `replay --json`.
    ///
    /// # Errors
    /// The file is no report of a replay, has another schema version, or has a time that is not positive.
    pub fn read(text: &[u8]) -> Result<Self, RunError> {
        // The text is parsed twice, because a tree of values would take many times its memory.
        let Version { schema_version: found } = serde_json::from_slice(text)?;
        if !(OLDEST_VERSION..=SCHEMA_VERSION).contains(&found) {
            return Err(RunError::Version { found });
        }
        let document: Document = serde_json::from_slice(text)?;
        document.check_times()?;
        Ok(Self::of(document))
    }

    fn of(document: Document) -> Self {
        let Document { machine, mut settings, results, self_checks, samples, warnings } = document;
        if let Some(knowledge) = settings.remove(OLD_ORACLE_KNOWLEDGE) {
            settings.insert("oracle_knowledge".to_owned(), knowledge);
        }
        let mut run = Self {
            machine,
            settings,
            blocks: BTreeMap::new(),
            times: HashMap::new(),
            baseline: None,
            side_by_side: BTreeSet::new(),
            runners: Vec::new(),
            mismatches: results.iter().filter(|row| row.verdict != "match").count(),
            mismatched: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            noise_floor: noise_floor(&self_checks),
            runs: 1,
            warnings: warnings
                .iter()
                .map(|each| format!("{}; {}", each.what, each.remedy))
                .collect(),
        };
        for row in results {
            run.add_row(row);
        }
        let several = self_checks.into_iter().filter(|check| check.threads > 1);
        several.for_each(|check| run.add_side_by_side(check));
        for lap in samples {
            let runner = Runner { executor: lap.executor, threads: lap.threads };
            let key = ((lap.chain_id, lap.block_number), runner);
            run.times.entry(key).or_default().insert(lap.iteration, lap.execute_ns);
        }
        run
    }

    /// Appends the iterations of `other` to this run. Blocks and contenders that only `other` has are
    /// dropped.
    pub fn join(&mut self, other: Self) {
        let lost: Vec<_> = self.rows().filter(|row| other.lacks(row)).collect();
        self.incomplete.extend(lost);
        let last = self.times.values().filter_map(|laps| laps.keys().next_back()).max();
        let first = last.map_or(0, |last| last + 1);
        for (key, laps) in &mut self.times {
            let more = other.times.get(key).into_iter().flatten();
            laps.extend(more.map(|(round, time)| (first + round, *time)));
        }
        self.mismatches += other.mismatches;
        self.mismatched.extend(other.mismatched);
        self.noise_floor = self.noise_floor.into_iter().chain(other.noise_floor).reduce(f64::max);
        self.runs += other.runs;
        let known = &self.warnings;
        let more: Vec<_> =
            other.warnings.into_iter().filter(|warning| !known.contains(warning)).collect();
        self.warnings.extend(more);
    }

    /// The verified rows, without concurrent baselines.
    pub fn rows(&self) -> impl Iterator<Item = RowKey> {
        self.times.keys().filter(|(_, runner)| self.runners.contains(runner)).cloned()
    }

    /// Whether this run has no outcome for a row of another run, although it has the row's block.
    pub fn lacks(&self, row: &RowKey) -> bool {
        let has = self.times.contains_key(row) || self.mismatched.contains(row);
        self.blocks.contains_key(&row.0) && !has
    }

    fn add_row(&mut self, row: ResultRow) {
        let runner = Runner { executor: row.executor, threads: row.threads };
        if row.verdict != "match" {
            self.mismatched.insert(((row.chain_id, row.block_number), runner.clone()));
        }
        if row.speedup.is_some() && row.speedup_ci_low.is_none() {
            self.baseline = Some(runner.clone());
        }
        if !self.runners.contains(&runner) {
            self.runners.push(runner);
        }
        self.blocks.insert((row.chain_id, row.block_number), row.block_hash);
    }

    fn add_side_by_side(&mut self, check: SelfCheck) {
        let Some(baseline) = &self.baseline else { return };
        let runner = Runner { threads: check.threads, ..baseline.clone() };
        let laps = (0..).zip(check.execute_ns).collect();
        self.times.insert(((check.chain_id, check.block_number), runner), laps);
        self.side_by_side.insert(check.threads);
    }
}

impl Document {
    /// Refuses times and ratios that are not positive and finite. Medians and ratios of such values have no meaning.
    fn check_times(&self) -> Result<(), RunError> {
        let of_samples =
            self.samples.iter().map(|lap| (lap.block_number, &lap.executor, lap.execute_ns));
        for (block, executor, value) in of_samples {
            check_time(block, executor, value)?;
        }
        for check in &self.self_checks {
            let SelfCheck { block_number, ratio, ci_low, ci_high, execute_ns, .. } = check;
            for value in [ratio, ci_low, ci_high].into_iter().chain(execute_ns) {
                check_time(*block_number, "the A/A run", *value)?;
            }
        }
        Ok(())
    }
}

fn check_time(block: u64, executor: &str, value: f64) -> Result<(), RunError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(RunError::Time { block, executor: executor.to_owned(), value })
}

fn noise_floor(checks: &[SelfCheck]) -> Option<f64> {
    use crate::measure::{stats::Speedup, warnings};
    let speedup = |check: &SelfCheck| {
        let SelfCheck { ratio, ci_low, ci_high, .. } = *check;
        Speedup { ratio, ci_low, ci_high }
    };
    let of_noise = checks.iter().filter(|check| check.threads == 1);
    let all: Vec<_> = of_noise.map(speedup).collect();
    Speedup::overall(&all).map(|overall| warnings::noise_floor(&overall))
}

#[cfg(test)]
mod tests {
    use super::super::{json, testing};
    use super::*;

    #[test]
    fn a_written_report_can_be_read_back() {
        let mut file = Vec::new();
        json::write(&testing::full_report(), &mut file).unwrap();
        let run = Run::read(file.as_slice()).unwrap();
        let runner = |executor: &str, threads| Runner { executor: executor.into(), threads };
        assert_eq!(run.baseline, Some(runner("sequential", 1)));
        assert_eq!(run.runners.len(), 3);
        assert_eq!(run.mismatches, 1);
        let laps = &run.times[&((1, 19_426_587), runner("block-stm", 8))];
        assert_eq!(laps, &[(0, 4_900_000.0), (1, 5_100_000.0)].into());
        assert_eq!(run.blocks[&(1, 19_426_587)], testing::HASH.to_string());
        assert!((run.noise_floor.unwrap() - 0.02).abs() < 1e-12);
    }

    #[test]
    fn joining_runs_appends_their_iterations() {
        let mut file = Vec::new();
        json::write(&testing::full_report(), &mut file).unwrap();
        let mut run = Run::read(file.as_slice()).unwrap();
        run.join(Run::read(file.as_slice()).unwrap());
        let key = ((1, 19_426_587), Runner { executor: "block-stm".into(), threads: 8 });
        let laps = [(0, 4_900_000.0), (1, 5_100_000.0), (2, 4_900_000.0), (3, 5_100_000.0)];
        assert_eq!(run.times[&key], laps.into());
        assert_eq!((run.runs, run.mismatches), (2, 2));
    }

    #[test]
    fn files_of_the_earlier_schema_version_are_read() {
        let mut file = Vec::new();
        json::write(&testing::full_report(), &mut file).unwrap();
        let text = String::from_utf8(file.clone()).unwrap();
        let old = text
            .replace("\"schema_version\": 3", "\"schema_version\": 2")
            .replace("\"iteration\":", "\"round\":")
            .replace("\"oracle_knowledge\":", "\"known_beforehand\":");
        assert_ne!(old, text);
        let (now, then) = (Run::read(&file).unwrap(), Run::read(old.as_bytes()).unwrap());
        assert_eq!(then.times, now.times);
        assert_eq!(then.settings, now.settings);
    }

    #[test]
    fn other_files_are_rejected() {
        let read = |text: &str| Run::read(text.as_bytes());
        assert!(matches!(read("{"), Err(RunError::Malformed(_))));
        assert!(matches!(read("{}"), Err(RunError::Malformed(_))));
        assert!(matches!(read("nonsense"), Err(RunError::Malformed(_))));
        let newer = r#"{"schema_version": 99}"#;
        assert!(matches!(read(newer), Err(RunError::Version { found: 99 })));
    }

    #[test]
    fn times_that_no_measurement_gives_are_refused() {
        let mut file = Vec::new();
        json::write(&testing::full_report(), &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        for wrong in ["-4900000", "0"] {
            let changed =
                text.replacen("\"execute_ns\": 4900000", &format!("\"execute_ns\": {wrong}"), 1);
            assert_ne!(changed, text, "the report has this time");
            let refused = Run::read(changed.as_bytes()).unwrap_err().to_string();
            assert!(refused.ends_with("times must be positive and finite"), "{refused}");
        }
    }

    #[test]
    fn a_row_that_a_joined_run_lacks_is_recorded() {
        let mut file = Vec::new();
        json::write(&testing::full_report(), &mut file).unwrap();
        let mut run = Run::read(&file).unwrap();
        let mut other = run.clone();
        let lost = ((1, 19_426_587), Runner { executor: "block-stm".into(), threads: 8 });
        other.times.remove(&lost);
        run.join(other);
        assert_eq!(run.incomplete, [lost].into());
    }
}
