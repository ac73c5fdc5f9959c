//! Warns about conditions that distort figures, and names a remedy.
//!
//! A [`Warning`] names the cause, a figure and a remedy. [`conditions`] evaluates the machine, and [`findings`]
//! evaluates the samples. A warning removes nothing from a report, and is part of every form of it.

use super::{cgroup::ProcessorLimit, load::OtherLoad, stats::Speedup};
use std::{fmt, num::NonZeroUsize};

/// With fewer iterations, even the smallest and the largest possible median do not form a 95 % interval.
pub const FEWEST_ROUNDS: u32 = 6;

/// From this load or steal time on, a warning is given. In CPUs.
const SMALLEST_LOAD: f64 = 0.05;

/// From this load or steal time on, the figures of a run are worthless. In CPUs.
const HEAVY_LOAD: f64 = 0.25;

/// From this share of outliers on, a warning is given.
const MANY_OUTLIERS: f64 = 0.1;

/// From this share of samples with all threads on one core, a warning is given.
const MANY_TURNS: f64 = 0.02;

/// From this ratio of slow to fast samples of the baseline on, a block is uneven.
const UNEVEN: f64 = 1.2;

/// From this share of uneven blocks on, a warning is given.
const MANY_UNEVEN: f64 = 0.1;

/// Below this ratio of effective cores to threads, a warning is given.
const ENOUGH_CORES: f64 = 0.95;

/// A condition that distorts figures.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Warning {
    /// The program is a debug build.
    Unoptimised,
    /// There are more threads than cores.
    FewerCoresThanThreads { cores: NonZeroUsize, threads: NonZeroUsize },
    /// The CPU governor changes the clock speed.
    FrequencyScaling { governor: String },
    /// Other processes used the CPU.
    OtherLoad { processors: f64 },
    /// The hypervisor gave CPU time to other virtual machines.
    Stolen { processors: f64 },
    /// A cgroup limits the processors.
    Limited(ProcessorLimit),
    /// The intervals come from too few iterations.
    TooFewIterations { rounds: u32 },
    /// Contenders still got faster at the limit of the warm-up iterations.
    NeverWarm { blocks: usize, rounds: u32 },
    /// Times have a trend over the timed iterations.
    Drift { rows: usize, of: usize, worst: f64, at: String },
    /// The time limit was reached before the intervals were narrow enough.
    TimeLimit { blocks: usize },
    /// The interval of a speedup excludes 1, but the speedup is within the noise floor.
    NoiseAboveDifference { rows: usize, floor: f64, at: String },
    /// Many samples are outliers.
    Outliers { laps: usize, of: usize },
    /// The baseline's own samples differ, because its core was slower for a while.
    UnevenBaseline { blocks: usize, of: usize, worst: f64, at: String },
    /// Concurrent baselines were slower than a single one.
    SharedCores { threads: NonZeroUsize, worth: f64 },
    /// All threads ran on one core although others were idle.
    TookTurns { laps: usize, of: usize, at: String },
    /// The run was interrupted.
    Interrupted { not_run: usize },
    /// Blocks were merged into larger ones.
    Merged { blocks: usize, into: usize, transactions: usize, invalid: usize, unknown: usize },
    /// A part of merged results has a warning that follows from no row.
    OfPart { kind: &'static str, what: String },
}

impl Warning {
    /// Identifier of the warning in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unoptimised => "unoptimised",
            Self::FewerCoresThanThreads { .. } => "fewer-cores-than-threads",
            Self::FrequencyScaling { .. } => "frequency-scaling",
            Self::OtherLoad { .. } => "other-load",
            Self::Stolen { .. } => "stolen",
            Self::Limited(limit) => limit.kind(),
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
            Self::Merged { .. } => "merged",
            Self::OfPart { kind, .. } => kind,
        }
    }

    /// Whether the figures of a run with this warning are worthless.
    pub fn voids_figures(&self) -> bool {
        match self {
            Self::Unoptimised | Self::TooFewIterations { .. } => true,
            Self::OtherLoad { processors } | Self::Stolen { processors } => {
                *processors > HEAVY_LOAD
            }
            // The text does not tell how heavy the load was.
            Self::OfPart { kind, .. } => matches!(*kind, "other-load" | "stolen"),
            _ => false,
        }
    }

    /// The remedy.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unoptimised => "build with: cargo build --release",
            Self::FewerCoresThanThreads { .. } => {
                "exclude these rows with --threads, or read them as a test of overload, in which \
                 block-stm lets surplus workers sleep"
            }
            Self::FrequencyScaling { .. } => {
                "set the governor to performance: cpupower frequency-set --governor performance"
            }
            Self::OtherLoad { .. } => "stop other programs and measure again",
            Self::Stolen { .. } => "measure on a dedicated machine, or at a quieter time",
            Self::Limited(limit) => limit.remedy(),
            Self::TooFewIterations { .. } => "use at least ten iterations, or --iterations auto",
            Self::NeverWarm { .. } => {
                "check for heat and other load, or set more warm-up iterations with --warmup"
            }
            Self::Drift { .. } => "check for heat and other load, and measure again",
            Self::TimeLimit { .. } => "raise --time-limit, or accept the wider intervals",
            Self::NoiseAboveDifference { .. } => {
                "they are not significant; a quieter machine or more iterations may change that"
            }
            Self::Outliers { .. } => {
                "they count like any other sample; stop other programs to get fewer"
            }
            Self::UnevenBaseline { .. } => {
                "another virtual machine may share these cores; measure again, or on another machine"
            }
            Self::SharedCores { .. } => {
                "the cores compete for caches or memory bandwidth, so speedups on as many threads may \
                 be too low by about the same factor; measure again, or on another machine"
            }
            Self::TookTurns { .. } => "try --pin, which pins each thread to its own core",
            Self::Merged { .. } => "without --merge, the blocks are those of the chain",
            Self::Interrupted { .. } => {
                "repeat the command for the missing blocks; the figures of the others are valid"
            }
            Self::OfPart { .. } => "measure that part again",
        }
    }

    fn merged(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Merged { blocks, into, transactions, invalid, unknown } = self else {
            return Ok(());
        };
        let large = counted(*into, "large block");
        write!(f, "{blocks} blocks were merged into {large} that no chain has; ")?;
        write!(f, "{} of {transactions} transactions were left out, ", invalid + unknown)?;
        write!(f, "{invalid} invalid and {unknown} that read unknown state")
    }
}

impl fmt::Display for Warning {
    /// One match arm per kind makes this function long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unoptimised => f.write_str("this is a debug build, so all times are too long"),
            Self::FewerCoresThanThreads { cores, threads } => {
                let cores = counted(cores.get(), "core");
                write!(f, "rows with {threads} threads oversubscribe the {cores}")
            }
            Self::FrequencyScaling { governor } => {
                write!(f, "CPU frequency scaling is active (governor {governor})")
            }
            Self::OtherLoad { processors } => {
                write!(f, "other processes used {processors:.2} CPUs on average")
            }
            Self::Stolen { processors } => write!(f, "the hypervisor {}", stolen(*processors)),
            Self::Limited(limit) => fmt::Display::fmt(limit, f),
            Self::TooFewIterations { rounds } => {
                write!(f, "too few for 95 % intervals: {}", counted(*rounds as usize, "iteration"))
            }
            Self::NeverWarm { blocks, rounds } => {
                let blocks = counted(*blocks, "block");
                write!(f, "{blocks} still got faster after {rounds} warm-up iterations")
            }
            Self::Drift { rows, of, worst, at } => {
                let worst = worst * 100.0;
                write!(f, "times drifted in {rows} of {of} rows, by {worst:+.1} % in {at}")
            }
            Self::TimeLimit { blocks } => {
                let blocks = counted(*blocks, "block");
                write!(f, "{blocks} reached the time limit before the intervals were within 2 %")
            }
            Self::NoiseAboveDifference { rows, floor, at } => {
                let (floor, rows) = (floor * 100.0, counted(*rows, "speedup"));
                write!(f, "{rows} did not exceed the noise floor, which is {floor:.1} % for {at}")
            }
            Self::Outliers { laps, of } => write!(f, "{laps} of {of} samples are outliers"),
            Self::UnevenBaseline { blocks, of, worst, at } => {
                write!(
                    f,
                    "the baseline is uneven in {blocks} of {of} blocks: slow samples take {worst:.2} times as long in {at}"
                )
            }
            Self::SharedCores { threads: n, worth } => {
                write!(f, "{n} concurrent baselines reached only {worth:.2} effective cores")
            }
            Self::TookTurns { laps, of, at } => {
                write!(
                    f,
                    "the system kept all threads on one core in {laps} of {of} samples, most often in {at}"
                )
            }
            Self::Interrupted { not_run } => {
                write!(f, "interrupted: {} not run", counted(*not_run, "block"))
            }
            Self::Merged { .. } => self.merged(f),
            Self::OfPart { what, .. } => write!(f, "in a merged part: {what}"),
        }
    }
}

fn stolen(processors: f64) -> String {
    format!("gave {processors:.2} CPUs to other virtual machines on average (steal time)")
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Warns if `threads` concurrent baselines reach too few effective cores, even at the upper end of the interval
/// of `worth`.
pub fn shared_cores(threads: NonZeroUsize, worth: &Speedup) -> Option<Warning> {
    let too_little = worth.ci_high < ENOUGH_CORES * threads.get() as f64;
    too_little.then_some(Warning::SharedCores { threads, worth: worth.ratio })
}

/// The build profile of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Built with optimisation.
    Optimised,
    /// Built with debug assertions.
    Debug,
}

/// Conditions of a run.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The build profile.
    pub build: Build,
    /// CPUs that this process may use.
    pub cores: NonZeroUsize,
    /// The largest number of threads of a contender.
    pub threads: NonZeroUsize,
    /// The CPU governor; `None` if there is none, or if the system does not report it.
    pub governor: Option<String>,
    /// Load of other processes, and steal time.
    pub load: Option<OtherLoad>,
    /// Limits of a cgroup.
    pub limits: Vec<ProcessorLimit>,
}

/// Warnings about the machine and the build.
pub fn conditions(conditions: &Conditions) -> Vec<Warning> {
    let Conditions { build, cores, threads, governor, load, limits } = conditions;
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
    .chain(limits.iter().copied().map(Warning::Limited))
    .collect()
}

/// Findings in the samples of one row.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Block and contender, for messages.
    pub at: String,
    /// Number of timed samples.
    pub laps: usize,
    /// Number of outliers.
    pub outliers: usize,
    /// Number of samples with all threads on one core, by [`spread::turns`](super::spread::turns).
    pub turns: usize,
    /// Unevenness of the baseline's samples, by [`spread::unevenness`](super::spread::unevenness).
    pub unevenness: Option<f64>,
    /// Drift over the iterations, by [`spread::drift`](super::spread::drift).
    pub drift: Option<f64>,
    /// Speedup relative to the baseline.
    pub speedup: Option<Speedup>,
    /// Noise floor of this block.
    pub floor: Option<f64>,
}

/// Warnings about the samples.
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

/// The noise floor: distance from 1 of the farther end of the A/A run's interval, as a share. Smaller
/// differences are not significant.
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
            limits: vec![],
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
    fn every_bad_condition_gives_a_warning_with_a_remedy() {
        let bad = Conditions {
            build: Build::Debug,
            threads: NonZeroUsize::MIN.saturating_add(7),
            governor: Some("powersave".into()),
            load: Some(OtherLoad { busy: 0.5, stolen: 0.25 }),
            limits: vec![
                ProcessorLimit::Time { processors: 1.5, of: 4 },
                ProcessorLimit::Part { processors: 4, of: 8 },
            ],
            ..quiet()
        };
        let warnings = conditions(&bad);
        let expected = [
            "unoptimised",
            "fewer-cores-than-threads",
            "frequency-scaling",
            "other-load",
            "stolen",
            "limited-processor-time",
            "part-of-the-machine",
        ];
        assert_eq!(kinds(&warnings), expected);
        assert_eq!(warnings[1].to_string(), "rows with 8 threads oversubscribe the 1 core");
        assert!(warnings.iter().all(|warning| !warning.remedy().is_empty()));
    }

    #[test]
    fn threads_on_one_core_give_a_warning() {
        let turning = Finding { turns: 2, at: "block 6, x on 2 threads".into(), ..finding(20) };
        let warnings = findings(&[finding(20), turning]);
        assert_eq!(kinds(&warnings), ["took-turns"]);
        let told = "the system kept all threads on one core in 2 of 40 samples, most often in block 6, x on 2 threads";
        assert_eq!(warnings[0].to_string(), told);
        assert_eq!(findings(&[Finding { turns: 1, ..finding(60) }]), [], "a few are usual");
    }

    #[test]
    fn an_uneven_baseline_on_many_blocks_gives_a_warning() {
        let baseline = |times| Finding { unevenness: Some(times), ..finding(20) };
        let slow = Finding { at: "block 6, sequential".into(), ..baseline(1.4) };
        let warnings = findings(&[baseline(1.1), slow.clone(), finding(20)]);
        assert_eq!(kinds(&warnings), ["uneven-baseline"]);
        let told = "the baseline is uneven in 1 of 2 blocks: slow samples take 1.40 times as long in block 6, sequential";
        assert_eq!(warnings[0].to_string(), told);
        let mostly_even = [vec![baseline(1.1); 10], vec![slow]].concat();
        assert_eq!(findings(&mostly_even), [], "a few are usual");
    }

    #[test]
    fn too_few_effective_cores_give_a_warning() {
        let worth = |ratio, ci_high| {
            let worth = Speedup { ratio, ci_low: ratio, ci_high };
            shared_cores(NonZeroUsize::new(2).unwrap(), &worth)
        };
        let told = worth(1.7, 1.8).unwrap().to_string();
        assert_eq!(told, "2 concurrent baselines reached only 1.70 effective cores");
        assert_eq!([worth(1.96, 1.98), worth(1.7, 1.99)], [None, None]);
    }

    #[test]
    fn few_iterations_drift_and_outliers_give_warnings() {
        let drifting = Finding { drift: Some(-0.2), ..finding(20) };
        let outlying = Finding { outliers: 9, ..finding(20) };
        let warnings = findings(&[drifting, outlying, finding(5)]);
        assert_eq!(kinds(&warnings), ["too-few-iterations", "drift", "outliers"]);
        let drift = "times drifted in 1 of 3 rows, by -20.0 % in block 5, x";
        assert_eq!(warnings[1].to_string(), drift);
    }

    #[test]
    fn a_claimed_difference_within_the_noise_floor_gives_a_warning() {
        let of = |ratio: f64| {
            let speedup = Speedup { ratio, ci_low: ratio - 0.01, ci_high: ratio + 0.01 };
            Finding { speedup: Some(speedup), floor: Some(0.05), ..finding(10) }
        };
        assert_eq!(kinds(&findings(&[of(1.03), of(1.5)])), ["noise-above-difference"]);
        assert_eq!(kinds(&findings(&[of(0.97)])), ["noise-above-difference"]);
        assert_eq!(findings(&[of(1.5), of(1.0)]), [], "no difference is claimed for 1");
    }

    #[test]
    fn the_noise_floor_is_the_distance_of_the_farther_end_of_the_interval() {
        let itself = Speedup { ratio: 1.0, ci_low: 0.8, ci_high: 1.1 };
        assert!((noise_floor(&itself) - 0.25).abs() < 1e-12);
    }
}
