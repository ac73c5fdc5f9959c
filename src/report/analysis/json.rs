//! Writes a whole analysis as JSON (RFC 8259), with the conflicts by cause.
//!
//! Durations are integers in nanoseconds. A value that does not apply is `null`.
//!
//! ```text
//! { "schema_version": 2, "provenance": {..}, "machine": {..}, "settings": { threads, iterations, .. },
//!   "blocks": [{ chain_id, block_number, .., bounds: [{ threads, fields, .. }],
//!     in_order: [{ what, pairs, critical_path_ns }], contracts: [..], fields: [..] }],
//!   "failures": [{ block_number, what }] }
//! ```

use super::{AnalysedBlock, AnalysisReport, place::HotSpotRecord};
use crate::{
    insight::{Bounds, HotSpot, Ordered, OrderedCost},
    report::{
        Failure, Machine, Provenance, ReportError, json::write_document, record::FactsRecord,
        record::nanoseconds,
    },
};
use serde::Serialize;
use std::io;

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 2;

/// Writes `report` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &AnalysisReport, out: impl io::Write) -> Result<(), ReportError> {
    write_document(&Document::new(report), out)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    provenance: &'a Provenance,
    machine: &'a Machine,
    settings: SettingsRecord<'a>,
    blocks: Vec<BlockRecord<'a>>,
    failures: &'a [Failure],
}

impl<'a> Document<'a> {
    fn new(report: &'a AnalysisReport) -> Self {
        let settings = &report.settings;
        Self {
            schema_version: SCHEMA_VERSION,
            provenance: &report.provenance,
            machine: &report.machine,
            settings: SettingsRecord {
                threads: settings.threads.iter().map(|threads| threads.get()).collect(),
                iterations: settings.runs.get(),
                blocks: &settings.blocks,
                command: &settings.command,
            },
            blocks: report.blocks.iter().map(BlockRecord::new).collect(),
            failures: &report.failures,
        }
    }
}

#[derive(Debug, Serialize)]
struct SettingsRecord<'a> {
    threads: Vec<usize>,
    iterations: u32,
    blocks: &'a str,
    command: &'a str,
}

#[derive(Debug, Serialize)]
struct BlockRecord<'a> {
    #[serde(flatten)]
    facts: FactsRecord<'a>,
    #[serde(flatten)]
    work: WorkRecord,
    bounds: Vec<BoundsRecord>,
    in_order: Vec<OrderedRecord>,
    contracts: Vec<HotSpotRecord>,
    fields: Vec<HotSpotRecord>,
}

impl<'a> BlockRecord<'a> {
    fn new(block: &'a AnalysedBlock) -> Self {
        let AnalysedBlock { facts, analysis, .. } = block;
        let hot = |spots: &[HotSpot]| {
            spots.iter().map(|spot| HotSpotRecord::new(spot, facts.chain_id)).collect()
        };
        Self {
            facts: FactsRecord::new(facts),
            work: WorkRecord::new(block),
            bounds: analysis.bounds.iter().map(BoundsRecord::new).collect(),
            in_order: analysis.ordered.iter().map(OrderedRecord::new).collect(),
            contracts: hot(&analysis.contracts),
            fields: hot(&analysis.fields),
        }
    }
}

/// The work of a block and its critical path.
#[derive(Debug, Serialize)]
pub(in crate::report) struct WorkRecord {
    total_ns: u64,
    outside_ns: u64,
    longest_transaction_ns: u64,
    critical_path_ns: u64,
    critical_path_gas: u64,
    parallelism: Option<f64>,
    parallelism_gas: Option<f64>,
    longest_chain: usize,
    independent_share: Option<f64>,
    dependent_pairs: usize,
}

impl WorkRecord {
    pub(in crate::report) fn new(block: &AnalysedBlock) -> Self {
        let analysis = &block.analysis;
        Self {
            total_ns: nanoseconds(analysis.total),
            outside_ns: nanoseconds(analysis.outside),
            longest_transaction_ns: nanoseconds(analysis.longest_transaction),
            critical_path_ns: nanoseconds(analysis.critical_path),
            critical_path_gas: analysis.critical_path_gas,
            parallelism: analysis.parallelism(),
            parallelism_gas: analysis.parallelism_gas(),
            longest_chain: analysis.longest_chain,
            independent_share: block.share(analysis.independent),
            dependent_pairs: analysis.dependencies.len(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct BoundsRecord {
    threads: usize,
    fields: f64,
    when_ready: f64,
    in_order: f64,
    independent: f64,
    accounts: f64,
    accounts_deferred: f64,
}

impl BoundsRecord {
    pub(in crate::report) const fn new(bounds: &Bounds) -> Self {
        Self {
            threads: bounds.threads.get(),
            fields: bounds.fields,
            when_ready: bounds.when_ready,
            in_order: bounds.in_order,
            independent: bounds.independent,
            accounts: bounds.accounts,
            accounts_deferred: bounds.accounts_deferred,
        }
    }
}

/// Dependencies and critical path without one refinement of the conflict model.
#[derive(Debug, Serialize)]
pub(in crate::report) struct OrderedRecord {
    what: &'static str,
    dependent_pairs: usize,
    critical_path_ns: u64,
}

impl OrderedRecord {
    pub(in crate::report) fn new(cost: &OrderedCost) -> Self {
        let what = match cost.ordered {
            Ordered::Fees => "beneficiary",
            Ordered::Nonces => "nonces",
            Ordered::Balances => "balances",
        };
        let critical_path_ns = nanoseconds(cost.critical_path);
        Self { what, dependent_pairs: cost.pairs, critical_path_ns }
    }
}
