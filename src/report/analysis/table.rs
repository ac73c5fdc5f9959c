//! An analysis for a person at a terminal, at most 100 columns wide.
//!
//! Blocks first, then what they have in common: medians by fork, what each way to see conflicts allows,
//! and the contracts that cost most. Few blocks get their own hot spots in full.

use super::{
    AnalysedBlock, AnalysisReport,
    over_blocks::{ForkMedians, hottest, mean_bound, medians, path_growth},
    place,
};
use crate::{
    insight::{Analysis, Bounds, HotSpot, Ordered},
    report::{
        Failure, ReportError, counted,
        grid::{self, Column},
        summary::one_line,
        table::cell,
    },
    units,
};
use comfy_table::CellAlignment::{self, Left, Right};
use std::{io, num::NonZeroUsize};

/// How many numbers of threads fit beside the other columns.
const BOUNDS_SHOWN: usize = 4;

/// Up to so many blocks, the hot spots of each are shown.
const FEW_BLOCKS: usize = 3;

/// How many hot spots are shown.
const HOT_SPOTS: usize = 5;

const LEGEND: [&str; 7] = [
    "time: of all transactions on one thread, the shortest of several runs. limit: that over the time of",
    "the critical path, the longest chain of transactions that wait for each other, so the bound on any",
    "number of threads. x2, x4: bounds on 2 and 4 threads, from a schedule of the measured times in which",
    "a transaction waits where it reads what another has still to write; nothing is done twice, and",
    "nothing else takes time. chain: transactions in the longest chain of dependent ones. indep.: share",
    "that depend on no other. longest: share of the time that the longest takes. Conflicts are on",
    "balance, nonce, code and slot; payments commute, and senders' nonces are known.",
];

/// Writes `report` as text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(report: &AnalysisReport, mut out: impl io::Write) -> Result<(), ReportError> {
    let threads = shown(&report.settings.threads);
    let sections = [
        heading(report),
        blocks(report, &threads),
        if report.blocks.is_empty() { vec![] } else { LEGEND.map(str::to_owned).to_vec() },
        by_fork(report, &threads),
        by_model(report),
        refinements(report),
        contracts(report),
        details(report),
        problems(report),
    ];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// The numbers of threads that have columns: the lowest above one.
fn shown(threads: &[NonZeroUsize]) -> Vec<NonZeroUsize> {
    let several = threads.iter().copied().filter(|threads| threads.get() > 1);
    several.take(BOUNDS_SHOWN).collect()
}

/// What ran where, and how often.
fn heading(report: &AnalysisReport) -> Vec<String> {
    let runs = counted(report.settings.runs.get() as usize, "run");
    vec![
        format!(
            "blockrace {} on {}",
            report.machine.blockrace_version,
            one_line(&report.machine.cpu_model)
        ),
        format!("blocks {}; times are the shortest of {runs}", one_line(&report.settings.blocks)),
    ]
}

/// These columns, and one for each number of threads.
fn with_bounds(columns: &[Column], threads: &[NonZeroUsize]) -> Vec<(String, CellAlignment)> {
    let fixed = columns.iter().map(|(title, side)| ((*title).to_owned(), *side));
    fixed.chain(threads.iter().map(|threads| (format!("x{threads}"), Right))).collect()
}

/// Two decimals, without a unit: speedups and what bounds them.
fn ratio(value: Option<f64>) -> String {
    cell(value.map(|value| format!("{value:.2}")))
}

/// A share of one as whole percents.
fn percent(share: Option<f64>) -> String {
    cell(share.map(|share| format!("{:.0} %", share * 100.0)))
}

/// A line for each block: what it is, how long its transactions take, and what it allows.
fn blocks(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Vec<String> {
    const COLUMNS: [Column; 8] = [
        ("block", Right),
        ("txs", Right),
        ("Mgas", Right),
        ("time", Right),
        ("chain", Right),
        ("indep.", Right),
        ("longest", Right),
        ("limit", Right),
    ];
    if report.blocks.is_empty() {
        return vec![];
    }
    let rows = report.blocks.iter().map(|block| block_cells(block, threads)).collect();
    grid::lines(&with_bounds(&COLUMNS, threads), rows)
}

fn block_cells(block: &AnalysedBlock, threads: &[NonZeroUsize]) -> Vec<String> {
    let AnalysedBlock { facts, analysis } = block;
    let fixed = [
        facts.number.to_string(),
        facts.transactions.to_string(),
        units::grouped(units::mgas(facts.gas_used)),
        units::duration(analysis.total),
        analysis.longest_chain.to_string(),
        percent(block.share(analysis.independent)),
        percent(block.longest_share()),
        ratio(analysis.parallelism()),
    ];
    let bounds = threads.iter().map(|on| ratio(block.bounds_at(*on).map(|bounds| bounds.fields)));
    fixed.into_iter().chain(bounds).collect()
}

/// Medians over the blocks of each fork and of all, where there are more than a few blocks.
fn by_fork(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Vec<String> {
    const COLUMNS: [Column; 5] = [
        ("medians by fork", Left),
        ("blocks", Right),
        ("indep.", Right),
        ("longest", Right),
        ("limit", Right),
    ];
    let forks = medians(report, threads);
    if report.blocks.len() <= FEW_BLOCKS || forks.is_empty() {
        return vec![];
    }
    let cells = |medians: &ForkMedians<'_>| {
        let fixed = [
            medians.fork.to_owned(),
            medians.blocks.to_string(),
            percent(medians.independent),
            percent(medians.longest_share),
            ratio(medians.parallelism),
        ];
        fixed.into_iter().chain(medians.bounds.iter().map(|bound| ratio(*bound))).collect()
    };
    grid::lines(&with_bounds(&COLUMNS, threads), forks.iter().map(cells).collect())
}

/// What is lost to what: from no conflicts at all down to conflicts over whole accounts.
fn by_model(report: &AnalysisReport) -> Vec<String> {
    type Kind = (&'static str, fn(&Bounds) -> f64);
    const KINDS: [Kind; 6] = [
        ("no conflicts: only the longest transaction is in the way", |bounds| bounds.independent),
        ("conflicts on balance, nonce, code and slot", |bounds| bounds.fields),
        ("the same, started only when all it reads is there", |bounds| bounds.when_ready),
        ("the same, started in block order without looking ahead", |bounds| bounds.in_order),
        ("whole accounts, fees and plain transfers deferred", |bounds| bounds.accounts_deferred),
        ("whole accounts", |bounds| bounds.accounts),
    ];
    if report.blocks.iter().all(|block| block.analysis.bounds.is_empty()) {
        return vec![];
    }
    let threads: Vec<_> =
        report.settings.threads.iter().copied().filter(|threads| threads.get() > 1).collect();
    let columns = with_bounds(&[("bound, geometric mean", Left)], &threads);
    let cells = |(name, bound): &Kind| {
        let means = threads.iter().map(|on| ratio(mean_bound(report, *on, *bound)));
        std::iter::once((*name).to_owned()).chain(means).collect()
    };
    grid::lines(&columns, KINDS.iter().map(cells).collect())
}

/// What each of the refinements of fields is worth.
fn refinements(report: &AnalysisReport) -> Vec<String> {
    let growth = |ordered| path_growth(report, ordered).map(|growth| format!("{growth:.2}"));
    let (Some(fees), Some(nonces), Some(balances)) =
        (growth(Ordered::Fees), growth(Ordered::Nonces), growth(Ordered::Balances))
    else {
        return vec![];
    };
    vec![format!(
        "The critical path would be {fees} times as long if fees were paid in order, {nonces} if \
         nonces were\ncounted in order, {balances} if payments did not commute."
    )]
}

fn contracts(report: &AnalysisReport) -> Vec<String> {
    const COLUMNS: [Column; 5] = [
        ("hottest contracts", Left),
        ("blocks", Right),
        ("pairs", Right),
        ("of critical paths", Right),
        ("worst in", Right),
    ];
    let hot = hottest(report, 2 * HOT_SPOTS);
    if report.blocks.len() <= FEW_BLOCKS || hot.is_empty() {
        return vec![];
    }
    let rows = hot.iter().map(|contract| {
        vec![
            place::short(&contract.place, contract.chain_id),
            contract.blocks.to_string(),
            contract.pairs.to_string(),
            percent(Some(contract.path_share)),
            contract.worst_in.to_string(),
        ]
    });
    let mut lines = grid::lines(&COLUMNS, rows.collect());
    lines.push("worst in: blocks whose bound would rise most without it.".to_owned());
    lines
}

/// The hot spots of each block, where there are few.
fn details(report: &AnalysisReport) -> Vec<String> {
    if report.blocks.len() > FEW_BLOCKS {
        return vec![];
    }
    report.blocks.iter().flat_map(block_details).collect()
}

fn block_details(block: &AnalysedBlock) -> Vec<String> {
    const COLUMNS: [Column; 4] = [
        ("hot spots", Left),
        ("pairs", Right),
        ("on critical path", Right),
        ("bound without", Right),
    ];
    let AnalysedBlock { facts, analysis } = block;
    let spots =
        || analysis.contracts.iter().take(HOT_SPOTS).chain(analysis.fields.iter().take(HOT_SPOTS));
    let (Some(bounds), Some(_)) = (analysis.bounds.last(), spots().next()) else { return vec![] };
    let rows = spots().map(|spot| {
        vec![
            place::short(&spot.place, facts.chain_id),
            spot.pairs.to_string(),
            units::duration(spot.path_time),
            ratio(spot.bound_without),
        ]
    });
    let mut lines = vec![format!(
        "Block {} on {} threads: bound {:.2}, critical path {}",
        facts.number,
        bounds.threads,
        bounds.fields,
        units::duration(analysis.critical_path)
    )];
    lines.extend(grid::lines(&COLUMNS, rows.collect()));
    lines.extend(analysis.worst().map(|spot| what_if(spot, analysis, facts.chain_id)));
    lines
}

fn what_if(spot: &HotSpot, analysis: &Analysis, chain_id: u64) -> String {
    let now = analysis.bounds.last().map(|bounds| bounds.fields);
    format!(
        "Without {} the bound would rise most: from {} to {}.",
        place::short(&spot.place, chain_id),
        ratio(now),
        ratio(spot.bound_without)
    )
}

fn problems(report: &AnalysisReport) -> Vec<String> {
    let line = |failure: &Failure| {
        format!("not analysed: block {}: {}", failure.block, one_line(&failure.what))
    };
    report.failures.iter().map(line).collect()
}
