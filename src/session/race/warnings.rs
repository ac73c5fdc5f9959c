//! Derives the warnings of a report from its rows, the notes of the race and the state of the machine.
//!
//! `measure::warnings` has the thresholds and the texts.

use crate::{
    block::MergedCounts,
    measure::{
        cgroup::ProcessorLimit,
        load::OtherLoad,
        spread::{turns, unevenness},
        stats::Speedup,
        warmup::MOST_ROUNDS,
        warnings::{
            Build, Conditions, Finding, Warning, conditions, findings, noise_floor, shared_cores,
        },
    },
    report::{Comparison, Figures, Report, Row, SelfCheckRow, totals},
};
use std::num::NonZeroUsize;

/// Events of the races that no row of the report contains.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RaceNotes {
    /// Number of blocks with a contender that still sped up at the end of the warm-up.
    pub(super) never_warm: usize,
    /// Number of blocks that reached the time limit before their intervals were narrow enough.
    pub(super) out_of_time: usize,
    /// Number of blocks that did not run because of an interrupt. `None` without an interrupt.
    pub(super) interrupted: Option<usize>,
    /// Counts of all merged blocks.
    pub(super) merged: MergedSum,
}

/// Counts of all merged blocks together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MergedSum {
    /// Number of large blocks.
    into: usize,
    counts: MergedCounts,
}

impl MergedSum {
    pub(super) const fn add(&mut self, more: MergedCounts) {
        self.into += 1;
        self.counts.blocks += more.blocks;
        self.counts.transactions += more.transactions;
        self.counts.invalid += more.invalid;
        self.counts.unknown += more.unknown;
    }

    fn warning(self) -> Option<Warning> {
        let Self { into, counts } = self;
        let MergedCounts { blocks, transactions, invalid, unknown } = counts;
        (into > 0).then_some(Warning::Merged { blocks, into, transactions, invalid, unknown })
    }
}

/// Kinds of warnings that follow from no row of a report.
const KINDS_OF_PARTS: [&str; 7] = [
    "interrupted",
    "never-warm",
    "time-limit",
    "other-load",
    "stolen",
    "limited-processor-time",
    "part-of-the-machine",
];

/// The warnings of a report that was merged from several parts. `of_parts` are the kinds and texts of their own
/// warnings. Warnings that follow from rows are derived again.
pub fn merged_warnings(report: &Report, of_parts: &[(String, String)]) -> Vec<Warning> {
    let mut all = warnings(report, RaceNotes::default(), Surroundings::default());
    for (kind, what) in of_parts {
        let known = KINDS_OF_PARTS.iter().find(|known| *known == kind);
        let warning = known.map(|kind| Warning::OfPart { kind, what: what.clone() });
        all.extend(warning.filter(|warning| !all.contains(warning)));
    }
    all
}

/// Influences on the samples from outside of this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// Load of other processes, and steal time; `None` if the system does not report it.
    pub(super) load: Option<OtherLoad>,
    /// Limits of a cgroup.
    pub(super) limits: Vec<ProcessorLimit>,
}

/// Returns all warnings of a report.
pub(super) fn warnings(report: &Report, notes: RaceNotes, around: Surroundings) -> Vec<Warning> {
    let threads = report.rows.iter().map(|row| row.threads).max().unwrap_or(NonZeroUsize::MIN);
    let circumstances = Conditions {
        build: if report.machine.build == "debug" { Build::Debug } else { Build::Optimised },
        cores: report.machine.logical_cpus,
        threads,
        governor: report.machine.governor.clone(),
        load: around.load,
        limits: around.limits,
    };
    let rows: Vec<_> = report.rows.iter().filter_map(|row| finding(report, row)).collect();
    let never_warm = (notes.never_warm > 0)
        .then_some(Warning::NeverWarm { blocks: notes.never_warm, rounds: MOST_ROUNDS });
    let time_limit =
        (notes.out_of_time > 0).then_some(Warning::TimeLimit { blocks: notes.out_of_time });
    let interrupted = notes.interrupted.map(|not_run| Warning::Interrupted { not_run });
    let of_notes =
        [notes.merged.warning(), interrupted, never_warm, time_limit].into_iter().flatten();
    let worth = totals::cores_worth(report).into_iter();
    let shared = worth.filter_map(|(threads, worth)| shared_cores(threads, &worth));
    of_notes.chain(shared).chain(conditions(&circumstances)).chain(findings(&rows)).collect()
}

/// Collects the indicators of disturbed samples from a row. `None` if the row does not match.
fn finding(report: &Report, row: &Row) -> Option<Finding> {
    let figures = row.verdict.figures()?;
    let is_floor = |check: &&SelfCheckRow| check.hash == row.block.hash && check.is_of_noise();
    let itself = report.self_checks.iter().find(is_floor);
    Some(Finding {
        at: format!("block {}, {}", row.block.number, row.contender()),
        laps: figures.samples.len(),
        outliers: figures.outliers,
        turns: turns(&figures.samples),
        unevenness: unevenness_of_baseline(figures),
        drift: figures.drift,
        speedup: measured(&figures.comparison),
        floor: itself.map(|check| noise_floor(&check.ratio)),
    })
}

fn unevenness_of_baseline(figures: &Figures) -> Option<f64> {
    let Comparison::Baseline = figures.comparison else { return None };
    unevenness(&figures.samples.iter().map(|sample| sample.execute).collect::<Vec<_>>())
}

const fn measured(comparison: &Comparison) -> Option<Speedup> {
    match comparison {
        Comparison::Against { speedup, .. } => Some(*speedup),
        Comparison::Baseline | Comparison::NoBaseline => None,
    }
}
