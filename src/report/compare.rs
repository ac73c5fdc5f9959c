//! Compares two runs: differences of machine, settings and blocks, and the change of each contender's time.
//!
//! [`By`] selects the compared quantity. The first choice is a contender's time relative to the baseline's in
//! the same iteration of the same run. It cancels everything that slows down the whole machine or run, and
//! says nothing about the baseline. The second choice is the absolute time.
//!
//! A contender on several threads is compared with as many concurrent baselines, if both runs have them.
//! Other load on the machine slows down several baselines, but hardly a single one. Each side may consist of
//! several joined runs. The statistics are in [`change`](crate::measure::change).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::run::{BlockKey, RowKey, Run, Runner};
use crate::measure::change::{
    BlockChange, Change, Doubt, FEWEST_BLOCKS, Judgement, has_interval, overall, stands_out,
};

/// A property that must be equal for two runs to be comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// The machine and the build, except for versions. Comparing versions is the usual purpose.
    Machine,
    /// The settings, except for the seed and the text of the command.
    Settings,
    /// The blocks.
    Blocks,
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "machine",
            Self::Settings => "settings",
            Self::Blocks => "blocks",
        })
    }
}

/// A difference between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The property that differs.
    pub aspect: Aspect,
    /// The difference in words.
    pub what: String,
}

/// The compared quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Time relative to the baseline's in the same iteration, or to that of concurrent baselines.
    Speedup,
    /// Absolute time. The baseline is compared too.
    Time,
}

/// Fields of the machine that may differ, because the purpose is to compare versions.
const FREE_MACHINE: [&str; 3] = ["blockrace_version", "libraries", "energy_counters"];

/// Fields of the settings that affect no figure or repeat other fields. Blocks are compared by their hashes.
const FREE_SETTINGS: [&str; 3] = ["seed", "command", "blocks"];

/// Differences between two runs in properties that must be equal. A field that only one run has comes from
/// another release and is ignored.
pub fn differences(base: &Run, new: &Run) -> Vec<Difference> {
    let mut found = fields(Aspect::Machine, &base.machine, &new.machine, &FREE_MACHINE);
    found.extend(fields(Aspect::Settings, &base.settings, &new.settings, &FREE_SETTINGS));
    found.extend(blocks(base, new));
    found
}

fn fields(
    aspect: Aspect,
    base: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
    free: &[&str],
) -> Vec<Difference> {
    let both = base.iter().filter_map(|(name, then)| Some((name, then, new.get(name)?)));
    let bound = both.filter(|(name, ..)| !free.contains(&name.as_str()));
    let differing = bound.filter(|(_, then, now)| then != now);
    let say = |(name, then, now)| Difference {
        aspect,
        what: format!("{name}: {then} in the first run, {now} in the second run"),
    };
    differing.map(say).collect()
}

fn blocks(base: &Run, new: &Run) -> Vec<Difference> {
    let only = |one: &Run, other: &Run| -> Vec<String> {
        let missing = one.blocks.iter().filter(|(key, hash)| other.blocks.get(*key) != Some(hash));
        missing.map(|((_, number), _)| number.to_string()).collect()
    };
    let difference = |missing: Vec<String>, which: &str| {
        let count = missing.len();
        let first = missing.first()?;
        let what = format!("{count} only in the {which} run, the lowest: {first}");
        Some(Difference { aspect: Aspect::Blocks, what })
    };
    let (gone, added) = (only(base, new), only(new, base));
    [difference(gone, "first"), difference(added, "second")].into_iter().flatten().collect()
}

/// One contender in both runs.
#[derive(Clone, Debug)]
pub struct ContenderChange {
    /// The contender.
    pub runner: Runner,
    /// Number of concurrent baselines that its times are relative to; `None` for absolute times.
    pub baselines: Option<u64>,
    /// Change over all blocks; above 1 the contender became slower.
    pub overall: Change,
    /// Judgement of this change.
    pub judgement: Judgement,
    /// Changes by block, in block order.
    pub blocks: Vec<(BlockKey, Change)>,
    /// Positions of the blocks that became slower by more than the scatter of blocks.
    pub slower_blocks: Vec<usize>,
    /// Significance of these blocks.
    pub repeated: Repeated,
}

/// Whether both sides of a comparison consist of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// They do. A slower block is a regression.
    Yes,
    /// At least one side is a single run. Other load on the machine may be the cause, because all iterations
    /// of a block take only a fraction of a second.
    No,
}

impl ContenderChange {
    /// The answer for this contender. A slower block of a single run shows nothing, since other load may be the
    /// cause, and leaves the question open.
    pub fn answer(&self) -> Answer {
        match (self.judgement, self.repeated, self.slower_blocks.is_empty()) {
            (Judgement::Slower, ..) | (_, Repeated::Yes, false) => Answer::Regressed,
            (Judgement::Unclear(_), ..) | (_, Repeated::No, false) => Answer::CannotTell,
            (Judgement::Faster | Judgement::Same, _, true) => Answer::NotRegressed,
        }
    }
}

/// The answer of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A contender became slower by more than the threshold and the noise.
    Regressed,
    /// No contender became slower by more than the threshold.
    NotRegressed,
    /// The runs show neither.
    CannotTell,
}

impl Answer {
    /// The name in arguments and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::NotRegressed => "not-regressed",
            Self::CannotTell => "cannot-tell",
        }
    }
}

/// The result of comparing two runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Contenders of both runs, in the order of the base run.
    pub contenders: Vec<ContenderChange>,
    /// The greater noise floor of both runs, as a share; `None` if neither has an A/A run.
    pub noise: Option<f64>,
    /// Threshold of a regression, as a share.
    pub threshold: f64,
    /// The compared quantity.
    pub by: By,
    /// Verified rows of the base run that the new run lacks, in order.
    pub missing: Vec<RowKey>,
    /// Rows of the new run that do not match.
    pub mismatches: usize,
    /// The base side and the new side.
    pub sides: [Side; 2],
}

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Version of blockrace.
    pub version: String,
    /// Number of joined runs.
    pub runs: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Warnings of these runs, each with its remedy.
    pub warnings: Vec<String>,
}

impl Side {
    fn of(run: &Run) -> Self {
        let version = run.machine.get("blockrace_version").and_then(Value::as_str);
        Self {
            version: version.unwrap_or("unknown").to_owned(),
            runs: run.runs,
            blocks: run.blocks.len(),
            warnings: run.warnings.clone(),
        }
    }
}

impl Comparison {
    /// Compares the contenders and blocks that have verified times in both runs. `threshold` is a share: 0.05
    /// is 5 %.
    pub fn new(base: &Run, new: &Run, by: By, threshold: f64) -> Self {
        let floors = [base.noise_floor, new.noise_floor].into_iter().flatten();
        let noise = floors.max_by(f64::total_cmp);
        let shared = base.runners.iter().filter(|runner| new.runners.contains(runner));
        let judged =
            shared.filter(|runner| by == By::Time || base.baseline.as_ref() != Some(runner));
        let contenders = judged
            .filter_map(|runner| {
                contender((base, new), runner, by, (threshold, noise.unwrap_or(0.0)))
            })
            .collect();
        let same_block = |block: &BlockKey| base.blocks.get(block) == new.blocks.get(block);
        let lost = base.rows().filter(|row| same_block(&row.0) && new.lacks(row));
        let missing: BTreeSet<_> = lost.chain(new.incomplete.iter().cloned()).collect();
        let missing = missing.into_iter().collect();
        let (mismatches, sides) = (new.mismatches, [base, new].map(Side::of));
        Self { contenders, noise, threshold, by, missing, mismatches, sides }
    }

    /// Accepts that `new` has no row of some contenders, as after a race with other settings.
    pub fn accept_other_contenders(&mut self, new: &Run) {
        self.missing.retain(|(_, runner)| new.runners.contains(runner));
    }

    /// The answer over all contenders. Missing rows leave it open, unless the others show a regression.
    pub fn answer(&self) -> Answer {
        let any = |answer| self.contenders.iter().any(|contender| contender.answer() == answer);
        if any(Answer::Regressed) {
            Answer::Regressed
        } else if any(Answer::CannotTell) || !self.missing.is_empty() {
            Answer::CannotTell
        } else {
            Answer::NotRegressed
        }
    }
}

fn contender(
    (base, new): (&Run, &Run),
    runner: &Runner,
    by: By,
    (threshold, noise): (f64, f64),
) -> Option<ContenderChange> {
    let same = base.blocks.iter().filter(|(key, hash)| new.blocks.get(*key) == Some(hash));
    let measure = match by {
        By::Time => None,
        By::Speedup => Some(reference((base, new), runner)?),
    };
    let measure = measure.as_ref();
    let baselines = measure.map(|measure| measure.threads);
    let changes: Vec<_> = same
        .filter_map(|(key, _)| {
            let (before, after) =
                (costs(base, *key, runner, measure), costs(new, *key, runner, measure));
            Some((*key, BlockChange::between(&before, &after, key.1)?))
        })
        .collect();
    let all: Vec<_> = changes.iter().map(|(_, change)| change).collect();
    let overall = overall(&all, 0)?;
    let repeated = if base.runs.min(new.runs) > 1 { Repeated::Yes } else { Repeated::No };
    let judgement = match overall.judge(threshold, noise) {
        _ if !has_interval(&all) => Judgement::Unclear(Doubt::FewIterations),
        Judgement::Slower if repeated == Repeated::No && all.len() < FEWEST_BLOCKS => {
            Judgement::Unclear(Doubt::SingleRun)
        }
        judgement => judgement,
    };
    Some(ContenderChange {
        runner: runner.clone(),
        baselines,
        overall,
        judgement,
        slower_blocks: stands_out(&all, threshold.max(noise)),
        repeated,
        blocks: changes.iter().map(|(key, block)| (*key, block.change)).collect(),
    })
}

/// The reference of a contender's times: the largest number of concurrent baselines that both runs have and
/// that does not exceed the contender's threads. `None` without a baseline.
fn reference((base, new): (&Run, &Run), runner: &Runner) -> Option<Runner> {
    let baseline = base.baseline.clone()?;
    let mut several = base.side_by_side.range(..=runner.threads).rev();
    let both = several.find(|threads| new.side_by_side.contains(threads));
    Some(both.map_or(baseline.clone(), |threads| Runner { threads: *threads, ..baseline }))
}

/// Costs of a contender's iterations on a block: relative to the reference, or in nanoseconds.
fn costs(run: &Run, block: BlockKey, runner: &Runner, reference: Option<&Runner>) -> Vec<f64> {
    let laps = |runner: &Runner| run.times.get(&(block, runner.clone()));
    let Some(own) = laps(runner) else { return vec![] };
    match reference.map(laps) {
        None => own.values().copied().collect(),
        Some(None) => vec![],
        Some(Some(others)) => {
            own.iter().filter_map(|(round, time)| Some(time / others.get(round)?)).collect()
        }
    }
}

#[cfg(test)]
mod tests;
