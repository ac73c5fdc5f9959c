//! The tables of an analysis as data, for the terminal and the page alike.

use super::{
    AnalysedBlock, AnalysisReport,
    over_blocks::{ForkMedians, hottest, mean_bound, medians},
    place,
};
use crate::{
    insight::{Bounds, HotSpot},
    report::{
        grid::{self, Column},
        table::cell,
    },
    units,
};
use comfy_table::CellAlignment::{self, Left, Right};
use std::num::NonZeroUsize;

/// Up to so many blocks, the hot spots of each are shown, and not those of all.
pub(super) const FEW_BLOCKS: usize = 3;

/// How many hot spots are shown.
const HOT_SPOTS: usize = 5;

/// A way to see conflicts, in words, and its bound.
type Kind = (&'static str, fn(&Bounds) -> f64);

/// From no conflicts at all down to conflicts over whole accounts.
pub(super) const KINDS: [Kind; 6] = [
    ("no conflicts: only the longest transaction is in the way", |bounds| bounds.independent),
    ("conflicts on balance, nonce, code and slot", |bounds| bounds.fields),
    ("the same, started only when all it reads is there", |bounds| bounds.when_ready),
    ("the same, started in block order without looking ahead", |bounds| bounds.in_order),
    ("whole accounts, fees and plain transfers deferred", |bounds| bounds.accounts_deferred),
    ("whole accounts", |bounds| bounds.accounts),
];

/// A table: titles, each with the side that its column keeps to, and cells.
pub(super) struct Listing {
    pub(super) columns: Vec<(String, CellAlignment)>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Listing {
    /// These columns, and one for each number of threads.
    fn new(columns: &[Column], threads: &[NonZeroUsize], rows: Vec<Vec<String>>) -> Self {
        let fixed = columns.iter().map(|(title, side)| ((*title).to_owned(), *side));
        let bounds = threads.iter().map(|threads| (format!("x{threads}"), Right));
        Self { columns: fixed.chain(bounds).collect(), rows }
    }

    /// As text; nothing if there is not one row.
    pub(super) fn lines(self) -> Vec<String> {
        if self.rows.is_empty() { vec![] } else { grid::lines(&self.columns, self.rows) }
    }
}

/// Two decimals, without a unit: speedups and what bounds them.
pub(super) fn ratio(value: Option<f64>) -> String {
    cell(value.map(|value| format!("{value:.2}")))
}

/// A share of one as whole percents.
fn percent(share: Option<f64>) -> String {
    cell(share.map(|share| format!("{:.0} %", share * 100.0)))
}

/// All numbers of threads but one, on which the bound is always 1.
pub(super) fn several(report: &AnalysisReport) -> Vec<NonZeroUsize> {
    report.settings.threads.iter().copied().filter(|threads| threads.get() > 1).collect()
}

/// A row for each block: what it is, how long its transactions take, and what it allows.
pub(super) fn blocks(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Listing {
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
    let rows = report.blocks.iter().map(|block| block_cells(block, threads)).collect();
    Listing::new(&COLUMNS, threads, rows)
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
pub(super) fn by_fork(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Listing {
    const COLUMNS: [Column; 5] = [
        ("medians by fork", Left),
        ("blocks", Right),
        ("indep.", Right),
        ("longest", Right),
        ("limit", Right),
    ];
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
    let is_few = report.blocks.len() <= FEW_BLOCKS;
    let forks = if is_few { vec![] } else { medians(report, threads) };
    Listing::new(&COLUMNS, threads, forks.iter().map(cells).collect())
}

/// What is lost to what.
pub(super) fn by_model(report: &AnalysisReport) -> Listing {
    let threads = several(report);
    let cells = |(name, bound): &Kind| {
        let means = threads.iter().map(|on| ratio(mean_bound(report, *on, *bound)));
        std::iter::once((*name).to_owned()).chain(means).collect()
    };
    let has_bounds = |block: &AnalysedBlock| !block.analysis.bounds.is_empty();
    let is_bounded = !threads.is_empty() && report.blocks.iter().any(has_bounds);
    let kinds = if is_bounded { &KINDS[..] } else { &[] };
    let rows = kinds.iter().map(cells).collect();
    Listing::new(&[("bound, geometric mean", Left)], &threads, rows)
}

/// The contracts that cost most, where there are more than a few blocks.
pub(super) fn contracts(report: &AnalysisReport) -> Listing {
    const COLUMNS: [Column; 5] = [
        ("hottest contracts", Left),
        ("blocks", Right),
        ("pairs", Right),
        ("of critical paths", Right),
        ("worst in", Right),
    ];
    let is_few = report.blocks.len() <= FEW_BLOCKS;
    let hot = if is_few { vec![] } else { hottest(report, 2 * HOT_SPOTS) };
    let rows = hot.iter().map(|contract| {
        vec![
            place::short(&contract.place, contract.chain_id),
            contract.blocks.to_string(),
            contract.pairs.to_string(),
            percent(Some(contract.path_share)),
            contract.worst_in.to_string(),
        ]
    });
    Listing::new(&COLUMNS, &[], rows.collect())
}

/// Where the transactions of a block meet: contracts, then fields.
pub(super) fn hot_spots(block: &AnalysedBlock) -> Listing {
    const COLUMNS: [Column; 4] = [
        ("hot spots", Left),
        ("pairs", Right),
        ("on critical path", Right),
        ("bound without", Right),
    ];
    let AnalysedBlock { facts, analysis } = block;
    let [contracts, fields] = [&analysis.contracts, &analysis.fields];
    let spots = contracts.iter().take(HOT_SPOTS).chain(fields.iter().take(HOT_SPOTS));
    let rows = spots.map(|spot: &HotSpot| {
        vec![
            place::short(&spot.place, facts.chain_id),
            spot.pairs.to_string(),
            units::duration(spot.path_time),
            ratio(spot.bound_without),
        ]
    });
    Listing::new(&COLUMNS, &[], rows.collect())
}
