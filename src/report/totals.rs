//! Computes figures over several rows: standings over all blocks and by fork, the winner, the noise floor
//! and the effective cores.
//!
//! Only rows that matched count. There are two totals because they answer two questions. The geometric
//! mean of the speedups weighs all blocks equally. The ratio of the total times weighs long blocks more.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use alloy_primitives::B256;

use super::record::{bound_share, measured_speedup, total_speedup};
use super::{Comparison, Contender, Figures, Report, Row, by_block, contenders};
use crate::measure::stats::{Speedup, geometric_mean};
use crate::measure::warnings::noise_floor;

/// The result of one contender over some blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing<'a> {
    /// The contender.
    pub contender: Contender<'a>,
    /// Number of its rows.
    pub rows: usize,
    /// Number of its rows that matched.
    pub verified: usize,
    /// Geometric mean of the speedups with its interval; `None` for the baseline itself and without a
    /// baseline.
    pub speedup: Option<Speedup>,
    /// Total time of the baseline / total time of the contender, over the blocks where both matched.
    pub total_time_ratio: Option<f64>,
    /// Geometric mean of speedup / bound; `None` without bounds.
    pub bound_share: Option<f64>,
    /// Geometric mean of the speedup over the same executor on one thread, over the blocks where both matched; `None`
    /// for one thread, and without rows of one thread.
    pub over_one_thread: Option<f64>,
    /// The speedup of execution and state root together; `None` without a state root.
    pub whole: Option<Whole>,
}

/// Execution and state root of a contender together, over the blocks that have a root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whole {
    /// Number of those blocks.
    pub blocks: usize,
    /// Geometric mean of the speedups.
    pub speedup: f64,
    /// Geometric mean of the bounds; `None` without bounds.
    pub bound: Option<f64>,
    /// Geometric mean of the speedups with the root after the execution; `None` unless the executor computes it
    /// beside the execution in all these blocks.
    pub in_turn: Option<f64>,
}

/// The standings of all contenders over some rows, in the order of their first row.
pub fn standings<'a>(rows: &[&'a Row]) -> Vec<Standing<'a>> {
    let (baselines, one_thread) = (baselines(rows), one_thread(rows));
    let standing = |contender: Contender<'a>| {
        let own: Vec<_> = rows.iter().filter(|row| row.contender() == contender).copied().collect();
        let figures = || own.iter().filter_map(|row| row.verdict.figures());
        let speedups: Vec<_> = figures().filter_map(measured_speedup).collect();
        let shares: Vec<_> = own.iter().filter_map(|row| bound_share(row)).collect();
        Standing {
            contender,
            rows: own.len(),
            verified: figures().count(),
            speedup: Speedup::overall(&speedups),
            total_time_ratio: total_time_ratio(&own, &baselines),
            bound_share: geometric_mean(&shares),
            over_one_thread: over_one_thread(&own, &one_thread),
            whole: whole(&own),
        }
    };
    contenders(rows.iter().copied()).into_iter().map(standing).collect()
}

/// Groups rows by fork. Forks are in the order of their first row.
pub fn by_fork(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut forks: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match forks.iter_mut().find(|(fork, _)| *fork == row.block.fork) {
            Some((_, group)) => group.push(row),
            None => forks.push((&row.block.fork, vec![row])),
        }
    }
    forks
}

/// The fastest contender over all blocks. A contender with a wrong result on any block cannot win.
/// If more threads do not make the executor clearly faster, the smallest thread count wins. `None` without
/// such a contender.
pub fn winner(report: &Report) -> Option<Standing<'_>> {
    winner_among(report, |_| true)
}

/// The fastest contender without oracle knowledge.
pub fn untold_winner(report: &Report) -> Option<Standing<'_>> {
    winner_among(report, |contender| report.settings.knew(contender.executor).is_none())
}

fn winner_among<'a>(
    report: &'a Report,
    takes_part: impl Fn(&Contender<'_>) -> bool,
) -> Option<Standing<'a>> {
    let rows: Vec<_> = report.rows.iter().collect();
    let mut finished = standings(&rows);
    finished.retain(|standing| {
        let right = standing.verified == standing.rows && standing.speedup.is_some();
        right && takes_part(&standing.contender)
    });
    let measured = |standing: &Standing<'a>| Some((*standing, standing.speedup?));
    let finished: Vec<_> = finished.iter().filter_map(measured).collect();
    let best = finished.iter().max_by(|a, b| a.1.ratio.total_cmp(&b.1.ratio))?;
    let as_fast = finished.iter().filter(|(standing, speedup)| {
        standing.contender.executor == best.0.contender.executor && is_as_fast(speedup, &best.1)
    });
    as_fast.map(|(standing, _)| *standing).min_by_key(|standing| standing.contender.threads)
}

/// Share of the best speedup from which a contender with fewer threads may be as fast.
const AS_FAST: f64 = 0.95;

/// Whether a speedup cannot be distinguished from the best one. With a wide interval that is no merit, so the speedup
/// itself has to be near the best one, too.
fn is_as_fast(speedup: &Speedup, best: &Speedup) -> bool {
    let overlaps = speedup.ci_high >= best.ratio && speedup.ratio >= best.ci_low;
    overlaps && speedup.ratio >= AS_FAST * best.ratio
}

/// The speedup of the A/A run over all blocks, and the noise floor that follows from it; `None` without
/// A/A runs.
pub fn self_check(report: &Report) -> Option<(Speedup, f64)> {
    let of_noise = report.self_checks.iter().filter(|check| check.is_of_noise());
    let overall = Speedup::overall(&of_noise.map(|check| check.ratio).collect::<Vec<_>>())?;
    Some((overall, noise_floor(&overall)))
}

/// The machine's effective cores, by thread count. As many concurrent baselines have the throughput of
/// this number of cores that do not disturb each other. Empty without concurrent baselines.
pub fn cores_worth(report: &Report) -> BTreeMap<NonZeroUsize, Speedup> {
    let mut by_threads: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for check in report.self_checks.iter().filter(|check| !check.is_of_noise()) {
        by_threads.entry(check.threads).or_default().push(check.ratio);
    }
    let worth = |(threads, ratios): (NonZeroUsize, Vec<_>)| {
        let Speedup { ratio, ci_low, ci_high } = Speedup::overall(&ratios)?;
        let [ratio, ci_low, ci_high] =
            [ratio, ci_low, ci_high].map(|share| share * threads.get() as f64);
        Some((threads, Speedup { ratio, ci_low, ci_high }))
    };
    by_threads.into_iter().filter_map(worth).collect()
}

/// Number of distinct blocks of the rows.
pub fn block_count(rows: &[Row]) -> usize {
    by_block(rows).len()
}

/// Median execution time of the baseline, for each block with a verified baseline.
type Baselines = HashMap<B256, Duration>;

fn baselines(rows: &[&Row]) -> Baselines {
    let baseline = |row: &&Row| {
        let figures = row.verdict.figures()?;
        let is_baseline = figures.comparison == Comparison::Baseline;
        is_baseline.then_some((row.block.hash, figures.execute.median))
    };
    rows.iter().filter_map(baseline).collect()
}

/// Total time of the baseline / total time of the contender, over the blocks where both were verified.
fn total_time_ratio(rows: &[&Row], baselines: &Baselines) -> Option<f64> {
    let times = |row: &&Row| {
        let baseline = baselines.get(&row.block.hash)?;
        Some((*baseline, row.verdict.figures()?.execute.median))
    };
    let (baseline, contender) =
        rows.iter().filter_map(times).fold((Duration::ZERO, Duration::ZERO), |sum, add| {
            (sum.0.saturating_add(add.0), sum.1.saturating_add(add.1))
        });
    (!contender.is_zero()).then(|| baseline.div_duration_f64(contender))
}

/// Median execution time of each verified row of one thread, by block and executor.
type OneThread<'a> = HashMap<(B256, &'a str), Duration>;

fn one_thread<'a>(rows: &[&'a Row]) -> OneThread<'a> {
    let alone = rows.iter().filter(|row| row.threads == NonZeroUsize::MIN);
    let time = |row: &&'a Row| {
        let figures = row.verdict.figures()?;
        Some(((row.block.hash, row.executor.as_str()), figures.execute.median))
    };
    alone.filter_map(time).collect()
}

/// Geometric mean of the time on one thread / the time of these rows of one contender.
fn over_one_thread(rows: &[&Row], one_thread: &OneThread<'_>) -> Option<f64> {
    let several = rows.iter().filter(|row| row.threads > NonZeroUsize::MIN);
    let ratio = |row: &&Row| {
        let alone = one_thread.get(&(row.block.hash, row.executor.as_str()))?;
        let time = row.verdict.figures()?.execute.median;
        (!time.is_zero()).then(|| alone.div_duration_f64(time))
    };
    geometric_mean(&several.filter_map(ratio).collect::<Vec<_>>())
}

fn whole(own: &[&Row]) -> Option<Whole> {
    let with_root = own.iter().filter_map(|row| {
        let figures =
            row.verdict.figures().filter(|figures| measured_speedup(figures).is_some())?;
        Some((total_speedup(figures)?, figures))
    });
    let (speedups, figures): (Vec<_>, Vec<_>) = with_root.unzip();
    let mean = |of: fn(&Figures) -> Option<f64>| {
        let all: Option<Vec<_>> = figures.iter().copied().map(of).collect();
        all.and_then(|all| geometric_mean(&all))
    };
    Some(Whole {
        blocks: speedups.len(),
        speedup: geometric_mean(&speedups)?,
        bound: mean(|figures| figures.total_bound),
        in_turn: mean(|figures| figures.total_speedup_in_turn),
    })
}

/// Throughput of a contender over all blocks that matched, in Mgas/s: total gas / total time.
pub fn total_mgas_per_s(rows: &[&Row], contender: Contender<'_>) -> Option<f64> {
    let own = rows.iter().filter(|row| row.contender() == contender);
    let matched = own.filter_map(|row| Some((row.block.gas_used, row.verdict.figures()?)));
    let (gas, time) = matched.fold((0_u64, Duration::ZERO), |(gas, time), (used, figures)| {
        (gas.saturating_add(used), time.saturating_add(figures.execute.median))
    });
    crate::units::mgas_per_s(gas, time)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, paced, raced};
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_totals_are_the_geometric_mean_and_the_ratio_of_summed_times() {
        // 100 µs -> 50 µs and 900 µs -> 1800 µs: the geometric mean is 1, the ratio is 1000 / 1850.
        let rows = [paced(5, 100), raced(5, 50, 2.0), paced(6, 900), raced(6, 1_800, 0.5)];
        let standings = standings(&rows.iter().collect::<Vec<_>>());
        assert_eq!(standings.len(), 2);
        assert_eq!(standings[0].speedup, None, "the baseline is not compared with itself");
        let speedup = standings[1].speedup.unwrap();
        assert!((speedup.ratio - 1.0).abs() < 1e-12);
        let ratio = standings[1].total_time_ratio.unwrap();
        assert!((ratio - 1_000.0 / 1_850.0).abs() < 1e-12);
    }

    #[test]
    fn each_fork_has_its_own_standings() {
        let mut old = raced(5, 50, 2.0);
        old.block.fork = "London".into();
        let rows = [old, raced(6, 50, 3.0)];
        let forks = by_fork(&rows);
        let names: Vec<_> = forks.iter().map(|(fork, _)| *fork).collect();
        assert_eq!(names, ["London", "Cancun"]);
        let ratio = |rows: &[&Row]| standings(rows)[0].speedup.unwrap().ratio;
        assert!((ratio(&forks[0].1) - 2.0).abs() < 1e-12);
        assert!((ratio(&forks[1].1) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn several_threads_are_compared_with_one_thread_of_the_same_executor() {
        let on = |threads, micros| Row {
            threads: testing::threads(threads),
            ..raced(5, micros, 90.0 / micros as f64)
        };
        let rows = [paced(5, 90), on(1, 80), on(2, 40)];
        let standings = standings(&rows.iter().collect::<Vec<_>>());
        let over_one: Vec<_> = standings.iter().map(|standing| standing.over_one_thread).collect();
        assert_eq!(over_one, [None, None, Some(2.0)]);
    }

    #[test]
    fn a_contender_with_a_mismatch_cannot_win() {
        let mut wrong = testing::mismatch();
        wrong.block.number = 6;
        let mut fast = raced(5, 10, 9.0);
        fast.executor = wrong.executor.clone();
        let report = testing::report_of(vec![paced(5, 90), fast, raced(5, 50, 2.0), wrong]);
        assert_eq!(winner(&report).unwrap().contender.executor, "block-stm");
    }

    /// A row of `block-stm` on one block. Its interval is the speedup ± 0.05.
    fn on(threads: usize, ratio: f64) -> Row {
        let mut row = Row { threads: testing::threads(threads), ..raced(5, 50, ratio) };
        if let Verdict::Match(figures) = &mut row.verdict {
            let speedup = Speedup { ratio, ci_low: ratio - 0.05, ci_high: ratio + 0.05 };
            figures.comparison = Comparison::Against { speedup, total_speedup: None };
        }
        row
    }

    #[test]
    fn more_threads_win_only_if_they_are_clearly_faster() {
        let threads_that_win = |on_four| {
            let report = testing::report_of(vec![paced(5, 90), on(2, 1.8), on(4, on_four)]);
            winner(&report).unwrap().contender.threads.get()
        };
        assert_eq!([1.7, 1.84, 1.9].map(threads_that_win), [2, 2, 4]);
    }

    #[test]
    fn a_wide_interval_makes_no_slow_contender_the_winner() {
        let mut slow = on(1, 0.9);
        if let Verdict::Match(figures) = &mut slow.verdict {
            let speedup = Speedup { ratio: 0.9, ci_low: 0.4, ci_high: 2.5 };
            figures.comparison = Comparison::Against { speedup, total_speedup: None };
        }
        let report = testing::report_of(vec![paced(5, 90), slow, on(2, 1.8)]);
        assert_eq!(winner(&report).unwrap().contender.threads.get(), 2);
    }

    #[test]
    fn without_an_a_a_run_there_is_no_noise_floor() {
        let mut report = testing::report();
        assert_eq!(self_check(&report), None);
        let itself = Speedup { ratio: 1.0, ci_low: 0.99, ci_high: 1.02 };
        report.self_checks.push(testing::self_check(itself));
        let (_, floor) = self_check(&report).unwrap();
        assert!((floor - 0.02).abs() < 1e-12, "{floor}");
    }

    #[test]
    fn effective_cores_follow_from_concurrent_baselines() {
        let mut report = testing::report();
        assert_eq!(cores_worth(&report), BTreeMap::new());
        let ratio = |ratio: f64| Speedup { ratio, ci_low: ratio, ci_high: ratio };
        for (threads, share) in [(1, 1.0), (2, 0.9), (4, 0.5), (4, 0.5)] {
            report.self_checks.push(testing::self_checks_of(threads, ratio(share)));
        }
        let worth = |threads| cores_worth(&report)[&NonZeroUsize::new(threads).unwrap()].ratio;
        assert!((worth(2) - 1.8).abs() < 1e-12 && (worth(4) - 2.0).abs() < 1e-12);
        assert_eq!(cores_worth(&report).len(), 2, "the A/A run counts for the noise floor only");
    }
}
