//! What spoils a number, and what to do about it.
//!
//! A [`Warning`] says in plain words that something was found which makes a figure less than it looks,
//! and names the remedy. Finding it is [`conditions`]' business for the machine and [`findings`]' for
//! the samples. Nothing is left out of a report because of a warning, and none is ever only in a log.

use super::{load::OtherLoad, stats::Speedup};
use std::{fmt, num::NonZeroUsize};

/// With fewer rounds than this, not even the smallest and the largest value that a median can take
/// hold the truth 95 times in 100.
pub const FEWEST_ROUNDS: u32 = 6;

/// Processors busy with something else, from where on it is told.
const SMALLEST_LOAD: f64 = 0.05;

/// The share of outliers from where on it is told.
const MANY_OUTLIERS: f64 = 0.1;

/// The share of laps whose threads took turns from where on it is told.
const MANY_TURNS: f64 = 0.02;

/// How many times as long as a quick lap of the baseline a slow one takes before its block is uneven.
const UNEVEN: f64 = 1.2;

/// The share of uneven blocks from where on it is told.
const MANY_UNEVEN: f64 = 0.1;

/// The share of its cores that a machine has to give.
const ENOUGH_CORES: f64 = 0.95;

/// Something that spoils numbers.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Warning {
    /// The program was built for debugging.
    Unoptimised,
    /// Threads had to share processors.
    FewerCoresThanThreads { cores: NonZeroUsize, threads: NonZeroUsize },
    /// The processor's clock follows what it thinks is needed.
    FrequencyScaling { governor: String },
    /// Other processes ran.
    OtherLoad { processors: f64 },
    /// A hypervisor lent processors to other machines.
    Stolen { processors: f64 },
    /// Intervals from too few rounds.
    TooFewIterations { rounds: u32 },
    /// Warm-up ended although contestants still got faster.
    NeverWarm { blocks: usize, rounds: u32 },
    /// Times went up or down over the timed rounds.
    Drift { rows: usize, of: usize, worst: f64, at: String },
    /// Rounds until precise, but the time was up.
    TimeLimit { blocks: usize },
    /// Speedups whose interval leaves out 1, but no farther from it than noise gets.
    NoiseAboveDifference { rows: usize, floor: f64, at: String },
    /// Many laps far from the rest.
    Outliers { laps: usize, of: usize },
    /// The baseline's own laps differ: its core was slower for a while.
    UnevenBaseline { blocks: usize, of: usize, worst: f64, at: String },
    /// Baselines at once were slower than one alone.
    SharedCores { threads: NonZeroUsize, worth: f64 },
    /// Threads shared a core although others were idle.
    TookTurns { laps: usize, of: usize, at: String },
    /// The run was cut short.
    Interrupted { not_run: usize },
}

impl Warning {
    /// A name for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unoptimised => "unoptimised",
            Self::FewerCoresThanThreads { .. } => "fewer-cores-than-threads",
            Self::FrequencyScaling { .. } => "frequency-scaling",
            Self::OtherLoad { .. } => "other-load",
            Self::Stolen { .. } => "stolen",
            Self::TooFewIterations { .. } => "too-few-iterations",
            Self::NeverWarm { .. } => "never-warm",
            Self::Drift { .. } => "drift",
            Self::TimeLimit { .. } => "time-limit",
            Self::NoiseAboveDifference { .. } => "noise-above-difference",
            Self::Outliers { .. } => "outliers",
            Self::UnevenBaseline { .. } => "uneven-baseline",
            Self::SharedCores { .. } => "shared-cores",
            Self::TookTurns { .. } => "took-turns",
            Self::Interrupted { .. } => "interrupted",
        }
    }

    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unoptimised => "build with: cargo build --release",
            Self::FewerCoresThanThreads { .. } => {
                "take rows with more threads than cores as a test of overload, in which block-stm lets \
                 those beyond sleep, or leave them out with --threads"
            }
            Self::FrequencyScaling { .. } => {
                "set it to performance: cpupower frequency-set --governor performance"
            }
            Self::OtherLoad { .. } => "stop other programs and measure again",
            Self::Stolen { .. } => "measure on a machine of your own, or at a quieter time",
            Self::TooFewIterations { .. } => "ask for ten or more, or for --iterations auto",
            Self::NeverWarm { .. } => {
                "look for what changes the machine's speed, or set more rounds with --warmup"
            }
            Self::Drift { .. } => {
                "look for what changes the machine's speed (heat, other load) and measure again"
            }
            Self::TimeLimit { .. } => "raise --time-limit, or take the intervals as they are",
            Self::NoiseAboveDifference { .. } => {
                "do not claim these differences; a quieter machine or more rounds may show them"
            }
            Self::Outliers { .. } => {
                "they count; if there are more than you like, stop other programs"
            }
            Self::UnevenBaseline { .. } => {
                "others may share these cores unseen, such as another virtual machine; measure again, or elsewhere"
            }
            Self::SharedCores { .. } => {
                "speedups on as many threads may be too low by up to about as much: others use what these cores share, or \
                 it is too little for them; measure again, or elsewhere"
            }
            Self::TookTurns { .. } => {
                "see whether --pin, which keeps each thread on a core of its own, gives steadier times"
            }
            Self::Interrupted { .. } => "run it again for the rest; the figures here stand",
        }
    }
}

impl fmt::Display for Warning {
    /// A match arm for each kind: long, and plain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unoptimised => f.write_str("blockrace was built without optimisation"),
            Self::FewerCoresThanThreads { cores, threads } => {
                write!(f, "{threads} threads had to share {}", counted(cores.get(), "core"))
            }
            Self::FrequencyScaling { governor } => {
                write!(f, "the processor's clock may change as it likes (governor {governor})")
            }
            Self::OtherLoad { processors } => {
                write!(f, "other programs used {processors:.2} processors meanwhile")
            }
            Self::Stolen { processors } => {
                write!(
                    f,
                    "the hypervisor gave {processors:.2} of our processors to others meanwhile"
                )
            }
            Self::TooFewIterations { rounds } => {
                write!(f, "too few for 95 % intervals: {}", counted(*rounds as usize, "round"))
            }
            Self::NeverWarm { blocks, rounds } => {
                write!(f, "{} still got faster after {rounds} rounds", counted(*blocks, "block"))
            }
            Self::Drift { rows, of, worst, at } => {
                let worst = worst * 100.0;
                write!(f, "{rows} of {of} rows drifted over the rounds, by {worst:+.1} % in {at}")
            }
            Self::TimeLimit { blocks } => {
                write!(f, "{} ran out of time before 2 % were reached", counted(*blocks, "block"))
            }
            Self::NoiseAboveDifference { rows, floor, at } => {
                let (floor, rows) = (floor * 100.0, counted(*rows, "speedup"));
                write!(
                    f,
                    "{rows} differ from 1 by less than the noise floor, which is {floor:.1} % for {at}"
                )
            }
            Self::Outliers { laps, of } => write!(f, "{laps} of {of} laps lie far from the rest"),
            Self::UnevenBaseline { blocks, of, worst, at } => {
                write!(
                    f,
                    "the baseline's laps are uneven in {blocks} of {of} blocks, by {worst:.2} times in {at}"
                )
            }
            Self::SharedCores { threads: n, worth } => {
                write!(f, "{n} baselines at once got through no more than {worth:.2} cores would")
            }
            Self::TookTurns { laps, of, at } => {
                write!(
                    f,
                    "in {laps} of {of} laps the system kept all threads on one core, most in {at}"
                )
            }
            Self::Interrupted { not_run } => {
                write!(f, "interrupted: {} not run", counted(*not_run, "block"))
            }
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Where so many baselines at once get through as much as `worth` cores would: whether that is too little, beyond doubt.
pub fn shared_cores(threads: NonZeroUsize, worth: &Speedup) -> Option<Warning> {
    let too_little = worth.ci_high < ENOUGH_CORES * threads.get() as f64;
    too_little.then_some(Warning::SharedCores { threads, worth: worth.ratio })
}

/// Whether the program was built to be fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// It was.
    Optimised,
    /// It has checks for debugging.
    Debug,
}

/// The circumstances of a run.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// How the program was built.
    pub build: Build,
    /// Processors that this process may use.
    pub cores: NonZeroUsize,
    /// The most threads that a contestant had.
    pub threads: NonZeroUsize,
    /// Who sets the processor's clock; `None` where nobody does, or the system does not tell.
    pub governor: Option<String>,
    /// What else the machine did.
    pub load: Option<OtherLoad>,
}

/// What is wrong with the circumstances.
pub fn conditions(conditions: &Conditions) -> Vec<Warning> {
    let Conditions { build, cores, threads, governor, load } = conditions;
    let (cores, threads) = (*cores, *threads);
    let scaling = governor.as_deref().filter(|governor| *governor != "performance");
    let over = |share: f64| (share > SMALLEST_LOAD).then_some(share);
    let busy = load.and_then(|load| over(load.busy));
    let stolen = load.and_then(|load| over(load.stolen));
    [
        (*build == Build::Debug).then_some(Warning::Unoptimised),
        (threads > cores).then_some(Warning::FewerCoresThanThreads { cores, threads }),
        scaling.map(|governor| Warning::FrequencyScaling { governor: governor.to_owned() }),
        busy.map(|processors| Warning::OtherLoad { processors }),
        stolen.map(|processors| Warning::Stolen { processors }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What one row's samples show.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Block and contestant, for messages.
    pub at: String,
    /// Laps that were timed.
    pub laps: usize,
    /// Those of them that lie far from the rest.
    pub outliers: usize,
    /// Those of them whose threads took turns, as [`spread::turns`](super::spread::turns) says.
    pub turns: usize,
    /// As [`spread::unevenness`](super::spread::unevenness) says, of the baseline.
    pub unevenness: Option<f64>,
    /// As [`spread::drift`](super::spread::drift) says.
    pub drift: Option<f64>,
    /// Against the baseline.
    pub speedup: Option<Speedup>,
    /// How far the baseline was from itself on this block.
    pub floor: Option<f64>,
}

/// What is wrong with the samples.
pub fn findings(findings: &[Finding]) -> Vec<Warning> {
    let (laps, outliers) = findings
        .iter()
        .fold((0, 0), |(laps, far), finding| (laps + finding.laps, far + finding.outliers));
    let many = outliers as f64 > MANY_OUTLIERS * laps as f64;
    let few = findings.iter().map(|finding| finding.laps).min().unwrap_or(usize::MAX);
    let few = u32::try_from(few).ok().filter(|rounds| *rounds < FEWEST_ROUNDS);
    [
        few.map(|rounds| Warning::TooFewIterations { rounds }),
        drift(findings),
        noise(findings),
        many.then_some(Warning::Outliers { laps: outliers, of: laps }),
        turns(findings, laps),
        uneven(findings),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn turns(findings: &[Finding], of: usize) -> Option<Warning> {
    let laps: usize = findings.iter().map(|finding| finding.turns).sum();
    let worst = findings.iter().max_by_key(|finding| finding.turns)?;
    let many = laps as f64 > MANY_TURNS * of as f64;
    many.then(|| Warning::TookTurns { laps, of, at: worst.at.clone() })
}

fn uneven(findings: &[Finding]) -> Option<Warning> {
    let known = findings.iter().filter_map(|finding| Some((finding.unevenness?, &finding.at)));
    let of = known.clone().count();
    let uneven = known.filter(|(times, _)| *times > UNEVEN);
    let blocks = uneven.clone().count();
    let (worst, at) = uneven.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let many = blocks as f64 > MANY_UNEVEN * of as f64;
    many.then(|| Warning::UnevenBaseline { blocks, of, worst, at: at.clone() })
}

fn drift(findings: &[Finding]) -> Option<Warning> {
    let drifting = findings.iter().filter_map(|finding| Some((finding.drift?, &finding.at)));
    let rows = drifting.clone().count();
    let (worst, at) = drifting.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
    Some(Warning::Drift { rows, of: findings.len(), worst, at: at.clone() })
}

fn noise(findings: &[Finding]) -> Option<Warning> {
    let claimed = |finding: &&Finding| {
        let (Some(speedup), Some(floor)) = (finding.speedup, finding.floor) else { return false };
        let is_claimed = speedup.ci_low > 1.0 || speedup.ci_high < 1.0;
        is_claimed && speedup.ratio.ln().abs() < floor.ln_1p()
    };
    let drowned: Vec<_> = findings.iter().filter(claimed).collect();
    let worst =
        drowned.iter().max_by(|a, b| a.floor.unwrap_or(0.0).total_cmp(&b.floor.unwrap_or(0.0)))?;
    let (rows, floor) = (drowned.len(), worst.floor?);
    Some(Warning::NoiseAboveDifference { rows, floor, at: worst.at.clone() })
}

/// How far a speedup of the baseline against itself is from 1: the farther end of its interval, as a
/// share. Differences smaller than this are noise.
pub fn noise_floor(itself: &Speedup) -> f64 {
    let away = |end: f64| end.ln().abs().exp_m1();
    away(itself.ci_low).max(away(itself.ci_high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Conditions {
        Conditions {
            build: Build::Optimised,
            cores: NonZeroUsize::MIN,
            threads: NonZeroUsize::MIN,
            governor: Some("performance".into()),
            load: Some(OtherLoad { busy: 0.01, stolen: 0.0 }),
        }
    }

    fn finding(laps: usize) -> Finding {
        Finding {
            at: "block 5, x".into(),
            laps,
            outliers: 0,
            turns: 0,
            unevenness: None,
            drift: None,
            speedup: None,
            floor: None,
        }
    }

    fn kinds(warnings: &[Warning]) -> Vec<&'static str> {
        warnings.iter().map(Warning::kind).collect()
    }

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        assert_eq!(conditions(&quiet()), []);
        assert_eq!(findings(&[finding(10)]), []);
        assert_eq!(findings(&[]), []);
    }

    #[test]
    fn every_condition_that_spoils_numbers_is_told_with_its_remedy() {
        let bad = Conditions {
            build: Build::Debug,
            threads: NonZeroUsize::MIN.saturating_add(7),
            governor: Some("powersave".into()),
            load: Some(OtherLoad { busy: 0.5, stolen: 0.25 }),
            ..quiet()
        };
        let warnings = conditions(&bad);
        let expected = [
            "unoptimised",
            "fewer-cores-than-threads",
            "frequency-scaling",
            "other-load",
            "stolen",
        ];
        assert_eq!(kinds(&warnings), expected);
        assert_eq!(warnings[1].to_string(), "8 threads had to share 1 core");
        assert!(warnings.iter().all(|warning| !warning.remedy().is_empty()));
    }

    #[test]
    fn threads_that_took_turns_are_told() {
        let turning = Finding { turns: 2, at: "block 6, x on 2 threads".into(), ..finding(20) };
        let warnings = findings(&[finding(20), turning]);
        assert_eq!(kinds(&warnings), ["took-turns"]);
        let told = "in 2 of 40 laps the system kept all threads on one core, most in block 6, x on 2 threads";
        assert_eq!(warnings[0].to_string(), told);
        assert_eq!(findings(&[Finding { turns: 1, ..finding(60) }]), [], "it happens");
    }

    #[test]
    fn a_baseline_that_is_slow_for_a_while_on_many_blocks_is_told() {
        let baseline = |times| Finding { unevenness: Some(times), ..finding(20) };
        let slow = Finding { at: "block 6, sequential".into(), ..baseline(1.4) };
        let warnings = findings(&[baseline(1.1), slow.clone(), finding(20)]);
        assert_eq!(kinds(&warnings), ["uneven-baseline"]);
        let told =
            "the baseline's laps are uneven in 1 of 2 blocks, by 1.40 times in block 6, sequential";
        assert_eq!(warnings[0].to_string(), told);
        let mostly_even = [vec![baseline(1.1); 10], vec![slow]].concat();
        assert_eq!(findings(&mostly_even), [], "it happens");
    }

    #[test]
    fn cores_that_others_use_as_well_are_told() {
        let worth = |ratio, ci_high| {
            let worth = Speedup { ratio, ci_low: ratio, ci_high };
            shared_cores(NonZeroUsize::new(2).unwrap(), &worth)
        };
        let told = worth(1.7, 1.8).unwrap().to_string();
        assert_eq!(told, "2 baselines at once got through no more than 1.70 cores would");
        assert_eq!([worth(1.96, 1.98), worth(1.7, 1.99)], [None, None]);
    }

    #[test]
    fn few_rounds_drift_and_outliers_are_told() {
        let drifting = Finding { drift: Some(-0.2), ..finding(20) };
        let outlying = Finding { outliers: 9, ..finding(20) };
        let warnings = findings(&[drifting, outlying, finding(5)]);
        assert_eq!(kinds(&warnings), ["too-few-iterations", "drift", "outliers"]);
        let drift = "1 of 3 rows drifted over the rounds, by -20.0 % in block 5, x";
        assert_eq!(warnings[1].to_string(), drift);
    }

    #[test]
    fn a_difference_that_is_claimed_within_the_noise_floor_is_told() {
        let of = |ratio: f64| {
            let speedup = Speedup { ratio, ci_low: ratio - 0.01, ci_high: ratio + 0.01 };
            Finding { speedup: Some(speedup), floor: Some(0.05), ..finding(10) }
        };
        assert_eq!(kinds(&findings(&[of(1.03), of(1.5)])), ["noise-above-difference"]);
        assert_eq!(kinds(&findings(&[of(0.97)])), ["noise-above-difference"]);
        assert_eq!(findings(&[of(1.5), of(1.0)]), [], "no difference is claimed for 1");
    }

    #[test]
    fn the_noise_floor_is_the_farther_end_of_the_interval_on_either_side() {
        let itself = Speedup { ratio: 1.0, ci_low: 0.8, ci_high: 1.1 };
        assert!((noise_floor(&itself) - 0.25).abs() < 1e-12);
    }
}
