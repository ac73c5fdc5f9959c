//! Finds the bottleneck of a row.
//!
//! The rules are in order of importance, and the first one that applies gives the reason. Every rule
//! compares figures of the report, so that a reader can check it. Without a bound, dependencies of the block
//! cannot be distinguished from other reasons. The reason then states only the observation.

use std::time::Duration;

use super::{
    Comparison, Report, Row, by_block,
    profiled::{ProfiledRun, lost},
    record::{bound_share, re_execution_rate, speedup_ratio},
};
use crate::{executors::Schedule, units};

/// From this share of the bound on, the block itself is the bottleneck.
const NEAR_BOUND: f64 = 0.9;

/// Below this ratio of bound to threads, threads have no work.
const LOW_BOUND: f64 = 0.75;

/// Above this number of incarnations per transaction, re-execution is the bottleneck.
const MANY_EXECUTIONS: f64 = 1.2;

/// In shorter blocks, scheduling overhead dominates.
const SHORT: Duration = Duration::from_micros(500);

/// Above this ratio to the baseline's CPU time, overhead is the bottleneck.
const MUCH_PROCESSOR_TIME: f64 = 1.3;

/// A smaller share of the threads' time is not reported as the bottleneck.
const WORTH_SAYING: f64 = 0.03;

/// A row and its bottleneck.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit<'a> {
    /// The row.
    pub row: &'a Row,
    /// Its speedup.
    pub speedup: f64,
    /// The bottleneck in a few words.
    pub reason: String,
}

/// The bottlenecks of the `count` slowest blocks, slowest first. Each block is represented by its fastest
/// contender, on any number of threads.
pub fn worst(report: &Report, count: usize) -> Vec<Limit<'_>> {
    let mut limits: Vec<_> =
        by_block(&report.rows).iter().filter_map(|rows| best_of_block(report, rows)).collect();
    limits.sort_by(|a, b| a.speedup.total_cmp(&b.speedup));
    limits.truncate(count);
    limits
}

/// The bottleneck of the fastest row of a block. If even that row is slow, the block itself is slow.
fn best_of_block<'a>(report: &Report, rows: &[&'a Row]) -> Option<Limit<'a>> {
    let baseline = rows.iter().copied().find(|row| is_baseline(row));
    let speedup = |row: &Row| row.verdict.figures().and_then(speedup_ratio);
    let contenders = rows.iter().copied().filter(|row| !is_baseline(row));
    let rated: Vec<_> = contenders.filter_map(|row| Some((row, speedup(row)?))).collect();
    let fastest =
        |rated: &[(&'a Row, f64)]| rated.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    let (row, speedup) = fastest(&rated)?;
    let several: Vec<_> = rated.into_iter().filter(|(row, _)| row.threads.get() > 1).collect();
    let of = |row| in_order(row, rows).unwrap_or_else(|| reason(report, row, baseline));
    let reason = match fastest(&several) {
        Some((parallel, ratio)) if row.threads.get() == 1 => {
            format!("{ratio:.2} by {}: {}", parallel.contender(), of(parallel))
        }
        None if row.threads.get() == 1 => "no contender has several threads".into(),
        _ => of(row),
    };
    Some(Limit { row, speedup, reason })
}

fn is_baseline(row: &Row) -> bool {
    row.verdict.figures().is_some_and(|figures| figures.comparison == Comparison::Baseline)
}

/// The first reason that applies.
fn reason(report: &Report, row: &Row, baseline: Option<&Row>) -> String {
    few_transactions(row)
        .or_else(|| bound(row))
        .or_else(|| few_cores(report, row))
        .or_else(|| short(row, baseline))
        .or_else(|| repetition(row))
        .or_else(|| processor_time(row, baseline))
        .or_else(|| largest_loss(report, row))
        .unwrap_or_else(|| "no single bottleneck: threads wait for each other".into())
}

fn few_transactions(row: &Row) -> Option<String> {
    let transactions = row.block.transactions;
    let few = transactions < 2 * row.threads.get();
    few.then(|| match transactions {
        0 => "no transactions".into(),
        1 => "a single transaction".into(),
        several => format!("only {several} transactions for {} threads", row.threads),
    })
}

/// An executor that runs transactions in block order has a bound of its own, independent of dependencies.
fn in_order(row: &Row, rows: &[&Row]) -> Option<String> {
    let bound_of = |row: &Row| row.verdict.figures()?.bound_speedup;
    let in_order = row.schedule == Schedule::InOrder;
    let own = bound_of(row).filter(|_| in_order)?;
    let rivals = rows.iter().filter(|other| other.threads == row.threads);
    let most = rivals.filter_map(|other| bound_of(other)).fold(own, f64::max);
    let others = if most > own {
        format!("; the bound of other executors is {most:.2}")
    } else {
        String::new()
    };
    Some(format!("{} executes transactions in block order{others}", row.executor))
}

fn bound(row: &Row) -> Option<String> {
    let bound = row.verdict.figures()?.bound_speedup?;
    let is_near = bound_share(row)? >= NEAR_BOUND;
    let threads = row.threads.get() as f64;
    let waits = row.schedule != Schedule::Independent;
    let reason = match bound < threads {
        true if waits => "dependencies between transactions",
        true => "long transactions prevent an even load",
        false => "the speedup is near its bound",
    };
    (is_near || bound < LOW_BOUND * threads).then(|| format!("{reason}: the bound is {bound:.2}"))
}

fn few_cores(report: &Report, row: &Row) -> Option<String> {
    let cores = report.machine.logical_cpus;
    (row.threads > cores)
        .then(|| format!("oversubscribed: {} threads on {cores} logical CPUs", row.threads))
}

fn short(row: &Row, baseline: Option<&Row>) -> Option<String> {
    let time = baseline?.verdict.figures()?.execute.median;
    (time < SHORT && row.threads.get() > 1).then(|| {
        format!("short block: {} in total, so scheduling overhead dominates", units::short(time))
    })
}

fn repetition(row: &Row) -> Option<String> {
    let rate = re_execution_rate(row)?;
    (rate > MANY_EXECUTIONS).then(|| format!("conflicts: {rate:.2} incarnations per transaction"))
}

fn processor_time(row: &Row, baseline: Option<&Row>) -> Option<String> {
    let cpu = row.verdict.figures()?.cpu_median?;
    let ratio = cpu.div_duration_f64(baseline?.verdict.figures()?.cpu_median?);
    (ratio.is_finite() && ratio > MUCH_PROCESSOR_TIME)
        .then(|| format!("overhead: {ratio:.2} times the baseline's CPU time"))
}

/// The largest loss of the threads' time; `None` without a profiled run.
fn largest_loss(report: &Report, row: &Row) -> Option<String> {
    let is_own =
        |run: &&ProfiledRun| run.hash == row.block.hash && run.contender() == row.contender();
    let run = report.profiled.iter().find(is_own)?;
    let lost = lost(std::slice::from_ref(run)).into_iter().next()?;
    let (share, what) = lost.losses().into_iter().next()?;
    (share >= WORTH_SAYING)
        .then(|| format!("{:.0} % of its threads' time is {what}", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, paced, raced};
    use super::super::{Figures, Verdict};
    use super::*;

    fn with(mut row: Row, change: impl FnOnce(&mut Figures)) -> Row {
        if let Verdict::Match(figures) = &mut row.verdict {
            change(figures);
        }
        row
    }

    fn reason_of(row: Row, baseline_micros: u64) -> String {
        let baseline = paced(row.block.number, baseline_micros);
        let report = testing::report_of(vec![baseline, row]);
        worst(&report, 1)[0].reason.clone()
    }

    #[test]
    fn each_reason_follows_from_its_figures() {
        let row = || with(raced(5, 900, 1.1), |figures| figures.incarnations = None);
        let few = Row { block: paced(5, 1).block, ..row() };
        let few = {
            let mut row = few;
            row.block.transactions = 9;
            row
        };
        let crowded = Row { threads: testing::threads(32), ..row() };
        for (row, micros, words) in [
            (few, 9_000, "only 9 transactions for 8 threads"),
            (with(row(), |figures| figures.bound_speedup = Some(1.2)), 9_000, "the bound is 1.20"),
            (crowded, 9_000, "32 threads on 16 logical CPUs"),
            (row(), 100, "short block: 100 µs in total"),
            (
                with(row(), |figures| figures.incarnations = Some(500)),
                9_000,
                "2.99 incarnations per transaction",
            ),
            (with(row(), |figures| figures.cpu_median = None), 9_000, "no single bottleneck"),
        ] {
            let reason = reason_of(row, micros);
            assert!(reason.contains(words), "{reason:?} must contain {words:?}");
        }
    }

    #[test]
    fn the_largest_loss_of_a_profiled_run_is_the_last_reason() {
        let row = with(raced(5, 900, 1.1), |figures| {
            (figures.incarnations, figures.cpu_median) = (None, None);
        });
        let run =
            ProfiledRun { hash: row.block.hash, threads: row.threads, ..testing::profiled(5, 1) };
        let rows = vec![paced(5, 9_000), row];
        let report = Report { profiled: vec![run], ..testing::report_of(rows) };
        let reason = &worst(&report, 1)[0].reason;
        assert_eq!(reason, "40 % of its threads' time is slowdown of useful execution");
    }

    #[test]
    fn dependencies_are_no_bottleneck_of_an_executor_in_block_order() {
        let bounded = |row: Row, bound| with(row, |figures| figures.bound_speedup = Some(bound));
        let schedule = Schedule::InOrder;
        let prefetch =
            Row { executor: "prefetch".into(), schedule, ..bounded(raced(5, 900, 1.0), 1.05) };
        let rows = vec![paced(5, 900), prefetch, bounded(raced(5, 1_000, 0.9), 1.9)];
        let report = testing::report_of(rows);
        let reason = &worst(&report, 1)[0].reason;
        assert_eq!(
            reason,
            "prefetch executes transactions in block order; the bound of other executors is 1.90"
        );
    }

    #[test]
    fn the_fastest_row_of_a_block_may_be_on_one_thread() {
        let alone = Row { threads: testing::threads(1), ..raced(5, 800, 1.1) };
        let report = testing::report_of(vec![paced(5, 9_000), raced(5, 9_900, 0.9), alone]);
        let limits = worst(&report, 1);
        assert_eq!((limits[0].row.threads.get(), limits[0].speedup), (1, 1.1));
        assert!(limits[0].reason.starts_with("0.90 by block-stm on 8 threads: "), "{limits:?}");
    }

    #[test]
    fn the_slowest_blocks_come_first_each_with_its_fastest_row() {
        let rows = vec![
            paced(5, 9_000),
            raced(5, 5_000, 1.8),
            Row { threads: testing::threads(4), ..raced(5, 6_000, 1.5) },
            paced(6, 9_000),
            raced(6, 9_900, 0.9),
        ];
        let report = testing::report_of(rows);
        let worst: Vec<_> =
            worst(&report, 3).iter().map(|limit| (limit.row.block.number, limit.speedup)).collect();
        assert_eq!(worst, [(6, 0.9), (5, 1.8)]);
    }
}
