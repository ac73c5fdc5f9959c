//! Two runs side by side: what differs in how they were made, and who became slower or faster.
//!
//! What is compared is, by choice ([`By`]), each contender's time relative to the baseline's of the
//! same round of its own run, or its time as such. The first cancels whatever slows a whole machine or
//! run down, and is silent about the baseline. Where both runs have it, a contender on several threads is compared with
//! as many baselines at once: what others do on the same machine unseen slows those down as well, and one alone hardly.
//! Either side may be several runs, joined. The statistics are [`change`](crate::measure::change)'s.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::run::{BlockKey, Run, Runner};
use crate::measure::change::{BlockChange, Change, FEWEST_BLOCKS, Judgement, overall, stands_out};

/// What must be equal for two runs to be comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// The machine and the build, but for the version, which is what one usually compares.
    Machine,
    /// The settings, but for the seed and the words of the command.
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

/// What two runs do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub aspect: Aspect,
    /// What, in words.
    pub what: String,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Time relative to the baseline's in the same round, or to that of several at once.
    Speedup,
    /// Time as such, the baseline's included.
    Time,
}

/// Fields of the machine that may differ: versions are what one compares.
const FREE_MACHINE: [&str; 2] = ["blockrace_version", "libraries"];

/// Fields of the settings that move no number, or say nothing that others do not. Blocks are compared
/// by their hashes.
const FREE_SETTINGS: [&str; 3] = ["seed", "command", "blocks"];

/// What differs between two runs that ought to be equal. What only one of them says is from another release, and says
/// nothing of the other.
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
    let say =
        |(name, then, now)| Difference { aspect, what: format!("{name}: {then} then, {now} now") };
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
        let what = format!("{count} only {which}, the first of them {first}");
        Some(Difference { aspect: Aspect::Blocks, what })
    };
    let (gone, added) = (only(base, new), only(new, base));
    [difference(gone, "then"), difference(added, "now")].into_iter().flatten().collect()
}

/// One contender in both runs.
#[derive(Clone, Debug)]
pub struct ContenderChange {
    /// Who.
    pub runner: Runner,
    /// On how many threads the baselines are that its times are relative to; `None` for times as such.
    pub baselines: Option<u64>,
    /// Over all blocks; above 1 it became slower.
    pub overall: Change,
    /// What that comes to.
    pub judgement: Judgement,
    /// By block, in order.
    pub blocks: Vec<(BlockKey, Change)>,
    /// The blocks on which it became slower by more than blocks scatter, by position.
    pub slower_blocks: Vec<usize>,
    /// How much those say.
    pub repeated: Repeated,
}

/// Whether both sides of a comparison hold several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// A block that one run found slower is slower.
    Yes,
    /// It may as well be that a neighbour was busy while the block had its turn, which is over in a fraction of a
    /// second.
    No,
}

impl ContenderChange {
    /// Whether it became slower, over all blocks or, where runs were repeated, on one that stands out.
    pub fn is_regression(&self) -> bool {
        let on_all = self.judgement == Judgement::Slower && !self.is_doubtful();
        on_all || (self.repeated == Repeated::Yes && !self.slower_blocks.is_empty())
    }

    /// Whether what it comes to may be a busy neighbour's doing, as there are too few blocks to tell by, and one run.
    pub fn is_doubtful(&self) -> bool {
        self.repeated == Repeated::No && self.blocks.len() < FEWEST_BLOCKS
    }
}

/// Two runs, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Contenders that both runs have, in the order of the first.
    pub contenders: Vec<ContenderChange>,
    /// The noise that the runs' own self-checks found, as a share: the greater of the two; `None` if neither had one.
    pub noise: Option<f64>,
    /// What counts as slower, as a share.
    pub threshold: f64,
    /// What was compared.
    pub by: By,
}

impl Comparison {
    /// Compares what both runs have: contenders and blocks with verified times. `threshold` is a share,
    /// 0.05 for 5 %.
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
        Self { contenders, noise, threshold, by }
    }

    /// Whether anything became slower by more than the threshold and beyond noise.
    pub fn is_regression(&self) -> bool {
        self.contenders.iter().any(ContenderChange::is_regression)
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
    Some(ContenderChange {
        runner: runner.clone(),
        baselines,
        overall,
        judgement: overall.judge(threshold, noise),
        slower_blocks: stands_out(&all, threshold.max(noise)),
        repeated: if base.runs.min(new.runs) > 1 { Repeated::Yes } else { Repeated::No },
        blocks: changes.iter().map(|(key, block)| (*key, block.change)).collect(),
    })
}

/// Whom a contender's times are relative to: the most baselines at once that both runs have, and that are no more than
/// the contender's threads. `None` without a baseline.
fn reference((base, new): (&Run, &Run), runner: &Runner) -> Option<Runner> {
    let baseline = base.baseline.clone()?;
    let mut several = base.side_by_side.range(..=runner.threads).rev();
    let both = several.find(|threads| new.side_by_side.contains(threads));
    Some(both.map_or(baseline.clone(), |threads| Runner { threads: *threads, ..baseline }))
}

/// What a contender's rounds cost on a block: relative to somebody else's, or in nanoseconds.
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
