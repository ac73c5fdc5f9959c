//! Builds the tables of an analysis as data. The terminal report and the page share them.

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

/// Up to this number of blocks, hot spots are shown per block. Beyond it they are shown over all blocks.
pub(super) const FEW_BLOCKS: usize = 3;

/// Number of hot spots that are shown.
const HOT_SPOTS: usize = 5;

/// A definition of a conflict in words, and its bound.
type Kind = (&'static str, fn(&Bounds) -> f64);

/// Definitions of a conflict, from none at all to conflicts on whole accounts.
pub(super) const KINDS: [Kind; 6] = [
    ("no conflicts: only the longest transaction limits", |bounds| bounds.independent),
    ("conflicts on balance, nonce, code and slot", |bounds| bounds.fields),
    ("the same, started when all reads are ready", |bounds| bounds.when_ready),
    ("the same, started in block order", |bounds| bounds.in_order),
    ("whole accounts, fees and plain transfers commute", |bounds| bounds.accounts_deferred),
    ("conflicts on whole accounts", |bounds| bounds.accounts),
];

/// A table: titles with the alignment of their columns, and cells.
pub(super) struct Listing {
    pub(super) columns: Vec<(String, CellAlignment)>,
    pub(super) rows: Vec<Vec<String>>,
    /// Columns that may be left out, the least important first.
    dropped: Vec<usize>,
}

impl Listing {
    /// A listing of fixed columns and one column for each thread count.
    fn new(columns: &[Column], threads: &[NonZeroUsize], rows: Vec<Vec<String>>) -> Self {
        let fixed = columns.iter().map(|(title, side)| ((*title).to_owned(), *side));
        let bounds = threads.iter().map(|threads| (format!("on {threads}"), Right));
        let columns: Vec<_> = fixed.chain(bounds).collect();
        // The bounds on the fewest threads, then the others.
        let dropped = columns.len() - threads.len()..columns.len();
        Self { columns, rows, dropped: dropped.collect() }
    }

    /// Columns that are left out before the bounds.
    fn dropping(mut self, first: &[usize]) -> Self {
        self.dropped.splice(..0, first.iter().copied());
        self
    }

    /// The listing as text; empty without rows. Columns are left out until it fits `width`.
    pub(super) fn lines(self, width: usize) -> Vec<String> {
        if self.rows.is_empty() {
            return vec![];
        }
        grid::lines(&self.columns, &self.rows, &self.dropped, width)
    }
}

/// Formats a speedup or a bound with two decimals.
pub(super) fn ratio(value: Option<f64>) -> String {
    cell(value.map(|value| format!("{value:.2}")))
}

/// Formats a share as a whole percentage.
fn percent(share: Option<f64>) -> String {
    cell(share.map(|share| format!("{:.0} %", share * 100.0)))
}

/// All thread counts above one. On one thread the bound is always 1.
pub(super) fn several(report: &AnalysisReport) -> Vec<NonZeroUsize> {
    report.settings.threads.iter().copied().filter(|threads| threads.get() > 1).collect()
}

/// A row for each block: its size, its times and its bounds.
pub(super) fn blocks(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Listing {
    const COLUMNS: [Column; 9] = [
        ("block", Right),
        ("txs", Right),
        ("Mgas", Right),
        ("time", Right),
        ("root", Right),
        ("chain", Right),
        ("indep.", Right),
        ("longest", Right),
        ("bound", Right),
    ];
    let rows = report.blocks.iter().map(|block| block_cells(block, threads)).collect();
    Listing::new(&COLUMNS, threads, rows).dropping(&[7, 6, 4, 2, 5])
}

fn block_cells(block: &AnalysedBlock, threads: &[NonZeroUsize]) -> Vec<String> {
    let AnalysedBlock { facts, analysis, .. } = block;
    let fixed = [
        facts.number.to_string(),
        facts.transactions.to_string(),
        units::grouped(units::mgas(facts.gas_used)),
        units::duration(analysis.total),
        percent(block.root_share()),
        analysis.longest_chain.to_string(),
        percent(block.share(analysis.independent)),
        percent(block.longest_share()),
        ratio(analysis.parallelism()),
    ];
    let bounds = threads.iter().map(|on| ratio(block.bounds_at(*on).map(|bounds| bounds.fields)));
    fixed.into_iter().chain(bounds).collect()
}

/// Medians over the blocks of each fork and over all blocks; empty for few blocks.
pub(super) fn by_fork(report: &AnalysisReport, threads: &[NonZeroUsize]) -> Listing {
    const COLUMNS: [Column; 5] = [
        ("medians by fork", Left),
        ("blocks", Right),
        ("indep.", Right),
        ("longest", Right),
        ("bound", Right),
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
    Listing::new(&COLUMNS, threads, forks.iter().map(cells).collect()).dropping(&[3, 2])
}

/// The mean bound for each definition of a conflict.
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

/// The contracts with the most time on critical paths; empty for few blocks.
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
    Listing::new(&COLUMNS, &[], rows.collect()).dropping(&[2, 4])
}

/// The hot spots of a block: contracts, then fields.
pub(super) fn hot_spots(block: &AnalysedBlock) -> Listing {
    const COLUMNS: [Column; 4] = [
        ("hot spots", Left),
        ("pairs", Right),
        ("on critical path", Right),
        ("bound without", Right),
    ];
    let AnalysedBlock { facts, analysis, .. } = block;
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
    Listing::new(&COLUMNS, &[], rows.collect()).dropping(&[1, 2])
}
