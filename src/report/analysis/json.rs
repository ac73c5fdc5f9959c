//! Writes a whole analysis as JSON (RFC 8259), with the conflicts by cause.
//!
//! Durations are integers in nanoseconds. A value that does not apply is `null`.
//!
//! ```text
//! { "schema_version": 2, "provenance": {..}, "machine": {..}, "settings": { threads, iterations, .. },
//!   "blocks": [{ chain_id, block_number, .., bounds: [{ threads, fields, .. }],
//!     in_order: [{ what, pairs, critical_path_ns }], contracts: [..], fields: [..], storage_tries: [..] }],
//!   "failures": [{ block_number, what }] }
//! ```

use super::{AnalysedBlock, AnalysisReport, place::HotSpotRecord};
use crate::{
    insight::{Bounds, HotSpot, Ordered, OrderedCost, well_known},
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
    blocks: Vec<BlockRecord>,
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
struct BlockRecord {
    #[serde(flatten)]
    facts: FactsRecord,
    #[serde(flatten)]
    work: WorkRecord,
    bounds: Vec<BoundsRecord>,
    in_order: Vec<OrderedRecord>,
    contracts: Vec<HotSpotRecord>,
    fields: Vec<HotSpotRecord>,
    storage_tries: Vec<StorageRecord>,
}

impl BlockRecord {
    fn new(block: &AnalysedBlock) -> Self {
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
            storage_tries: storage_records(block).collect(),
        }
    }
}

/// A changed storage trie.
#[derive(Debug, Serialize)]
pub(in crate::report) struct StorageRecord {
    address: String,
    name: Option<&'static str>,
    slots: usize,
    nodes: usize,
    bytes: usize,
}

/// The largest changed storage tries of a block; none without a proof.
pub(in crate::report) fn storage_records(
    block: &AnalysedBlock,
) -> impl Iterator<Item = StorageRecord> {
    let tries = block.root.iter().flat_map(|root| &root.storage_tries);
    tries.map(|work| StorageRecord {
        address: work.address.to_checksum(None),
        name: well_known(block.facts.chain_id, work.address),
        slots: work.slots,
        nodes: work.nodes.count,
        bytes: work.nodes.bytes,
    })
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
    root_ns: Option<u64>,
    root_share: Option<f64>,
    root_nodes: Option<usize>,
    root_bytes: Option<usize>,
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
            root_ns: block.root.as_ref().map(|root| nanoseconds(root.time)),
            root_share: block.root_share(),
            root_nodes: block.root.as_ref().map(|root| root.nodes.count),
            root_bytes: block.root.as_ref().map(|root| root.nodes.bytes),
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
