//! Writes an analysis as CSV (RFC 4180), one line per block.
//!
//! Every kind of bound has one column for each requested thread count. Only the most expensive hot spot has
//! columns. The other hot spots are in [`json`](super::json).

use super::{AnalysedBlock, AnalysisReport, place};
use crate::{
    insight::Bounds,
    report::{ReportError, record::nanoseconds},
};
use std::{io, num::NonZeroUsize};

/// The columns before the bounds, in order.
const COLUMNS: [&str; 21] = [
    "chain_id",
    "block_number",
    "block_hash",
    "fork",
    "transactions",
    "gas_used",
    "total_ns",
    "outside_ns",
    "longest_transaction_ns",
    "critical_path_ns",
    "critical_path_gas",
    "parallelism",
    "parallelism_gas",
    "longest_chain",
    "independent_share",
    "dependent_pairs",
    "worst_kind",
    "worst_address",
    "bound_without_worst",
    "root_ns",
    "root_share",
];

/// Column prefix of a bound, and its value.
type Bound = (&'static str, fn(&Bounds) -> f64);

const BOUNDS: [Bound; 6] = [
    ("bound_fields", |bounds| bounds.fields),
    ("bound_when_ready", |bounds| bounds.when_ready),
    ("bound_in_order", |bounds| bounds.in_order),
    ("bound_independent", |bounds| bounds.independent),
    ("bound_accounts", |bounds| bounds.accounts),
    ("bound_accounts_deferred", |bounds| bounds.accounts_deferred),
];

/// Writes a line for each block below a header. The header is written even without blocks.
///
/// # Errors
/// [`ReportError::Csv`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &AnalysisReport, out: impl io::Write) -> Result<(), ReportError> {
    let threads = &report.settings.threads;
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(header(threads)).map_err(ReportError::Csv)?;
    for block in &report.blocks {
        writer.write_record(line(block, threads)).map_err(ReportError::Csv)?;
    }
    writer.flush().map_err(ReportError::ContenderResult)
}

fn header(threads: &[NonZeroUsize]) -> Vec<String> {
    let names =
        BOUNDS.iter().flat_map(|(name, _)| threads.iter().map(move |on| format!("{name}_{on}")));
    COLUMNS.into_iter().map(str::to_owned).chain(names).collect()
}

fn line(block: &AnalysedBlock, threads: &[NonZeroUsize]) -> Vec<String> {
    let bounds = BOUNDS.iter().flat_map(|(_, bound)| {
        threads.iter().map(move |on| {
            let found = block.analysis.bounds.iter().find(|bounds| bounds.threads == *on);
            decimal(found.map(bound))
        })
    });
    facts(block).into_iter().chain(bounds).collect()
}

/// The cells in the order of [`COLUMNS`].
fn facts(block: &AnalysedBlock) -> [String; COLUMNS.len()] {
    let AnalysedBlock { facts, analysis, .. } = block;
    let worst = analysis.worst();
    [
        facts.chain_id.to_string(),
        facts.number.to_string(),
        facts.hash.to_string(),
        facts.fork.clone(),
        facts.transactions.to_string(),
        facts.gas_used.to_string(),
        nanoseconds(analysis.total).to_string(),
        nanoseconds(analysis.outside).to_string(),
        nanoseconds(analysis.longest_transaction).to_string(),
        nanoseconds(analysis.critical_path).to_string(),
        analysis.critical_path_gas.to_string(),
        decimal(analysis.parallelism()),
        decimal(analysis.parallelism_gas()),
        analysis.longest_chain.to_string(),
        decimal(block.share(analysis.independent)),
        analysis.dependencies.len().to_string(),
        worst.map(|spot| place::kind(&spot.place).to_owned()).unwrap_or_default(),
        worst.map(|spot| spot.place.address().to_checksum(None)).unwrap_or_default(),
        decimal(worst.and_then(|spot| spot.bound_without)),
        block.root.as_ref().map(|root| nanoseconds(root.time).to_string()).unwrap_or_default(),
        decimal(block.root_share()),
    ]
}

/// A decimal with all its digits and no exponent; empty if it does not apply.
fn decimal(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}
